"""What functional tests of kith have in common: devices with homes of their own, commands, nodes.

Rules: everything a test makes is in one temporary directory; every process that it starts is ended by
its id; nothing waits for a fixed time where a line or an exit can be waited for. When a test fails,
the output of its nodes is printed.

KITH_BIN names the program. The tests run as any user; tools/test runs them as an unprivileged one.
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from dataclasses import dataclass
from pathlib import Path

KITH = os.environ.get("KITH_BIN", str(Path(__file__).resolve().parents[2] / "build/dev/tools/kith/kith"))
COMMAND_TIMEOUT_S = 300  # the machine may be busy; only a hanging command needs so long
POLL_S = 0.02


def free_port():
    """A port that is free for UDP and TCP on this machine just now."""
    for _ in range(100):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp:
            tcp.bind(("127.0.0.1", 0))
            port = tcp.getsockname()[1]
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
                try:
                    udp.bind(("127.0.0.1", port))
                    return port
                except OSError:
                    continue
    raise RuntimeError("no free port")


@dataclass
class Result:
    """What a command said, and how it ended."""

    args: list
    exit: int
    stdout: str
    stderr: str

    @property
    def lines(self):
        """The lines of a command with --json."""
        return [json.loads(line) for line in self.stdout.splitlines()]

    @property
    def last(self):
        lines = self.lines
        return lines[-1] if lines else {}

    @property
    def text(self):
        """The result, alone on stdout."""
        return self.stdout.rstrip("\n")

    def __str__(self):
        return (f"{' '.join(self.args)}\nexit {self.exit}\nstdout: {self.stdout[-4000:]}\n"
                f"stderr: {self.stderr[-4000:]}")


class Process:
    """A kith process whose lines can be waited for."""

    def __init__(self, args, env, cwd=None):
        self.args = args
        self.lines = []
        self.stderr = tempfile.TemporaryFile()
        self.process = subprocess.Popen(args, env=env, cwd=cwd, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=self.stderr)
        self._changed = threading.Condition()
        self._closed = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self):
        return self.process.pid

    def _read(self):
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(line.decode(errors="replace").rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def wait_line(self, accept, timeout=COMMAND_TIMEOUT_S):
        """The first line for which accept(line) holds. Lines are objects where they are JSON."""
        deadline = time.monotonic() + timeout
        seen = 0
        with self._changed:
            while True:
                for line in self.lines[seen:]:
                    parsed = parse(line)
                    if accept(parsed):
                        return parsed
                seen = len(self.lines)
                if self._closed or not self._changed.wait(deadline - time.monotonic()):
                    raise AssertionError(f"the line did not come\n{self.report()}")

    def wait_event(self, event, timeout=COMMAND_TIMEOUT_S):
        return self.wait_line(lambda line: isinstance(line, dict) and line.get("event") == event, timeout)

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, timeout=COMMAND_TIMEOUT_S):
        """The exit code, after all output was read."""
        code = self.process.wait(timeout)
        self._reader.join(timeout)
        return code

    def result(self, timeout=COMMAND_TIMEOUT_S):
        code = self.wait(timeout)
        return Result(self.args, code, "".join(line + "\n" for line in self.lines), self.errors())

    def errors(self):
        self.stderr.seek(0)
        return self.stderr.read().decode(errors="replace")

    def end(self):
        """Whatever state it is in."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._reader.join(30)
        self.process.stdout.close()

    def report(self):
        code = self.process.poll()
        state = "runs" if code is None else f"exit {code}"
        return (f"--- {' '.join(self.args)} ({state})\n" + "\n".join(self.lines[-40:]) + "\n"
                + self.errors()[-6000:])


def parse(line):
    try:
        return json.loads(line)
    except ValueError:
        return line


