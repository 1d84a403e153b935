"""The runs of tools/soak, which says what each is for. They use the devices of the functional tests.

Usage: soak.py [RUN]… [--size MIB] [--kills N] [--limit RATE] [--tree PATH] [--seed N]
"""
import argparse
import filecmp
import os
import random
import shutil
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests/functional"))
from kith_test import KithTest  # noqa: E402
from pictures import picture  # noqa: E402
from rot import rot  # noqa: E402

MIB = 1 << 20
# What one kill may cost (docs/performance.md): have-bits that were not committed, chunks on their way.
LOST_PER_KILL = 64 * MIB
MANY_FILES = 100_000
MANY_SECONDS = 10
OLD_S = 1_600_000_000  # what was just written is hashed again before it is sent, and not repaired
options = argparse.Namespace()


def mebibytes(count):
    return f"{count / MIB:,.0f} MiB"


def write_random(path, size):
    with open(path, "wb") as out:
        for at in range(0, size, MIB):
            out.write(os.urandom(min(MIB, size - at)))


def peak_memory(pid):
    """VmHWM of a process in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


class Soak(KithTest):
    def say(self, text):
        print(f"{self._testMethodName.removeprefix('run_')}: {text}", flush=True)

    def swarm_without_node(self):
        """A shares and runs a node; b has joined and runs none: each of its commands is its own."""
        a, b = self.device("a"), self.device("b")
        a.start_node()
        a.ask("swarm", "create", "soak")
        b.ask("join", "-", stdin=a.ask("swarm", "invite")["invite"])
        return a, b

    def big_file(self, a, folder=None):
        size = options.size * MIB
        file = (folder or self.top) / "big"
        write_random(file, size)
        os.utime(file, (OLD_S, OLD_S))
        return file, size, a.ask("share", file)["link"]

    def moments(self, size):
        """Random byte counts at which to kill, in order, spread over the whole file."""
        rng = random.Random(options.seed)
        return sorted(rng.randrange(size * 98 // 100) for _ in range(options.kills))

    def assert_lost_little(self, size, received, kills, elapsed):
        over = received - size
        self.say(f"{mebibytes(size)} at {options.limit}, {kills} kills, seed {options.seed}: identical; "
                 f"{mebibytes(over)} received over the size, "
                 f"{mebibytes(kills * LOST_PER_KILL)} allowed; {elapsed:.0f} s")
        self.assertLessEqual(over, kills * LOST_PER_KILL)

    def run_kill_fetcher(self):
        a, b = self.swarm_without_node()
        file, size, link = self.big_file(a)
        b.ask("config", "limit", options.limit)
        before = a.ask("status")["bytes_sent"]
        began, kills = time.monotonic(), 0
        for moment in self.moments(size):
            fetch = b.begin("--json", "fetch", link, "-o", self.top / "out")
            line = fetch.wait_line(lambda line, at=moment: reached(line, at))
            if line.get("event") == "done":
                break
            fetch.process.kill()
            fetch.wait()
            kills += 1
            self.assertFalse((self.top / "out/big").exists())
        b.ask("fetch", "-", "-o", self.top / "out", stdin=link)
        self.assertTrue(filecmp.cmp(file, self.top / "out/big", shallow=False))
        self.assertEqual(kills, options.kills)
        self.assertEqual(os.listdir(self.top / "out"), ["big"])
        sent = a.ask("status")["bytes_sent"] - before
        self.assert_lost_little(size, sent, kills, time.monotonic() - began)

    def run_kill_sharer(self):
        a, b = self.swarm_without_node()
        file, size, link = self.big_file(a)
        b.ask("config", "limit", options.limit)
        began, kills = time.monotonic(), 0
        fetch = b.begin("--json", "fetch", link, "--wait", "-o", self.top / "out")
        for moment in self.moments(size):
            if fetch.wait_line(lambda line, at=moment: reached(line, at)).get("event") == "done":
                break
            a.kill_node()
            a.start_node()
            kills += 1
        result = fetch.result(3600)
        self.assertEqual(result.exit, 0, str(result))
        self.assertTrue(filecmp.cmp(file, self.top / "out/big", shallow=False))
        self.assertEqual(kills, options.kills)
        received = result.last["bytes_received"]
        self.assert_lost_little(size, received, kills, time.monotonic() - began)

    def run_three(self):
        tree = Path(options.tree)
        a, b, c = (self.device(name) for name in "abc")
        for device in (a, b, c):
            device.start_node()
        a.ask("swarm", "create", "soak")
        for device in (b, c):
            device.ask("join", "-", stdin=a.ask("swarm", "invite")["invite"])
        shared = a.ask("share", tree, "--skip-bad")
        fetched = b.ask("fetch", "-", "-o", self.top / "b", stdin=shared["link"])
        last = c.ask("fetch", "-", "-o", self.top / "c", stdin=shared["link"])
        parts = [source["bytes"] for source in last["sources"]]
        self.say(f"{tree}: {len(picture(tree, False))} entries, {mebibytes(last['bytes_received'])}; "
                 f"C got {' and '.join(map(mebibytes, parts))}; skipped {shared['skipped_count']}; "
                 f"B {fetched['elapsed_ms']} ms, C {last['elapsed_ms']} ms")
        self.assertEqual(len(parts), 2, last)
        self.assertGreaterEqual(min(parts), 0.2 * sum(parts))
        self.assertEqual(shared["skipped_count"], 0, shared["skipped"])
        original = picture(tree)
        self.assertEqual(picture(Path(fetched["path"])), original)
        self.assertEqual(picture(Path(last["path"])), original)

    def run_many(self):
        tree = self.top / "many"
        for number in range(MANY_FILES):
            folder = tree / f"{number // 1000:03}"
            if number % 1000 == 0:
                folder.mkdir(parents=True)
            (folder / f"{number:06}").write_bytes(os.urandom(4096))
        a, b = self.swarm("a", "b")
        link = a.ask("share", tree)["link"]
        last = b.ask("fetch", "-", "-o", self.top / "out", stdin=link)
        seconds = last["elapsed_ms"] / 1000
        self.say(f"{MANY_FILES:,} files of 4 KiB in {seconds:.1f} s, {MANY_SECONDS} allowed; peak memory "
                 f"{mebibytes(peak_memory(a.node.pid))} and {mebibytes(peak_memory(b.node.pid))}")
        self.assertLessEqual(seconds, MANY_SECONDS)
        self.assertEqual(picture(self.top / "out/many"), picture(tree))


    def run_rot(self):
        """Not on tmpfs: there kith takes every change for somebody's."""
        disk = self.on_disk()
        a, b = self.swarm("a", "b")
        file, size, link = self.big_file(a, disk)
        b.ask("config", "scrub", "false")
        b.ask("fetch", "-", "-o", disk / "out", stdin=link)
        b.stop_node()
        offset = random.Random(options.seed).randrange(size)
        rot(b.home, (disk / "out/big", offset))
        b.configure(scrub=True, scrub_rate=0)
        b.start_node()
        began = time.monotonic()
        show = lambda: b.ask("show", link)["share"]  # noqa: E731
        self.wait_until(lambda: show()["repaired"], "it is repaired", 600)
        repaired = time.monotonic() - began
        self.wait_until(lambda: show()["scrubbed"], "the pass ended", 600)
        passed = time.monotonic() - began
        self.assertTrue(filecmp.cmp(file, disk / "out/big", shallow=False))
        shown = show()
        self.assertEqual((shown["repaired"], shown["damaged"], shown["state"]), (1, 0, "complete"))
        self.assertIn("damaged on the disk", b.node.errors())
        self.say(f"1 bit of {mebibytes(size)} flipped at byte {offset}: repaired from a peer after "
                 f"{repaired:.1f} s, identical; the pass took {passed:.1f} s; peak memory "
                 f"{mebibytes(peak_memory(b.node.pid))}")

    def on_disk(self):
        top = Path(tempfile.mkdtemp(prefix="kith-soak.", dir=os.environ["KITH_SOAK_DISK"]))
        self.addCleanup(shutil.rmtree, top)
        return top


def reached(line, at):
    """A progress line of a fetch that has `at` bytes, or its end."""
    if not isinstance(line, dict):
        return False
    return line.get("event") in ("done", "error") or line.get("bytes_done", 0) >= at


def main():
    runs = [name.removeprefix("run_").replace("_", "-") for name in vars(Soak) if name.startswith("run_")]
    parser = argparse.ArgumentParser(prog="tools/soak")
    parser.add_argument("runs", nargs="*", metavar="RUN", help=", ".join(runs))
    parser.add_argument("--size", type=int, default=4096, metavar="MIB")
    parser.add_argument("--kills", type=int, default=10, metavar="N")
    parser.add_argument("--limit", default="200MB/s", metavar="RATE")
    parser.add_argument("--tree", default="/usr/share", metavar="PATH")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000), metavar="N")
    parser.parse_args(namespace=options)
    unknown = set(options.runs) - set(runs)
    if unknown:
        parser.error(f"no such run: {', '.join(sorted(unknown))}")
    chosen = [f"run_{name.replace('-', '_')}" for name in options.runs or runs]
    suite = unittest.TestSuite(Soak(name) for name in chosen)
    result = unittest.TextTestRunner(stream=sys.stderr, verbosity=0).run(suite)
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
