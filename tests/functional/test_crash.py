"""Killed, stopped, told to end: whatever happens to a process, the same command goes on."""
import filecmp
import os
import random
import shutil
import signal
import unittest

from kith_test import KithTest

MIB = 1_048_576
# What a kill may cost: chunks that came and whose have-bits were not committed, and those on their
# way (kFlushBytes and kReceiveBudget in proto/limits.hpp).
LOST_PER_KILL = 64 * MIB


class CrashTest(KithTest):
    """A shares; b has joined, and runs no node."""

    def setUp(self):
        super().setUp()
        self.a, self.b = self.device("a"), self.device("b")
        self.a.start_node()
        self.a.ask("swarm", "create", "lab")
        self.b.ask("join", "-", stdin=self.a.ask("swarm", "invite")["invite"])
        self.out = self.top / "out"
        self.file = self.top / "file"

    def share(self, size, limit):
        self.file.write_bytes(random.Random(size).randbytes(size))
        link = self.a.ask("share", self.file)["link"]
        self.a.run("config", "limit", limit)
        return link

    def begin_fetch(self, link, *args):
        return self.b.begin("--json", "fetch", link, "-o", self.out, *args)

    def fetch(self, link, *args):
        """To its end, which is a good one."""
        result = self.b.run("--json", "fetch", "-", "-o", self.out, *args, stdin=link)
        self.assertEqual(result.exit, 0, str(result))
        return result.last

    def assert_arrived(self, name="file"):
        self.assertTrue(filecmp.cmp(self.file, self.out / name, shallow=False))

    def sent(self):
        return self.a.ask("status")["bytes_sent"]


class Interrupted(CrashTest):
    def test_a_fetch_that_is_killed_again_and_again(self):
        size = 192 * MIB
        link = self.share(size, "80MB/s")
        rng = random.Random(1)
        before = self.sent()
        kills = [at * MIB + rng.randrange(8 * MIB) for at in (45, 80, 115, 150)]
        for at in kills:
            process = self.begin_fetch(link)
            process.wait_line(progressed(at))
            process.process.kill()
            process.wait()
            self.assertFalse((self.out / "file").exists())
        last = self.fetch(link)
        self.assert_arrived()
        self.assertLess(last["bytes_received"], size - kills[-1] + LOST_PER_KILL)
        self.assertLess(self.sent() - before, size * 1.02 + len(kills) * LOST_PER_KILL)
        self.assertEqual(os.listdir(self.out), ["file"])

    def test_the_sharing_node_is_killed(self):
        size = 48 * MIB
        link = self.share(size, "20MB/s")
        process = self.begin_fetch(link)
        process.wait_line(progressed(8 * MIB))
        self.a.kill_node()
        self.a.run("config", "limit", "none")
        self.a.start_node()
        result = process.result()
        self.assertEqual(result.exit, 0, str(result))
        self.assertLess(result.last["bytes_received"], size * 1.02 + LOST_PER_KILL)
        self.assert_arrived()

    def test_signals_end_a_fetch_that_runs_its_own_node(self):
        link = self.share(48 * MIB, "20MB/s")
        for number, code, event in ((signal.SIGINT, 130, "interrupted"),
                                    (signal.SIGTERM, 143, "terminated")):
            process = self.begin_fetch(link)
            process.wait_line(progressed(4 * MIB))
            process.signal(number)
            self.assert_fails(process.result(), code, event)
            self.assertFalse((self.out / "file").exists())
            self.assert_fails(self.b.run("--json", "status"), 3, "closed")
        self.a.run("config", "limit", "none")
        self.assertLess(self.fetch(link)["bytes_received"], 46 * MIB)
        self.assert_arrived()

    def test_a_destination_that_is_deleted(self):
        link = self.share(48 * MIB, "20MB/s")
        process = self.begin_fetch(link)
        process.wait_line(progressed(8 * MIB))
        shutil.rmtree(self.out)
        result = process.result()
        self.assertIn(result.exit, (1, 4), str(result))
        self.assertEqual(result.last["event"], "error", str(result))
        self.assertIn(str(self.out), result.last["what"] + result.last["subject"])
        self.a.run("config", "limit", "none")
        self.fetch(link)
        self.assert_arrived()

    def test_unshare_ends_what_others_get(self):
        link = self.share(48 * MIB, "10MB/s")
        process = self.begin_fetch(link)
        process.wait_line(progressed(4 * MIB))
        self.a.ask("unshare", link)
        # Before this answer sections may have been on their way; after it nothing of the share leaves.
        sent = self.sent()
        process.wait_line(lambda line: line.get("bytes_done", 0) > 0 and line.get("peers") == 0)
        self.assertLess(self.sent() - sent, 2 * MIB)
        process.signal(signal.SIGINT)
        result = self.assert_fails(process.result(), 130)
        self.assertFalse((self.out / "file").exists(), result)
        self.a.run("config", "limit", "none")
        self.a.ask("share", self.file)
        self.assertLess(self.fetch(link)["bytes_received"], 48 * MIB)
        self.assert_arrived()

    def test_stop_in_the_middle_of_everything(self):
        link = self.share(48 * MIB, "20MB/s")
        self.b.start_node()
        process = self.begin_fetch(link)
        process.wait_line(progressed(4 * MIB))
        for device in (self.b, self.a):
            device.ask("stop")
            self.assertEqual(device.node.wait(), 0)
            self.assertEqual(device.node.wait_event("done")["event"], "done")
        self.assert_fails(process.result(), 3, "closed")
        self.a.run("config", "limit", "none")
        self.a.start_node()
        self.assertLess(self.fetch(link)["bytes_received"], 46 * MIB)
        self.assert_arrived()


