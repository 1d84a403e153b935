"""Nodes of kith for benchmarks: each with its home in the row's folder, all on loopback."""
import http.client
import json
import os
import socket
import time
from pathlib import Path

from process import DEADLINE_S, BenchError, Process, run_timed, wait_until

ROOT = Path(__file__).resolve().parents[2]
KITH = ROOT / "build/release/tools/kith/kith"
MADE_CATALOG = ROOT / "build/release/tools/benchmark/kith_made_catalog"


def free_port():
    """Free for TCP and UDP just now."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp:
            tcp.bind(("127.0.0.1", 0))
            port = tcp.getsockname()[1]
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
                try:
                    udp.bind(("127.0.0.1", port))
                    return port
                except OSError:
                    continue


class Node:
    """A running node and the commands of its user."""

    def __init__(self, work, name, *options):
        self.work = work
        self.name = name
        self.home = work.path(f"home-{name}")
        self.home.mkdir(mode=0o700)
        address = f"127.0.0.1:{free_port()}"
        settings = {"lan": False, "device_name": name, "listen": address, "advertise": address}
        (self.home / "config.json").write_text(json.dumps(settings), encoding="utf-8")
        self._options = options
        self.start()

    def start(self):
        command = [KITH, "node", "--json", *self._options]
        self._process = Process(command, self.work.log(self.name), self._env())
        self._process.wait_event("ready")

    def stop(self):
        self._process.end()

    def _env(self):
        env = {key: value for key, value in os.environ.items() if not key.startswith(("KITH_", "XDG_"))}
        return {**env, "KITH_HOME": str(self.home), "TERM": "dumb"}

    @property
    def process(self):
        return self._process

    def command(self, *args, stdin=""):
        """Runs a command: (its last line, seconds, CPU seconds of the command itself)."""
        output, seconds, cpu = run_timed([KITH, "--json", *args], stdin.encode(), self._env())
        return json.loads(output.splitlines()[-1]), seconds, cpu

    def ask(self, *args, stdin=""):
        return self.command(*args, stdin=stdin)[0]

    def join(self, founder):
        invite = founder.ask("swarm", "invite")["invite"]
        self.ask("join", "-", stdin=invite)
        self.wait_connected(1)

    def wait_connected(self, count):
        wait_until(lambda: self.ask("swarm", "list")["swarms"][0]["connected"] >= count,
                   f"{self.name} is connected to {count} devices")

    def post(self, command, **arguments):
        """Sends a command to the node's socket, as `kith` does: the response, to be read."""
        connection = http.client.HTTPConnection("kith")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(self.home / "run/api.sock"))
        connection.request("POST", f"/v1/{command}", json.dumps(arguments))
        return connection.getresponse()

    def end(self):
        """Stops the node and removes its home."""
        self._process.end()
        self.work.remove(self.home)


def swarm(work, *names, options=()):
    """Nodes in one swarm; the first one founded it."""
    nodes = [Node(work, name, *options) for name in names]
    nodes[0].ask("swarm", "create", "bench")
    for node in nodes[1:]:
        node.join(nodes[0])
    return nodes


def watched(nodes, call):
    """Runs call() -> (answer, seconds, CPU seconds): (answer, the sample with what the nodes took)."""
    for node in nodes:
        node.process.reset_peak()
    cpu = [node.process.cpu_seconds() for node in nodes]
    read = [node.process.bytes_read() for node in nodes]
    answer, seconds, client_cpu = call()
    cpu = [node.process.cpu_seconds() - before for node, before in zip(nodes, cpu)]
    read = [node.process.bytes_read() - before for node, before in zip(nodes, read)]
    peaks = {node.name: node.process.peak_rss() for node in nodes}
    # bytes_read is of the files that are shared; io_read is everything, the catalog's own pages among it.
    sample = {"seconds": seconds, "cpu_seconds": sum(cpu) + client_cpu, "peak_rss": peaks,
              "io_read": sum(read)}
    for key in ("bytes_received", "bytes_copied", "bytes_read"):
        if key in answer:
            sample[key] = answer[key]
    return answer, sample


def first_byte(node, link, folder):
    """Fetches by the node's socket; as Node.command, with the seconds until the first byte is in a file."""
    begin = time.monotonic()
    response = node.post("fetch", link=link, directory=str(folder))
    while not any(has_content(path) for path in folder.iterdir()):
        if time.monotonic() - begin > DEADLINE_S:
            raise BenchError("no byte was written")
        time.sleep(0.0002)
    seconds = time.monotonic() - begin
    answer = json.loads(response.read().splitlines()[-1])
    if answer["event"] != "done":
        raise BenchError(f"fetch: {answer}")
    return answer, seconds, 0.0


def has_content(path):
    """Whether a byte was written to the file: room that was only reserved is a hole."""
    try:
        with open(path, "rb") as file:
            os.lseek(file.fileno(), 0, os.SEEK_DATA)
        return True
    except OSError:
        return False
