"""Runs Python unittest modules like `python3 -m unittest -v`, and writes what happened to each test
to the file named by KITH_RESULTS (for run_tests.py), as {"passed": [name], "failed": [[name, why]],
"skipped": [[name, why]]}.

Usage: unittest_json.py MODULE…   (modules are looked up in the current folder)
"""
import json
import os
import sys
import unittest


class Recorder(unittest.TextTestResult):
    """Keeps every test's outcome; a test counts once, however many of its sub-tests failed."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.outcome = {}

    def _keep(self, test, kind, why=""):
        name = getattr(test, "test_case", test).id()  # a sub-test belongs to its test
        if self.outcome.get(name, ("passed",))[0] != "failed":
            self.outcome[name] = (kind, why)

    def addSuccess(self, test):
        super().addSuccess(test)
        self._keep(test, "passed")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._keep(test, "failed", self._exc_info_to_string(err, test))

    def addError(self, test, err):
        super().addError(test, err)
        self._keep(test, "failed", self._exc_info_to_string(err, test))

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._keep(test, "failed", self._exc_info_to_string(err, test))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._keep(test, "skipped", reason)

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self._keep(test, "passed")

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self._keep(test, "failed", "was expected to fail, and passed")


def main():
    sys.path.insert(0, os.getcwd())
    suite = unittest.defaultTestLoader.loadTestsFromNames(sys.argv[1:])
    result = unittest.TextTestRunner(verbosity=2, resultclass=Recorder).run(suite)
    path = os.environ.get("KITH_RESULTS")
    if path:
        report = {"passed": [], "failed": [], "skipped": []}
        for name, (kind, *why) in result.outcome.items():
            report[kind].append(name if kind == "passed" else [name, *why])
        with open(path, "w", encoding="utf-8") as out:
            json.dump(report, out)
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
