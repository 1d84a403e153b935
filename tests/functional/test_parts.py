"""Parts of a share, and files of it that are read without being kept."""
import fcntl
import hashlib
import json
import os
import pty
import random
import signal
import struct
import subprocess
import termios
import unittest

from kith_test import KithTest

MIB = 1024 * 1024


class Parts(KithTest):
    def setUp(self):
        super().setUp()
        self.a, self.b = self.swarm("a", "b")
        self.tree = self.top / "album"
        (self.tree / "2025" / "raw").mkdir(parents=True)
        rng = random.Random(6)
        for number in range(300):
            (self.tree / "2025" / f"{number:03}.jpg").write_bytes(rng.randbytes(2_000))
            (self.tree / "2025" / f"{number:03}.txt").write_bytes(rng.randbytes(100))
        (self.tree / "2025" / "raw" / "film.mov").write_bytes(rng.randbytes(24 * MIB))
        (self.tree / "other").write_bytes(rng.randbytes(24 * MIB))
        self.link = self.a.ask("share", self.tree)["link"]
        self.out = self.top / "out"
        self.out.mkdir()

    def cat(self, *args, device=None):
        device = device or self.b
        return subprocess.run(device.args("cat", *args), env=device.env(), capture_output=True,
                              timeout=300, check=False)

    def files(self, top):
        return sorted(str(path.relative_to(top)) for path in top.rglob("*") if path.is_file())

    def test_a_part_is_fetched_kept_and_verified(self):
        done = self.b.ask("fetch", self.link, "-o", self.out, "--path", "raw/", "--path", "*.txt")
        self.assertEqual(done["files_taken"], 301)
        self.assertEqual(done["bytes_taken"], 24 * MIB + 30_000)
        self.assertLess(done["bytes_received"], 27 * MIB)
        top = self.out / "album"
        self.assertEqual(len(self.files(top)), 301)
        for path in self.files(top):
            self.assertEqual((top / path).read_bytes(), (self.tree / path).read_bytes(), path)
        self.assertEqual(os.stat(top / "2025").st_mtime_ns, os.stat(self.tree / "2025").st_mtime_ns)
        self.b.stop_node()
        self.b.start_node()
        share = self.b.ask("list")["shares"][0]
        self.assertEqual((share["state"], share["part"]), ("complete", ["*.txt", "raw/"]))
        self.assertEqual(self.b.ask("verify")["bad"], [])
        again = self.b.ask("fetch", self.link, "-o", self.out, "--path", "raw/", "--path", "*.txt")
        self.assertTrue(again["already_there"])
        more = self.b.ask("fetch", self.link, "-o", self.out, "--replace")
        self.assertGreaterEqual(more["bytes_copied"], 24 * MIB)
        self.assertLess(more["bytes_received"], 27 * MIB)
        self.assertEqual(self.files(top), self.files(self.tree))

    def test_what_fits_nothing_is_not_found(self):
        error = self.assert_fails(
            self.b.run("--json", "fetch", self.link, "-o", self.out, "--path", "*.png"), 4, "not-found")
        self.assertEqual(error["subject"], "*.png")
        # A job behind the answer removes the staging.
        self.wait_until(lambda: os.listdir(self.out) == [], "nothing is left behind")

    def test_a_file_is_read_and_not_kept(self):
        film = (self.tree / "2025" / "raw" / "film.mov").read_bytes()
        got = self.cat(self.link, "2025/raw/film.mov")
        self.assertEqual((got.returncode, got.stderr), (0, b""))
        self.assertEqual(hashlib.sha256(got.stdout).digest(), hashlib.sha256(film).digest())
        part = self.cat(self.link, "2025/raw/film.mov", "--offset", "5MiB", "--length", "123456")
        self.assertEqual(part.stdout, film[5 * MIB:5 * MIB + 123456])
        end = self.cat(self.link, "2025/raw/film.mov", "--offset", str(24 * MIB - 10))
        self.assertEqual(end.stdout, film[-10:])
        behind = self.cat(self.link, "2025/raw/film.mov", "--offset", str(30 * MIB))
        self.assertEqual((behind.returncode, behind.stdout), (0, b""))
        nothing = self.cat(self.link, "2025/raw/film.mov", "--length", "0")
        self.assertEqual((nothing.returncode, nothing.stdout), (0, b""))
        rest = self.cat(self.link, "2025/raw/film.mov", "--offset", "23MiB", "--length", "None")
        self.assertEqual(rest.stdout, film[23 * MIB:])
        self.assertEqual(self.b.ask("list")["shares"], [])
        own = self.cat(self.link, "2025/007.jpg", device=self.a)
        self.assertEqual(own.stdout, (self.tree / "2025" / "007.jpg").read_bytes())

    def test_without_a_node_the_command_runs_one(self):
        self.b.stop_node()
        got = self.cat(self.link, "2025/raw/film.mov")
        self.assertEqual(got.returncode, 0, got.stderr)
        self.assertEqual(got.stdout, (self.tree / "2025" / "raw" / "film.mov").read_bytes())
        limited = self.cat(self.link, "2025/raw/film.mov", "--length", "1MiB", "--limit", "1GB/s")
        self.assertEqual((limited.returncode, len(limited.stdout)), (0, MIB), limited.stderr)

    def test_what_is_no_file_is_an_error_on_stderr(self):
        wrong = self.cat(self.link, "2025/none.jpg", "--json")
        self.assertEqual((wrong.returncode, wrong.stdout), (4, b""))
        line = json.loads(wrong.stderr.splitlines()[-1])
        self.assertEqual((line["code"], line["subject"]), ("not-found", "2025/none.jpg"))
        for args in (("--no-such-option",), ("other", "too many")):
            usage = self.cat("--json", self.link, *args)
            self.assertEqual((usage.returncode, usage.stdout), (2, b""), args)
            self.assertEqual(json.loads(usage.stderr)["code"], "usage", args)
        self.assertEqual(self.cat(self.link, "2025").returncode, 2)
        self.assertEqual(self.cat(self.link).returncode, 2)
        self.assertEqual(self.cat(self.link, "other", "--offset", "x").returncode, 2)

    def test_a_reader_that_goes_away_ends_it_quietly(self):
        process = subprocess.Popen(self.b.args("cat", self.link, "other"), env=self.b.env(),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        begin = process.stdout.read(1_000)
        process.stdout.close()
        self.assertEqual(begin, (self.tree / "other").read_bytes()[:1_000])
        self.assertEqual(process.stderr.read(), b"")
        self.assertEqual(process.wait(60), 1)
        process.stderr.close()

    def begin_blocked(self, reader, writer, *args):
        """A cat to `writer` that waits for `reader`, which reads nothing."""
        process = subprocess.Popen(self.b.args("cat", self.link, "other", *args), env=self.b.env(),
                                   stdin=subprocess.DEVNULL, stdout=writer, stderr=subprocess.PIPE)
        self.addCleanup(process.kill)
        os.close(writer)
        self.addCleanup(process.stderr.close)
        self.wait_until(lambda: waiting(reader) >= 2_000, "something came")
        seen = [0]

        def full():
            before, seen[0] = seen[0], waiting(reader)
            return before == seen[0]

        self.wait_until(full, "nothing more fits")
        return process

    def test_a_signal_ends_it_while_nobody_reads(self):
        for number, code, name in ((signal.SIGINT, 130, b"interrupted"),
                                   (signal.SIGTERM, 143, b"terminated")):
            for ends in (os.pipe, pty.openpty):
                with self.subTest(signal=number, ends=ends):
                    reader, writer = ends()
                    process = self.begin_blocked(reader, writer)
                    process.send_signal(number)
                    self.assertEqual(process.wait(60), code)
                    self.assertEqual(process.stderr.read(), b"kith: " + name + b"\n")
                    os.close(reader)

    def test_a_reader_that_goes_away_after_a_signal_does_not_hide_it(self):
        reader, writer = os.pipe()
        process = self.begin_blocked(reader, writer, "--json")
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        process.send_signal(signal.SIGTERM)
        os.close(reader)
        process.send_signal(signal.SIGCONT)
        self.assertEqual(process.wait(60), 143)
        self.assertEqual(json.loads(process.stderr.readlines()[-1])["code"], "terminated")

    def test_its_own_node_can_be_stopped_while_nobody_reads(self):
        self.b.stop_node()
        reader, writer = os.pipe()
        process = self.begin_blocked(reader, writer)
        self.b.ask("stop")
        self.assertEqual(self.b.run("status").exit, 3)
        with os.fdopen(reader, "rb") as rest:
            got = rest.read()
        self.assertEqual(process.wait(60), 3)
        self.assertEqual(got, (self.tree / "other").read_bytes()[:len(got)])
        self.assertIn(b"kith: ", process.stderr.read())

    def test_a_signal_ends_a_list_that_nobody_reads(self):
        reader, writer = os.pipe()
        os.write(writer, bytes(fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ)))
        process = subprocess.Popen(self.a.args("list"), env=self.a.env(), stdout=writer,
                                   stderr=subprocess.PIPE)
        os.close(writer)
        self.wait_until(lambda: holds_signals(process.pid), "signals are waited for")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(60), 143)
        self.assertEqual(process.stderr.read(), b"kith: terminated\n")
        process.stderr.close()
        os.close(reader)


def waiting(reader):
    """How many bytes could be read at once."""
    return struct.unpack("i", fcntl.ioctl(reader, termios.FIONREAD, bytes(4)))[0]


def holds_signals(pid):
    """Whether the process is past its start: it takes SIGTERM when it likes."""
    with open(f"/proc/{pid}/status", encoding="ascii") as lines:
        blocked = next(int(line.split()[1], 16) for line in lines if line.startswith("SigBlk"))
    return blocked & 1 << (signal.SIGTERM - 1)


if __name__ == "__main__":
    unittest.main()
