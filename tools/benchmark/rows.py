"""The rows of tools/bench: what each measures, against whom, and what the result should be."""
from dataclasses import dataclass
from typing import Callable

import contenders
from contenders import SMALL_SIZE
from rivals import Bound, Rsync, Scp, Torrent, TorrentHash
from work import MIB

GIB = 1 << 30
SMALL_COUNT = 100_000
SMALL_BYTES = SMALL_COUNT * SMALL_SIZE
SMALL_ROOM = 3 * SMALL_BYTES  # two trees, and the catalogs
SOURCES, SOURCE_LIMIT = 4, 40_000_000
START_CHUNKS = 1_000_000


@dataclass
class Faster:
    """Than the best of a group of rivals, by this factor."""

    group: str
    at_least: float


@dataclass
class Median:
    """Of a value of kith's samples, at most this."""

    key: str
    at_most: float


@dataclass
class Rate:
    """Bytes per second, at least this."""

    at_least: float


@dataclass
class Field:
    """Who takes part. The yardstick, if any, runs once per round and only shows how steady the machine is."""

    kith: contenders.Kith
    rivals: list
    yardstick: Bound | None = None


@dataclass
class Row:
    name: str
    title: str
    size: int  # bytes of content
    needs: int  # bytes of room
    build: Callable  # work -> Field
    shows: str  # what its table leads with: "rate", "seconds", "bytes_received", "bytes_read"
    targets: list
    pairs: int = 12
    on_disk: bool = False  # reported for a disk, too


def fetch_large(work):
    source = work.file("file", 2 * GIB)
    return Field(contenders.Fetch(work, source), [
        Bound(work, source, 0), Bound(work, source, 2),
        *(Torrent(work, source, tuned, rc4) for rc4 in (False, True) for tuned in (False, True)),
        *(Scp(work, source, legacy) for legacy in (False, True)),
        *(Rsync(work, source, tuned) for tuned in (False, True))])


def fetch_small(work):
    source = work.tree("tree", SMALL_COUNT, SMALL_SIZE)
    rivals = [rival(work, source, tuned) for rival in (Torrent, Rsync) for tuned in (False, True)]
    return Field(contenders.Fetch(work, source), rivals, Bound(work, work.file("yardstick", GIB), 2))


def share_large(work):
    source = work.file("file", 2 * GIB)
    rivals = [TorrentHash(work, source, tuned) for tuned in (False, True)]
    return Field(contenders.Share(work, source), rivals, Bound(work, source, 2))


def small_tree(contender, *options):
    return lambda work: Field(contender(work, work.tree("tree", SMALL_COUNT, SMALL_SIZE), *options), [])


def first_byte(work):
    return Field(contenders.FirstByte(work, work.file("file", 64 * MIB)), [])


def four_sources(work):
    source = work.file("file", GIB)
    return Field(contenders.SeveralSources(work, source, SOURCES, str(SOURCE_LIMIT)), [])


ROWS = [
    Row("fetch-2g", "Fetching 2 GiB from one source", 2 * GIB, 4 * GIB + GIB // 2, fetch_large, "rate",
        [Faster("bound", 0.85), Faster("libtorrent", 2), Faster("libtorrent-rc4", 5), Faster("scp", 2)],
        on_disk=True),
    Row("fetch-100k", "Fetching 100,000 files of 4 KiB", SMALL_BYTES, SMALL_ROOM + 2 * GIB, fetch_small,
        "seconds", [Faster("rsync", 1), Faster("libtorrent", 3)], on_disk=True),
    Row("share-2g", "Sharing a file of 2 GiB", 2 * GIB, 4 * GIB + GIB // 2, share_large, "rate",
        [Faster("libtorrent", 1.3)], on_disk=True),
    Row("reshare-unchanged-100k", "Sharing an unchanged tree of 100,000 files again", SMALL_BYTES, SMALL_ROOM,
        small_tree(contenders.Reshare, False), "seconds", [Median("seconds", 1)]),
    Row("reshare-1-changed", "Sharing it again with 1 file changed: bytes read", SMALL_BYTES, SMALL_ROOM,
        small_tree(contenders.Reshare, True), "bytes_read", [Median("bytes_read", 8 * MIB)]),
    Row("delta-small", "1 of 100,000 small files changed: bytes fetched", SMALL_BYTES, 2 * SMALL_ROOM,
        small_tree(contenders.UpdateTree), "bytes_received", [Median("bytes_received", 3 * MIB)]),
    Row("delta-insert", "1 MiB inserted at the front of 1 GiB: bytes fetched", GIB + MIB, 5 * GIB,
        lambda work: Field(contenders.InsertInFile(work, GIB), []), "bytes_received",
        [Median("bytes_received", 4 * MIB)], pairs=21),
    Row("first-byte", "From the command to the first byte in a file", 64 * MIB, 256 * MIB,
        first_byte, "seconds", [Median("seconds", 0.05)]),
    Row("start-1m", "Starting a node that shares 1,000,000 chunks", START_CHUNKS * MIB, GIB,
        lambda work: Field(contenders.StartLarge(work, START_CHUNKS), []), "seconds", [Median("seconds", 1)]),
    Row("four-sources", "Fetching 1 GiB from 4 sources of 40 MB/s each", GIB, 3 * GIB,
        four_sources, "rate", [Rate(0.95 * SOURCES * SOURCE_LIMIT)]),
]
PEAK_RSS_AT_MOST = 200_000_000
