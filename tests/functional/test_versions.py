"""A tree that changes: shared again, fetched again, and what of it is read and moved."""
import filecmp
import os
import random
import unittest

from kith_test import KithTest

KIB = 1024


class Versions(KithTest):
    def setUp(self):
        super().setUp()
        self.a, self.b = self.swarm("a", "b")
        self.tree = self.top / "tree"
        (self.tree / "small").mkdir(parents=True)
        rng = random.Random(5)
        for number in range(2_000):
            (self.tree / "small" / f"{number:04}").write_bytes(rng.randbytes(4 * KIB))
        (self.tree / "large").write_bytes(rng.randbytes(20_000 * KIB))
        self.age()

    def age(self):
        """Makes every file old enough to be believed: what changed within 2 s is read again."""
        self.wait_until(lambda: self.settled(), "the files are old enough")

    def settled(self):
        newest = max(path.stat().st_ctime for path in self.tree.rglob("*"))
        return newest + 2.1 < os.stat(self.touch()).st_mtime

    def touch(self):
        path = self.top / "now"
        path.write_bytes(b"")
        return path

    def share(self):
        return self.a.ask("share", self.tree)

    def change(self):
        (self.tree / "small" / "1234").write_bytes(b"changed")
        self.age()

    def assert_same(self, path):
        compared = filecmp.dircmp(self.tree, path)
        self.assertEqual(compared.diff_files + compared.left_only + compared.right_only, [])
        match, *rest = filecmp.cmpfiles(self.tree / "small", path / "small",
                                        os.listdir(self.tree / "small"), shallow=False)
        self.assertEqual((len(match), rest), (len(os.listdir(self.tree / "small")), [[], []]))

    def test_sharing_again_reads_what_changed(self):
        first = self.share()
        self.assertEqual(first["bytes_read"], 28_000 * KIB)
        again = self.share()
        self.assertEqual((again["link"], again["bytes_read"]), (first["link"], 0))
        self.change()
        changed = self.share()
        self.assertNotEqual(changed["link"], first["link"])
        self.assertLess(changed["bytes_read"], 2_000 * KIB)

    def test_a_new_version_costs_what_changed(self):
        old = self.b.ask("fetch", self.share()["link"], "-o", self.top / "one")
        self.change()
        new = self.b.ask("fetch", self.share()["link"], "-o", self.top / "two")
        self.assert_same(self.top / "two/tree")
        self.assertLess(new["bytes_received"], 2_500 * KIB)
        self.assertGreater(new["bytes_copied"], 24_000 * KIB)
        self.assertEqual(old["bytes_copied"], 0)

    def test_a_tree_that_is_no_share_is_reused(self):
        link = self.share()["link"]
        old = self.top / "old"
        (old / "elsewhere").mkdir(parents=True)
        os.link(self.tree / "large", old / "elsewhere/film")
        new = self.b.ask("fetch", link, "-o", self.top / "two", "--reuse", old)
        self.assert_same(self.top / "two/tree")
        self.assertGreaterEqual(new["bytes_copied"], 20_000 * KIB)
        self.assertLess(new["bytes_received"], 9_000 * KIB)

    def test_nothing_to_reuse_is_an_error(self):
        link = self.share()["link"]
        fetched = self.b.run("--json", "fetch", link, "-o", self.top / "two", "--reuse", self.top / "none")
        self.assert_fails(fetched, 4, "not-found")
        self.assertFalse((self.top / "two/tree").exists())


if __name__ == "__main__":
    unittest.main()
