"""The folder of one row: on tmpfs or on a disk, with made input, removed at the end."""
import concurrent.futures
import os
import random
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from process import BenchError, run_timed

MIB = 1 << 20
# A node hashes before it sends what changed less than 2 s before it was shared. Input is older in life.
AGE_S = 2.5  # older files are known when they are shared again
WRITTEN_BACK_S = 61  # files that were older when they were shared are not hashed before they are sent
REMOVERS = 16


def file_system(path):
    done = subprocess.run(["findmnt", "-no", "FSTYPE", "-T", str(path)], capture_output=True, text=True,
                          check=True)
    return done.stdout.split()[-1]  # of several, the last mount is the one seen


class Work:
    """Paths for inputs and outputs. `synced`: a disk, where rivals are followed by `sync -f`."""

    def __init__(self, parent, needs):
        self.file_system = file_system(parent)
        self.synced = self.file_system != "tmpfs"
        free = shutil.disk_usage(parent).free
        if not self.synced:
            free = min(free, available_memory() - (2 << 30))  # tmpfs is memory, and programs need some
        if free < needs:
            raise BenchError(f"{parent} has room for {free >> 20} MiB; this row needs {needs >> 20}")
        self.top = Path(tempfile.mkdtemp(prefix="kith-bench.", dir=parent))
        self.top.chmod(0o755)
        self._outputs = 0

    def close(self):
        for path in self.top.iterdir():
            self.remove(path)
        self.top.rmdir()

    def path(self, name):
        return self.top / name

    def output(self):
        """A new folder for one run."""
        self._outputs += 1
        folder = self.top / f"out-{self._outputs}"
        folder.mkdir()
        return folder

    def log(self, name):
        return self.top / f"{name}.log"

    def logs(self):
        """The end of what was logged, for the person who must find out why a row failed."""
        for path in sorted(self.top.glob("*.log")):
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
            yield "\n  ".join([f"--- {path.name}", *lines])

    def remove(self, path):
        """Folders side by side: on a disk with `discard`, every file that goes waits for the device."""
        if not path.is_dir():
            path.unlink()
            return
        folders = [path, *(folder for folder in path.glob("**/") if folder != path)]
        with concurrent.futures.ThreadPoolExecutor(REMOVERS) as threads:
            list(threads.map(unlink_files, folders))
        shutil.rmtree(path)

    def file(self, name, size):
        """A file of random bytes."""
        path = self.top / name
        with open(path, "wb") as out:
            for begin in range(0, size, MIB):
                out.write(os.urandom(min(MIB, size - begin)))
        return path

    def tree(self, name, count, size):
        """`count` random files of `size` bytes, a thousand per folder."""
        top = self.top / name
        dice = random.Random(os.urandom(16))
        for number in range(count):
            folder = top / f"{number // 1000:03}"
            if number % 1000 == 0:
                folder.mkdir(parents=True)
            (folder / f"{number:06}.bin").write_bytes(dice.randbytes(size))
        return top

    def prepend(self, name, data):
        """A new file in place of the old one, with `data` before what that held."""
        path, new = self.top / name, self.top / f"{name}.new"
        with open(new, "wb") as out, open(path, "rb") as old:
            out.write(data)
            shutil.copyfileobj(old, out, MIB)
        new.rename(path)

    def settle(self, age=AGE_S):
        """Lets what was made grow old enough, and reach the disk."""
        if self.synced:
            subprocess.run(["sync", "-f", str(self.top)], check=True)
        time.sleep(age)

    def sync(self, path):
        """What a rival still has to do on a disk: (seconds, CPU seconds)."""
        if not self.synced:
            return 0.0, 0.0
        _, seconds, cpu = run_timed(["sync", "-f", path])
        return seconds, cpu


def unlink_files(folder):
    for entry in os.scandir(folder):
        if not entry.is_dir(follow_symlinks=False):
            os.unlink(entry.path)


def available_memory():
    for line in Path("/proc/meminfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    raise BenchError("no MemAvailable in /proc/meminfo")


def compare(one, other):
    """Both hold the same, or the benchmark measured nonsense."""
    done = subprocess.run(["diff", "-rq", "--no-dereference", str(one), str(other)], capture_output=True,
                          text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"what arrived differs:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
