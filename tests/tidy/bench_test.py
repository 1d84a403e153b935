"""Tests of the arithmetic and judgement of tools/bench, on which docs/performance.md stands."""
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools/benchmark"))
import figures  # noqa: E402  (its folder is no package)
import report  # noqa: E402
import verdicts  # noqa: E402
from rows import Faster, Median, Rate, Row  # noqa: E402


def sample(seconds, cpu=1.0, **more):
    return {"seconds": seconds, "cpu_seconds": cpu, **more}


def pairs(rival, *times):
    """Pairs with one rival, from (kith's seconds, the rival's)."""
    return [{"rival": rival, "kith": sample(kith), "other": sample(other)} for kith, other in times]


def row(*targets):
    return Row("x", "X", 1000, 0, None, "rate", list(targets))


def data(found, yardstick=()):
    names = dict.fromkeys(pair["rival"] for pair in found)
    groups = {name: {"label": name, "group": name.split("-")[0], "settings": ""} for name in names if name}
    return {"contenders": groups, "pairs": found, "yardstick": list(yardstick)}


class Arithmetic(unittest.TestCase):
    def test_quartiles_are_between_ordered_values(self):
        self.assertEqual(figures.spread([5, 1, 4, 2, 3]), (2, 3, 4))
        self.assertEqual(figures.spread([1, 2, 3, 4]), (1.75, 2.5, 3.25))
        self.assertEqual(figures.spread([10, 20]), (12.5, 15, 17.5))
        self.assertEqual(figures.spread([7]), (7, 7, 7))

    def test_nothing_has_no_median(self):
        with self.assertRaises(ValueError):
            figures.spread([])

    def test_the_median_is_deaf_to_one_outlier(self):
        self.assertEqual(figures.spread([1, 1, 1, 1, 1000]).median, 1)

    def test_the_first_does_not_count(self):
        self.assertEqual(figures.kept([9, 1, 2]), [1, 2])
        self.assertEqual(figures.kept([9]), [9])

    def test_a_ratio_is_taken_per_pair(self):
        # The machine was twice as slow in the last pair: that says nothing about kith.
        found = pairs("a", (100, 1), (1, 2), (1, 3), (2, 8))
        ratio = figures.times_faster(figures.pairs_with(found, "a"))
        self.assertEqual(ratio.median, 3)
        self.assertEqual((ratio.low, ratio.high), (2.5, 3.5))

    def test_the_first_of_each_rival_is_dropped(self):
        found = pairs("a", (100, 9), (1, 2)) + pairs("b", (100, 9), (3, 4))
        self.assertEqual([one["seconds"] for one in figures.all_of(found, "kith")], [1, 3])
        self.assertEqual([one["seconds"] for one in figures.all_of(found, "other", "b")], [4])

    def test_rates_and_cpu_time(self):
        self.assertEqual(figures.rate([sample(2)], 1000).median, 500)
        self.assertEqual(figures.cpu_per_gib([sample(9, cpu=3)], 2 << 30).median, 1.5)

    def test_the_best_setting_of_a_rival(self):
        found = pairs("a-1", (1, 1), (1, 5)) + pairs("a-2", (1, 9), (1, 4))
        self.assertEqual(figures.best_of(found, ["a-1", "a-2", "a-3"], "seconds"), "a-2")
        self.assertIsNone(figures.best_of(found, ["b"], "seconds"))

    def test_peak_memory_is_the_most_of_each_node(self):
        samples = [sample(1, peak_rss={"a": 5, "b": 1}), sample(1, peak_rss={"a": 2, "b": 3})]
        self.assertEqual(figures.peaks(samples), {"a": 5, "b": 3})


class Judgement(unittest.TestCase):
    def judge(self, rule, found, yardstick=()):
        (verdict,) = verdicts.verdicts(row(rule), data(found, yardstick))
        return verdict

    def test_a_factor_is_met_at_its_limit_and_not_below(self):
        self.assertTrue(self.judge(Faster("a", 2), pairs("a", (9, 9), (1, 2))).met)
        self.assertFalse(self.judge(Faster("a", 2.01), pairs("a", (9, 9), (1, 2))).met)

    def test_the_better_setting_counts(self):
        found = pairs("a", (1, 1), (1, 4)) + pairs("a-tuned", (1, 1), (1, 3))
        verdict = self.judge(Faster("a", 3.5), found)
        self.assertEqual((verdict.rival, verdict.value.median, verdict.met), ("a-tuned", 3, False))

    def test_an_unsteady_bound_means_cpu_time(self):
        # The first sample of the bound does not count; 20 % is still steady.
        steady = [sample(99), sample(0.9), sample(1), sample(1.1)]
        self.assertLessEqual(figures.value_of(steady[1:], "seconds").noise, figures.NOISY)
        found = pairs("a", (9, 9), (1, 4))
        found[1]["other"]["cpu_seconds"] = 7.0
        self.assertEqual(self.judge(Faster("a", 1), found, steady)[1:], ((4, 4, 4), True, "a", "seconds"))
        unsteady = [sample(1), sample(0.7), sample(1), sample(1.3)]
        verdict = self.judge(Faster("a", 1), found, unsteady)
        self.assertEqual(verdict[1:], ((7, 7, 7), True, "a", "cpu_seconds"))

    def test_the_faster_bound_of_a_row_shows_how_steady_it_is(self):
        unsteady = pairs("bound-0", (1, 1), (1, 1), (1, 9)) + pairs("bound-2", (1, 1), (1, 0.5), (1, 0.5))
        self.assertEqual(self.judge(Faster("bound", 0.4), unsteady).by, "seconds")

    def test_medians_and_rates(self):
        alone = [{"rival": None, "kith": sample(seconds)} for seconds in (9, 1, 2, 3)]
        self.assertTrue(self.judge(Median("seconds", 2), alone).met)
        self.assertFalse(self.judge(Median("seconds", 1.9), alone).met)
        self.assertTrue(self.judge(Rate(500), alone).met)
        self.assertFalse(self.judge(Rate(501), alone).met)


class Document(unittest.TestCase):
    def test_what_was_written_by_hand_stays(self):
        first = report.between_marks("# Performance\n\nBy hand.\n", "1 figure")
        self.assertTrue(first.startswith("# Performance\n\nBy hand.\n\n" + report.BEGIN))
        second = report.between_marks(first + "\nBehind.\n", "2 figures")
        self.assertEqual(second, first.replace("1 figure", "2 figures") + "\nBehind.\n")

    def test_a_missed_rule_is_said(self):
        found = {**data(pairs("bound-0", (1, 1), (4, 1))), "file_system": "tmpfs"}
        for pair in found["pairs"]:
            pair["kith"]["peak_rss"] = {"source": 300_000_000}
        found["contenders"]["bound-0"]["label"] = "the bound, 1 thread"
        text = report.summary([(row(Faster("bound", 0.85)), found)])
        self.assertIn("| ≥ 0.85 × the bound | 0.25 × (0.25–0.25) | the bound, 1 thread, by time | **no** |",
                      text)
        self.assertIn("| 300 MB |  | **no** |", text)


if __name__ == "__main__":
    unittest.main()
