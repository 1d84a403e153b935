"""Writes docs/performance.md from the JSON of docs/bench. Every figure comes from there. What stands
outside of the two marks in the document is written by hand, and kept."""
import json

import figures
from rows import PEAK_RSS_AT_MOST, ROWS, Faster, Rate
from verdicts import bound_samples, verdicts

BEGIN = "<!-- tools/bench writes from here -->"
END = "<!-- to here -->"
GROUPS = {"bound": "the bound", "libtorrent": "libtorrent", "libtorrent-rc4": "libtorrent with RC4",
          "scp": "scp", "rsync": "the rsync daemon", "good-sources": "the good ones alone"}
METHOD = f"""
Input is made of random bytes and old enough that no node doubts it; all files are on tmpfs and warm, all
traffic is on loopback. kith and a rival run by turns, in every second round the rival first. The first
round does not count, but in it everything that arrived is compared with the source. Figures are medians,
with quartiles in parentheses; a ratio is the median of the ratios of the pairs. CPU time is user and
system time of all processes that take part. Rivals run with their defaults and tuned; the better one
counts. A rule is judged by CPU time where the quartiles of the bound lie more than {figures.NOISY:.0%} of
its median apart: then the machine was not quiet enough for time. On a disk, kith's time ends where it
prints the path, everything synced; rivals are followed by `sync -f`. Disk rows are reported, not judged.

kith's nodes run already and know each other; the fetching one is new in every run. kith's time is that of
the command (`kith fetch`, `kith share`). libtorrent's is from adding the torrent, which is hashed and
known to both sides before, to "seeding"; sessions run already. scp's and rsync's is that of the command,
the server running. The *bound* (`tools/benchmark/bound.cpp`) does kith's passes over the content and
nothing else: read, ChaCha20, ChaCha20-Poly1305 in records of 61,440 bytes, TCP over loopback, open,
BLAKE3, decipher, write, in two processes, over the chunks into which kith cuts the file.
""".strip()


def shown(value, unit="", digits=2):
    """A median with its quartiles."""
    return f"{value.median:,.{digits}f}{unit} ({value.low:,.{digits}f}–{value.high:,.{digits}f})"


def shown_time(value):
    if value.median < 0.1:
        return shown(figures.scaled(value, 1e3), " ms", 1)
    return shown(value, " s")


def shown_key(value, key):
    return shown_time(value) if key == "seconds" else shown(figures.scaled(value, 1 / (1 << 20)), " MiB")


def shown_rate(value):
    return shown(figures.scaled(value, 1e-9), " GB/s", 3)


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def columns_of(row, samples):
    """What is shown of one contender."""
    out = [shown_rate(figures.rate(samples, row.size))] if row.shows == "rate" else []
    out.append(shown_time(figures.value_of(samples, "seconds")))
    if row.shows.startswith("bytes_"):
        out.append(shown_key(figures.value_of(samples, row.shows), row.shows))
    return [*out, shown(figures.cpu_per_gib(samples, row.size), " s")]


def contenders_table(row, data):
    lead = {"rate": ["rate", "time"], "seconds": ["time"], "bytes_received": ["time", "bytes fetched"],
            "bytes_read": ["time", "bytes read"]}[row.shows]
    head = ["", *lead, "CPU time per GiB", "kith is faster by", "and by CPU time"]
    lines = [["kith", *columns_of(row, figures.all_of(data["pairs"], "kith")), "", ""]]
    for name, contender in data["contenders"].items():
        if name != "kith":
            pairs = figures.pairs_with(data["pairs"], name)
            lines.append([contender["label"], *columns_of(row, figures.all_of(data["pairs"], "other", name)),
                          shown(figures.times_faster(pairs, "seconds")),
                          shown(figures.times_faster(pairs, "cpu_seconds"))])
    if len(lines) == 1:
        head, lines = head[:-2], [line[:-2] for line in lines]
    return table(head, lines)


def rule_text(rule):
    if isinstance(rule, Faster):
        return f"≥ {rule.at_least:g} × {GROUPS[rule.group]}"
    if isinstance(rule, Rate):
        return f"≥ {rule.at_least / 1e9:g} GB/s"
    return f"≤ {rule.at_most:.3g} s" if rule.key == "seconds" else f"≤ {rule.at_most / (1 << 20):.4g} MiB"


