"""One libtorrent process of a benchmark. Talks JSON, one object per line; waits for lines on standard input.

  torrent_peer.py make SOURCE TORRENT VERSION     hashes SOURCE into a torrent: v1_only or v2_only
  torrent_peer.py check TORRENT FOLDER SETTINGS   hashes what is in FOLDER against the torrent
  torrent_peer.py seed TORRENT FOLDER SETTINGS    "ready" with its port; ends at the end of its input
  torrent_peer.py fetch TORRENT FOLDER SETTINGS PORT
                                                  "ready"; begins at the first line of its input; "done"

SETTINGS is a JSON object of libtorrent's session settings. Only loopback, only TCP, nothing that finds peers.
"""
import json
import os
import resource
import sys
import time

import libtorrent as lt

QUIET = {"listen_interfaces": "127.0.0.1:0", "enable_dht": False, "enable_lsd": False, "enable_upnp": False,
         "enable_natpmp": False, "enable_outgoing_utp": False, "enable_incoming_utp": False,
         "allow_multiple_connections_per_ip": True,
         "alert_mask": int(lt.alert.category_t.status_notification | lt.alert.category_t.error_notification
                           | lt.alert.category_t.storage_notification)}
LIMITS = {"max_buffer_size": 1 << 28, "max_pieces": 1 << 22, "max_decode_tokens": 1 << 24}
DEADLINE_S = 600


def say(**values):
    print(json.dumps(values), flush=True)


class Clock:
    """Seconds, and CPU seconds of this process, since it was made."""

    def __init__(self):
        self.begin, self.cpu = time.monotonic(), self._cpu()

    @staticmethod
    def _cpu():
        use = resource.getrusage(resource.RUSAGE_SELF)
        return use.ru_utime + use.ru_stime

    def read(self):
        return {"seconds": time.monotonic() - self.begin, "cpu_seconds": self._cpu() - self.cpu}


def make(source, torrent, version):
    clock = Clock()
    files = lt.file_storage()
    lt.add_files(files, source)
    made = lt.create_torrent(files, 0, getattr(lt.create_torrent, version))
    lt.set_piece_hashes(made, os.path.dirname(source))
    took = clock.read()
    with open(torrent, "wb") as out:
        out.write(lt.bencode(made.generate()))
    say(event="done", **took)


def session(settings):
    return lt.session({**QUIET, **json.loads(settings)})


def parameters(torrent, folder):
    out = lt.add_torrent_params()
    out.ti = lt.torrent_info(torrent, LIMITS)
    out.save_path = folder
    out.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    return out


def wait_until_complete(running, handle):
    """Returns when every file is there and hashed."""
    deadline = time.monotonic() + DEADLINE_S
    while not handle.status().is_seeding:
        if time.monotonic() > deadline:
            sys.exit(f"torrent_peer: not complete after {DEADLINE_S} s: {handle.status().state}")
        next_alerts(running)


def next_alerts(running):
    """Waits for some; their kinds."""
    running.wait_for_alert(100)
    alerts = running.pop_alerts()
    for alert in alerts:
        if alert.category() & lt.alert.category_t.error_notification:
            print(f"torrent_peer: {alert.message()}", file=sys.stderr)
    return [alert.what() for alert in alerts]


def flush(running, handle):
    """It says that it is complete while blocks still wait to be written."""
    handle.flush_cache()
    while "cache_flushed" not in next_alerts(running):
        pass


def check(torrent, folder, settings):
    running = session(settings)
    clock = Clock()
    wait_until_complete(running, running.add_torrent(parameters(torrent, folder)))
    say(event="done", **clock.read())


def seed(torrent, folder, settings):
    running = session(settings)
    known = parameters(torrent, folder)
    known.flags |= lt.torrent_flags.seed_mode  # it was hashed when the torrent was made
    wait_until_complete(running, running.add_torrent(known))
    say(event="ready", port=running.listen_port())
    sys.stdin.read()


def fetch(torrent, folder, settings, port):
    running = session(settings)
    say(event="ready")
    sys.stdin.readline()
    clock = Clock()
    handle = running.add_torrent(parameters(torrent, folder))
    handle.connect_peer(("127.0.0.1", int(port)))
    wait_until_complete(running, handle)
    flush(running, handle)
    say(event="done", **clock.read())
    sys.stdin.read()


if __name__ == "__main__":
    {"make": make, "check": check, "seed": seed, "fetch": fetch}[sys.argv[1]](*sys.argv[2:])
