"""Makes the tree that tools/demo shares: one large file, many small ones, and what trees hold in real life:
odd names, symlinks, empty folders, read-only things, old and precise times.

Usage: make_tree.py FOLDER [--large MIB] [--small COUNT]
"""
import argparse
import os
import random
from pathlib import Path

ODD_NAMES = [
    "a space", " leading and trailing ", "-rf", "--help", "*", "?", "new\nline", "tab\there",
    "back\\slash", "quote'double\"", "$HOME", "`id`", "semi;colon", "ünïcödé", "文件", "🚀", "é-nfc",
    "e\u0301-nfd", "CASE", "case", ".hidden", "...", "trailing.", "con", "a:b", "percent%20", "x" * 255,
    "ü" * 127]
HOUR_NS = 3600 * 10**9


def write(path, data, mode=0o644, mtime_ns=None):
    path.write_bytes(data)
    path.chmod(mode)
    if mtime_ns is not None:
        os.utime(path, ns=(mtime_ns, mtime_ns))


def make_large(top, mebibytes):
    with open(top / "large.bin", "wb") as out:
        for _ in range(mebibytes):
            out.write(os.urandom(1 << 20))


def make_small(top, count, dice):
    """Sizes as in source trees and photo caches: mostly some KiB, a few hundred KiB, some empty."""
    soup = os.urandom(1 << 20)
    for number in range(count):
        folder = top / "small" / f"{number // 1000:02}" / f"{number // 100 % 10}"
        if number % 100 == 0:
            folder.mkdir(parents=True)
        size = min(int(dice.expovariate(1 / 6000)), 300_000) if number % 50 else 0
        start = dice.randrange(len(soup) - size)
        mode = dice.choice([0o644, 0o644, 0o600, 0o755, 0o444])
        write(folder / f"file-{number:05}.dat", soup[start:start + size], mode,
              dice.randrange(10**9, 17 * 10**8) * 10**9 + dice.randrange(10**9))


def make_odd(top):
    odd = top / "odd names"
    odd.mkdir()
    for number, name in enumerate(ODD_NAMES):
        write(odd / name, f"{number}\n".encode(), 0o644, number * HOUR_NS + number)
    deep = odd
    for level in range(40):
        deep = deep / f"level {level}"
    deep.mkdir(parents=True)
    write(deep / "bottom", b"deep\n")


def make_links(top):
    links = top / "links"
    links.mkdir()
    for name, target in [("to-file", "../large.bin"), ("to-folder", "../small"), ("dangling", "nowhere"),
                         ("absolute", "/etc/hostname"), ("loop", "loop"), ("odd", "../odd names/new\nline")]:
        (links / name).symlink_to(target)


def make_empty(top):
    empty = top / "empty"
    for name in ("one", "two/three/four"):
        (empty / name).mkdir(parents=True)
    write(empty / "file", b"", 0o600, 1)
    (empty / "read-only").mkdir()
    write(empty / "read-only" / "file", b"cannot be replaced\n", 0o444)
    (empty / "read-only").chmod(0o555)
    os.utime(empty / "one", ns=(123_456_789, 987_654_321))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--large", type=int, default=512)
    parser.add_argument("--small", type=int, default=10_000)
    args = parser.parse_args()
    args.folder.mkdir(parents=True)
    make_large(args.folder, args.large)
    make_small(args.folder, args.small, random.Random(1))
    make_odd(args.folder)
    make_links(args.folder)
    make_empty(args.folder)


if __name__ == "__main__":
    main()
