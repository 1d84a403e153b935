"""What kith is measured against. A contender has a name, a label for readers, a group (several settings of
one rival; the best one counts), prepare() once, run(check) -> sample, and end().
"""
import json
import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

from kith import ROOT, free_port
from process import BenchError, Process, run_timed, wait_until
from work import compare

BOUND = ROOT / "build/release/tools/benchmark/kith_bound"
PEER = Path(__file__).with_name("torrent_peer.py")
DOWNLOADS = ROOT / "build/bench"
CORES = os.cpu_count()
TUNED = {"hashing_threads": CORES, "aio_threads": CORES, "max_queued_disk_bytes": 64 << 20,
         "send_buffer_watermark": 16 << 20}
PLAIN = {"out_enc_policy": 2, "in_enc_policy": 2}  # pe_disabled
RC4 = {"out_enc_policy": 0, "in_enc_policy": 0, "allowed_enc_level": 2, "prefer_rc4": True}  # pe_forced, rc4


class Contender:
    """Fetches or hashes the row's source."""

    def __init__(self, work, source, name, label, group, settings):
        self.work, self.source = work, source
        self.name, self.label, self.group, self.settings = name, label, group, settings

    def prepare(self):
        pass

    def end(self):
        pass

    def finish(self, output, got, seconds, cpu, check):
        """Syncs where the row is about a disk, compares, removes the output; the sample."""
        sync_seconds, sync_cpu = self.work.sync(output)
        if check:
            compare(self.source, got)
        self.work.remove(output)
        return {"seconds": seconds + sync_seconds, "cpu_seconds": cpu + sync_cpu}


class Bound(Contender):
    """The passes over the content, and nothing else."""

    def __init__(self, work, source, workers):
        threads = f"1 + {workers} threads" if workers else "1 thread"
        super().__init__(work, source, f"bound-{workers}", f"the bound, {threads} per process", "bound",
                         f"kith_bound SOURCE TARGET {workers}")
        self.workers = workers

    def run(self, check):
        output = self.work.output()
        line, _, _ = run_timed([BOUND, self.source, output / "file", self.workers])
        took = json.loads(line)
        return self.finish(output, output / "file", took["seconds"], took["cpu_seconds"], check)


class Torrent(Contender):
    """Two libtorrent sessions in two processes.

    A file is a v2 torrent. Very many small files are a v1 torrent: in v2 each of them is a piece of its own,
    and the time that libtorrent 2.0 takes grows with the square of their number.
    """

    def __init__(self, work, source, tuned, encrypted=False):
        group = "libtorrent-rc4" if encrypted else "libtorrent"
        self.session = {**(RC4 if encrypted else PLAIN), **(TUNED if tuned else {})}
        self.version = "v1_only" if source.is_dir() else "v2_only"
        label = (f"libtorrent, {self.version[:2]}, {'RC4' if encrypted else 'plaintext'}, "
                 f"{'tuned' if tuned else 'defaults'}")
        super().__init__(work, source, group + ("-tuned" if tuned else ""), label, group,
                         json.dumps(self.session))
        self.torrent = work.path(f"{source.name}.torrent")

    def prepare(self):
        if not self.torrent.exists():
            run_timed([sys.executable, PEER, "make", self.source, self.torrent, self.version])

    def run(self, check):
        output = self.work.output()
        settings = json.dumps(self.session)
        seed = Process([sys.executable, PEER, "seed", self.torrent, self.source.parent, settings],
                       self.work.log("seed"))
        try:
            port = seed.wait_event("ready")["port"]
            fetch = Process([sys.executable, PEER, "fetch", self.torrent, output, settings, port],
                            self.work.log("fetch"))
            try:
                fetch.wait_event("ready")
                before = seed.cpu_seconds()
                fetch.send("begin")
                took = fetch.wait_event("done")
                cpu = took["cpu_seconds"] + seed.cpu_seconds() - before
                fetch.end_input()
            finally:
                fetch.end()
        finally:
            seed.end()
        return self.finish(output, output / self.source.name, took["seconds"], cpu, check)


class TorrentHash(Contender):
    """libtorrent hashing a file: making a torrent, or checking one with several threads."""

    def __init__(self, work, source, tuned):
        self.session = {**PLAIN, **TUNED} if tuned else None
        label = f"libtorrent, checking, {CORES} hashing threads" if tuned else "libtorrent, making a torrent"
        super().__init__(work, source, "libtorrent" + ("-tuned" if tuned else ""), label, "libtorrent",
                         json.dumps(self.session) if tuned else "create_torrent, set_piece_hashes, v2 only")
        self.torrent = work.path(f"{source.name}.torrent")

    def prepare(self):
        if not self.torrent.exists():
            run_timed([sys.executable, PEER, "make", self.source, self.torrent, "v2_only"])

    def run(self, check):
        if self.session is None:
            args = ["make", self.source, self.work.path("again.torrent"), "v2_only"]
        else:
            args = ["check", self.torrent, self.source.parent, json.dumps(self.session)]
        output, _, _ = run_timed([sys.executable, PEER, *args])
        took = json.loads(output.splitlines()[-1])
        return {"seconds": took["seconds"], "cpu_seconds": took["cpu_seconds"]}


