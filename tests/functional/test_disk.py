"""Homes and shared files that are not as they were left: named, refused, and never overwritten."""
import os
import random
import socket
import sqlite3
import unittest
from pathlib import Path

from kith_test import KithTest


class Homes(KithTest):
    def setUp(self):
        super().setUp()
        self.device_ = self.device("a")
        self.device_.ask("swarm", "create", "lab")

    def refuse(self, what, exit_code, code=None):
        """Every command that needs the home fails alike, and says what is wrong with which file."""
        before = picture(self.device_.home)
        for command in (["list"], ["swarm", "list"], ["node"], ["start"]):
            error = self.assert_fails(self.device_.run("--json", *command), exit_code, code)
            self.assertIn(what, error["what"] + error["subject"], error)
            self.assertEqual(picture(self.device_.home), before, command)
        return error

    def catalog(self):
        return self.device_.home / "catalog.sqlite"

    def test_one_of_a_newer_version(self):
        with sqlite3.connect(self.catalog()) as db:
            db.execute("PRAGMA user_version = 1000")
        db.close()
        error = self.refuse("newer version", 1, "unsupported")
        self.assertTrue(error["hint"])

    def test_one_whose_catalog_is_of_another_program(self):
        with sqlite3.connect(self.catalog()) as db:
            db.execute("PRAGMA application_id = 7")
        db.close()
        self.refuse("another program", 1)

    def test_one_whose_catalog_is_damaged(self):
        content = bytearray(self.catalog().read_bytes())
        content[:100] = os.urandom(100)
        self.catalog().write_bytes(content)
        self.refuse("catalog", 1)

    def test_one_whose_catalog_is_cut(self):
        self.catalog().write_bytes(self.catalog().read_bytes()[:5_000])
        self.refuse("catalog", 1)

    def test_one_whose_catalog_is_damaged_in_the_middle(self):
        content = bytearray(self.catalog().read_bytes())
        content[-4096:-3996] = bytes(100)  # the head of the last page, which no log holds anew
        self.catalog().write_bytes(content)
        error = self.refuse("damaged", 1, "io")
        self.assertEqual(error["subject"], str(self.catalog()))
        self.assertNotIn("\n", error["what"])
        self.assertTrue(error["hint"])

    def test_one_whose_catalog_is_missing_or_empty(self):
        content = self.catalog().read_bytes()
        self.catalog().unlink()
        self.assertTrue(self.refuse("catalog.sqlite", 1, "io")["hint"])
        self.catalog().touch(0o600)
        self.refuse("catalog.sqlite", 1, "io")
        self.catalog().write_bytes(content)
        self.assertEqual(self.device_.ask("swarm", "list")["swarms"][0]["role"], "admin")

    def test_one_whose_key_file_is_missing(self):
        path = self.device_.home / "device.key"
        content = path.read_bytes()
        path.unlink()
        self.assertTrue(self.refuse("device.key", 1, "io")["hint"])
        path.write_bytes(content)
        path.chmod(0o600)
        self.assertEqual(self.device_.ask("swarm", "list")["swarms"][0]["role"], "admin")

    def test_one_whose_first_start_was_cut_off(self):
        fresh = self.device("fresh")
        fresh.ask("list")
        (fresh.home / "device.key").unlink()  # the catalog is made before it
        self.assertEqual(fresh.ask("swarm", "create", "lab")["swarm"]["role"], "admin")

    def test_one_whose_key_file_is_damaged(self):
        path = self.device_.home / "device.key"
        for content in (b"", b"x" * 122, path.read_bytes()[:-1]):
            path.write_bytes(content)
            self.refuse("key file is damaged", 1, "io")

    def test_one_whose_key_file_others_may_read(self):
        (self.device_.home / "device.key").chmod(0o640)
        error = self.refuse("key file", 5, "refused")
        self.assertIn("chmod", error["hint"])

    @unittest.skipIf(os.geteuid() == 0, "root reads everything")
    def test_one_whose_key_file_cannot_be_read(self):
        path = self.device_.home / "device.key"
        path.chmod(0)
        error = self.assert_fails(self.device_.run("--json", "list"), 5)
        self.assertIn(str(path), error["subject"])
        path.chmod(0o600)
        self.assertEqual(self.device_.ask("swarm", "list")["swarms"][0]["name"], "lab")


