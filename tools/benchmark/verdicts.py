"""Whether a row shows what it should. Pure: a row's rules and what was measured in, values out."""
from typing import NamedTuple

import figures
from rows import Faster, Median, Rate


class Verdict(NamedTuple):
    rule: Faster | Median | Rate
    value: figures.Spread
    met: bool
    rival: str  # the one of the group that did best; "" where the rule has none
    by: str  # "seconds" or "cpu_seconds"


def names_of(data, group):
    return [name for name, contender in data["contenders"].items() if contender["group"] == group]


def bound_samples(data):
    """Of the yardstick, or of the faster bound of the row; empty if it has neither."""
    if data["yardstick"]:
        return figures.kept(data["yardstick"])
    fastest = figures.best_of(data["pairs"], names_of(data, "bound"), "seconds")
    return figures.all_of(data["pairs"], "other", fastest) if fastest else []


def judge(rule, row, data, by):
    pairs = data["pairs"]
    kith = figures.all_of(pairs, "kith")
    if isinstance(rule, Median):
        value = figures.value_of(kith, rule.key)
        return Verdict(rule, value, value.median <= rule.at_most, "", "seconds")
    if isinstance(rule, Rate):
        value = figures.rate(kith, row.size)
        return Verdict(rule, value, value.median >= rule.at_least, "", "seconds")
    rival = figures.best_of(pairs, names_of(data, rule.group), by)
    value = figures.times_faster(figures.pairs_with(pairs, rival), by)
    return Verdict(rule, value, value.median >= rule.at_least, rival, by)


def verdicts(row, data):
    by = figures.judged_by(bound_samples(data))
    return [judge(rule, row, data, by) for rule in row.targets]
