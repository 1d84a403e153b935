"""Trees as values: what kith promises to carry of each entry, so that two can be compared."""
import hashlib
import os
import stat


def _content(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


def picture(top, content=True):
    """Of `top` and everything below it: kind, mode, mtime in ns, target or content, by relative path."""
    out = {}
    pending = ["."]
    while pending:
        name = pending.pop()
        path = os.path.join(top, name)
        info = os.lstat(path)
        if stat.S_ISLNK(info.st_mode):
            out[name] = ("link", os.readlink(path), info.st_mtime_ns)
        elif stat.S_ISDIR(info.st_mode):
            out[name] = ("directory", info.st_mode & 0o777, info.st_mtime_ns)
            pending += [os.path.join(name, item) for item in os.listdir(path)]
        else:
            out[name] = ("file", info.st_mode & 0o777, info.st_mtime_ns, info.st_size,
                         _content(path) if content else None)
    return out
