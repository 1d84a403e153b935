"""Runs rows of tools/bench, keeps what they measured as JSON, and writes the document. See tools/bench."""
import argparse
import datetime
import json
import signal
import sys
from pathlib import Path

import machine
import report
from kith import ROOT
from process import BenchError
from rows import ROWS
from work import Work

TMPFS = Path("/dev/shm")
DISK_PAIRS = 5  # not judged, and slow


def say(text):
    print(text, file=sys.stderr, flush=True)


def arguments():
    parser = argparse.ArgumentParser(prog="tools/bench")
    parser.add_argument("--row", action="append", choices=[row.name for row in ROWS], metavar="NAME",
                        help="only this one; may be repeated: " + ", ".join(row.name for row in ROWS))
    parser.add_argument("--pairs", type=int, help="how often; the first does not count (default: 12 or more)")
    parser.add_argument("--disk", type=Path, metavar="DIR",
                        help="measure there, not on tmpfs: the rows that are reported for a disk")
    parser.add_argument("--to", type=Path, default=ROOT / "docs", metavar="DIR",
                        help="where performance.md and bench/ are (default: docs)")
    parser.add_argument("--report-only", action="store_true", help="write the document from the JSON")
    args = parser.parse_args()
    if args.pairs is not None and args.pairs < 2:
        parser.error("--pairs: at least 2, since the first does not count")
    return args


def run_pairs(field, rounds):
    """kith against each rival, by turns; in every second round the rival comes first."""
    pairs, yardstick = [], []
    for number in range(rounds):
        for rival in field.rivals or [None]:
            order = [("kith", field.kith), ("other", rival)]
            pair = {"rival": rival and rival.name}
            for side, contender in order if number % 2 == 0 else reversed(order):
                if contender:
                    pair[side] = contender.run(check=number == 0)
            pairs.append(pair)
            say(f"  {number + 1}/{rounds} " + ", ".join(
                f"{side if side == 'kith' else rival.label} {pair[side]['seconds']:.3f} s"
                for side in ("kith", "other") if side in pair))
        if field.yardstick:
            yardstick.append(field.yardstick.run(check=number == 0))
    return pairs, yardstick


def measure(row, parent, rounds):
    """What one row gave, with all that is needed to read it later."""
    work = Work(parent, row.needs)
    try:
        field = row.build(work)
        contenders = [field.kith, *field.rivals]
        load = machine.load()
        try:
            for contender in contenders:
                contender.prepare()
            pairs, yardstick = run_pairs(field, rounds)
        except BenchError as error:
            raise BenchError("\n".join([str(error), *work.logs()])) from error
        finally:
            for contender in reversed(contenders):
                contender.end()
        return {"row": row.name, "size": row.size, "file_system": work.file_system,
                "measured": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
                "machine": machine.machine(), "versions": machine.versions(), "load_before": load,
                "contenders": {one.name: {"label": one.label, "group": one.group, "settings": one.settings}
                               for one in contenders},
                "pairs": pairs, "yardstick": yardstick}
    finally:
        work.close()


def jobs(args):
    """(row, folder) of all that is to be measured."""
    rows = [row for row in ROWS if not args.row or row.name in args.row]
    disk = args.disk and args.disk.resolve()
    if not disk and not args.row:
        disk = ROOT / "build/bench"
        disk.mkdir(parents=True, exist_ok=True)
    found = [] if args.disk else [(row, TMPFS) for row in rows]
    return found + [(row, disk) for row in rows if disk and row.on_disk]


def run(args):
    results = args.to / "bench"
    results.mkdir(parents=True, exist_ok=True)
    failed = 0
    for row, folder in [] if args.report_only else jobs(args):
        on_disk = folder != TMPFS
        name = row.name + (".disk" if on_disk else "")
        say(f"{name}: {row.title}")
        try:
            data = measure(row, folder, args.pairs or (DISK_PAIRS if on_disk else row.pairs))
        except BenchError as error:
            say(f"{name} failed: {error}")
            failed += 1
            continue
        (results / f"{name}.json").write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
        print(f"\n{report.section(row, data)}\n\n{report.summary([(row, data)])}\n", flush=True)
    report.write(args.to)
    say(f"Written: {args.to / 'performance.md'}")
    return 1 if failed else 0


def terminated(*_):
    sys.exit(143)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, terminated)
    try:
        sys.exit(run(arguments()))
    except KeyboardInterrupt:
        sys.exit(130)
