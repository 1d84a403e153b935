"""Tests that tools/lib/run_tests.py counts honestly, and drops privileges where it should."""
import json
import os
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools/lib"))
import run_tests  # noqa: E402  (its folder is no package)

GTEST = {"testsuites": [{"name": "A", "testsuite": [
    {"name": "good", "result": "COMPLETED"},
    {"name": "bad", "result": "COMPLETED", "failures": [{"failure": "x.cpp:1\n1 is not 2"}]},
    {"name": "left", "result": "SKIPPED"},
    {"name": "DISABLED_off", "result": "SUPPRESSED"}]}]}
GTEST_OUTPUT = "[ RUN      ] A.left\nx.cpp:3: Skipped\nno network here\n[  SKIPPED ] A.left\n"


def job(script, **changes):
    values = {"name": "unit.x", "command": ["/bin/sh", "-c", script], "folder": "/", "env": {},
              "timeout_s": 20, "labels": [], **changes}
    return run_tests.Job(**values)


class Counting(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def run_job(self, script, **changes):
        return run_tests.execute(job(script, **changes), self.folder)

    def test_gtest_cases(self):
        outcome = run_tests.read_gtest(GTEST, "unit.x", GTEST_OUTPUT)
        self.assertEqual(outcome.counts(), "1 passed, 1 failed, 2 skipped")
        self.assertEqual(outcome.skipped, [("unit.x A.left", "no network here"),
                                           ("unit.x A.DISABLED_off", "disabled")])

    def test_unittest_cases(self):
        report = {"passed": ["a", "b"], "failed": [["c", "Traceback\nValueError: x"]],
                  "skipped": [["d", "no root"]]}
        script = f"echo '{json.dumps(report)}' >$KITH_RESULTS; exit 1"
        outcome = self.run_job(script.replace("\\n", "\\\\n"))
        self.assertEqual(outcome.counts(), "2 passed, 1 failed, 1 skipped")

    def test_a_report_of_success_and_an_exit_code_that_is_not(self):
        report = json.dumps({"passed": ["a"], "failed": [], "skipped": []})
        outcome = self.run_job(f"echo '{report}' >$KITH_RESULTS; exit 23")
        self.assertEqual(outcome.counts(), "1 passed, 1 failed, 0 skipped")
        self.assertEqual(outcome.failed, [("unit.x", "exit code 23")])

    def test_a_report_without_tests(self):
        report = json.dumps({"passed": [], "failed": [], "skipped": []})
        outcome = self.run_job(f"echo '{report}' >$KITH_RESULTS")
        self.assertEqual(outcome.failed, [("unit.x", "holds no test")])

    def test_a_plain_program(self):
        self.assertEqual(self.run_job("exit 0").counts(), "1 passed, 0 failed, 0 skipped")
        self.assertEqual(self.run_job("exit 1").counts(), "0 passed, 1 failed, 0 skipped")
        skipped = self.run_job("echo no such device; exit 77")
        self.assertEqual(skipped.skipped, [("unit.x", "no such device")])

    def test_a_crash_and_a_program_that_was_not_built(self):
        self.assertEqual(self.run_job("kill -SEGV $$").failed, [("unit.x", "killed by SIGSEGV")])
        missing = self.run_job("", command=["/nonexistent/test"])
        self.assertEqual(missing.failed, [("unit.x", "was not built")])

    def test_an_old_report_does_not_count(self):
        (self.folder / "unit.x.json").write_text(json.dumps(GTEST), encoding="utf-8")
        self.assertEqual(self.run_job("exit 1").counts(), "0 passed, 1 failed, 0 skipped")

    def test_a_program_that_hangs(self):
        # Its child too: both belong to the process group that is ended.
        outcome = self.run_job("sleep 60 & wait", timeout_s=0.2)
        self.assertEqual(outcome.failed, [("unit.x", "not done after 0 s")])
        self.assertLess(outcome.seconds, 15)

    def test_selection(self):
        jobs = [job("", name="unit.a"), job("", name="fuzz.a"), job("", name="sim.a")]
        self.assertEqual(run_tests.select(jobs, set()), jobs)
        self.assertEqual(run_tests.select(jobs, {"fuzz", "sim"}), jobs[1:])

    @unittest.skipUnless(os.geteuid() == 0, "only root has privileges to drop")
    def test_functional_tests_run_as_nobody(self):
        build = self.folder / "build"
        build.mkdir()
        one, rooted = job("id -u", name="functional.a"), job("id -u", name="functional.b",
                                                             labels=["root"])
        dropped = run_tests.drop_privileges([one, rooted], build)
        self.addCleanup(dropped.close)
        self.assertEqual(run_tests.run_command(one, dict(os.environ))[0], "65534\n")
        self.assertEqual(run_tests.run_command(rooted, dict(os.environ))[0], "0\n")


if __name__ == "__main__":
    unittest.main()
