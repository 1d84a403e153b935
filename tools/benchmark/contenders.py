"""kith in every row: prepare() once, run(check) -> sample, end()."""
import concurrent.futures
import os
import shutil
import time

import kith
from process import BenchError, run_timed
from rivals import Contender
from work import MIB, WRITTEN_BACK_S, compare

SMALL_SIZE = 4096


class Kith(Contender):
    """Ends its nodes; the last one was started last."""

    def __init__(self, work, source):
        super().__init__(work, source, "kith", "kith", "kith", "defaults")
        self.nodes = []

    def share(self):
        """The answer of `kith share` by the first node, when the source is so old that it is not hashed
        before it is sent."""
        self.work.settle(WRITTEN_BACK_S)
        return self.nodes[0].ask("share", self.source)

    def fetch(self, link, node, nodes=None):
        """(link, folder, path of what arrived, sample of all nodes)."""
        folder = self.work.output()
        answer, sample = kith.watched(
            nodes or self.nodes, lambda: node.command("fetch", "-", "-o", folder, stdin=link))
        return link, folder, answer["path"], sample

    def forget(self, link, folder, nodes):
        """A fetched copy, so that the next run starts as this one did."""
        for node in nodes:
            node.ask("unshare", link)
        self.work.remove(folder)

    def end(self):
        for node in reversed(self.nodes):
            node.end()


class Fetch(Kith):
    """One node shares; for every run a new one fetches."""

    def prepare(self):
        self.nodes = kith.swarm(self.work, "source")
        self.link = self.share()["link"]

    def run(self, check):
        fetcher = kith.Node(self.work, "fetcher")
        try:
            fetcher.join(self.nodes[0])
            _, folder, path, sample = self.fetch(self.link, fetcher, [*self.nodes, fetcher])
        finally:
            fetcher.end()
        if check:
            compare(self.source, path)
        self.work.remove(folder)
        return sample


class Share(Kith):
    """For every run a new node shares the source."""

    def prepare(self):
        self.work.settle()

    def run(self, check):
        (node,) = kith.swarm(self.work, "source")
        try:
            return kith.watched([node], lambda: node.command("share", self.source))[1]
        finally:
            node.end()


class Reshare(Kith):
    """A node shares a tree again; before every run one file changes, or none."""

    def __init__(self, work, source, changes):
        super().__init__(work, source)
        self.changes, self.runs = changes, 0

    def prepare(self):
        self.nodes = kith.swarm(self.work, "source")
        self.id = self.share()["share"]["id"]

    def run(self, check):
        self.runs += 1
        if self.changes:
            change_one(self.source, self.runs)
            self.work.settle()
        answer, sample = kith.watched(self.nodes, lambda: self.nodes[0].command("share", self.source))
        old, self.id = self.id, answer["share"]["id"]
        if (self.id == old) == self.changes:
            raise BenchError("a changed tree kept its link, or an unchanged one did not")
        return sample


class UpdateTree(Kith):
    """A node that has one version of a tree fetches the next one, in which one file changed."""

    def prepare(self):
        self.runs = 0
        self.nodes = kith.swarm(self.work, "source", "fetcher")
        self.old = self.fetch(self.share()["link"], self.nodes[1])

    def run(self, check):
        self.runs += 1
        change_one(self.source, self.runs)
        new = self.fetch(self.share()["link"], self.nodes[1])
        if check:
            compare(self.source, new[2])
        self.forget(*self.old[:2], self.nodes)
        self.old = new
        return new[3]


class InsertInFile(Kith):
    """A node that has a file, another one in every run, fetches it with 1 MiB more at its front."""

    def __init__(self, work, size):
        super().__init__(work, work.path("file"))
        self.size = size

    def prepare(self):
        self.nodes = kith.swarm(self.work, "source", "fetcher")

    def run(self, check):
        self.work.file("file", self.size)
        old = self.fetch(self.share()["link"], self.nodes[1])
        self.work.prepend("file", os.urandom(MIB))
        new = self.fetch(self.share()["link"], self.nodes[1])
        if check:
            compare(self.source, new[2])
        self.forget(*old[:2], self.nodes)
        self.forget(*new[:2], self.nodes)
        self.work.remove(self.source)
        return new[3]


