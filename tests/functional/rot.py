"""Files whose bytes change as a bad disk changes them: unseen by whoever looks at times and sizes."""
import os
import sqlite3
import struct

HEADER = 1 + 8  # of a page of recorded states
STATE = struct.Struct(">QQQqq")  # device, inode, size, mtime, ctime


def flip(path, offset):
    """Flips a bit. Its mtime is as before; a ctime cannot be set, so that of the file changes."""
    before = path.stat()
    path.chmod(0o644)
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1]))
    path.chmod(before.st_mode)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def rot(home, *places):
    """Flips a bit at each (path, offset), and records the states that the files have then, as if they were
    those from before. All copies are due to be scrubbed. No node may run in the home."""
    for path, offset in places:
        flip(path, offset)
    states = {stat.st_ino: stat for stat in (path.stat() for path, _ in places)}
    catalog = sqlite3.connect(home / "catalog.sqlite")
    with catalog:
        for copy, page, blob in catalog.execute("SELECT copy, page, stats FROM filestat").fetchall():
            blob = bytearray(blob)
            for at in range(HEADER, len(blob), STATE.size):
                stat = states.get(STATE.unpack_from(blob, at)[1])
                if stat is not None:
                    STATE.pack_into(blob, at, stat.st_dev, stat.st_ino, stat.st_size,
                                    stat.st_mtime_ns, stat.st_ctime_ns)
            catalog.execute("UPDATE filestat SET stats = ? WHERE copy = ? AND page = ?",
                            (bytes(blob), copy, page))
        catalog.execute("UPDATE scrub SET ended = 0")
    catalog.close()


def recorded_states(home):
    """Of all files of all copies: device, inode, size, mtime and ctime."""
    catalog = sqlite3.connect(home / "catalog.sqlite")
    states = {state for (blob,) in catalog.execute("SELECT stats FROM filestat")
              for state in STATE.iter_unpack(blob[HEADER:])}
    catalog.close()
    return states
