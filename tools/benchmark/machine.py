"""What stands beside figures: the machine, and the versions of all that took part."""
import os
import subprocess
from pathlib import Path

from kith import KITH, ROOT

PACKAGES = {"libtorrent": "python3-libtorrent", "rsync": "rsync", "scp": "openssh-client",
            "OpenSSL": "libssl3", "BLAKE3": "librust-blake3-dev", "libsodium": "libsodium23",
            "SQLite": "libsqlite3-0"}


def output_of(*args):
    done = subprocess.run(args, capture_output=True, text=True, check=False, cwd=ROOT)
    return done.stdout.strip()


def field_of(path, name):
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "unknown"


def system_name():
    for line in Path("/etc/os-release").read_text(encoding="utf-8").splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.split("=", 1)[1].strip('"')
    return "unknown"


def machine():
    memory_kib = int(field_of("/proc/meminfo", "MemTotal").split()[0])
    return {"CPU": field_of("/proc/cpuinfo", "model name"), "cores": os.cpu_count(),
            "memory": f"{memory_kib / (1 << 20):.0f} GiB", "kernel": " ".join(os.uname()[i] for i in (2, 4)),
            "system": system_name(), "compiler": output_of("g++", "--version").splitlines()[0]}


def versions():
    """Of kith: the version, the commit, and whether something was not committed."""
    commit = output_of("git", "rev-parse", "--short=12", "HEAD")
    changed = output_of("git", "status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs")
    version = output_of(str(KITH), "--version").split()[-1]
    found = {"kith": f"{version}, commit {commit}{', with changes' if changed else ''}"}
    for name, package in PACKAGES.items():
        found[name] = output_of("dpkg-query", "-W", "-f=${Version}", package) or "unknown"
    return found


def load():
    """The load of the last minute, of everything on the machine."""
    return os.getloadavg()[0]
