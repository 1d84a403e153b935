"""Disks that are full: small ones, mounted in a namespace of this process. Needs root."""
import ctypes
import errno
import filecmp
import os
import random
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from kith_test import KithTest  # noqa: E402

CLONE_NEWNS = 0x00020000
MIB = 1_048_576


def setUpModule():
    """Mounts of these tests are seen by this process and its children alone, and end with it."""
    if os.geteuid() != 0:
        raise unittest.SkipTest("mounting a small disk needs root")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) != 0:
        raise unittest.SkipTest(f"no mount namespace: {os.strerror(ctypes.get_errno())}")
    made_private = subprocess.run(["mount", "--make-rprivate", "/"], capture_output=True, text=True)
    if made_private.returncode != 0:
        raise unittest.SkipTest(f"mounts cannot be made private: {made_private.stderr.strip()}")


class FullDisks(KithTest):
    def setUp(self):
        super().setUp()
        self.a, self.b = self.device("a"), self.device("b")
        self.a.start_node()
        self.a.ask("swarm", "create", "lab")
        self.file = self.top / "file"

    def mount(self, path, size):
        path.mkdir(exist_ok=True, mode=0o700)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", path], check=True)
        # Lazily: it runs before the processes in it were ended.
        self.addCleanup(subprocess.run, ["umount", "-l", path], check=False)

    def mount_ext4(self, path, size):
        image = self.top / "image"
        with open(image, "wb") as file:
            file.truncate(size)
        path.mkdir(exist_ok=True, mode=0o700)
        made = subprocess.run(["mkfs.ext4", "-q", image], capture_output=True, text=True)
        if made.returncode == 0:
            made = subprocess.run(["mount", "-o", "loop", image, path], capture_output=True, text=True)
        if made.returncode != 0:
            self.skipTest(f"no ext4 in a file can be mounted here: {made.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", "-l", path], check=False)
        (path / "lost+found").rmdir()

    def join(self):
        self.b.ask("join", "-", stdin=self.a.ask("swarm", "invite")["invite"])

    def share(self, size):
        self.file.write_bytes(random.Random(size).randbytes(size))
        return self.a.ask("share", self.file)["link"]

    def test_a_share_that_does_not_fit(self):
        self.join()
        disk = self.top / "disk"
        self.mount(disk, "16m")
        link = self.share(24 * MIB)
        error = self.assert_fails(self.b.run("--json", "fetch", link, "-o", disk), 7, "no-space")
        self.assertIn(str(disk), error["subject"] + error["what"])
        self.assertFalse((disk / "file").exists())
        subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
        self.b.ask("fetch", link, "-o", disk)
        self.assertTrue(filecmp.cmp(self.file, disk / "file", shallow=False))
        self.assertEqual(os.listdir(disk), ["file"])

    def test_a_part_that_does_not_fit(self):
        self.join()
        disk = self.top / "disk"
        self.mount(disk, "16m")
        tree = self.top / "tree"
        tree.mkdir()
        (tree / "large").write_bytes(random.Random(1).randbytes(24 * MIB))
        (tree / "small").write_bytes(random.Random(2).randbytes(10 * MIB))
        link = self.a.ask("share", tree)["link"]
        refused = self.b.run("--json", "fetch", link, "-o", disk, "--path", "large")
        error = self.assert_fails(refused, 7, "no-space")
        self.assertIn(str(disk), error["subject"] + error["what"])
        self.assertIn(f"{24 * MIB} bytes", error["what"])
        self.assertEqual(os.listdir(disk), [])
        self.assertEqual(self.b.ask("list")["shares"], [])
        self.b.ask("fetch", link, "-o", disk, "--path", "small")
        self.assertTrue(filecmp.cmp(tree / "small", disk / "tree" / "small", shallow=False))

    def test_room_for_a_file_is_taken_at_the_beginning(self):
        self.join()
        disk = self.top / "disk"
        self.mount_ext4(disk, 96 * MIB)  # a tmpfs is not made to clear what is written soon
        link = self.share(48 * MIB)
        self.a.run("config", "limit", "20MB/s")
        process = self.b.begin("--json", "fetch", link, "-o", disk)
        process.wait_line(lambda line: line.get("bytes_done", 0) > 8 * MIB)
        fill(disk / "other")
        result = process.result()
        self.assertEqual(result.exit, 0, str(result))
        self.assertTrue(filecmp.cmp(self.file, disk / "file", shallow=False))

    def test_gc_forgets_nothing_that_lies_on_a_disk_which_is_not_here(self):
        self.join()
        disk = self.top / "disk"
        self.mount(disk, "16m")
        link = self.share(MIB)
        self.b.ask("fetch", link, "-o", disk)
        there = disk / "there"
        shutil.copy2(self.file, there)
        self.assertTrue(self.b.ask("fetch", link, "-o", disk, "--as", "there")["already_there"])
        subprocess.run(["umount", "-l", disk], check=True)
        self.b.ask("gc")
        listed = {share["path"] for share in self.b.ask("list")["shares"]}
        self.assertEqual(listed, {str(disk / "file"), str(there)})
        plain = self.top / "plain"
        plain.mkdir()
        shutil.copy2(self.file, plain / "file")
        self.assertTrue(self.b.ask("fetch", link, "-o", plain)["already_there"])
        (plain / "file").unlink()
        self.b.ask("gc")
        self.assertEqual({share["path"] for share in self.b.ask("list")["shares"]}, listed)

    def test_a_disk_that_fills_up_meanwhile(self):
        self.join()
        disk = self.top / "disk"
        self.mount(disk, "96m")
        tree = self.top / "tree"
        tree.mkdir()
        rng = random.Random(1)
        for number in range(4_000):
            (tree / str(number)).write_bytes(rng.randbytes(10_000))
        link = self.a.ask("share", tree)["link"]
        self.a.run("config", "limit", "10MB/s")
        process = self.b.begin("--json", "fetch", link, "-o", disk)
        process.wait_line(lambda line: line.get("bytes_done", 0) > 8 * MIB)
        fill(disk / "other")
        self.assert_fails(process.result(), 7, "no-space")
        self.assertFalse((disk / "tree").exists())
        self.assert_fails(self.b.run("--json", "fetch", link, "-o", disk), 7, "no-space")
        (disk / "other").unlink()
        self.a.run("config", "limit", "none")
        self.assertLess(self.b.ask("fetch", link, "-o", disk)["bytes_received"], 36_000_000)
        self.assertEqual(subprocess.run(["diff", "-r", tree, disk / "tree"], check=False).returncode, 0)

    def test_a_fetch_stops_before_the_disk_is_full(self):
        self.b.configure(min_free=20 * MIB)
        self.join()
        disk = self.top / "disk"
        self.mount(disk, "96m")
        link = self.share(48 * MIB)
        self.a.run("config", "limit", "20MB/s")
        process = self.b.begin("--json", "fetch", link, "-o", disk)
        process.wait_line(lambda line: line.get("bytes_done", 0) > 8 * MIB)
        (disk / "other").write_bytes(bytes(50 * MIB))
        error = self.assert_fails(process.result(), 7, "no-space")
        self.assertIn("min_free", error["hint"])
        space = os.statvfs(disk)
        self.assertGreaterEqual(space.f_bavail * space.f_frsize, 20 * MIB)
        (disk / "other").unlink()
        self.a.run("config", "limit", "none")
        self.assertLess(self.b.ask("fetch", link, "-o", disk)["bytes_received"], 42 * MIB)
        self.assertTrue(filecmp.cmp(self.file, disk / "file", shallow=False))

    def test_a_home_without_room(self):
        config = (self.b.home / "config.json").read_bytes()
        self.mount(self.b.home, "3m")
        (self.b.home / "config.json").write_bytes(config)
        self.join()
        link = self.share(8 * MIB)
        fill(self.b.home / "other")
        out = self.top / "out"
        result = self.b.run("--json", "fetch", link, "-o", out)
        self.assert_fails(result, 7, "no-space")
        self.assertFalse((out / "file").exists())
        (self.b.home / "other").unlink()
        self.b.ask("fetch", link, "-o", out)
        self.assertTrue(filecmp.cmp(self.file, out / "file", shallow=False))
        self.assertEqual(self.b.ask("verify")["bad"], [])


    def test_a_swarm_that_cannot_be_saved(self):
        config = (self.b.home / "config.json").read_bytes()
        self.mount(self.b.home, "1m")
        (self.b.home / "config.json").write_bytes(config)
        self.b.start_node()
        invite = self.a.ask("swarm", "invite")["invite"]
        fill(self.b.home / "other")
        self.assert_fails(self.b.run("--json", "swarm", "create", "lost"), 7, "no-space")
        self.assert_fails(self.b.run("--json", "join", "-", stdin=invite), 7, "no-space")
        self.assertEqual(self.b.ask("swarm", "list")["swarms"], [])
        (self.b.home / "other").unlink()
        self.b.ask("join", "-", stdin=invite)
        self.b.ask("swarm", "create", "kept")
        self.b.stop_node()
        self.assertEqual(len(self.b.ask("swarm", "list")["swarms"]), 2)


def fill(path):
    """Until nothing more goes onto its disk."""
    with open(path, "wb", buffering=0) as file:
        for size in (MIB, 4_096):
            try:
                while True:
                    file.write(bytes(size))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise


if __name__ == "__main__":
    unittest.main()
