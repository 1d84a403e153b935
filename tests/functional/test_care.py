"""Care of data: bytes that rot on the disk are found, repaired from peers, and told of."""
import os
import random
import unittest

from kith_test import KithTest
from pictures import picture
from rot import flip, recorded_states, rot


class Care(KithTest):
    def setUp(self):
        super().setUp()
        self.a, self.b = self.swarm("a", "b")
        self.tree = self.top / "tree"
        (self.tree / "small").mkdir(parents=True)
        rng = random.Random(11)
        for number in range(50):
            (self.tree / "small" / f"{number:02}").write_bytes(rng.randbytes(4096))
        (self.tree / "small/07").chmod(0o444)
        (self.tree / "large").write_bytes(rng.randbytes(30_000_000))
        for path in sorted(self.tree.rglob("*"), reverse=True):
            os.utime(path, ns=(0, 1_600_000_000_123_456_789))
        self.link = self.a.ask("share", self.tree)["link"]
        self.copy = self.top / "out/tree"
        self.assertEqual(self.b.run("fetch", self.link, "-o", self.top / "out").exit, 0)
        self.good = picture(self.copy)
        self.assertEqual(self.good, picture(self.tree))

    def rot(self, *places):
        """Of the copy, at each (name, offset). Ends the node."""
        self.b.stop_node()
        rot(self.b.home, *((self.copy / name, offset) for name, offset in places))
        self.assertNotEqual(picture(self.copy), self.good)

    def show(self):
        return self.b.ask("show", self.link)["share"]

    def test_verify_repairs_from_a_peer(self):
        self.b.configure(scrub=False)
        self.rot(("large", 1_000), ("large", 15_000_000), ("large", 29_999_999), ("small/07", 17))
        self.b.start_node()
        report = self.b.ask("verify")
        self.assertEqual(report["bad"], [])
        self.assertEqual(report["damaged"], 4)
        self.assertEqual(report["repaired"], 4)
        self.assertEqual({damage["path"] for damage in report["damage"]}, {"large", "small/07"})
        self.assertEqual({damage["name"] for damage in report["damage"]}, {"a"})
        self.assertEqual(picture(self.copy), self.good, "contents, modes and times")
        self.assertEqual(self.show()["state"], "complete")
        self.assertEqual(self.show()["repaired"], 4)
        self.assertEqual(self.b.ask("verify")["damaged"], 0)
        # What was recorded then serves for the next time.
        self.rot(("large", 2_000))
        self.b.start_node()
        shown = self.b.run("verify")
        self.assertEqual(shown.exit, 0, str(shown))
        self.assertIn("repaired: large, from a", shown.stderr)
        self.assertEqual(picture(self.copy), self.good)

    def test_what_was_repaired_when_the_node_is_stopped_is_recorded(self):
        """One pack of many files, so that its repair goes on for a while behind the stop."""
        many = self.top / "many"
        many.mkdir()
        for number in range(2_000):
            path = many / f"{number:04}"
            path.write_bytes(random.Random(number).randbytes(256))
            os.utime(path, ns=(0, 1_600_000_000_123_456_789))
        link = self.a.ask("share", many)["link"]
        self.b.configure(scrub=False)
        self.b.ask("fetch", link, "-o", self.top / "out")
        self.copy = self.top / "out/many"
        self.good = picture(self.copy)
        names = [path.name for path in self.copy.iterdir()]
        self.rot(*((name, 7) for name in names))
        self.b.start_node()
        process = self.b.begin("--json", "verify")
        self.wait_until(lambda: any((self.copy / name).read_bytes() == (many / name).read_bytes()
                                    for name in names[::50]), "a repair began")
        self.b.stop_node()
        process.result()
        recorded = recorded_states(self.b.home)
        stats = {name: (self.copy / name).stat() for name in names}
        lost = [name for name, stat in stats.items() if recorded.isdisjoint(
            [(stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)])]
        self.assertEqual(lost, [])
        self.b.start_node()
        self.assertEqual(self.b.ask("verify")["bad"], [])
        self.assertEqual(picture(self.copy), self.good)

    def test_an_edit_is_not_written_over(self):
        flip(self.copy / "large", 15_000_000)
        edited = picture(self.copy)
        result = self.b.run("--json", "verify")
        self.assertEqual(result.exit, 6, str(result))
        self.assertEqual(result.last["bad"], ["large"])
        self.assertEqual(result.last["damaged"], 0)
        self.assertEqual(picture(self.copy), edited)

    def test_what_nobody_has_is_told_and_repaired_later(self):
        self.b.configure(scrub=False)
        self.a.stop_node()
        self.rot(("large", 15_000_000))
        self.b.start_node()
        result = self.b.run("--json", "verify")
        self.assertEqual(result.exit, 6, str(result))
        self.assertEqual(result.last["bad"], ["large"])
        self.assertEqual([damage["why"] for damage in result.last["damage"]],
                         ["nobody who is reachable has it"])
        self.assertEqual(self.show()["damaged"], 1)
        self.assertEqual(self.b.ask("status")["scrub"]["damaged"], 1)
        self.a.start_node()
        self.wait_until(lambda: self.show()["damaged"] == 0, "it is repaired")
        self.assertEqual(picture(self.copy), self.good)

    def test_the_scrub_repairs_by_itself(self):
        self.b.configure(scrub_rate=0)
        self.rot(("large", 15_000_000), ("small/33", 0))
        self.b.start_node()
        self.wait_until(lambda: self.show()["scrubbed"] and self.show()["repaired"] == 2, "a pass ended")
        self.assertEqual(picture(self.copy), self.good)
        self.assertEqual(self.show()["state"], "complete")
        log = (self.b.home / "log/kith.log")
        said = log.read_text() if log.exists() else self.b.node.errors()
        self.assertIn("damaged on the disk", said)
        self.assertRegex(said, "repaired: .* of large in .*, from [0-9a-f]{8}")
        self.assertIn("scrubbed tree", said)
        self.assertEqual(self.b.ask("config", "scrub", "false")["value"], False)
        self.assertEqual(self.b.ask("status")["scrub"]["rate"], 0, "a running node hears of it")


if __name__ == "__main__":
    unittest.main()