class Rsync(Contender):
    """A daemon of its own, without encryption."""

    def __init__(self, work, source, tuned):
        self.options = ["-a", "-W", "--inplace"] if tuned else ["-a"]
        super().__init__(work, source, "rsync" + ("-tuned" if tuned else ""),
                         f"rsync daemon, {' '.join(self.options)}", "rsync", " ".join(self.options))
        self.daemon = None

    def prepare(self):
        self.port = free_port()
        config = self.work.path(f"{self.name}.conf")
        user = "uid = 0\ngid = 0\n" if os.geteuid() == 0 else ""
        config.write_text(f"{user}use chroot = no\n[source]\npath = {self.source.parent}\nread only = yes\n",
                          encoding="utf-8")
        self.daemon = Process(
            ["rsync", "--daemon", "--no-detach", f"--config={config}", "--address=127.0.0.1",
             f"--port={self.port}", "--log-file=/dev/null"], self.work.log(self.name))
        wait_until(lambda: run_ok(["rsync", f"rsync://127.0.0.1:{self.port}/"]), "the rsync daemon answers")

    def run(self, check):
        output = self.work.output()
        self.daemon.wait_for_children()
        before = self.daemon.cpu_seconds()
        _, seconds, cpu = run_timed(["rsync", *self.options,
                                     f"rsync://127.0.0.1:{self.port}/source/{self.source.name}", output])
        self.daemon.wait_for_children()
        cpu += self.daemon.cpu_seconds() - before
        return self.finish(output, output / self.source.name, seconds, cpu, check)

    def end(self):
        if self.daemon:
            self.daemon.end()


class Scp(Contender):
    """scp from an sshd of its own on a high port, with AES-256-GCM."""

    CIPHER = "aes256-gcm@openssh.com"

    def __init__(self, work, source, legacy):
        self.options = ["-O"] if legacy else []
        label = "scp, AES-256-GCM" + (", -O" if legacy else "")
        super().__init__(work, source, "scp" + ("-legacy" if legacy else ""), label, "scp",
                         " ".join(["-c", self.CIPHER, *self.options]))
        self.daemon = None

    def prepare(self):
        self.folder = self.work.path(f"ssh-{self.name}")
        self.folder.mkdir(mode=0o755)
        for key in ("host", "user"):
            run_timed(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / key])
        self.port = free_port()
        config = self.folder / "config"
        config.write_text(f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.folder}/host\n"
                          f"AuthorizedKeysFile {self.folder}/user.pub\nStrictModes no\nUsePAM no\n"
                          f"PidFile none\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
                          f"Ciphers {self.CIPHER}\nLogLevel ERROR\nSubsystem sftp internal-sftp\n",
                          encoding="utf-8")
        self.daemon = Process(self._sshd_command(config), self.work.log(self.name))
        self.copy = ["scp", "-q", *self.options, "-F", "none", "-P", self.port, "-i", self.folder / "user",
                     "-c", self.CIPHER, "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no",
                     "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
        self.user = pwd.getpwuid(os.geteuid()).pw_name
        wait_until(lambda: run_ok([*self.copy, f"{self.user}@127.0.0.1:{config}", self.folder / "test"]),
                   "sshd answers")

    def _sshd_command(self, config):
        command = [sshd_program(), "-D", "-e", "-f", config]
        if os.geteuid() != 0:
            return command
        # As root, sshd wants a user and a folder of its own; both exist only in its own mount namespace.
        users = Path("/etc/passwd").read_text(encoding="utf-8")
        if "\nsshd:" not in users:
            users += "sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin\n"
        (self.folder / "passwd").write_text(users, encoding="utf-8")
        script = ('mount --bind "$1" /etc/passwd && mount -t tmpfs tmpfs /run && '
                  'mkdir -m 755 /run/sshd && shift && exec "$@"')
        return ["unshare", "--mount", "sh", "-c", script, "sh", self.folder / "passwd", *command]

    def run(self, check):
        output = self.work.output()
        self.daemon.wait_for_children()
        before = self.daemon.cpu_seconds()
        source = f"{self.user}@127.0.0.1:{self.source}"
        _, seconds, cpu = run_timed([*self.copy, source, output / "file"])
        self.daemon.wait_for_children()
        cpu += self.daemon.cpu_seconds() - before
        return self.finish(output, output / "file", seconds, cpu, check)

    def end(self):
        if self.daemon:
            self.daemon.end()


def run_ok(args):
    done = subprocess.run([str(arg) for arg in args], capture_output=True, check=False)
    return done.returncode == 0


def sshd_program():
    """The system's, or one that is unpacked in build/bench: installing it would open port 22."""
    known = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
    unpacked = DOWNLOADS / "sshd/usr/sbin/sshd"
    if known or unpacked.exists():
        return known or unpacked
    DOWNLOADS.mkdir(parents=True, exist_ok=True)
    subprocess.run(["apt-get", "-q", "download", "openssh-server"], cwd=DOWNLOADS, check=True,
                   capture_output=True)
    packages = sorted(DOWNLOADS.glob("openssh-server_*.deb"))
    if not packages:
        raise BenchError("apt-get download openssh-server brought nothing")
    subprocess.run(["dpkg-deb", "-x", str(packages[-1]), str(DOWNLOADS / "sshd")], check=True)
    return unpacked
