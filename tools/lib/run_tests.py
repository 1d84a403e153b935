"""Runs what CTest knows of a build folder, and counts test cases, not binaries.

Usage: run_tests.py BUILD_DIR [--suite A,B.THING] [--only-built] [--jobs N]

A CTest name is SUITE.THING; the suites sim, tidy, unit and fuzz run side by side, the others one by
one, since they measure time or use the whole machine. GoogleTest binaries report each case by
GTEST_OUTPUT, Python suites by KITH_RESULTS (see unittest_json.py); anything else counts as one
test, exit code 77 as a skip. `functional` runs as uid 65534 when started by root, unless a test's
CTest label is `root`.

The last line is "N passed, N failed, N skipped"; the exit code is 0 if something passed and nothing
failed.
"""
import argparse
import concurrent.futures
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SIDE_BY_SIDE = ("sim", "tidy", "unit", "fuzz")  # the longest begin first
TIMEOUT_S = 1800
NOBODY = 65534
SKIP_EXIT_CODE = 77


@dataclass
class Job:
    """One CTest entry."""

    name: str
    command: list
    folder: str
    env: dict
    timeout_s: float
    labels: list

    @property
    def suite(self):
        return self.name.split(".")[0]

    @property
    def built(self):
        return bool(self.command) and shutil.which(self.command[0]) is not None


@dataclass
class Outcome:
    passed: int = 0
    failed: list = field(default_factory=list)  # (name, why)
    skipped: list = field(default_factory=list)  # (name, why)
    output: str = ""
    seconds: float = 0.0

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def counts(self):
        return f"{self.passed} passed, {len(self.failed)} failed, {len(self.skipped)} skipped"


def discover(build_dir):
    """The jobs that CTest lists, in its order."""
    listing = subprocess.run(
        ["ctest", "--test-dir", str(build_dir), "--show-only=json-v1"],
        check=True, capture_output=True, text=True)
    jobs = []
    for test in json.loads(listing.stdout)["tests"]:
        properties = {p["name"]: p["value"] for p in test.get("properties", [])}
        jobs.append(Job(
            name=test["name"],
            command=test.get("command", []),
            folder=properties.get("WORKING_DIRECTORY", str(build_dir)),
            env=dict(pair.split("=", 1) for pair in properties.get("ENVIRONMENT", [])),
            timeout_s=float(properties.get("TIMEOUT", TIMEOUT_S)),
            labels=properties.get("LABELS", [])))
    return jobs


class Unprivileged:
    """Lets a job run as nobody: with a scratch folder of its own, and with a copy of the tests and
    of the program where nobody cannot reach the checkout (in /root, or below a `mktemp -d`)."""

    def __init__(self, build_dir):
        self.build_dir = build_dir
        self.scratch = Path(tempfile.mkdtemp(prefix="kith-test."))
        self.prefix = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        os.chown(self.scratch, NOBODY, NOBODY)
        self.moved = {}
        if subprocess.run([*self.prefix, "test", "-r", str(ROOT / "tools/test")]).returncode != 0:
            self._copy_checkout()

    def _copy_checkout(self):
        top = self.scratch / "checkout"
        for folder in ("tests", "tools"):
            shutil.copytree(ROOT / folder, top / folder, symlinks=True)
        program = self.build_dir / "tools/kith/kith"
        if program.exists():
            target = top / program.relative_to(ROOT)
            target.parent.mkdir(parents=True)
            shutil.copy2(program, target)
        self.moved = {str(ROOT): str(top)}

    def apply(self, job):
        def moved(text):
            for old, new in self.moved.items():
                text = text.replace(old, new)
            return text
        job.command = [*self.prefix, *map(moved, job.command)]
        job.folder = moved(job.folder)
        job.env = {key: moved(value) for key, value in job.env.items()}
        job.env.update(HOME=str(self.scratch), TMPDIR=str(self.scratch), USER="nobody")

    def close(self):
        shutil.rmtree(self.scratch, ignore_errors=True)


def execute(job, results_dir):
    """Runs one job in a process group of its own, and reads its report."""
    report = results_dir / (job.name + ".json")
    report.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="kith-report.") as folder:
        os.chmod(folder, 0o777)  # a job that runs as nobody writes its report here too
        fresh = Path(folder) / "report.json"
        env = {**os.environ, **job.env, "PYTHONDONTWRITEBYTECODE": "1",
               "GTEST_OUTPUT": f"json:{fresh}", "KITH_RESULTS": str(fresh)}
        start = time.monotonic()
        output, code = run_command(job, env)
        if fresh.exists():
            shutil.copyfile(fresh, report)
    (results_dir / (job.name + ".log")).write_text(output, encoding="utf-8")
    outcome = judge(job, code, output, report)
    outcome.output, outcome.seconds = output, time.monotonic() - start
    return outcome


def run_command(job, env):
    """Output and exit code; the code is a text where the job did not end by itself."""
    if not job.built:
        return "", "was not built"
    process = subprocess.Popen(job.command, cwd=job.folder, env=env, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               errors="replace", start_new_session=True)
    try:
        return process.communicate(timeout=job.timeout_s)[0], process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.communicate()[0], f"not done after {job.timeout_s:.0f} s"


