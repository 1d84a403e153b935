"""Sharing and fetching with real processes: what a user sees, types and gets."""
import os
import random
import shutil
import signal
import socket
import unittest
from pathlib import Path

from kith_test import KithTest
from pictures import picture


def make_tree(top, seed):
    """A small tree with what trees may hold."""
    rng = random.Random(seed)
    top.mkdir()
    (top / "empty").mkdir(mode=0o711)
    (top / "deep/er/still").mkdir(parents=True)
    sizes = {"nothing": 0, "one": 1, "deep/a": 4096, "deep/er/b": 262_143, "deep/er/still/c": 262_144,
             "big": 3_000_001, "new\nline": 10, "quote\"'\\": 11, "ünïcode": 12, " space ": 13}
    for name, size in sizes.items():
        (top / name).write_bytes(rng.randbytes(size))
    (top / "one").chmod(0o640)
    (top / "deep/a").chmod(0o755)
    os.symlink("deep/a", top / "link")
    os.symlink("/absent", top / "dangling")
    for i, path in enumerate(sorted(top.rglob("*"), reverse=True)):
        os.utime(path, ns=(0, 1_600_000_000_123_456_789 + i), follow_symlinks=False)


class Fetching(KithTest):
    def setUp(self):
        super().setUp()
        self.a, self.b = self.swarm("a", "b")
        self.out = self.top / "out"

    def share(self, path, *args):
        return self.a.ask("share", path, *args)["link"]

    def fetch(self, link, *args):
        return self.b.run("--json", "fetch", "-", "-o", self.out, *args, stdin=link)

    def test_a_tree_arrives_identical(self):
        tree = self.top / "tree"
        make_tree(tree, 1)
        for mode in ("cdc", "fixed"):
            with self.subTest(mode):
                link = self.share(tree, "--chunking", mode)
                result = self.fetch(link, "--as", mode)
                self.assertEqual(result.exit, 0, str(result))
                self.assertEqual(result.last["path"], str(self.out / mode))
                self.assertEqual(picture(self.out / mode), picture(tree))

    def test_results_stand_alone(self):
        file = self.top / "file"
        file.write_bytes(b"x" * 100_000)
        shared = self.a.run("share", file)
        self.assertRegex(shared.stdout, r"^kith:share/[a-z2-7]+\n$")
        fetched = self.b.run("fetch", shared.text, "-o", self.out)
        self.assertEqual(fetched.stdout, f"{self.out}/file\n")
        self.assertEqual((self.out / "file").read_bytes(), file.read_bytes())
        quiet = self.b.run("-q", "fetch", shared.text, "-o", self.out)
        self.assertEqual((quiet.stdout, quiet.stderr), (f"{self.out}/file\n", ""))

    def test_the_present_directory_is_the_default(self):
        file = self.top / "file"
        file.write_bytes(b"abc")
        link = self.share(file)
        place = self.top / "place"
        place.mkdir()
        result = self.b.run("fetch", link, cwd=place)
        self.assertEqual(result.text, str(place / "file"), str(result))

    def test_the_answer_names_the_source(self):
        file = self.top / "file"
        file.write_bytes(random.Random(2).randbytes(2_000_000))
        last = self.fetch(self.share(file)).last
        self.assertGreaterEqual(last["bytes_received"], 2_000_000)
        self.assertEqual(sum(source["bytes"] for source in last["sources"]), last["bytes_received"])

    def test_a_destination_that_exists(self):
        file = self.top / "file"
        file.write_bytes(b"content")
        link = self.share(file)
        self.assertFalse(self.fetch(link).last["already_there"])
        self.assertTrue(self.fetch(link).last["already_there"])
        (self.out / "file").write_bytes(b"another")
        self.assert_fails(self.fetch(link), 1, "exists")
        self.assertEqual((self.out / "file").read_bytes(), b"another")
        result = self.fetch(link, "--replace")
        self.assertEqual(result.exit, 0, str(result))
        self.assertEqual((self.out / "file").read_bytes(), b"content")
        inode = (self.out / "file").stat().st_ino
        self.assertTrue(self.fetch(link, "--replace").last["already_there"])
        self.assertEqual((self.out / "file").stat().st_ino, inode)

    def test_two_shares_of_one_name_in_one_directory(self):
        links, contents = [], []
        for number in (1, 2):
            file = self.top / str(number) / "file"
            file.parent.mkdir()
            contents.append(random.Random(number).randbytes(4_000_000))
            file.write_bytes(contents[-1])
            links.append(self.share(file))
        self.a.run("config", "limit", "4MB/s")
        running = [self.b.begin("--json", "fetch", link, "-o", self.out) for link in links]
        results = [process.result() for process in running]
        self.assertEqual(sorted(result.exit for result in results), [0, 1], str(results))
        won = 0 if results[0].exit == 0 else 1
        error = self.assert_fails(results[1 - won], 1, "exists")
        self.assertIn("--replace", error["hint"])
        self.assertEqual((self.out / "file").read_bytes(), contents[won])
        again = self.fetch(links[1 - won], "--replace")
        self.assertEqual(again.exit, 0, str(again))
        self.assertEqual((self.out / "file").read_bytes(), contents[1 - won])

    def test_nothing_else_is_left_in_the_directory(self):
        file = self.top / "file"
        file.write_bytes(b"content" * 1000)
        self.fetch(self.share(file))
        self.assertEqual(os.listdir(self.out), ["file"])

    def test_a_name_with_a_dot_needs_another(self):
        hidden = self.top / ".hidden"
        hidden.write_bytes(b"x")
        link = self.share(hidden)
        result = self.fetch(link)
        self.assertNotEqual(result.exit, 0, str(result))
        self.assertFalse((self.out / ".hidden").exists())
        self.assertEqual(self.fetch(link, "--as", "shown").exit, 0)

    def test_what_cannot_be_shared_is_named(self):
        tree = self.top / "tree"
        make_tree(tree, 3)
        os.mkfifo(tree / "pipe")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(tree / "sock"))
        (tree / "closed").write_bytes(b"x")
        (tree / "closed").chmod(0)
        Path(os.fsdecode(os.fsencode(tree) + b"/\xff")).write_bytes(b"x")
        wanted = 4 if os.geteuid() else 3  # root reads everything
        result = self.a.run("--json", "share", tree)
        self.assert_fails(result, 1)
        self.assertEqual(len([x for x in result.lines if x["event"] == "bad-entry"]), wanted, str(result))
        self.assertEqual(self.a.ask("list")["shares"], [])
        done = self.a.ask("share", tree, "--skip-bad")
        self.assertEqual(done["skipped_count"], wanted)
        fetched = self.fetch(done["link"])
        self.assertEqual(fetched.exit, 0, str(fetched))
        self.assertFalse((self.out / "tree/pipe").exists())

    def test_exclude(self):
        tree = self.top / "tree"
        make_tree(tree, 4)
        link = self.share(tree, "--exclude", "big", "--exclude", "deep/er", "--name", "less")
        self.assertEqual(self.fetch(link).last["path"], str(self.out / "less"))
        self.assertFalse((self.out / "less/big").exists())
        self.assertFalse((self.out / "less/deep/er").exists())
        self.assertTrue((self.out / "less/deep/a").exists())

    def test_a_stopped_fetch_resumes(self):
        file = self.top / "file"
        file.write_bytes(random.Random(5).randbytes(30_000_000))
        link = self.share(file)
        self.a.run("config", "limit", "5MB/s")
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            process = self.b.begin("--json", "fetch", link, "-o", self.out)
            process.wait_line(lambda line: line.get("bytes_done", 0) > 2_000_000)
            process.signal(number)
            self.assert_fails(process.result(), code)
            self.assertFalse((self.out / "file").exists())
        self.a.run("config", "limit", "none")
        last = self.fetch(link).last
        self.assertEqual(last["event"], "done", last)
        self.assertLess(last["bytes_received"], 28_000_000)
        self.assertEqual((self.out / "file").read_bytes(), file.read_bytes())

    def test_another_home_leaves_what_a_stopped_fetch_has(self):
        file = self.top / "file"
        file.write_bytes(random.Random(5).randbytes(30_000_000))
        link = self.share(file)
        c = self.device("c")
        c.ask("join", "-", stdin=self.a.ask("swarm", "invite")["invite"])
        self.a.run("config", "limit", "5MB/s")
        process = self.b.begin("--json", "fetch", link, "-o", self.out)
        process.wait_line(lambda line: line.get("bytes_done", 0) > 2_000_000)
        process.signal(signal.SIGINT)
        self.assert_fails(process.result(), 130)
        self.b.stop_node()
        self.a.run("config", "limit", "none")
        c.ask("fetch", link, "-o", self.out)
        (self.out / "file").unlink()
        self.b.start_node()
        self.assertLess(self.fetch(link).last["bytes_received"], 28_000_000)
        self.assertEqual((self.out / "file").read_bytes(), file.read_bytes())

    def test_directories_that_are_closed(self):
        """What lies in a directory is settled before that gets a mode which would not let us."""
        tree = self.top / "tree"
        shut = tree / "shut/shut"
        shut.mkdir(parents=True)
        (shut / "large").write_bytes(random.Random(9).randbytes(6_000_000))
        (shut / "small").write_bytes(b"small")
        for path in (shut, shut.parent):
            path.chmod(0o500)
            os.utime(path, ns=(0, 1_600_000_000_000_000_001))
        link = self.share(tree)
        try:
            self.assertEqual(self.fetch(link).exit, 0)
            for name in ("shut", "shut/shut", "shut/shut/large", "shut/shut/small"):
                got, was = (self.out / "tree" / name).stat(), (tree / name).stat()
                self.assertEqual((got.st_mode, got.st_mtime_ns), (was.st_mode, was.st_mtime_ns), name)
            self.assertEqual((self.out / "tree/shut/shut/large").read_bytes(), (shut / "large").read_bytes())
        finally:
            for top in (tree, self.out / "tree"):
                for name in ("shut", "shut/shut"):
                    if (top / name).exists():
                        (top / name).chmod(0o700)

    def test_a_fetch_that_is_cancelled_says_of_what(self):
        file = self.top / "file"
        file.write_bytes(b"x")
        link = self.share(file)
        share = self.a.ask("list")["shares"][0]["id"]
        self.a.stop_node()
        process = self.b.begin("--json", "fetch", link, "-o", self.out, "--wait")
        self.wait_until(lambda: self.b.ask("list")["shares"], "the fetch has begun")
        self.b.ask("cancel", share)
        error = self.assert_fails(process.result(), 1, "cancelled")
        self.assertEqual(error["subject"], share)
        self.assertTrue(error["hint"])

    def test_unshare_keeps_what_was_fetched_so_far(self):
        file = self.top / "file"
        file.write_bytes(random.Random(8).randbytes(20_000_000))
        link = self.share(file)
        self.a.run("config", "limit", "5MB/s")
        process = self.b.begin("--json", "fetch", link, "-o", self.out)
        process.wait_line(lambda line: line.get("bytes_done", 0) > 2_000_000)
        error = self.assert_fails(self.b.run("--json", "unshare", link), 1, "conflict")
        self.assertIn("kith cancel", error["hint"])
        process.signal(signal.SIGINT)
        self.assert_fails(process.result(), 130)
        self.assert_fails(self.b.run("--json", "unshare", link), 1, "conflict")
        self.a.run("config", "limit", "none")
        self.assertLess(self.fetch(link).last["bytes_received"], 19_000_000)
        self.assertEqual((self.out / "file").read_bytes(), file.read_bytes())

    def test_detached(self):
        file = self.top / "file"
        file.write_bytes(random.Random(6).randbytes(3_000_000))
        result = self.fetch(self.share(file), "--detach")
        self.assertEqual(result.last["event"], "done", str(result))
        self.wait_until((self.out / "file").exists, "the node fetches it")
        self.assertEqual((self.out / "file").read_bytes(), file.read_bytes())

    def test_shares_are_listed_shown_and_removed(self):
        file = self.top / "file"
        file.write_bytes(b"x" * 1000)
        link = self.share(file)
        share = self.a.ask("list")["shares"][0]
        self.assertEqual((share["name"], share["state"], share["link"]), ("file", "shared", link))
        for selector in (link, share["id"], share["id"][:8], share["id"].upper()):
            self.assertEqual(self.a.ask("show", selector)["share"]["id"], share["id"])
        self.assert_fails(self.a.run("--json", "show", "f" * 8), 4, "not-found")
        self.a.ask("unshare", share["id"])
        self.assertEqual(self.a.ask("list")["shares"], [])
        self.assertEqual(file.read_bytes(), b"x" * 1000)

    def test_nobody_provides_it(self):
        file = self.top / "file"
        file.write_bytes(b"x")
        link = self.share(file)
        self.a.ask("unshare", link)
        self.assert_fails(self.fetch(link), 4)
        self.assertFalse((self.out / "file").exists())

    def test_verify_finds_what_changed(self):
        tree = self.top / "tree"
        make_tree(tree, 7)
        self.fetch(self.share(tree))
        self.assertEqual(self.b.ask("verify")["bad"], [])
        with open(self.out / "tree/big", "r+b") as file:
            file.write(b"changed")
        result = self.b.run("--json", "verify")
        self.assertEqual(result.exit, 6, str(result))
        self.assertIn("big", str(result.last["bad"]))

    def test_a_moved_tree_is_served_again(self):
        tree, moved = self.top / "tree", self.top / "moved"
        make_tree(tree, 8)
        link = self.share(tree)
        shutil.move(tree, moved)
        self.a.ask("moved", link, moved)
        result = self.fetch(link)
        self.assertEqual(result.exit, 0, str(result))
        self.assertEqual(picture(self.out / "tree"), picture(moved))


