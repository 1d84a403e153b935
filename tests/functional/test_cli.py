"""The command line itself: grammar, help, exit codes, JSON, homes, settings. What needs a running node
is at the end."""
import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import unittest
from pathlib import Path

from kith_test import COMMAND_TIMEOUT_S, KITH, KithTest

DOCS = Path(__file__).resolve().parents[2] / "docs/cli.md"
COMMANDS = ["start", "stop", "status", "doctor", "node", "peers", "swarm", "swarm create", "swarm list",
            "swarm members", "swarm invite", "swarm leave", "join", "share", "unshare", "moved",
            "verify", "fetch", "cancel", "list", "show", "config"]
SOME_ID = "0123456789abcdef"


class Grammar(KithTest):
    def setUp(self):
        super().setUp()
        self.device_ = self.device("a")

    def run_(self, *args, **options):
        return self.device_.run(*args, **options)

    def test_every_command_explains_itself(self):
        for command in COMMANDS:
            with self.subTest(command):
                result = self.run_(*command.split(), "--help")
                self.assertEqual(result.exit, 0, str(result))
                self.assertIn("--json", result.stdout)
                self.assertEqual(result.stderr, "")

    def test_every_option_is_documented(self):
        docs = DOCS.read_text(encoding="utf-8")
        for command in COMMANDS:
            text = self.run_(*command.split(), "--help").stdout
            for option in re.findall(r"--[a-z][a-z-]*", text):
                self.assertIn(f"{option}", docs, command)

    def test_help_lists_every_command(self):
        text = self.run_("--help").stdout + self.run_("swarm", "--help").stdout
        for command in COMMANDS:
            self.assertRegex(text, rf"(?m)^  {command.split()[-1]} ")

    def test_version(self):
        self.assertRegex(self.run_("--version").stdout, r"^kith \d+\.\d+\.\d+\n$")
        self.assertRegex(self.run_("list", "--version").stdout, r"^kith \d+\.\d+\.\d+\n$")

    def test_wrong_usage(self):
        for args in [
                [], ["nonsense"], ["swarm"], ["swarm", "nonsense"], ["share"], ["fetch"], ["join"],
                ["show"], ["moved", SOME_ID], ["list", "surplus"], ["list", "--nonsense"],
                ["share", "a", "b"], ["swarm", "create"], ["swarm", "invite", "--uses", "x"],
                ["swarm", "invite", "--uses", "0"], ["swarm", "invite", "--role", "owner"],
                ["swarm", "invite", "--expires", "soon"], ["swarm", "create", "a\x1bb"],
                ["swarm", "create", "x" * 65], ["show", "0123"], ["show", "not-an-id"],
                ["node", "--listen", "nowhere"], ["node", "--limit", "fast"],
                ["start", "--bootstrap", "x"],
                ["node", "--advertise", "0.0.0.0:5484"], ["start", "--bootstrap", "127.0.0.1:0"],
                ["config", "advertise", "[::]:1"], ["config", "bootstrap", "127.0.0.1:1,127.0.0.1:0"],
                ["config", "colour"], ["config", "limit", "fast"],
                ["config", "limit", "1", "2"], ["share", ".", "--chunking", "huge"],
                ["share", ".", "--name", "a/b"], ["join", "x", "--timeout", "0s"]]:
            with self.subTest(args):
                self.assert_fails(self.run_("--json", *args), 2)
                plain = self.run_(*args)
                self.assertEqual(plain.exit, 2, str(plain))
                self.assertEqual(plain.stdout, "")
                self.assertTrue(plain.stderr.startswith("kith: "), str(plain))

    def test_an_option_that_says_nothing_is_refused(self):
        for args, option in ((["fetch", "x", "--reuse", ""], "--reuse"),
                             (["fetch", "x", "--path", "a", "--path", ""], "--path"),
                             (["cat", "x", "--offset", ""], "--offset"),
                             (["swarm", "invite", "--swarm", ""], "--swarm"),
                             (["--home", "", "list"], "--home"), (["list", "--home", ""], "--home")):
            result = self.run_(*args)
            self.assertEqual(result.exit, 2, str(result))
            self.assertIn(f"{option}: an empty value", result.stderr)

    def test_names_that_are_not_utf8_are_refused(self):
        name = os.fsdecode(b"\xff")
        for args in [["swarm", "create", name], ["share", ".", "--name", name],
                     ["share", ".", "--exclude", name], ["share", ".", "--swarm", name],
                     ["join", "x", "--name", name], ["show", name],
                     ["fetch", "x", "--as", name], ["fetch", name]]:
            with self.subTest(args):
                error = self.assert_fails(self.run_("--json", *args), 2, "usage")
                self.assertIn("UTF-8", error["what"])

    def test_wrong_usage_makes_no_home(self):
        home = self.top / "fresh"
        for args in [["show", "x"], ["fetch", "x"], ["status"], ["config"], ["nonsense"]]:
            self.run_("--home", home, *args)
            self.assertFalse(home.exists(), args)

    def test_fetch_into_what_is_no_directory(self):
        file = self.top / "file"
        file.write_text("x")
        for output, subject in (("/dev/null", "/dev/null"), (file / "sub", str(file))):
            error = self.assert_fails(self.run_("--json", "fetch", "x", "-o", output), 2, "usage")
            self.assertEqual((error["what"], error["subject"]), ("this is not a directory", subject))
            self.assertIn("--as", error["hint"])

    def test_malformed_texts_name_what_is_wrong(self):
        for args in [["fetch", "kith:share/abc"], ["fetch", "nonsense"], ["join", "kith:invite/abc"],
                     ["join", "nonsense"], ["fetch", ""]]:
            with self.subTest(args):
                error = self.assert_fails(self.run_("--json", *args), 2)
                self.assertRegex(error["what"] + error["subject"], "(?i)link|invite")

    def test_what_is_unknown_is_named(self):
        for args, what, subject in (
                (["foo"], "no such command", "kith foo"), (["--foo"], "no such option", "kith --foo"),
                ([""], "no such command", "kith "),
                (["swarm", "foo"], "no such command", "kith swarm foo")):
            error = self.assert_fails(self.run_("--json", *args), 2, "usage")
            self.assertEqual((error["what"], error["subject"]), (what, subject))
        self.assertIn("foo", self.assert_fails(self.run_("--json", "list", "foo"), 2)["what"])
        self.assertNotIn("missing", self.assert_fails(self.run_("--json", "join", ""), 2)["what"])

    def test_bounds_are_told_in_the_units_of_the_option(self):
        for args, bounds in ((["swarm", "invite", "--expires", "59s"], "1m to 366d"),
                             (["swarm", "invite", "--expires", "367d"], "1m to 366d"),
                             (["swarm", "invite", "--uses", "1001"], "1 to 1000"),
                             (["join", "x", "--timeout", "2d"], "1s to 1d")):
            self.assertIn(bounds, self.assert_fails(self.run_("--json", *args), 2, "usage")["what"])

    def test_an_argument_is_named_as_it_was_typed(self):
        for args, subject, what in (
                (["fetch", "x", "--path", "y" * 5_000], "--path", "longer than 4096 bytes"),
                (["fetch", "x", *["--path", "y"] * 1_025], "--path", "more than 1024 times"),
                (["fetch", "x", "--as", "y" * 256], "--as", "longer than 255 bytes"),
                (["share", ".", "--name", "y" * 256], "--name", "longer than 255 bytes"),
                (["swarm", "create", "y" * 65], "NAME", "longer than 64 bytes"),
                (["show", "y" * 5_000], "ID", "longer than 4096 bytes")):
            error = self.assert_fails(self.run_("--json", *args), 2, "usage")
            self.assertEqual(error["subject"], subject)
            self.assertIn(what, error["what"])
            self.assertTrue(error["hint"], error)

    def test_texts_come_from_standard_input(self):
        error = self.assert_fails(self.run_("--json", "fetch", "-", stdin="kith:share/abc\n"), 2)
        self.assertIn("link", error["what"])
        self.assert_fails(self.run_("--json", "join", "-", stdin="x" * 70_000), 2, "usage")

    def test_a_path_that_is_not_there(self):
        self.assert_fails(self.run_("--json", "share", self.top / "absent"), 4, "not-found")
        self.assert_fails(self.run_("--json", "moved", SOME_ID, self.top / "absent"), 4, "not-found")
        for name in ("absent", "absent/deeper"):
            error = self.assert_fails(self.run_("--json", "share", name, cwd=self.top), 4, "not-found")
            self.assertEqual(error["subject"], str(self.top / name))

    def test_a_command_may_be_the_argument_of_another(self):
        self.assert_fails(self.run_("--json", "share", "status"), 4, "not-found")
        self.assert_fails(self.run_("--json", "show", "list"), 2, "usage")

    def test_options_end(self):
        self.assert_fails(self.run_("--json", "share", "--", "--json"), 4, "not-found")

    def test_stdout_that_cannot_be_written_is_a_failure(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([KITH, "config"], env=self.device_.env(), stdout=full,
                                  stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 7, done.stderr)

    def test_closed_descriptors_get_no_file(self):
        (self.top / "file").write_text("x", encoding="utf-8")
        self.device_.ask("swarm", "create", "lab")

        def run(command):
            return subprocess.run(["bash", "-c", f'"$0" {command}', KITH], env=self.device_.env(),
                                  cwd=self.top, capture_output=True, check=False, timeout=COMMAND_TIMEOUT_S)

        for command in ("share file >&- 2>&-", "swarm list >&- 2>&-", "swarm list -v <&- >&- 2>&-"):
            self.assertEqual(run(command).returncode, 1, command)
        self.assertRegex((self.device_.home / "lock").read_text(), r"\A\d+ command\n\Z")
        done = run("join - <&-")
        self.assertEqual(done.returncode, 1, done)
        self.assertIn(b"standard input", done.stderr)

    def test_no_color_and_no_bar_without_a_terminal(self):
        result = self.run_("show", "x")
        self.assertNotIn("\x1b", result.stderr)


class Roles(KithTest):
    """What only some devices of a swarm may do."""

    def setUp(self):
        super().setUp()
        self.a, self.b = self.swarm("a", "b")

    def test_only_admins_invite(self):
        error = self.assert_fails(self.b.run("--json", "swarm", "invite"), 5, "refused")
        self.assertEqual(error["subject"], "test")
        self.assertIn(self.a.ask("status")["device"][:8], error["hint"])
        self.assert_fails(self.a.run("--json", "swarm", "invite", "--role", "mirror"), 2, "usage")

    def test_the_only_admin_of_others_leaves_by_force_only(self):
        error = self.assert_fails(self.a.run("--json", "swarm", "leave"), 5, "refused")
        self.assertIn("--force", error["hint"])
        self.assertEqual(len(self.a.ask("swarm", "list")["swarms"]), 1)
        self.b.ask("swarm", "leave")
        self.a.ask("swarm", "leave", "--force")
        self.assertEqual(self.a.ask("swarm", "list")["swarms"], [])

    def test_doctor_knows_that_a_join_reached_this_device(self):
        checks = {check["name"]: check for check in self.a.ask("doctor")["checks"]}
        self.assertEqual(checks["reached"]["state"], "ok")
        self.assertIn("connected to this device", checks["reached"]["what"])
        checks = {check["name"]: check for check in self.b.ask("doctor")["checks"]}
        self.assertEqual(checks["reached"]["state"], "ok")


class Homes(KithTest):
    def run_in(self, env, *args):
        clean = {k: v for k, v in os.environ.items()
                 if not k.startswith(("KITH_", "XDG_")) and k != "HOME"}
        return subprocess.run([KITH, "--json", *args], env={**clean, **env}, capture_output=True,
                              text=True, check=False)

    def where(self, env, *args):
        """The home that a command without a node names."""
        return json.loads(self.run_in(env, *args, "status").stdout)["subject"]

    def test_where_it_is(self):
        top = str(self.top)
        env = {"HOME": f"{top}/user"}
        self.assertEqual(self.where(env), f"{top}/user/.local/share/kith")
        env["XDG_DATA_HOME"] = f"{top}/data"
        self.assertEqual(self.where(env), f"{top}/data/kith")
        env["KITH_HOME"] = f"{top}/kith"
        self.assertEqual(self.where(env), f"{top}/kith")
        self.assertEqual(self.where(env, "--home", f"{top}/flag"), f"{top}/flag")
        env["XDG_DATA_HOME"], env["KITH_HOME"] = "relative", ""
        self.assertEqual(self.where(env), f"{top}/user/.local/share/kith")

    def test_nothing_says_where(self):
        self.assertEqual(self.run_in({}, "status").returncode, 2)

    def test_one_that_others_may_enter_is_refused(self):
        home = self.top / "open"
        home.mkdir(mode=0o755)
        done = self.run_in({"KITH_HOME": str(home)}, "list")
        self.assertEqual(done.returncode, 5, done.stdout)
        self.assertEqual(list(home.iterdir()), [])

    def test_one_that_is_a_file_is_refused(self):
        home = self.top / "file"
        home.write_text("mine")
        done = self.run_in({"KITH_HOME": str(home)}, "list")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertEqual(home.read_text(), "mine")


class Config(KithTest):
    def setUp(self):
        super().setUp()
        self.home = self.top / "home"

    def config(self, *args):
        return self.run_("config", *args)

    def run_(self, *args):
        env = {**os.environ, "KITH_HOME": str(self.home)}
        return subprocess.run([KITH, *args], env=env, capture_output=True, text=True, check=False)

    def test_set_show_unset(self):
        self.assertEqual(self.config("limit", "10MB/s").returncode, 0)
        self.assertEqual(self.config("limit").stdout, "10000000\n")
        self.assertEqual(self.config("bootstrap", "192.0.2.1:1,nas:2").returncode, 0)
        self.assertEqual(json.loads((self.home / "config.json").read_text()),
                         {"limit": 10_000_000, "bootstrap": ["192.0.2.1:1", "nas:2"]})
        self.assertIn("bootstrap = 192.0.2.1:1,nas:2\n", self.config().stdout)
        self.assertEqual(self.config("limit", "").returncode, 0)
        self.assertEqual(self.config("limit").stdout, "\n")
        line = json.loads(self.run_("config", "--json").stdout)
        self.assertEqual(line["config"], {"bootstrap": ["192.0.2.1:1", "nas:2"]})
        line = json.loads(self.run_("config", "limit", "--json").stdout)
        self.assertEqual((line["key"], line["value"]), ("limit", None))

    def test_a_wrong_value_changes_nothing(self):
        self.config("limit", "1")
        before = (self.home / "config.json").read_text()
        self.assertEqual(self.config("limit", "fast").returncode, 2)
        self.assertEqual(self.config("colour", "red").returncode, 2)
        self.assertEqual((self.home / "config.json").read_text(), before)

    def test_a_damaged_file_is_named_and_kept(self):
        self.home.mkdir(mode=0o700)
        path = self.home / "config.json"
        path.write_text('{"limit": "much"}')
        for args in [[], ["limit"], ["limit", "1"]]:
            done = self.config(*args)
            self.assertEqual(done.returncode, 2, done)
            self.assertIn("limit", done.stderr)
        self.assertEqual(path.read_text(), '{"limit": "much"}')
        self.assertEqual(self.run_("list").returncode, 2)

    def test_two_at_once_lose_nothing(self):
        keys = {"limit": "5", "device_name": "x", "lan": "false", "listen": "127.0.0.1:1",
                "advertise": "127.0.0.1:2", "bootstrap": "127.0.0.1:3"}
        env = {**os.environ, "KITH_HOME": str(self.home)}
        running = [subprocess.Popen([KITH, "config", key, value], env=env, stderr=subprocess.DEVNULL)
                   for key, value in keys.items()]
        self.assertEqual([process.wait() for process in running], [0] * len(keys))
        self.assertEqual(set(json.loads((self.home / "config.json").read_text())), set(keys))


class WithoutANode(KithTest):
    def test_status_and_stop_need_one(self):
        device = self.device("a")
        for command in ("status", "stop"):
            self.assert_fails(device.run("--json", command), 3, "closed")

    def test_other_commands_run_their_own(self):
        device = self.device("a")
        self.assertEqual(device.ask("list")["shares"], [])
        self.assertEqual(device.ask("swarm", "list")["swarms"], [])
        created = device.ask("swarm", "create", "lab")["swarm"]
        self.assertEqual((created["name"], created["role"], created["members"]), ("lab", "admin", 1))
        self.assertEqual(device.ask("swarm", "list")["swarms"][0]["id"], created["id"])
        self.assert_fails(device.run("--json", "status"), 3)
        self.assertFalse((device.home / "run/api.sock").exists())

    def test_an_invite_is_served_until_ctrl_c(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            device = self.device(f"a{number}")
            device.ask("swarm", "create", "lab")
            process = device.begin("swarm", "invite")
            invite = process.wait_line(lambda line: isinstance(line, str))
            self.assertTrue(invite.startswith("kith:invite/"), invite)
            self.assertEqual(device.ask("swarm", "list")["swarms"][0]["name"], "lab")
            process.signal(number)
            result = process.result()
            self.assertEqual(result.exit, 0, str(result))
            self.assertEqual(result.text, invite)
            self.assertIn("kith start", result.stderr)

    def test_nothing_is_served_whose_text_cannot_be_written(self):
        device = self.device("a")
        device.ask("swarm", "create", "lab")
        reader, pipe = os.pipe()
        os.close(reader)
        with open("/dev/full", "w", encoding="utf-8") as full, open(pipe, "w", encoding="utf-8") as closed:
            for stdout, code in ((full, 7), (closed, 1)):
                for more in ([], ["--json"]):
                    done = subprocess.run([KITH, "swarm", "invite", *more], env=device.env(), stdout=stdout,
                                          stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False,
                                          timeout=COMMAND_TIMEOUT_S)
                    self.assertEqual(done.returncode, code, done.stderr)
                    self.assertIn(b"standard output", done.stderr)

    def test_two_commands_at_once(self):
        device = self.device("a")
        running = [device.begin("--json", "list") for _ in range(6)]
        for process in running:
            result = process.result()
            self.assertEqual(result.exit, 0, str(result))
            self.assertEqual(result.last["shares"], [])


class Background(KithTest):
    def test_start_status_stop(self):
        device = self.device("a")
        started = device.ask("start")
        self.addCleanup(device.run, "stop")
        self.assertFalse(started["already"])
        self.assertEqual(started["home"], str(device.home))
        status = device.ask("status")
        self.assertEqual(status["pid"], started["pid"])
        self.assertEqual(status["listen"], started["listen"])
        again = device.ask("start")
        self.assertTrue(again["already"])
        self.assertEqual(again["pid"], started["pid"])
        self.assert_fails(device.run("--json", "node"), 1, "conflict")
        device.ask("stop")
        self.assert_fails(device.run("--json", "status"), 3)
        self.wait_until(lambda: not Path(f"/proc/{started['pid']}").exists(), "the process ends")
        self.assert_fails(device.run("--json", "stop"), 3)

    def test_options_do_not_reach_a_node_that_runs(self):
        device = self.device("a")
        started = device.ask("start", "--limit", "1MB/s")
        self.addCleanup(device.run, "stop")
        for option, value, hint in (("--limit", "2MB/s", "kith config limit"),
                                    ("--listen", "127.0.0.1:1", "kith stop"),
                                    ("--advertise", "127.0.0.1:1", "kith stop"),
                                    ("--bootstrap", "127.0.0.1:1", "kith stop")):
            error = self.assert_fails(device.run("--json", "start", option, value), 2, "usage")
            self.assertEqual(error["subject"], option)
            self.assertIn("a node is running", error["what"])
            self.assertIn(hint, error["hint"])
        self.assertEqual(device.ask("start")["pid"], started["pid"])

    def test_a_node_that_detach_starts_has_the_limit(self):
        device = self.device("a")
        (self.top / "file").write_text("x")
        self.addCleanup(device.run, "stop")
        args = ("share", self.top / "file", "--detach", "--limit", "1MB/s")
        self.assertTrue(device.ask(*args)["link"])
        pid = device.ask("status")["pid"]
        self.assertIn(b"--limit\x001MB/s", Path(f"/proc/{pid}/cmdline").read_bytes())
        self.assert_fails(device.run("--json", *args), 2, "usage")

    def test_the_node_keeps_no_descriptor_of_the_command(self):
        device = self.device("a")
        self.addCleanup(device.run, "stop")
        with open(self.top / "lock", "w", encoding="utf-8") as mine:
            fcntl.flock(mine, fcntl.LOCK_EX)
            done = subprocess.run([KITH, "start", "-q"], env=device.env(), pass_fds=[mine.fileno()],
                                  stdin=subprocess.DEVNULL, check=False)
            self.assertEqual(done.returncode, 0)
        with open(self.top / "lock", encoding="utf-8") as again:
            fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def test_start_while_another_node_ends(self):
        device = self.device("a")
        self.addCleanup(device.run, "stop")
        (device.home / "run").mkdir(mode=0o700)
        with open(device.home / "lock", "w", encoding="utf-8") as lock, socket.socket(socket.AF_UNIX) as api:
            fcntl.flock(lock, fcntl.LOCK_EX)
            print(os.getpid(), "node", file=lock, flush=True)
            api.bind(str(device.home / "run/api.sock"))
            api.listen()
            starting = device.begin("--json", "start")
            connection, _ = api.accept()
            with connection:  # killed now: asked, it will not answer, and the lock goes a moment later
                connection.recv(1)
        result = starting.result()
        self.assertEqual(result.exit, 0, str(result))
        self.assertFalse(result.last["already"])

    def test_two_starts_at_once_make_one_node(self):
        device = self.device("a")
        self.addCleanup(device.run, "stop")
        running = [device.begin("--json", "start") for _ in range(3)]
        results = [process.result() for process in running]
        for result in results:
            self.assertEqual(result.exit, 0, str(result))
        self.assertEqual(len({result.last["pid"] for result in results}), 1)

    def test_a_node_that_cannot_start_says_why(self):
        device, other = self.device("a"), self.device("b")
        device.start_node()
        other.configure(listen=device.address)
        for command in ("start", "node"):
            result = other.run("--json", command)
            self.assertEqual(result.exit, 1, str(result))
            self.assertEqual(result.last["event"], "error", str(result))
            self.assertIn(str(device.port), json.dumps(result.last))

    def test_an_address_of_another_machine_is_not_called_taken(self):
        error = self.assert_fails(self.device("a").run("--json", "node", "--listen", "192.0.2.1:5000"), 1)
        self.assertIn("192.0.2.1:5000", error["subject"])
        self.assertIn("this machine's", error["hint"])

    def test_a_signal_ends_a_node_in_order(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            device = self.device(f"a{number}")
            device.start_node()
            self.assertEqual(device.stop_node(number), 0)
            self.assertEqual(json.loads(device.node.lines[-1])["event"], "done")

    def test_stop_ends_one_in_the_foreground(self):
        device = self.device("a")
        device.start_node()
        device.ask("stop")
        self.assertEqual(device.node.wait(), 0)

    def test_invite_returns_at_once_with_a_node(self):
        device = self.device("a")
        device.start_node()
        device.ask("swarm", "create", "lab")
        result = device.run("swarm", "invite", "--uses", "2", "--role", "reader", "--expires", "2h")
        self.assertEqual(result.exit, 0, str(result))
        self.assertRegex(result.stdout, r"^kith:invite/[a-z2-7]+\n$")

    def test_detach_starts_one(self):
        device = self.device("a")
        device.ask("swarm", "create", "lab")
        self.addCleanup(device.run, "stop")
        self.assertTrue(device.ask("swarm", "invite", "--detach")["invite"])
        self.assertEqual(device.ask("status")["swarms"][0]["name"], "lab")

    def test_wrong_usage_starts_none(self):
        device = self.device("a")
        device.ask("swarm", "create", "lab")
        self.addCleanup(device.run, "stop")
        for args in (["fetch", "nope"], ["swarm", "invite", "--role", "foo"],
                     ["share", ".", "--chunking", "huge"]):
            self.assert_fails(device.run("--json", *args, "--detach"), 2)
            self.assert_fails(device.run("--json", "status"), 3, "closed")

    def test_ctrl_c_says_what_comes_next(self):
        a, b = self.swarm("a", "b")
        (self.top / "file").write_text("x", encoding="utf-8")
        link = a.ask("share", self.top / "file")["link"]
        invite = a.ask("swarm", "invite")["invite"]
        a.stop_node()
        process = b.begin("-v", "fetch", "--wait", link, "-o", self.top / "out")
        self.wait_until(lambda: "looking" in process.errors(), "the fetch is under way")
        self.assertIn("\n  what is verified is kept: the same command", self.interrupt(process))
        with socket.create_server(("127.0.0.1", a.port)) as silent:
            process = self.device("c").begin("join", invite)
            with silent.accept()[0]:
                self.assertTrue(self.interrupt(process).endswith("kith: interrupted\n"))

    def interrupt(self, process):
        """What is on stderr in the end."""
        process.signal(signal.SIGINT)
        result = process.result()
        self.assertEqual((result.exit, result.stdout), (130, ""), str(result))
        return result.stderr

    def test_the_limit_of_a_running_node(self):
        device = self.device("a")
        device.start_node()
        result = device.run("config", "limit", "1MB/s")
        self.assertEqual(result.exit, 0, str(result))
        self.assertEqual(result.stderr, "")
        self.assertIn("starts next", device.run("config", "listen", "127.0.0.1:1").stderr)
        (self.top / "file").write_text("x")
        self.assert_fails(device.run("--json", "share", self.top / "file", "--limit", "1k"), 2, "usage")

    def test_a_killed_node_is_no_obstacle(self):
        device = self.device("a")
        device.start_node()
        device.kill_node()
        self.assert_fails(device.run("--json", "status"), 3)
        device.start_node()
        self.assertEqual(device.stop_node(), 0)

    def test_an_invite_is_not_in_argv_or_log(self):
        device, other = self.device("a"), self.device("b")
        device.start_node()
        other.start_node()
        device.ask("swarm", "create", "lab")
        invite = device.ask("swarm", "invite")["invite"]
        other.ask("join", "-", stdin=invite)
        secret = invite.split("/")[1][:60]
        for one in (device, other):
            self.assertNotIn(secret, one.node.errors())


if __name__ == "__main__":
    unittest.main()