class SharedFiles(KithTest):
    def test_one_that_changes_while_it_is_served(self):
        a, b = self.swarm("a", "b")
        tree = self.top / "tree"
        tree.mkdir()
        for name in ("one", "two", "three"):
            (tree / name).write_bytes(random.Random(name).randbytes(1_000_000))
        link = a.ask("share", tree)["link"]
        was = (tree / "two").stat().st_mtime_ns
        (tree / "two").write_bytes(random.Random(2).randbytes(1_000_000))
        process = b.begin("--json", "fetch", link, "-o", self.top / "out")
        share = self.wait_until(lambda: withdrawn(a), "it is withdrawn")
        self.assertIn("two", share["problem"])
        self.assertIn("withdrawn", a.run("list").stdout)
        self.assertIn("two", a.run("list").stdout + a.run("show", share["id"]).stdout)
        process.wait_line(lambda line: line.get("bytes_done", 0) >= 2_000_000)
        self.assertFalse((self.top / "out/tree").exists())
        (tree / "two").write_bytes(random.Random("two").randbytes(1_000_000))
        os.utime(tree / "two", ns=(was, was))
        a.ask("moved", share["id"], tree)  # compares all of it: what was withdrawn is there again
        result = process.result()
        self.assertEqual(result.exit, 0, str(result))
        for name in ("one", "two", "three"):
            self.assertEqual((self.top / "out/tree" / name).read_bytes(), (tree / name).read_bytes())

    def test_one_that_changes_is_listed_though_nobody_asks_for_it(self):
        [a] = self.swarm("a")
        tree = self.top / "tree"
        tree.mkdir()
        (tree / "one").write_bytes(b"as it was")
        a.ask("share", tree)
        (tree / "one").write_bytes(b"otherwise")
        share = a.ask("list")["shares"][0]
        self.assertEqual(share["state"], "withdrawn")
        self.assertIn("one", share["problem"])

    def test_one_that_is_deleted_while_it_is_served(self):
        a, b = self.swarm("a", "b")
        file = self.top / "file"
        file.write_bytes(random.Random(3).randbytes(1_000_000))
        link = a.ask("share", file)["link"]
        file.unlink()
        b.begin("--json", "fetch", link, "-o", self.top / "out")
        share = self.wait_until(lambda: withdrawn(a), "it is withdrawn")
        self.assertIn("file", share["problem"])

    def test_what_cannot_be_shared_is_named_one_by_one(self):
        device = self.device("a")
        device.start_node()
        device.ask("swarm", "create", "lab")
        tree = self.top / "tree"
        tree.mkdir()
        (tree / "good").write_bytes(b"good")
        os.mkfifo(tree / "pipe")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(tree / "sock"))
        Path(os.fsdecode(os.fsencode(tree) + b"/\xff\xfe")).write_bytes(b"x")
        wanted = {"pipe": "neither a file", "sock": "neither a file"}
        if os.geteuid() != 0:
            (tree / "closed").write_bytes(b"x")
            (tree / "closed").chmod(0)
            (tree / "shut").mkdir(mode=0)
            wanted.update({"closed": "denied", "shut": "denied"})
        result = device.run("--json", "share", tree)
        self.assert_fails(result, 1)
        named = {line["path"]: line["what"] for line in result.lines if line["event"] == "bad-entry"}
        self.assertEqual(len(named), len(wanted) + 1, named)
        for name, what in wanted.items():
            self.assertIn(what, named[str(tree / name)])
        self.assertTrue(any("UTF-8" in what for what in named.values()), named)
        self.assertEqual(device.ask("list")["shares"], [])
        plain = device.run("share", tree)
        self.assertEqual((plain.exit, plain.stdout), (1, ""))
        for name in wanted:
            self.assertIn(f"{tree / name}: ", plain.stderr)
        done = device.ask("share", tree, "--skip-bad")
        self.assertEqual({entry["path"] for entry in done["skipped"]}, set(named))
        self.assertEqual(done["skipped_count"], len(named))
        self.assertEqual(done["share"]["totals"]["files"], 1)

    def test_the_home_is_not_shared(self):
        device = self.device("a")
        device.start_node()
        device.ask("swarm", "create", "lab")
        link = self.top / "link"
        link.symlink_to(device.home)
        for path in (device.home, link, device.home / "device.key", device.home / "log"):
            for more in ([], ["--skip-bad"], ["--exclude", "*"]):
                self.assert_fails(device.run("--json", "share", path, *more), 5, "refused")
        around = self.top / "around"
        (around / "deep").mkdir(parents=True)
        (around / "file").write_bytes(b"mine")
        device.stop_node()
        device.home.rename(around / "deep/a")
        device.home = around / "deep/a"
        error = self.assert_fails(device.run("--json", "share", around, "--skip-bad"), 5, "refused")
        self.assertIn("'/deep/a/'", error["hint"])
        device.start_node()
        done = device.ask("share", around, "--exclude", "/deep/a/")
        self.assertEqual(done["share"]["totals"]["files"], 1)

    def test_nothing_is_fetched_into_the_home_or_in_its_place(self):
        a, b = self.swarm("a", "b")
        tree = self.top / "tree"
        tree.mkdir()
        (tree / "file").write_bytes(b"mine")
        link = a.ask("share", tree)["link"]
        alias = self.top / "alias"
        alias.symlink_to(b.home)
        before = sorted(os.listdir(b.home))
        for to in (("-o", b.home), ("-o", alias), ("-o", b.home / "new"),
                   ("-o", b.home, "--as", "config.json"),
                   ("-o", b.home.parent, "--as", b.home.name),
                   ("-o", self.top.parent, "--as", self.top.name)):
            error = self.assert_fails(b.run("--json", "fetch", link, *to, "--replace"), 5, "refused")
            self.assertIn("holds its keys", error["what"])
            self.assertEqual(b.ask("fetch", link, "-o", self.top / "out")["path"],
                             str(self.top / "out/tree"))
        self.assertEqual(sorted(os.listdir(b.home)), before)


def withdrawn(device):
    shares = device.ask("list")["shares"]
    return next((share for share in shares if share["state"] == "withdrawn"), None)


def picture(top):
    """What must not change: everything but what a process that runs leaves for others."""
    out = {}
    for path in sorted(top.rglob("*")):
        beside = {"lock", "log", "run", "catalog.sqlite-wal", "catalog.sqlite-shm"}
        if path.is_file() and not beside & set(path.relative_to(top).parts):
            out[str(path)] = (path.read_bytes(), path.stat().st_mode)
    return out


if __name__ == "__main__":
    unittest.main()
