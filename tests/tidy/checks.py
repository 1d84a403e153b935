"""The tidy checks. Each takes a Source, or all of them, and returns messages
"file:line: what is wrong".

What may include what is the diagram of docs/architecture.md ("The idea"); the reasons of the
other rules stand beside them.
"""
import posixpath
import re

from source import ROOT, line_of

MAX_FILE_LINES = 800
MAX_FUNCTION_LINES = 70
MAX_COLUMNS = 100
# Scripts have no formatter here, and their lists and texts break badly.
MAX_SCRIPT_COLUMNS = 110
MAX_BEAST_FILES = 3

# A box of the diagram → what of ours it may include. The longest matching prefix decides; what
# stands in no box (tests) may include anything.
BOXES = {
    "proto/": ("proto/",),
    "dht/": ("dht/", "proto/"),
    "transfer/": ("transfer/", "proto/"),
    "storage/": ("storage/", "proto/"),
    "node/engine/": ("node/engine/", "dht/", "transfer/", "proto/"),
    # The two headers are the values that engine and jobs exchange.
    "node/jobs/": ("node/jobs/", "storage/", "proto/", "node/engine/job.hpp",
                   "node/engine/catalog_write.hpp"),
    "node/": ("node/", "dht/", "transfer/", "storage/", "proto/"),
    "tools/kith/": ("tools/kith/", "node/", "proto/"),
}
# The command line is a client of the API that may also run a node; it never reaches past that.
FORBIDDEN = {"tools/kith/": ("node/engine/", "node/jobs/")}

PURE = ("proto/", "dht/", "transfer/", "node/engine/")  # state machines: no I/O of any kind
CORES = PURE + ("node/jobs/", "storage/")  # no clocks, threads, sockets, global randomness

_CRYPTO_HEADER = re.compile(r"^(sodium(\.h|/)|openssl/|blake3)")
_CORE_HEADERS = re.compile(
    r"^(boost/(?!system/)|nlohmann/|spdlog/|fmt/|CLI/|qrencode|thread$|future$|condition_variable$"
    r"|semaphore$|barrier$|latch$|stop_token$|coroutine$|random$|ctime$|time\.h$|pthread\.h$"
    r"|sys/(socket|time|epoll|select|random)\.h$|netdb\.h$|poll\.h$|ifaddrs\.h$)")
_FILE_HEADERS = re.compile(
    r"^(fstream$|filesystem$|iostream$|fcntl\.h$|unistd\.h$|dirent\.h$"
    r"|sys/(stat|mman|uio|file|statvfs|vfs|syscall|inotify|types)\.h$)")
_MUTEX_HEADERS = re.compile(r"^(mutex|shared_mutex)$")

# Calls that make a core depend on something other than its arguments. Sockets are also kept out by
# their headers: `connect(…)` alone may be a function of ours, `::connect(…)` may not.
_BANNED_CALLS = [
    (r"\w*_clock\s*::\s*now\b", "time is an argument (TimePoint)"),
    (r"\bstd\s*::\s*chrono\s*::\s*\w+_clock\b", "time is an argument (TimePoint, CoreClock)"),
    (r"(?<![\w.>:])(?:std\s*::\s*|::\s*)?time\s*\(\s*(?:nullptr|NULL|0|&\s*\w+)\s*\)",
     "time is an argument (TimePoint)"),
    (r"\b(?:gettimeofday|clock_gettime|timespec_get|localtime(?:_r)?|gmtime(?:_r)?)\s*\(",
     "time is an argument (TimePoint)"),
    (r"(?<![\w.>])(?:srand|srandom)\s*\(|(?<![\w.>])rand\s*\(\s*\)",
     "randomness is an argument (Rng&)"),
    (r"\b(?:getrandom|arc4random\w*|drand48)\s*\(", "randomness is an argument (Rng&)"),
    (r"\bstd\s*::\s*(?:random_device|mt19937(?:_64)?|minstd_rand0?|default_random_engine)\b",
     "randomness is an argument (Rng&)"),
    (r"\bstd\s*::\s*(?:ranges\s*::\s*)?(?:shuffle|sample)\b", "differs between standard libraries"),
    (r"\bstd\s*::\s*\w+_distribution\b", "differs between standard libraries"),
    (r"\bstd\s*::\s*(?:j?thread|async|future|promise|condition_variable\w*|counting_semaphore"
     r"|this_thread)\b", "a core has no threads"),
    (r"\b(?:pthread_\w+|usleep|nanosleep)\s*\(", "a core has no threads and never waits"),
    (r"(?<![\w.>:])(?:socket|socketpair|setsockopt|getsockopt|recvfrom|recvmsg|recvmmsg|sendto"
     r"|sendmsg|sendmmsg|accept4|getaddrinfo|epoll_\w+)\s*\(", "a core has no sockets"),
    (r"(?<![\w>)])::\s*(?:bind|connect|listen|accept|send|recv|poll|select|shutdown)\s*\(",
     "a core has no sockets"),
]
_BANNED_CALLS = [(re.compile(pattern), why) for pattern, why in _BANNED_CALLS]
_MUTEX = re.compile(r"\bstd\s*::\s*(?:\w*mutex|lock_guard|unique_lock|scoped_lock|shared_lock)\b")
# Storage and jobs are called by several threads of the pool and guard what these share. In the pure
# cores only the pool of slabs is shared.
_MUTEX_ALLOWED = ("proto/slab.hpp", "proto/slab.cpp", "storage/", "node/jobs/")