class FirstByte(Kith):
    """How long after a command came to the node's socket the first byte of content is in a file."""

    def prepare(self):
        self.nodes = kith.swarm(self.work, "source", "fetcher")
        self.link = self.share()["link"]

    def run(self, check):
        folder = self.work.output()
        _, sample = kith.watched(self.nodes, lambda: kith.first_byte(self.nodes[1], self.link, folder))
        if check:
            compare(self.source, folder / self.source.name)
        self.forget(self.link, folder, self.nodes[1:])
        return sample


class StartLarge(Kith):
    """How long a node that shares very many chunks takes from its start until it serves them."""

    def __init__(self, work, chunks):
        super().__init__(work, work.path("made"))
        self.chunks = chunks

    def prepare(self):
        with open(self.source, "wb") as file:
            file.truncate(self.chunks * MIB)
        self.nodes = kith.swarm(self.work, "source")
        self.nodes[0].ask("config", "scrub", "false")  # it would find that nothing is behind the catalog
        self.nodes[0].stop()
        run_timed([kith.MADE_CATALOG, self.nodes[0].home / "catalog.sqlite", self.source, self.chunks])

    def run(self, check):
        node = self.nodes[0]
        begin = time.monotonic()
        node.start()
        shares = node.ask("list")["shares"]
        seconds = time.monotonic() - begin
        if [share["state"] for share in shares] != ["shared"]:
            raise BenchError(f"what was made is not shared: {shares}")
        sample = {"seconds": seconds, "cpu_seconds": node.process.cpu_seconds(),
                  "peak_rss": {node.name: node.process.peak_rss()}, "io_read": node.process.bytes_read()}
        node.stop()
        return sample


class Commands(StartLarge):
    """The slowest of the commands that a user gives while the node shares a large tree again, which is one
    of two shares: the other has very many chunks."""

    ASKED = (("status",), ("list",), ("swarm", "list"), ("limit",), ("quota",), ("config",))

    def __init__(self, work, chunks, tree):
        super().__init__(work, chunks)
        self.tree = tree

    def prepare(self):
        super().prepare()
        self.nodes[0].start()
        self.work.settle()
        self.nodes[0].ask("share", self.tree)

    def run(self, check):
        node = self.nodes[0]
        answer, sample = kith.watched([node], self.ask_meanwhile)
        sample.update(answer)
        return sample

    def ask_meanwhile(self):
        """As Node.command; its seconds are those of the slowest."""
        node, took, number = self.nodes[0], [], 0
        with concurrent.futures.ThreadPoolExecutor(1) as threads:
            shared = threads.submit(node.command, "share", self.tree)
            while not shared.done() or number < len(self.ASKED):
                took.append(node.command(*self.ASKED[number % len(self.ASKED)])[1])
                number += 1
                time.sleep(0.01)  # a user, not a load
        return {"commands": number, "bytes_read": shared.result()[0]["bytes_read"]}, max(took), 0.0


class SeveralSources(Kith):
    """Sources that each share the same file at a limited rate; for every run a new node fetches."""

    def __init__(self, work, source, count, limit):
        super().__init__(work, source)
        self.count, self.limit = count, limit
        self.settings = f"{count} sources, each with --limit {limit}"
        self.prefix = "source"

    def prepare(self):
        names = [f"{self.prefix}-{number}" for number in range(1, self.count + 1)]
        self.nodes = kith.swarm(self.work, *names, options=["--limit", self.limit])
        self.work.settle()
        links = {node.ask("share", self.source)["link"] for node in self.nodes}
        if len(links) != 1:
            raise BenchError("the same file has several links in one swarm")
        (self.link,) = links

    def run(self, check):
        fetcher = kith.Node(self.work, "fetcher")
        try:
            fetcher.join(self.nodes[0])
            fetcher.wait_connected(len(self.nodes))
            self.connected()
            _, folder, path, sample = self.fetch(self.link, fetcher, [*self.nodes, fetcher])
        finally:
            self.over()
            fetcher.end()
        if check:
            compare(self.source, path)
        self.work.remove(folder)
        return sample


    def connected(self):
        """The fetch begins."""

    def over(self):
        """It ended."""