class AtOnce(CrashTest):
    """Commands side by side, without a node: the first runs one for all."""

    def test_the_same_fetch_twice(self):
        link = self.share(24 * MIB, "10MB/s")
        first = self.begin_fetch(link)
        first.wait_line(progressed(1))
        before = self.sent()
        second = self.begin_fetch(link)
        for process in (first, second):
            result = process.result()
            self.assertEqual(result.exit, 0, str(result))
            self.assertEqual(result.last["path"], str(self.out / "file"))
        self.assertLess(self.sent() - before, 26 * MIB)
        self.assert_arrived()
        self.assertEqual(os.listdir(self.out), ["file"])

    def test_a_share_to_two_places(self):
        link = self.share(24 * MIB, "20MB/s")
        running = [self.begin_fetch(link, "--as", name) for name in ("one", "two")]
        for process in running:
            result = process.result()
            self.assertEqual(result.exit, 0, str(result))
        for name in ("one", "two"):
            self.assert_arrived(name)

    def test_commands_beside_a_fetch(self):
        link = self.share(24 * MIB, "10MB/s")
        fetch = self.begin_fetch(link)
        fetch.wait_line(progressed(1))
        other = self.top / "other"
        other.write_bytes(b"x" * 1_000)
        self.assertEqual(self.b.ask("status")["pid"], fetch.pid)
        self.assertEqual(self.b.ask("list")["shares"][0]["state"], "fetching")
        self.assertTrue(self.b.ask("share", other)["link"])
        self.assertTrue(self.b.ask("peers")["peers"][0]["connected"])
        self.assertEqual(fetch.result().exit, 0)
        self.assert_arrived()

    def test_who_joined_and_ended_knows_whom_to_ask(self):
        link = self.share(1 * MIB, "none")
        self.a.stop_node()
        self.a.start_node()  # it knows no address of b, and cannot dial it
        self.fetch(link)
        self.assert_arrived()


def progressed(to):
    return lambda line: isinstance(line, dict) and line.get("bytes_done", 0) >= to


if __name__ == "__main__":
    unittest.main()
