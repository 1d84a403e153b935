"""Whoever is not in the swarm learns nothing: strangers at the ports, altered texts, used invites."""
import base64
import hashlib
import random
import select
import shutil
import socket
import subprocess
import time
import unittest

from kith_test import KithTest, free_port

DEADLINE_S = 5  # docs/protocol.md: all three messages of a handshake together
SLACK_S = 12  # the machine may be busy
INVITE, LINK = "kith:invite/", "kith:share/"
# Of the decoded texts (proto/swarm/invite.hpp, proto/content/link.hpp): where the secret stands.
SEED, ROOT_KEY = slice(33, 65), slice(41, 73)

SHIFTED_CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
int clock_gettime(clockid_t clock, struct timespec* out) {
  static int (*real)(clockid_t, struct timespec*);
  if (real == 0) real = (int (*)(clockid_t, struct timespec*))dlsym(RTLD_NEXT, "clock_gettime");
  const int result = real(clock, out);
  if (result == 0 && clock == CLOCK_REALTIME) out->tv_sec += 7200;
  return result;
}
"""


def decoded(text):
    body = text.rpartition("/")[2].upper()
    return base64.b32decode(body + "=" * (-len(body) % 8))


def encoded(prefix, body):
    """A text whose checksum is right, whatever its body is."""
    whole = body + hashlib.blake2b(body, digest_size=32).digest()[:4]
    return prefix + base64.b32encode(whole).decode().rstrip("=").lower()


def silent_end(sock, deadline):
    """How the connection ended: all bytes that came, or the name of the error."""
    got = b""
    try:
        while True:
            sock.settimeout(max(0.1, deadline - time.monotonic()))
            part = sock.recv(65_536)
            if not part:
                return got
            got += part
    except OSError as error:
        return type(error).__name__


class Tap:
    """A place that is no node, and notes what is sent to it."""

    def __init__(self, test):
        self.port = free_port()
        self.tcp = socket.create_server(("127.0.0.1", self.port))
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", self.port))
        for sock in (self.tcp, self.udp):
            test.addCleanup(sock.close)

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def was_contacted(self):
        return bool(select.select([self.tcp, self.udp], [], [], 0)[0])

    def first_bytes(self):
        """What a node sends first to whom it dials."""
        self.tcp.settimeout(60)
        sock, _ = self.tcp.accept()
        with sock:
            sock.settimeout(60)
            return sock.recv(65_536)

    def first_datagram(self):
        self.udp.settimeout(60)
        return self.udp.recvfrom(65_536)[0]


class Strangers(KithTest):
    def connect(self, device, source="127.0.0.1"):
        sock = socket.create_connection(("127.0.0.1", device.port), 30, (source, 0))
        self.addCleanup(sock.close)
        return sock

    def test_whatever_a_stranger_says_is_met_with_silence(self):
        device, = self.swarm("a")
        rng = random.Random(1)
        said = {
            "nothing": b"",
            "one byte": b"\0",
            "half a length": b"\0",
            "junk": rng.randbytes(5_000),
            "much junk": rng.randbytes(100_000),
            "zeros": bytes(2_000),
            "HTTP": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "TLS": bytes.fromhex("1603010200010001fc0303") + rng.randbytes(505),
            "BitTorrent": b"\x13BitTorrent protocol" + bytes(8) + rng.randbytes(40),
            "the right length": (200).to_bytes(2, "big") + rng.randbytes(200),
            "the longest": (1_024).to_bytes(2, "big") + rng.randbytes(1_024),
            "too long": (1_025).to_bytes(2, "big") + rng.randbytes(1_025),
        }
        start = time.monotonic()
        socks = {name: self.connect(device) for name in said}
        for name, sock in socks.items():
            sock.sendall(said[name])
        for name, sock in socks.items():
            with self.subTest(name):
                self.assertEqual(silent_end(sock, start + DEADLINE_S + SLACK_S), b"")
                self.assertGreater(time.monotonic() - start, DEADLINE_S - 0.5)

    def test_a_datagram_of_a_stranger_is_not_answered(self):
        device, = self.swarm("a")
        rng = random.Random(2)
        socks = []
        for message in [b"", b"x", rng.randbytes(24), rng.randbytes(200), rng.randbytes(1_400),
                        b"d1:ad2:id20:" + rng.randbytes(20) + b"e1:q4:ping1:t2:aa1:y1:qe",
                        b"d1:ad2:id20:" + rng.randbytes(20) + b"9:info_hash20:" + rng.randbytes(20)
                        + b"e1:q9:get_peers1:t2:aa1:y1:qe", b"d" * 1_400]:
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.addCleanup(sock.close)
            sock.connect(("127.0.0.1", device.port))
            sock.send(message)
            socks.append(sock)
        device.ask("status")  # by now they were read
        answered, _, _ = select.select(socks, [], [], 1)
        self.assertEqual(answered, [])

    def test_what_was_heard_once_is_not_answered_again(self):
        a, b = self.swarm("a", "b")
        tap = Tap(self)
        self.assertEqual(b.stop_node(), 0)
        b.configure(bootstrap=[tap.address])
        b.start_node()
        first, ping = tap.first_bytes(), tap.first_datagram()
        genuine, replayed = self.connect(a), self.connect(a)
        genuine.sendall(first)
        self.assertTrue(genuine.recv(65_536), "it is no answerable message")
        replayed.sendall(first)
        start = time.monotonic()
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(sock.close)
        sock.connect(("127.0.0.1", a.port))
        sock.settimeout(30)
        sock.send(ping)
        self.assertTrue(sock.recv(65_536), "it is no answerable datagram")
        again = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(again.close)
        again.connect(("127.0.0.1", a.port))
        again.send(ping)
        self.assertEqual(silent_end(replayed, start + DEADLINE_S + SLACK_S), b"")
        self.assertEqual(select.select([again], [], [], 0)[0], [])

    def test_many_idle_connections_are_borne(self):
        a, b = self.swarm("a", "b")
        file = self.top / "file"
        file.write_bytes(random.Random(3).randbytes(2_000_000))
        link = a.ask("share", file)["link"]
        b.ask("fetch", link, "-o", self.top / "before")  # from here on they are connected
        before = resident_kib(a)
        idle = []
        for number in range(4):
            idle += [self.connect(a, f"127.0.{subnet}.1") for subnet in range(10) for _ in range(25)]
            fetched = b.run("--json", "fetch", "-", "-o", self.top / f"out{number}", stdin=link)
            self.assertEqual(fetched.exit, 0, str(fetched))
        self.assertEqual(len(idle), 1_000)
        self.assertLess(resident_kib(a) - before, 64 * 1_024)
        deadline = time.monotonic() + DEADLINE_S + SLACK_S
        for sock in idle:
            self.assertEqual(silent_end(sock, deadline), b"")
        invite = a.ask("swarm", "invite")["invite"]
        self.device("c").ask("join", "-", stdin=invite)


def resident_kib(device):
    with open(f"/proc/{device.node.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))


class Invites(KithTest):
    def join(self, device, invite, timeout="20s"):
        return device.run("--json", "join", "-", "--timeout", timeout, stdin=invite)

    def test_a_link_is_no_membership(self):
        a, = self.swarm("a")
        file = self.top / "file"
        file.write_bytes(b"x" * 1_000)
        link = a.ask("share", file)["link"]
        outsider = self.device("outsider")
        outsider.configure(bootstrap=[a.address])
        for has_a_swarm in (False, True):
            if has_a_swarm:
                outsider.ask("swarm", "create", "other")
            result = outsider.run("--json", "fetch", "-", "-o", self.top / "out", stdin=link)
            error = self.assert_fails(result, 4, "not-found")
            self.assertIn("swarm", error["what"])
            self.assertIn("join", error["hint"])
            self.assertFalse((self.top / "out/file").exists())

    def test_an_invite_lets_in_as_many_as_it_says(self):
        a, = self.swarm("a")
        invite = a.ask("swarm", "invite", "--uses", "2")["invite"]
        for name in ("b", "c"):
            self.assertEqual(self.join(self.device(name), invite).exit, 0)
        error = self.assert_fails(self.join(self.device("d"), invite), 5, "refused")
        self.assertIn("used up", error["what"])
        self.assertIn("new invite", error["hint"])
        self.assertEqual(len(a.ask("swarm", "members")["members"]), 3)

    def test_a_device_may_use_its_invite_again(self):
        a, = self.swarm("a")
        b = self.device("b")
        invite = a.ask("swarm", "invite")["invite"]
        self.assertFalse(self.join(b, invite).last["already"])
        self.assertTrue(self.join(b, invite).last["already"])

    def test_nobody_listens(self):
        a, = self.swarm("a")
        invite = a.ask("swarm", "invite")["invite"]
        a.stop_node()
        error = self.assert_fails(self.join(self.device("b"), invite, "2s"), 4, "timeout")
        self.assertIn(a.address, error["what"])
        self.assertIn("refused", error["what"])
        self.assertTrue(error["hint"])

    def test_somebody_else_listens(self):
        tap = Tap(self)
        a, b = self.device("a"), self.device("b")
        a.configure(advertise=tap.address)
        a.start_node()
        a.ask("swarm", "create", "lab")
        invite = a.ask("swarm", "invite")["invite"]
        a.stop_node()
        tap.tcp.settimeout(30)
        joining = b.begin("--json", "join", invite, "--timeout", "8s")
        with tap.tcp.accept()[0] as sock:
            sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            error = self.assert_fails(joining.result(), 4, "timeout")
        self.assertIn(tap.address, error["what"])

    def test_an_expired_one_is_refused(self):
        compiler = shutil.which("cc")
        if compiler is None:
            self.skipTest("no C compiler to build the clock with")
        clock = self.top / "clock.so"
        subprocess.run([compiler, "-shared", "-fPIC", "-xc", "-", "-o", clock], check=True,
                       input=SHIFTED_CLOCK.encode())
        a, b = self.device("a"), self.device("b")
        a.start_node()
        a.ask("swarm", "create", "lab")
        invite = a.ask("swarm", "invite", "--expires", "1h")["invite"]
        a.stop_node()
        later = {"LD_PRELOAD": str(clock), "ASAN_OPTIONS": "verify_asan_link_order=0"}
        for device in (a, b):
            plain = device.env
            device.env = lambda plain=plain: {**plain(), **later}
        a.start_node()
        error = self.assert_fails(self.join(b, invite), 5, "refused")
        self.assertIn("expired", error["what"])


class AlteredTexts(KithTest):
    """They are refused before anything is sent anywhere."""

    def setUp(self):
        super().setUp()
        self.tap = Tap(self)

    def altered(self, text, prefix):
        """(what, text, words of which the message must hold one)"""
        body = text[len(prefix):]
        raw = decoded(text)[:-4]
        swapped = "b" if body[50] == "a" else "a"
        return [
            ("prefix", "kith:other/" + body, ["begin"]),
            ("no prefix", body, ["begin"]),
            ("a letter", prefix + body[:50] + swapped + body[51:], ["checksum"]),
            ("a digit", prefix + body[:50] + "1" + body[51:], ["character", "base32"]),
            ("cut", text[:-8], ["checksum", "length", "cut"]),
            ("longer", text + "aaaaaaaa", ["checksum", "length"]),
            ("a body too short", encoded(prefix, raw[:-5]), ["length", "hint"]),
            ("a body too long", encoded(prefix, raw + b"\0" * 5), ["length", "hint"]),
        ]

    def check(self, device, command, text, prefix):
        for what, other, words in self.altered(text, prefix):
            with self.subTest(f"{command}: {what}"):
                error = self.assert_fails(device.run("--json", command, "-", stdin=other), 2)
                self.assertTrue(any(word in error["what"] for word in words), error)
                self.assertTrue(error["hint"], error)
        newer = encoded(prefix, b"\x02" + decoded(text)[1:-4])
        error = self.assert_fails(device.run("--json", command, "-", stdin=newer), 1, "unsupported")
        self.assertIn("version", error["what"])
        self.assertFalse(self.tap.was_contacted())

    def test_invites(self):
        a, b = self.device("a"), self.device("b")
        a.configure(advertise=self.tap.address)
        a.ask("swarm", "create", "lab")
        a.start_node()
        invite = a.ask("swarm", "invite")["invite"]
        self.check(b, "join", invite, INVITE)
        b.run("join", "-", "--timeout", "1s", stdin=invite)
        self.assertTrue(self.tap.was_contacted(), "nobody would have contacted it")

    def test_links(self):
        a = self.device("a")
        a.start_node()
        a.ask("swarm", "create", "lab")
        (self.top / "file").write_bytes(b"x")
        link = a.ask("share", self.top / "file")["link"]
        b = self.device("b")
        b.ask("join", "-", stdin=a.ask("swarm", "invite")["invite"])
        b.configure(bootstrap=[self.tap.address])
        self.check(b, "fetch", link, LINK)


class Secrets(KithTest):
    def test_none_is_in_a_log_or_in_the_list_of_processes(self):
        a, b = self.device("a"), self.device("b")
        a.start_node("-v")
        a.ask("swarm", "create", "lab")
        invite = a.ask("swarm", "invite")["invite"]
        b.ask("-v", "join", "-", stdin=invite)
        file = self.top / "file"
        file.write_bytes(b"content" * 10_000)
        link = a.ask("share", file)["link"]
        self.addCleanup(b.run, "stop")
        b.ask("-v", "fetch", "-", "--detach", "-o", self.top / "out", stdin=link)
        self.wait_until((self.top / "out/file").exists, "it is fetched")
        detached = b.ask("status")["pid"]
        seen = b"".join(read(f"/proc/{pid}/{what}") for pid in (a.node.pid, detached)
                        for what in ("cmdline", "environ"))
        self.assertIn(b"kith", seen)
        b.ask("stop")
        a.stop_node()
        logs = a.node.errors().encode() + "\n".join(a.node.lines).encode()
        for device in (a, b):
            for log in (device.home / "log").glob("*"):
                logs += log.read_bytes()
        self.assertIn(b"listening", logs)
        for name, secret in self.secrets((a, b), invite, link).items():
            for form in (secret, secret.hex().encode(), base64.b32encode(secret).lower()[:48],
                         base64.b64encode(secret)[:40]):
                self.assertNotIn(form, seen + logs, name)
        for text in (invite, link):
            self.assertNotIn(text.partition("/")[2][20:100].encode(), seen + logs)

    def secrets(self, devices, invite, link):
        out = {"seed": decoded(invite)[SEED], "root key": decoded(link)[ROOT_KEY]}
        for device in devices:
            keys = (device.home / "device.key").read_bytes()
            for name in ("d", "s", "w"):  # bencode: 1:d32:…
                at = keys.index(b"1:" + name.encode() + b"32:") + 6
                out[f"{name} of {device.name}"] = keys[at:at + 32]
        return out

    def test_what_is_secret_in_a_home_is_for_its_owner_alone(self):
        device = self.device("a")
        device.ask("swarm", "create", "lab")
        self.assertEqual(device.home.stat().st_mode & 0o777, 0o700)
        for name in ("device.key", "catalog.sqlite"):
            self.assertEqual((device.home / name).stat().st_mode & 0o777, 0o600, name)


def read(path):
    with open(path, "rb") as file:
        return file.read()


if __name__ == "__main__":
    unittest.main()