_UNFINISHED = re.compile(r"\b(TODO|FIXME)\b|(?://|#|\*)\s*XXX\b")
_PIECE = re.compile(r"\b\w*(?:Piece|piece_)\w*")
_WAITING = re.compile(r"\b(?:sleep_for|sleep_until|usleep|nanosleep)\s*\(")


def _at(source, line, message):
    return f"{source.path}:{line}: {message}"


def _find(source, pattern, message, text=None):
    text = source.code if text is None else text
    return [_at(source, line_of(text, m.start()), message.format(m.group(0).strip()))
            for m in pattern.finditer(text)]


def _in(source, folders):
    return source.path.startswith(folders)


def _box(path):
    return max((prefix for prefix in BOXES if path.startswith(prefix)), key=len, default=None)


def include_arrows(source):
    """Our own includes follow the diagram, and are written from the top of the checkout."""
    box = _box(source.path)
    if box is None:
        return []
    found = []
    for line, name, ours in source.includes:
        if not ours:
            continue
        forbidden = FORBIDDEN.get(box, ())
        if not name.startswith(BOXES[box]) or name.startswith(forbidden) and forbidden:
            found.append(_at(source, line, f"{box} must not include {name}"))
    return found


def foreign_includes(source):
    """Which libraries and system headers a folder may use."""
    found = []
    for line, name, ours in source.includes:
        why = None if ours else _foreign_include(source, name)
        if why:
            found.append(_at(source, line, f"<{name}>: {why}"))
    return found


def _foreign_include(source, name):
    if _in(source, "tests/"):
        return None
    if _CRYPTO_HEADER.match(name) and not _in(source, "proto/crypto/"):
        return "only proto/crypto includes cryptographic libraries"
    if name == "sqlite3.h" and not _in(source, "storage/"):
        return "only storage includes SQLite"
    if _in(source, CORES) and _CORE_HEADERS.match(name):
        return "not in a core: no threads, clocks, sockets, randomness or large libraries there"
    if _in(source, PURE) and _FILE_HEADERS.match(name):
        return "not in a pure core: no files there"
    if _in(source, CORES) and _MUTEX_HEADERS.match(name) and not _in(source, _MUTEX_ALLOWED):
        return "not in a pure core: no locks there (but in proto/slab)"
    if name.startswith("boost/asio") and not _in(source, ("node/", "tools/")):
        return "Asio only in node and tools"
    return None


def few_beast_files(sources):
    """Beast costs a minute and 1.5 GB per file that includes it."""
    users = [s.path for s in sources if not _in(s, "tests/")
             and any(name.startswith("boost/beast") for _, name, _ in s.includes)]
    if len(users) <= MAX_BEAST_FILES:
        return []
    return [f"{path}:1: one of {len(users)} files that include Beast; {MAX_BEAST_FILES} may"
            for path in users]


def dead_files(sources, lists):
    """Every .cpp is named in some CMakeLists.txt, a fuzz target by the name of what it feeds.
    `lists`: folder → text of its CMakeLists.txt."""
    built = set()
    for folder, text in lists.items():
        names = re.findall(r"[\w./-]+\.cpp\b", text)
        names += [name + "_fuzz.cpp" for name in re.findall(r"\bkith_fuzz\((\w+)", text)]
        built |= {posixpath.normpath(f"{folder}/{name}") for name in names}
    return [_at(source, 1, "no CMakeLists.txt names this file: it is never compiled")
            for source in sources if source.path.endswith(".cpp") and source.path not in built]


def broken_links(source):
    """Relative links of a document lead to something. `source` is a Markdown file."""
    found = []
    for match in re.finditer(r"\]\(([^)#\s]+)[^)\s]*\)", source.text):
        target = match.group(1)
        folder = posixpath.dirname(source.path)
        if "://" not in target and not (ROOT / folder / target).exists():
            line = line_of(source.text, match.start())
            found.append(_at(source, line, f"the link {target} leads nowhere"))
    return found


def banned_calls(source):
    """Cores depend on their arguments only: same seed, same trace."""
    if not _in(source, CORES):
        return []
    found = []
    for pattern, why in _BANNED_CALLS:
        found += _find(source, pattern, "{}: " + why)
    if not _in(source, _MUTEX_ALLOWED):
        found += _find(source, _MUTEX, "{}: a pure core has no locks (but proto/slab)")
    return found


