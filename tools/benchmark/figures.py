"""The arithmetic of tools/bench. Pure: lists of numbers and samples in, figures out.

A sample is what one run of one contender gave: {"seconds": …, "cpu_seconds": …, …}. A pair is
{"rival": name, "kith": sample, "other": sample}, both run one after the other.
"""
import statistics
from typing import NamedTuple

GIB = 1 << 30
NOISY = 0.2  # a bound whose quartiles lie further apart than this part of its median says: use CPU time


class Spread(NamedTuple):
    """A median between its quartiles."""

    low: float
    median: float
    high: float

    @property
    def noise(self):
        return (self.high - self.low) / self.median if self.median else 0.0


def spread(values):
    """Quartiles by linear interpolation between the ordered values, both ends included."""
    if not values:
        raise ValueError("no values")
    if len(values) == 1:
        return Spread(values[0], values[0], values[0])
    return Spread(*statistics.quantiles(values, n=4, method="inclusive"))


def scaled(value, factor):
    """In another unit."""
    return Spread(*(part * factor for part in value))


def kept(samples):
    """All but the first, which warms up; a single one is kept."""
    return samples[1:] if len(samples) > 1 else samples


def pairs_with(pairs, rival):
    """Those that count."""
    return kept([pair for pair in pairs if pair["rival"] == rival])


def all_of(pairs, side, rival=None):
    """The samples of one side of the pairs that count: with one rival, or with each."""
    rivals = [rival] if rival else dict.fromkeys(pair["rival"] for pair in pairs)
    return [pair[side] for name in rivals for pair in pairs_with(pairs, name)]


def times_faster(pairs, key="seconds"):
    """Per pair, how many times the other one took what kith took. `pairs` are those with one rival."""
    return spread([pair["other"][key] / pair["kith"][key] for pair in pairs])


def rate(samples, size):
    """Bytes per second."""
    return spread([size / sample["seconds"] for sample in samples])


def cpu_per_gib(samples, size):
    return spread([sample["cpu_seconds"] * GIB / size for sample in samples])


def peaks(samples):
    """The largest memory that each node ever had: name -> bytes."""
    out = {}
    for sample in samples:
        for node, size in sample["peak_rss"].items():
            out[node] = max(size, out.get(node, 0))
    return out


def value_of(samples, key):
    return spread([sample[key] for sample in samples])


def best_of(pairs, rivals, key):
    """Of several settings of one rival, the name of the one that took least; None if none was run."""
    samples = {rival: all_of(pairs, "other", rival) for rival in rivals}
    took = {rival: value_of(found, key).median for rival, found in samples.items() if found}
    return min(took, key=took.get, default=None)


def judged_by(bound):
    """What the ratios of a row are taken from: time, or CPU time where the bound, whose samples these are, is
    not steady itself."""
    noisy = bound and value_of(bound, "seconds").noise > NOISY
    return "cpu_seconds" if noisy else "seconds"
