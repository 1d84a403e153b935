"""Limits on speed: set, shown, kept, and obeyed by real traffic."""
import random
import time
import unittest

from kith_test import KithTest

MB = 1_000_000


class Limits(KithTest):
    def setUp(self):
        super().setUp()
        self.a, self.b = self.swarm("a", "b")
        file = self.top / "file"
        file.write_bytes(random.Random(3).randbytes(3 * MB))
        self.link = self.a.ask("share", file)["link"]
        self.runs = 0

    def fetch_seconds(self):
        """How long a new fetch of 3 MB takes."""
        self.runs += 1
        begin = time.monotonic()
        self.b.ask("fetch", "-", "-o", self.top / f"out{self.runs}", stdin=self.link)
        seconds = time.monotonic() - begin
        self.b.ask("unshare", self.link)
        return seconds

    def limits(self, device):
        return [(limit["swarm_name"], limit["device_name"], limit["up"], limit["down"])
                for limit in device.ask("limit")["limits"]]

    def test_what_is_set_is_shown_and_kept(self):
        self.assertEqual(self.limits(self.a), [])
        self.a.ask("limit", "10MB/s", "--up")
        self.a.ask("limit", "2MB/s", "--down", "--peer", "b")
        self.a.ask("limit", "3MB/s", "--swarm", self.a.ask("swarm", "list")["swarms"][0]["name"])
        self.a.ask("limit", "--lan-exempt", "yes")
        swarm = self.a.ask("swarm", "list")["swarms"][0]["name"]
        expected = [("", "", 10 * MB, 0), ("", "b", 0, 2 * MB), (swarm, "", 3 * MB, 3 * MB)]
        self.assertEqual(self.limits(self.a), expected)
        self.a.stop_node()
        self.a.start_node()
        self.assertEqual(self.limits(self.a), expected)
        self.assertTrue(self.a.ask("limit")["lan_exempt"])
        self.a.ask("limit", "none", "--up")
        self.a.ask("limit", "none", "--peer", "b")
        self.a.ask("limit", "none", "--swarm", swarm)
        self.assertEqual(self.limits(self.a), [])

    def test_both_directions_obey(self):
        for device, direction in ((self.a, "--up"), (self.b, "--down")):
            with self.subTest(direction):
                device.ask("limit", "2MB/s", direction)
                # A tenth of a second may go at once, and the last chunk is not waited for.
                self.assertGreater(self.fetch_seconds(), 0.5)
                device.ask("limit", "none", direction)

    def test_a_limit_for_one_device_holds_on_the_local_network(self):
        self.a.ask("limit", "--lan-exempt", "yes")
        self.a.ask("limit", "1MB/s", "--up", "--peer", "b")
        self.assertGreater(self.fetch_seconds(), 1)

    def test_who_is_on_the_local_network_may_be_exempt(self):
        self.a.ask("limit", "1kB/s", "--up")
        self.a.ask("limit", "--lan-exempt", "yes")
        # At the limit it would be most of an hour.
        self.assertLess(self.fetch_seconds(), 60)

    def test_wrong_words(self):
        for args in (["fast"], ["--up"], ["--peer", "b"], ["1MB/s", "--lan-exempt", "perhaps"]):
            with self.subTest(args):
                self.assert_fails(self.a.run("--json", "limit", *args), 2)
        self.assert_fails(self.a.run("--json", "limit", "1MB/s", "--peer", "nobody"), 4, "not-found")
        self.assert_fails(self.a.run("--json", "limit", "1MB/s", "--swarm", "none"), 4, "not-found")
        for itself in ("a", self.a.ask("status")["device"][:8]):
            error = self.assert_fails(self.a.run("--json", "limit", "1MB/s", "--peer", itself), 2, "usage")
            self.assertEqual(error["subject"], itself)
            self.a.ask("limit", "none", "--peer", itself)  # one of before can be lifted
        self.assertEqual(self.limits(self.a), [])

    def test_a_limit_of_the_settings_is_named_where_it_still_holds(self):
        self.a.stop_node()
        self.a.start_node("--limit", "5MB/s")
        hint = "kith config limit none"
        for args in (["none"], ["none", "--up"], ["6MB/s", "--down"], ["none", "--peer", "b"]):
            self.assertIn(hint, self.a.run("limit", *args).stderr, args)
        for args in ([], ["4MB/s"], ["--lan-exempt", "no"]):
            self.assertNotIn(hint, self.a.run("limit", *args).stderr, args)
        self.a.ask("config", "limit", "none")
        self.assertEqual(self.a.run("limit", "none").stderr, "nothing is limited\n")


if __name__ == "__main__":
    unittest.main()
