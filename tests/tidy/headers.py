"""Compiles every header alone, but those that stand first in their own .cpp: there every build is
the proof. A header that was fine, and has not changed since with anything of ours that it includes, is
not compiled again: build/tidy/headers.json remembers the digests."""
import concurrent.futures
import hashlib
import json
import os
import subprocess
import tempfile

from source import ROOT, closure

CACHE = ROOT / "build/tidy/headers.json"
COMMAND = ["g++", "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", f"-I{ROOT}",
           '-DKITH_VERSION="0"', "-x", "c++"]


def digest(path, by_path, salt=""):
    """Of a file and all that it includes of ours."""
    total = hashlib.sha256(salt.encode())
    for name in closure(path, by_path):
        total.update(name.encode() + b"\0" + by_path[name].text.encode() + b"\0")
    return total.hexdigest()


def load(cache=CACHE):
    try:
        return json.loads(cache.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def store(known, cache=CACHE):
    """Where the folder cannot be written, the next run is slower, and that is all."""
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=cache.parent, delete=False) as out:
            json.dump(known, out, indent=0, sort_keys=True)
        os.replace(out.name, cache)
    except OSError:
        pass


def compile_alone(path):
    """What the compiler said, empty if the header is fine."""
    done = subprocess.run([*COMMAND, "-"], input=f'#include "{path}"\n', text=True, cwd=ROOT,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace")
    return "" if done.returncode == 0 else done.stdout or f"exit code {done.returncode}"


def to_compile(by_path):
    """The headers that no build compiles alone. That every .cpp is built is another check."""
    for path in by_path:
        own = by_path.get(path[:-len(".hpp")] + ".cpp") if path.endswith(".hpp") else None
        proved = own and own.includes and own.includes[0][1] == path
        if path.endswith(".hpp") and not proved:
            yield path


def check(sources):
    """Messages for all headers that do not compile alone."""
    by_path = {s.path: s for s in sources}
    known = load()
    fresh = {path: digest(path, by_path, " ".join(COMMAND)) for path in to_compile(by_path)}
    stale = [path for path, value in fresh.items() if known.get(path) != value]
    found = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:
        for path, said in zip(stale, threads.map(compile_alone, stale)):
            if said:
                del fresh[path]
                found.append(f"{path}:1: does not compile alone:\n{said}")
    store(fresh)
    return found