class WithoutANode(KithTest):
    def test_a_share_is_served_until_it_is_told_to_end(self):
        a, b = self.device("a"), self.device("b")
        file = self.top / "file"
        file.write_bytes(random.Random(9).randbytes(1_000_000))
        process = a.begin("share", file)
        link = process.wait_line(lambda line: isinstance(line, str))
        self.assertEqual(a.ask("swarm", "list")["swarms"][0]["name"], "home")
        b.ask("join", "-", stdin=a.ask("swarm", "invite")["invite"])
        result = b.run("--json", "fetch", link, "-o", self.top)
        self.assertTrue(result.last["already_there"], str(result))  # it is the original
        result = b.run("fetch", link, "-o", self.top / "out")
        self.assertEqual(result.exit, 0, str(result))
        self.assertEqual((self.top / "out/file").read_bytes(), file.read_bytes())
        process.signal(signal.SIGINT)
        self.assertEqual(process.wait(), 0)

    def test_two_fetches_at_once_both_complete(self):
        a, b = self.device("a"), self.device("b")
        a.start_node()
        a.ask("swarm", "create", "lab")
        b.ask("join", "-", stdin=a.ask("swarm", "invite")["invite"])
        small, large = self.top / "small", self.top / "large"
        small.write_bytes(random.Random(10).randbytes(500_000))
        large.write_bytes(random.Random(11).randbytes(20_000_000))
        links = [a.ask("share", path)["link"] for path in (small, large)]
        running = [b.begin("--json", "fetch", link, "-o", self.top / "out") for link in links]
        for process in running:
            result = process.result()
            self.assertEqual(result.exit, 0, str(result))
        for path in (small, large):
            self.assertEqual((self.top / "out" / path.name).read_bytes(), path.read_bytes())


if __name__ == "__main__":
    unittest.main()
