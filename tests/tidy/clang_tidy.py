"""Runs clang-tidy over the core folders with the compile commands of a clang build folder.

Usage: clang_tidy.py BUILD_DIR [--budget SECONDS]

A file that was clean, and has not changed since with anything of ours that it includes, is not
looked at again (build/tidy/clang-tidy.json). When the budget is spent, the files left are counted
as skipped; the next run goes on with them. The last line is "N passed, N failed, N skipped".
"""
import argparse
import concurrent.futures
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import checks
from headers import digest, load, store
from source import ROOT, read_tree

CACHE = ROOT / "build/tidy/clang-tidy.json"


def core_files(build_dir):
    """The cores' sources that the build folder knows how to compile."""
    commands = json.loads((build_dir / "compile_commands.json").read_text(encoding="utf-8"))
    files = {os.path.relpath(entry["file"], ROOT) for entry in commands}
    return sorted(name for name in files if name.startswith(checks.CORES))


def look_at(name, build_dir, deadline):
    """What clang-tidy said, empty if the file is clean, None if there was no time."""
    if time.monotonic() > deadline:
        return None
    done = subprocess.run(
        ["clang-tidy-16", "--quiet", "-p", str(build_dir), name], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace")
    return "" if done.returncode == 0 else done.stdout or f"exit code {done.returncode}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build_dir", type=Path)
    parser.add_argument("--budget", type=float, default=300)
    args = parser.parse_args()
    deadline = time.monotonic() + args.budget

    by_path = {source.path: source for source in read_tree()}
    salt = (ROOT / ".clang-tidy").read_text(encoding="utf-8")
    known = load(CACHE)
    fresh = {name: digest(name, by_path, salt) for name in core_files(args.build_dir)}
    stale = [name for name, value in fresh.items() if known.get(name) != value]
    passed, failed, skipped = len(fresh) - len(stale), 0, 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:
        look = threads.map(lambda name: look_at(name, args.build_dir, deadline), stale)
        for name, said in zip(stale, look):
            passed += said == ""
            failed += bool(said)
            skipped += said is None
            if said != "":
                del fresh[name]
                print(f"{name}: not looked at, no time left" if said is None else said, flush=True)
    store(fresh, CACHE)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
