"""The bash completion knows every command and option of `kith --help`, and no others. What others named
is offered quoted, and never carried out."""
import os
import re
import subprocess
import unittest
from pathlib import Path

from kith_test import KithTest

KITH = os.environ.get("KITH_BIN")
SCRIPT = Path(__file__).resolve().parents[2] / "tools/kith/completion.bash"
COMMON = {"--home", "--json", "--quiet", "--verbose", "--no-color", "--version", "--help"}


def help_of(*command):
    return subprocess.run([KITH, *command, "--help"], check=True, text=True,
                          capture_output=True).stdout


def commands_in(text):
    return set(re.findall(r"^  ([a-z]+) {2,}", text.partition("Subcommands:")[2], re.M))


def options_in(text):
    return set(re.findall(r"^  (?:-\w,)?(--[a-z-]+)", text, re.M))


def complete(*words):
    """What Tab offers behind these words; the last is the one being typed."""
    return set(complete_lines(*words).split())


def complete_lines(*words, env=None):
    script = (f'. "{SCRIPT}"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _kith; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "-c", script, "bash", *words], check=True, text=True,
                          capture_output=True, env={"PATH": os.environ["PATH"], "HOME": "/", **(env or {})})
    return done.stdout


@unittest.skipUnless(KITH, "KITH_BIN is not set")
class Completion(unittest.TestCase):
    def every_command(self):
        commands = [(name,) for name in commands_in(help_of()) - {"swarm"}]
        return commands + [("swarm", name) for name in commands_in(help_of("swarm"))]

    def test_commands(self):
        self.assertEqual(complete("kith", ""), commands_in(help_of()))
        self.assertEqual(complete("kith", "swarm", ""), commands_in(help_of("swarm")))

    def test_options_of_every_command(self):
        self.assertGreater(len(self.every_command()), 15)
        for command in self.every_command():
            with self.subTest(command):
                offered = complete("kith", *command, "--")
                self.assertEqual(offered - COMMON, options_in(help_of(*command)) - COMMON)
                self.assertLessEqual(COMMON, offered)

    def test_a_value_is_not_taken_for_the_command(self):
        self.assertEqual(complete("kith", "--home", "share", "swa"), {"swarm"})
        self.assertEqual(complete("kith", "swarm", "invite", "--role", "m"), {"member"})
        self.assertEqual(complete("kith", "--limit", ""), set())

    def test_files(self):
        self.assertEqual(complete("kith", "share", "/etc/hostn"), {"/etc/hostname"})
        self.assertEqual(complete("kith", "moved", "abcdefgh", "/etc/hostn"), {"/etc/hostname"})

    def test_nothing_is_started_for_ids(self):
        self.assertEqual(complete("kith", "--home", "/nonexistent/kith", "verify", ""), set())
        self.assertFalse(Path("/nonexistent").exists())


@unittest.skipUnless(KITH, "KITH_BIN is not set")
class Names(KithTest):
    def test_what_others_named_is_quoted_and_not_carried_out(self):
        device = self.device("a")
        device.start_node()
        trap = self.top / "trap"
        names = [f"$(touch {trap})", f"`touch {trap}`", "my family", "lab"]
        for name in names:
            device.ask("swarm", "create", name)
        env = {"PATH": f"{Path(KITH).parent}:{os.environ['PATH']}", "KITH_HOME": str(device.home)}

        def offered(typed):
            lines = complete_lines("kith", "share", "--swarm", typed, env=env)
            self.assertFalse(trap.exists())
            return [line for line in lines.splitlines() if line]

        # What the shell makes of what is offered is the name, one word, again.
        words = subprocess.run(["bash", "-c", "printf '%s\\n' " + " ".join(offered(""))], check=True,
                               capture_output=True, text=True).stdout.splitlines()
        self.assertFalse(trap.exists())
        self.assertEqual(sorted(words), sorted(names))
        self.assertEqual(offered("my"), ["my\\ family"])
        self.assertEqual(offered("my\\ f"), ["my\\ family"])
        self.assertEqual(offered("'my"), [])


if __name__ == "__main__":
    unittest.main()