class GoodSources(SeveralSources):
    """What BadSources is compared with."""

    def __init__(self, work, source, count, limit):
        super().__init__(work, source, count, limit)
        self.name = self.group = "good-sources"
        self.label, self.prefix = f"kith, {count} good sources alone", "good"


class BadSources(SeveralSources):
    """With three more: one stands still, one has a hundredth of the limit, one has another content by now.

    That one finds out and says so; one that sends it all the same is in tests/sim only."""

    def __init__(self, work, source, count, limit):
        super().__init__(work, source, count, limit)
        self.settings += "; one that stands still, one with a hundredth of it, one whose file was changed"

    def prepare(self):
        super().prepare()
        slow = str(int(self.limit) // 100)
        for name, limit in (("stands-still", self.limit), ("slow", slow), ("changed", self.limit)):
            node = kith.Node(self.work, name, "--limit", limit)
            self.nodes.append(node)
            node.join(self.nodes[0])
        copy = self.work.path("changed-file") / self.source.name
        copy.parent.mkdir()
        shutil.copy2(self.source, copy)  # its time, too: else the link differs
        self.work.settle()
        for node, path in zip(self.nodes[-3:], (self.source, self.source, copy)):
            if node.ask("share", path)["link"] != self.link:
                raise BenchError("the same file has several links in one swarm")
        change_unseen(copy)

    def connected(self):
        self.nodes[-3].process.pause()

    def over(self):
        self.nodes[-3].process.resume()


class OneToMany(Kith):
    """A source and fetchers, each with a limited upload; in every run all fetch at the same time."""

    def __init__(self, work, source, fetchers, limit):
        super().__init__(work, source)
        self.fetchers, self.limit = fetchers, limit
        self.settings = f"a source and {fetchers} fetchers, each with `kith limit --up {limit}`"

    def prepare(self):
        names = [f"fetcher-{number}" for number in range(1, self.fetchers + 1)]
        self.nodes = kith.swarm(self.work, "source", *names)
        for node in self.nodes:
            node.ask("limit", "--up", str(self.limit))
            node.wait_connected(self.fetchers)
        self.link = self.share()["link"]

    def run(self, check):
        folders = [self.work.output() for _ in range(self.fetchers)]
        answer, sample = kith.watched(self.nodes, lambda: self.fetch_all(folders))
        sample["bytes_from_source"] = answer["bytes_from_source"]
        for node, folder, path in zip(self.nodes[1:], folders, answer["paths"]):
            if check:
                compare(self.source, path)
            self.forget(self.link, folder, [node])
        return sample

    def fetch_all(self, folders):
        """As Node.command, for all fetchers: until the last one has it."""
        begin = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(self.fetchers) as threads:
            done = list(threads.map(
                lambda node, folder: node.command("fetch", "-", "-o", folder, stdin=self.link),
                self.nodes[1:], folders))
        seconds = time.monotonic() - begin
        answers = [answer for answer, _, _ in done]
        sources = [source for answer in answers for source in answer["sources"]]
        return ({"paths": [answer["path"] for answer in answers],
                 "bytes_received": sum(answer["bytes_received"] for answer in answers),
                 "bytes_from_source": sum(s["bytes"] for s in sources if s["name"] == "source")},
                seconds, sum(cpu for _, _, cpu in done))


def change_unseen(path):
    """Other bytes, the same size and time."""
    before = path.stat()
    with open(path, "r+b") as file:
        for _ in range(0, before.st_size, MIB):
            file.write(os.urandom(MIB))
        file.truncate(before.st_size)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def change_one(tree, run):
    """Gives another content to one of its files: another file in every run."""
    files = sorted(tree.glob("*/*"))
    files[run * 7919 % len(files)].write_bytes(os.urandom(SMALL_SIZE))
