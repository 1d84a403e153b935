"""A node whose descriptors run out, one whose API clients do not read, and a very long manifest."""
import json
import os
import random
import resource
import socket
import time
import unittest

from kith_test import KithTest

SPARE = 8  # descriptors that the node may still open
STRANGERS = 60
FULL_S = 2  # so long the node is watched while it has none left


def descriptors(device):
    return len(os.listdir(f"/proc/{device.node.pid}/fd"))


def cpu_seconds(device):
    with open(f"/proc/{device.node.pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Descriptors(KithTest):
    def test_they_run_out_and_come_back(self):
        a, b = self.swarm("a", "b")
        file = self.top / "file"
        file.write_bytes(random.Random(5).randbytes(3_000_000))
        link = a.ask("share", file)["link"]
        invite = a.ask("swarm", "invite")["invite"]
        most = descriptors(a) + SPARE
        hard = resource.prlimit(a.node.pid, resource.RLIMIT_NOFILE)[1]
        resource.prlimit(a.node.pid, resource.RLIMIT_NOFILE, (most, hard))

        strangers = [self.stranger(a, number) for number in range(STRANGERS)]
        self.wait_until(lambda: descriptors(a) >= most, "all descriptors are taken")
        before = cpu_seconds(a)
        deadline = time.monotonic() + FULL_S
        while time.monotonic() < deadline:
            strangers.append(self.stranger(a, len(strangers)))
            time.sleep(0.05)  # a stranger who comes now and then, not one to wait for
        # To ask for the next connection again and again would take all of a core.
        self.assertLess(cpu_seconds(a) - before, FULL_S / 4)
        for sock in strangers:
            sock.close()

        self.assertEqual(a.ask("status")["event"], "done")
        b.ask("fetch", "-", "-o", self.top / "out", stdin=link)
        self.assertEqual((self.top / "out" / "file").read_bytes(), file.read_bytes())
        self.device("c").ask("join", "-", stdin=invite)

    def stranger(self, device, number):
        """Connects from one of many networks and says nothing."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.addCleanup(sock.close)
        sock.bind((f"127.0.{number % 30}.1", 0))
        sock.connect(("127.0.0.1", device.port))
        return sock


class Api(KithTest):
    def test_clients_that_do_not_read_are_in_nobodys_way(self):
        a, b = self.swarm("a", "b")
        tree = self.top / "tree"
        tree.mkdir()
        for number in range(2_000):
            (tree / f"{number:05}").write_bytes(b"%d" % number)
        link = a.ask("share", tree)["link"]
        clients = [self.client(b, "GET", "events", None) for _ in range(8)]
        clients += [self.client(b, "POST", "list", {}) for _ in range(8)]
        fetched = self.top / "fetched"
        fetched.mkdir()
        clients.append(self.client(b, "POST", "fetch", {"link": link, "directory": str(fetched)}))
        self.wait_until((fetched / "tree").exists, "a fetch whose client does not read")
        self.assertEqual(len(os.listdir(fetched / "tree")), 2_000)
        for number in range(3):
            b.ask("fetch", "-", "-o", self.top / f"out{number}", stdin=link)
        self.assertEqual(b.ask("status")["event"], "done")
        self.assertEqual(b.stop_node(), 0)
        for sock in clients:
            sock.close()

    def client(self, device, method, name, arguments):
        """Asks, and never reads the answer."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.addCleanup(sock.close)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        sock.connect(str(device.home / "run" / "api.sock"))
        body = b"" if arguments is None else json.dumps(arguments).encode()
        head = f"{method} /v1/{name} HTTP/1.1\r\nHost: kith\r\nContent-Length: {len(body)}\r\n\r\n"
        sock.sendall(head.encode() + body)
        return sock


class LongManifest(KithTest):
    """So long that what an import made of it does not stay in memory: its paths are."""

    FILES = 10_000
    DEEP = "/".join(letter * 200 for letter in "abcde")

    def test_it_is_shared_fetched_and_shared_again(self):
        a, b = self.swarm("a", "b")
        tree = self.top / "tree"
        (tree / self.DEEP).mkdir(parents=True)
        for number in range(self.FILES):
            (tree / self.DEEP / f"{number:05}").touch()
        first = a.ask("share", tree)
        b.ask("fetch", "-", "-o", self.top / "out", stdin=first["link"])
        self.assertEqual(self.names(self.top / "out"), self.names(self.top))

        (tree / self.DEEP / "09000").write_bytes(b"but this")
        second = a.ask("share", tree)
        self.assertNotEqual(second["link"], first["link"])
        self.assertEqual(a.ask("share", tree)["link"], second["link"])
        b.ask("fetch", "-", "-o", self.top / "new", stdin=second["link"])
        self.assertEqual(self.names(self.top / "new"), self.names(self.top))
        self.assertEqual((self.top / "new/tree" / self.DEEP / "09000").read_bytes(), b"but this")

    def names(self, top):
        names = set(os.listdir(top / "tree" / self.DEEP))
        self.assertEqual(len(names), self.FILES)
        return names


if __name__ == "__main__":
    unittest.main()
