"""Room: the quota, and what is given back."""
import random
import shutil
import unittest

from kith_test import KithTest

MB = 1_000_000


class Space(KithTest):
    def setUp(self):
        super().setUp()
        self.a, self.b = self.swarm("a", "b")

    def share(self, name, size):
        file = self.top / name
        file.write_bytes(random.Random(name).randbytes(size))
        return self.a.ask("share", file)["link"]

    def quota(self, *size):
        answer = self.b.ask("quota", *size)
        return answer["limit"], answer["used"]

    def test_a_quota_is_set_shown_kept_and_obeyed(self):
        one, two = self.share("one", 3 * MB), self.share("two", 2 * MB)
        self.assertEqual(self.quota(), (0, 0))
        self.assertEqual(self.quota("4MB"), (4 * MB, 0))
        out = self.top / "out"
        self.b.ask("fetch", one, "-o", out)
        self.assertEqual(self.quota(), (4 * MB, 3 * MB))
        self.b.stop_node()
        self.b.start_node()
        error = self.assert_fails(self.b.run("--json", "fetch", two, "-o", out), 7, "no-space")
        self.assertIn(f"{MB} are missing", error["what"])
        self.assertIn("kith quota", error["hint"])
        self.assertFalse((out / "two").exists())
        text = self.b.run("quota")
        self.assertEqual(text.exit, 0, str(text))
        self.assertIn("2.86 MiB", text.stdout)
        self.b.ask("unshare", one)
        self.assertEqual(self.quota(), (4 * MB, 0))
        self.assertTrue((out / "one").exists())
        self.b.ask("fetch", two, "-o", out)
        self.assertEqual(self.quota("none"), (0, 2 * MB))

    def test_wrong_sizes(self):
        for word in ("much", "-1", "10MB/s"):
            with self.subTest(word):
                self.assert_fails(self.b.run("--json", "quota", "--", word), 2, "usage")

    def test_the_catalog_gives_back_what_was_unshared(self):
        tree = self.top / "tree"
        tree.mkdir()
        for number in range(5_000):
            (tree / f"{number:05}-{'x' * 100}").write_bytes(str(number).encode())
        shared = self.b.ask("share", tree)
        catalog = self.b.home / "catalog.sqlite"
        self.b.ask("unshare", shared["share"]["id"])
        answer = self.b.ask("gc")
        self.assertEqual((answer["dry_run"], answer["items"]), (False, []))
        self.assertEqual(self.b.ask("gc", "--dry-run")["catalog_bytes"], 0)
        self.assertLess(catalog.stat().st_size, 500_000)
        self.assertEqual(len(list(tree.iterdir())), 5_000)

    def test_a_fetched_copy_that_was_removed_is_forgotten(self):
        link = self.share("one", MB)
        out = self.top / "out"
        self.b.ask("fetch", link, "-o", out)
        self.assertEqual(self.b.ask("gc")["items"], [])
        shutil.rmtree(out)
        expected = [{"kind": "copy", "path": str(out / "one"), "bytes": 0, "problem": ""}]
        self.assertEqual(self.b.ask("gc", "--dry-run")["items"], expected)
        self.assertEqual(len(self.b.ask("list")["shares"]), 1)
        self.assertEqual(self.b.ask("gc")["items"], expected)
        self.assertEqual(self.b.ask("list")["shares"], [])
        self.assertIn("0 B freed", self.b.run("gc").stderr)


if __name__ == "__main__":
    unittest.main()
