"""The charts of docs/performance.md, drawn by matplotlib from what was measured."""
import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot  # noqa: E402  (after the backend was chosen)

import figures  # noqa: E402

OURS, THEIRS, BOUND = "#1f6f8b", "#b0b7bd", "#e0a458"
# Text stays text, and the same figures give the same file.
pyplot.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "kith", "font.size": 9,
                        "axes.spines.top": False, "axes.spines.right": False})


def bars(axis, labels, spreads, colors, title):
    """Medians as bars, quartiles as whiskers."""
    medians = [one.median for one in spreads]
    errors = [[one.median - one.low for one in spreads], [one.high - one.median for one in spreads]]
    axis.barh(range(len(labels)), medians, xerr=errors, color=colors, height=0.7,
              error_kw={"elinewidth": 1, "ecolor": "#444444"})
    axis.set_yticks(range(len(labels)), labels)
    axis.set_title(title, loc="left", fontsize=9)


def draw(row, data, path):
    """kith and its rivals: how fast, and with how much CPU time."""
    entries = [("kith", figures.all_of(data["pairs"], "kith"), OURS)]
    for name, contender in data["contenders"].items():
        if name != "kith":
            color = BOUND if contender["group"] == "bound" else THEIRS
            entries.append((contender["label"], figures.all_of(data["pairs"], "other", name), color))
    labels, samples, colors = zip(*entries)
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 0.9 + 0.32 * len(labels)), sharey=True)
    if row.shows == "rate":
        speed = [figures.scaled(figures.rate(some, row.size), 1e-9) for some in samples]
        bars(left, labels, speed, colors, "GB/s (more is better)")
    else:
        bars(left, labels, [figures.value_of(some, "seconds") for some in samples], colors,
             "seconds (less is better)")
    bars(right, labels, [figures.cpu_per_gib(some, row.size) for some in samples], colors,
         "CPU seconds per GiB (less is better)")
    left.invert_yaxis()  # the first on top; the right one shares it
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