def verdict_line(row, data, verdict):
    if isinstance(verdict.rule, Faster):
        value = shown(verdict.value, " ×")
        against = f"{data['contenders'][verdict.rival]['label']}, by " + (
            "time" if verdict.by == "seconds" else "CPU time")
    else:
        value = shown_rate(verdict.value) if isinstance(verdict.rule, Rate) else shown_key(
            verdict.value, verdict.rule.key)
        against = ""
    return [row.title, rule_text(verdict.rule), value, against, "yes" if verdict.met else "**no**"]


def summary(found):
    """All rules in one table; rows on a disk have none."""
    lines = [verdict_line(row, data, verdict) for row, data in found if data["file_system"] == "tmpfs"
             for verdict in verdicts(row, data)]
    peak = max(max(figures.peaks(figures.all_of(data["pairs"], "kith")).values()) for _, data in found)
    lines.append(["Peak resident memory of a node in any row", f"≤ {PEAK_RSS_AT_MOST / 1e6:g} MB",
                  f"{peak / 1e6:.0f} MB", "", "yes" if peak <= PEAK_RSS_AT_MOST else "**no**"])
    return table(["", "should be", "is", "against", "met"], lines)


def section(row, data):
    """One row: who took part, how they did, and how steady the machine was."""
    kept = len(figures.pairs_with(data["pairs"], data["pairs"][0]["rival"]))
    where = f"On {data['file_system']}, {kept} {'pairs' if data['pairs'][0]['rival'] else 'runs'} that count"
    bound = bound_samples(data)
    if bound:
        noise = figures.value_of(bound, "seconds").noise
        where += f"; the quartiles of the bound lay {noise:.0%} of its median apart"
    peaks = figures.peaks(figures.all_of(data["pairs"], "kith"))
    nodes = ", ".join(f"{name} {size / 1e6:.0f} MB" for name, size in peaks.items())
    title = row.title + ("" if data["file_system"] == "tmpfs" else f", on {data['file_system']}")
    return (f"### {title}\n\n`{row.name}`. {where}. Peak memory of kith's nodes: {nodes}.\n\n"
            + contenders_table(row, data))


def environments(found):
    """Machine and versions; once where all rows have the same."""
    known = {}
    for row, data in found:
        values = {**data["machine"], **data["versions"]}
        known.setdefault(json.dumps(values), (values, []))[1].append(row.name)
    parts = []
    for values, rows in known.values():
        head = "" if len(known) == 1 else ", ".join(dict.fromkeys(rows)) + ":\n\n"
        parts.append(head + table(["", ""], values.items()))
    return "\n\n".join(parts)


def settings(found):
    """Of every contender that has some, once."""
    lines = {}
    for _, data in found:
        for contender in data["contenders"].values():
            lines[contender["label"], contender["settings"]] = None
    return table(["who", "settings"], [(label, f"`{value}`") for label, value in lines])


def load(folder):
    """(row, data) in the order of the rows, each on tmpfs first."""
    paths = [(row, folder / f"{row.name}{place}.json") for row in ROWS for place in ("", ".disk")]
    return [(row, json.loads(path.read_text(encoding="utf-8"))) for row, path in paths if path.exists()]


def document(found, folder):
    import charts  # here, because matplotlib takes a second and is not needed to read figures

    parts = ["## Summary", summary(found), "## Rows"]
    for row, data in found:
        parts.append(section(row, data))
        if len(data["contenders"]) > 1 and data["file_system"] == "tmpfs":
            charts.draw(row, data, folder / f"{row.name}.svg")
            parts.append(f"![{row.title}](bench/{row.name}.svg)")
    parts += ["## How it was measured", METHOD, "## Settings", settings(found), "## Machine and versions",
              environments(found)]
    return "\n\n".join(parts)


def write(folder):
    """performance.md, and the charts."""
    found = load(folder / "bench")
    if not found:
        return
    path = folder / "performance.md"
    text = path.read_text(encoding="utf-8") if path.exists() else "# Performance\n"
    path.write_text(between_marks(text, document(found, folder / "bench")), encoding="utf-8")


def between_marks(text, written):
    """`text` with `written` between its marks, or behind it if it has none yet."""
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2].strip()
    parts = [before.rstrip(), BEGIN, written, END, after]
    return "\n\n".join(part for part in parts if part) + "\n"