def coroutine_places(source):
    """Coroutines live in node alone, outside of engine and jobs."""
    if _in(source, "tests/") or _in(source, "node/") and not _in(source, CORES):
        return []
    keywords = re.compile(r"\bco_(?:await|return|yield)\b")
    return _find(source, keywords, "{} outside of node's drivers")


def co_await_operands(source):
    """GCC 12 destroys temporaries twice in an expression that contains co_await: from there to the
    end of the expression, no braced initialiser and no lambda may stand."""
    found = []
    for match in re.finditer(r"\bco_await\b", source.code):
        for what, position in _operand_faults(source.code, match.end()):
            line = line_of(source.code, position)
            message = f"{what} in the operand of co_await: make a local first"
            found.append(_at(source, line, message))
    return found


def _operand_faults(code, position):
    """Reads on until a ';' or a closing bracket that was opened before the co_await."""
    depth = 0
    before = ""  # the last character that is not a space
    for i in range(position, len(code)):
        c = code[i]
        if c == "{":
            yield "'{'", i
        if c == "[" and not (before.isalnum() or before in '_])"'):
            yield "a lambda", i
        if c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
        if depth < 0 or c == ";" and depth == 0:
            return
        if not c.isspace():
            before = c


def columns(source, limit=MAX_COLUMNS):
    """Lines that fit beside another file."""
    return [_at(source, number, f"{len(line)} columns; {limit} at most")
            for number, line in enumerate(source.text.split("\n"), 1) if len(line) > limit]


def sizes(source):
    """Small files, small functions, and columns()."""
    lines = source.text.split("\n")
    found = columns(source)
    if len(lines) - 1 > MAX_FILE_LINES:
        found.append(_at(source, 1, f"{len(lines) - 1} lines; {MAX_FILE_LINES} at most"))
    for first, last in functions(source.code):
        length = last - first + 1
        if length > MAX_FUNCTION_LINES:
            message = f"a function of {length} lines; {MAX_FUNCTION_LINES} at most"
            found.append(_at(source, first, message))
    return found


def functions(code):
    """(first line, last line) of each function with a body, by counting braces: a '{' that stands
    at the level of a namespace or class, behind a ')' of its own declaration, opens one."""
    found, head, start = [], 0, None
    opened = []  # kinds of the braces that are open
    for match in re.finditer(r"[{};]", code):
        c, position = match.group(0), match.start()
        if c == "{":
            inside = bool(opened) and opened[-1] != "scope"
            opened.append("inner" if inside else _kind(code[head:position]))
            if opened[-1] == "function":
                start = head + len(code[head:position]) - len(code[head:position].lstrip())
            if opened[-1] == "scope":
                head = position + 1
        elif c == "}":
            kind = opened.pop() if opened else "scope"
            if kind == "function":
                found.append((line_of(code, start), line_of(code, position)))
            if kind in ("function", "scope"):
                head = position + 1
        elif not opened or opened[-1] == "scope":
            head = position + 1
    return found


def _kind(head):
    """Of a '{' that is not within a function: what it opens, from the text before it."""
    if not _opens_function(head):
        return "scope"
    in_initialisers = re.search(r"\)[^()]*[^:]:(?!:)", head)
    last_word = re.search(r"([\w>]+)\s*$", head)
    if in_initialisers and last_word and last_word.group(1) not in ("try", "const", "noexcept"):
        return "initialiser"  # `: a_(x), b_{y}`: the body is still to come
    return "function"


def _opens_function(head):
    head = _without_template(head)
    if re.match(r"\s*(?:(?:inline|typedef|static|constexpr|const|public|private|protected|:)\s*)*"
                r"(?:(?:namespace|class|struct|union|enum)\b|extern\s*\"[^\"]*\"\s*$)", head):
        return False
    return ")" in head


def _without_template(head):
    """`template <class T> requires …` holds words that would look like those of a class."""
    match = re.search(r"\btemplate\s*<", head)
    if not match:
        return head
    depth, i = 1, match.end()
    while i < len(head) and depth:
        depth += (head[i] == "<") - (head[i] == ">" and head[i - 1] != "-")
        i += 1
    return head[i:]


def unfinished(source):
    """Finished, or not there."""
    return _find(source, _UNFINISHED, "{}: finish it, or file an issue", source.text)


def words(source):
    """One word for one thing: chunk, never piece."""
    if _in(source, "tests/"):
        return []
    return _find(source, _PIECE, "'{}': the word is chunk")


def no_waiting_in_unit_tests(source):
    """A test that waits is slow on a fast machine and fails on a slow one."""
    if not _in(source, "tests/unit/"):
        return []
    return _find(source, _WAITING, "{}…) in a unit test: pass time in, or wait for an event")


def headers_have_a_guard(source):
    if not source.path.endswith(".hpp") or re.search(r"^#pragma once$", source.text, re.M):
        return []
    return [_at(source, 1, "a header begins with #pragma once")]
