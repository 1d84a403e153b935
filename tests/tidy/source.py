"""Reads C++ sources for the tidy checks: files, their #include lines, and their text with comments
and literals blanked, so that a check never trips over prose. Line numbers stay as in the file."""
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("proto", "dht", "transfer", "storage", "node", "tools", "tests")

# One alternative per thing in which code-like text means nothing. Raw strings come first: they may
# hold quotes and comments. A character literal has no digit before it, or 1'000 would begin one.
_OPAQUE = re.compile(
    r'R"(?P<tag>[^()\s\\"]{0,16})\((?s:.*?)\)(?P=tag)"'
    r"|//[^\n]*|/\*(?s:.*?)\*/"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|(?<![0-9a-fA-F])'(?:[^'\\\n]|\\.)+'")
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)
_DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.M)


def _blank(match):
    """Spaces for everything but line ends; a literal keeps its quotes, to stay an expression."""
    text = match.group(0)
    inner = re.sub(r"[^\n]", " ", text)
    return inner if text.startswith("/") else '"' + inner[1:-1] + '"'


def line_of(text, position):
    return text.count("\n", 0, position) + 1


@dataclass(frozen=True)
class Source:
    """One file. `path` is relative to the top of the checkout, with forward slashes."""

    path: str
    text: str

    @cached_property
    def code(self):
        """The text without comments, literals and preprocessor lines."""
        return _DIRECTIVE.sub(_blank_directive, _OPAQUE.sub(_blank, self.text))

    @cached_property
    def includes(self):
        """(line, name, is_ours) of each #include; ours are the quoted ones."""
        without_comments = re.sub(r"//[^\n]*|/\*(?s:.*?)\*/", _blank, self.text)
        return [(line_of(self.text, m.start(1)), m.group(2), m.group(1) == '"')
                for m in _INCLUDE.finditer(without_comments)]


def _blank_directive(match):
    return re.sub(r"[^\n]", " ", match.group(0))


def read_tree(suffixes=(".hpp", ".cpp")):
    """Every source of ours, sorted by path."""
    sources = []
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in suffixes and path.is_file():
                sources.append(Source(path.relative_to(ROOT).as_posix(),
                                      path.read_text(encoding="utf-8")))
    return sources


def read_documents():
    paths = [*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md"))]
    return [Source(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
            for path in paths]


def read_lists():
    """Folder → text of its CMakeLists.txt."""
    return {path.parent.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
            for folder in FOLDERS for path in (ROOT / folder).rglob("CMakeLists.txt")}


def closure(path, by_path):
    """The paths of a file and of everything of ours that it includes, however indirectly."""
    seen, queue = set(), [path]
    while queue:
        current = queue.pop()
        if current in seen or current not in by_path:
            continue
        seen.add(current)
        queue += [name for _, name, ours in by_path[current].includes if ours]
    return sorted(seen)