def judge(job, code, output, report):
    outcome = Outcome()
    if report.exists():
        data = json.loads(report.read_text(encoding="utf-8"))
        read = read_gtest if "testsuites" in data else read_unittest
        outcome = read(data, job.name, output)
    elif code == SKIP_EXIT_CODE:
        outcome.skipped.append((job.name, output.strip().rpartition("\n")[2]))
        return outcome
    elif code == 0:
        outcome.passed = 1
    if isinstance(code, int) and code < 0:
        code = f"killed by {signal.Signals(-code).name}"
    if code != 0 and not outcome.failed:  # a crash, a leak found at exit, a time-out
        outcome.failed.append((job.name, code if isinstance(code, str) else f"exit code {code}"))
    if not (outcome.passed or outcome.failed or outcome.skipped):
        outcome.failed.append((job.name, "holds no test"))
    return outcome


def read_gtest(data, name, output):
    outcome = Outcome()
    for suite in data["testsuites"]:
        for case in suite["testsuite"]:
            full = f"{suite['name']}.{case['name']}"
            if case.get("failures"):
                why = "\n".join(item["failure"] for item in case["failures"])
                outcome.failed.append((f"{name} {full}", why))
            elif case["result"] == "COMPLETED":
                outcome.passed += 1
            else:
                outcome.skipped.append((f"{name} {full}", gtest_skip_reason(full, output)))
    return outcome


def gtest_skip_reason(case, output):
    """The report does not hold it; the printed output does."""
    pattern = r"\[ RUN +\] " + re.escape(case) + r"\n.*?: Skipped\n(.*?)\n?\[ +SKIPPED"
    found = re.search(pattern, output, re.S)
    return found.group(1).strip() if found else "disabled"


def read_unittest(data, name, _output):
    def named(rows):  # of a traceback only the last line says what is wrong
        return [(f"{name} {case}", why.strip().rpartition("\n")[2]) for case, why in rows]
    return Outcome(len(data["passed"]), named(data["failed"]), named(data["skipped"]))


def show(job, outcome):
    mark = "FAILED" if outcome.failed else "ok"
    print(f"{mark:<6} {job.name:<34} {outcome.counts():<38} {outcome.seconds:6.1f} s", flush=True)
    if not outcome.failed:
        return
    lines = outcome.output.splitlines()
    if len(lines) > 400:
        lines = lines[:100] + [f"… {len(lines) - 400} lines more in the log …"] + lines[-300:]
    print("\n".join("    " + line for line in lines))
    for case, why in outcome.failed:
        print(f"  failed: {case}: {why.strip().splitlines()[0] if why.strip() else ''}")


def run_all(jobs, results_dir, parallel):
    total = Outcome()

    def finish(job, outcome):
        show(job, outcome)
        total.add(outcome)

    with concurrent.futures.ThreadPoolExecutor(parallel) as threads:
        early = [job for job in jobs if job.suite in SIDE_BY_SIDE]
        early.sort(key=lambda job: SIDE_BY_SIDE.index(job.suite))
        running = {threads.submit(execute, job, results_dir): job for job in early}
        for done in concurrent.futures.as_completed(running):
            finish(running[done], done.result())
    for job in jobs:
        if job.suite not in SIDE_BY_SIDE:
            finish(job, execute(job, results_dir))
    return total


def select(jobs, wanted):
    known = {job.suite for job in jobs}
    for suite in sorted(wanted - known - {job.name for job in jobs}):
        print(f"no tests of suite '{suite}' in this build; there are: {', '.join(sorted(known))}")
    return [job for job in jobs if not wanted or wanted & {job.suite, job.name}]


def drop_privileges(jobs, build_dir):
    """Changes the functional jobs to run as nobody, if we are root. Returns what must be closed."""
    functional = [job for job in jobs if job.suite == "functional" and "root" not in job.labels]
    if os.geteuid() != 0 or not functional:
        return None
    unprivileged = Unprivileged(build_dir)
    for job in functional:
        unprivileged.apply(job)
    return unprivileged


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build_dir", type=Path)
    parser.add_argument("--suite", default="")
    parser.add_argument("--only-built", action="store_true")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    args = parser.parse_args()
    build_dir = args.build_dir.resolve()
    results_dir = build_dir / "results"
    results_dir.mkdir(parents=True, exist_ok=True)

    jobs = select(discover(build_dir), set(filter(None, args.suite.split(","))))
    if args.only_built:
        jobs = [job for job in jobs if job.built]
    unprivileged = drop_privileges(jobs, build_dir)
    try:
        total = run_all(jobs, results_dir, args.jobs)
    finally:
        if unprivileged:
            unprivileged.close()

    if total.skipped:
        print("\nSkipped:")
        for name, why in total.skipped:
            print(f"  {name}: {why}")
    if total.failed:
        print("\nFailed:")
        for name, _ in total.failed:
            print(f"  {name}")
    if not total.passed and not total.failed:
        print("\nNothing ran.")
    print(f"\n{total.counts()}", flush=True)
    return 0 if total.passed and not total.failed else 1


if __name__ == "__main__":
    sys.exit(main())