class Device:
    """A home, and the commands of its user."""

    def __init__(self, test, name, lan=False):
        self.test = test
        self.name = name
        self.home = test.top / name
        self.node = None
        self.port = free_port()
        self.home.mkdir(mode=0o700)
        self.configure(lan=lan, device_name=name, listen=f"127.0.0.1:{self.port}",
                       advertise=f"127.0.0.1:{self.port}")

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def configure(self, **settings):
        path = self.home / "config.json"
        known = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps({**known, **settings}))

    def env(self):
        env = {k: v for k, v in os.environ.items() if not k.startswith(("KITH_", "XDG_"))}
        return {**env, "KITH_HOME": str(self.home), "TERM": "dumb"}

    def args(self, *args):
        return [KITH, *map(str, args)]

    def run(self, *args, stdin=None, cwd=None):
        """Runs a command to its end."""
        done = subprocess.run(self.args(*args), env=self.env(), cwd=cwd, capture_output=True,
                              input=stdin.encode() if stdin is not None else b"",
                              timeout=COMMAND_TIMEOUT_S, check=False)
        return Result(self.args(*args), done.returncode, done.stdout.decode(errors="surrogateescape"),
                      done.stderr.decode(errors="replace"))

    def ask(self, *args, stdin=None):
        """Runs a command with --json that must succeed; its last line."""
        result = self.run("--json", *args, stdin=stdin)
        self.test.assertEqual(result.exit, 0, str(result))
        self.test.assertEqual(result.last.get("event"), "done", str(result))
        return result.last

    def begin(self, *args, cwd=None):
        """Starts a command and leaves it running."""
        process = Process(self.args(*args), self.env(), cwd)
        self.test.processes.append(process)
        return process

    def start_node(self, *args):
        """The node in the foreground; returns when it answers."""
        self.node = self.begin("node", "--json", *args)
        ready = self.node.wait_event("ready")
        self.test.assertEqual(ready["pid"], self.node.pid)
        return ready

    def stop_node(self, number=signal.SIGTERM):
        self.node.signal(number)
        return self.node.wait()

    def kill_node(self):
        self.node.process.kill()
        self.node.wait()


class KithTest(unittest.TestCase):
    """A test with a directory of its own and the processes it started."""

    def setUp(self):
        self.processes = []
        self.top = Path(tempfile.mkdtemp(prefix="kith-functional."))
        self.addCleanup(self._clean)

    def device(self, name, **options):
        return Device(self, name, **options)

    def swarm(self, *names):
        """Devices in one swarm, each with its node running. The first one made it."""
        devices = [self.device(name) for name in names]
        for device in devices:
            device.start_node()
        devices[0].ask("swarm", "create", "test")
        for device in devices[1:]:
            invite = devices[0].ask("swarm", "invite")["invite"]
            device.ask("join", "-", stdin=invite)
        return devices

    def wait_until(self, condition, what, timeout=COMMAND_TIMEOUT_S):
        """For what has no line to wait for."""
        deadline = time.monotonic() + timeout
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > deadline:
                self.fail(f"not within {timeout} s: {what}")
            time.sleep(POLL_S)

    def assert_fails(self, result, exit_code, code=None):
        """A command with --json that failed as it should; its error line."""
        self.assertEqual(result.exit, exit_code, str(result))
        self.assertEqual(result.last.get("event"), "error", str(result))
        self.assertEqual(result.last["exit"], exit_code, str(result))
        self.assertTrue(result.last["what"], str(result))
        if code is not None:
            self.assertEqual(result.last["code"], code, str(result))
        return result.last

    def _failed(self):
        outcome = self._outcome
        result = getattr(outcome, "result", None)
        problems = (getattr(result, "failures", []) + getattr(result, "errors", [])) if result else []
        return any(test is self for test, _ in problems) or not outcome.success

    def _clean(self):
        failed = self._failed()
        for process in reversed(self.processes):
            process.end()
        if failed:
            for process in self.processes:
                print(process.report(), file=sys.stderr)
            for log in sorted(self.top.glob("*/log/*")):
                print(f"--- {log}\n{log.read_text(errors='replace')[-6000:]}", file=sys.stderr)
        for path in self.top.rglob("*"):
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o700)
        shutil.rmtree(self.top, ignore_errors=True)
        for process in self.processes:
            process.stderr.close()
