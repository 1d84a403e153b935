"""Processes of a benchmark: started with what they need, counted to the last CPU tick, ended by their id."""
import json
import os
import select
import signal
import subprocess
import time
from pathlib import Path

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
DEADLINE_S = 900  # only what hangs needs so long
END_S = 30


class BenchError(Exception):
    """What went wrong, for the person who runs tools/bench."""


def run_timed(args, stdin=b"", env=None):
    """Runs a command to its end: (stdout, seconds, CPU seconds of it and of all that it waited for)."""
    begin = time.monotonic()
    process = subprocess.Popen([str(arg) for arg in args], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               env=env)
    try:
        process.stdin.write(stdin)
        process.stdin.close()
        output = process.stdout.read()
        _, status, use = os.wait4(process.pid, 0)
        seconds = time.monotonic() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
    finally:
        if process.returncode is None:  # we were interrupted
            process.kill()
        process.stdout.close()
    if process.returncode != 0:
        raise BenchError(f"exit {process.returncode}: {' '.join(map(str, args))}\n"
                         f"{output.decode(errors='replace')[-2000:]}")
    return output, seconds, use.ru_utime + use.ru_stime


class Process:
    """A process that runs for longer and says things, one JSON object per line. Its errors go to a log."""

    def __init__(self, args, log, env=None):
        self.args = [str(arg) for arg in args]
        with open(log, "ab") as errors:
            self._process = subprocess.Popen(self.args, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                             stderr=errors, env=env)
        self._buffer = b""

    @property
    def pid(self):
        return self._process.pid

    def send(self, line):
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def end_input(self):
        """Lets it end by itself, where that is how it ends."""
        self._process.stdin.close()
        self._process.wait(DEADLINE_S)

    def wait_event(self, event):
        """The first line of that event."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            line = self._line(deadline)
            if line.get("event") == event:
                return line
            if line.get("event") == "error":
                raise BenchError(f"{' '.join(self.args)}: {line}")

    def _line(self, deadline):
        stdout = self._process.stdout.fileno()
        while b"\n" not in self._buffer:
            ready, _, _ = select.select([stdout], [], [], max(0, deadline - time.monotonic()))
            data = os.read(stdout, 1 << 16) if ready else b""
            if not data:
                raise BenchError(f"{' '.join(self.args)}: ended, or silent for too long")
            self._buffer += data
        line, self._buffer = self._buffer.split(b"\n", 1)
        return json.loads(line)

    def cpu_seconds(self):
        """Of the process and of the children that it has waited for."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
        return sum(map(int, fields[11:15])) * TICK_S

    def wait_for_children(self):
        """Until it has waited for all of them, so that cpu_seconds() counts them."""
        path = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        deadline = time.monotonic() + END_S
        while path.read_text(encoding="utf-8").strip():
            if time.monotonic() > deadline:
                raise BenchError(f"{self.args[0]}: its children do not end")
            time.sleep(0.005)

    def bytes_read(self):
        """By read and its kin, from files and pipes, whether or not a disk was needed."""
        for line in Path(f"/proc/{self.pid}/io").read_text(encoding="utf-8").splitlines():
            name, value = line.split(": ")
            if name == "rchar":
                return int(value)
        raise BenchError("no rchar in /proc/PID/io")

    def reset_peak(self):
        Path(f"/proc/{self.pid}/clear_refs").write_text("5", encoding="utf-8")

    def peak_rss(self):
        """Bytes of memory at most since reset_peak()."""
        for line in Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        raise BenchError("no VmHWM in /proc/PID/status")

    def pause(self):
        """It stands still until resume(); its sockets stay open."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self):
        self._process.send_signal(signal.SIGCONT)

    def end(self):
        """Whatever state it is in."""
        if self._process.poll() is None:
            self.resume()
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(END_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            stream.close()


def wait_until(condition, what, seconds=60):
    """Polls for what tells nobody that it is there."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise BenchError(f"not within {seconds} s: {what}")
        time.sleep(0.02)
