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
LARGE_CHUNKS, LARGE_FILES = 10_000_000, 1_000_000
GOOD_SOURCES, GOOD_LIMIT = 5, 10_000_000
FETCHERS, UPLOAD = 7, 8_000_000
# Kumar and Ross, 2006: with equal uploads the source's own is what bounds the last one.
KUMAR_ROSS_S = 256 * MIB / UPLOAD


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


def many_commands(work):
    return Field(contenders.Commands(work, LARGE_CHUNKS, work.tree("tree", LARGE_FILES, 0)), [])


def four_sources(work):
    source = work.file("file", GIB)
    return Field(contenders.SeveralSources(work, source, SOURCES, str(SOURCE_LIMIT)), [])


def bad_sources(work):
    source = work.file("file", GIB // 2)
    return Field(contenders.BadSources(work, source, GOOD_SOURCES, str(GOOD_LIMIT)),
                 [contenders.GoodSources(work, source, GOOD_SOURCES, str(GOOD_LIMIT))])


def one_to_many(work):
    return Field(contenders.OneToMany(work, work.file("file", 256 * MIB), FETCHERS, UPLOAD), [])


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
    Row("commands", "Slowest command to a node with 10,000,000 chunks that shares 1,000,000 files again",
        LARGE_CHUNKS * MIB, 8 * GIB, many_commands, "seconds", [Median("seconds", 0.1)]),
    Row("four-sources", "Fetching 1 GiB from 4 sources of 40 MB/s each", GIB, 3 * GIB,
        four_sources, "rate", [Rate(0.95 * SOURCES * SOURCE_LIMIT)]),
    Row("bad-sources", "Fetching 512 MiB from 8 sources of 10 MB/s, of which 3 are no good", GIB // 2,
        3 * GIB, bad_sources, "rate", [Faster("good-sources", round(1 / 1.15, 3))]),
    Row("kumar-ross", f"256 MiB from 1 source to {FETCHERS} fetchers of 8 MB/s each", 256 * MIB, 3 * GIB,
        one_to_many, "seconds",
        [Median("seconds", 1.1 * KUMAR_ROSS_S), Median("bytes_from_source", 1.1 * 256 * MIB)]),
]
PEAK_RSS_AT_MOST = 200_000_000
