"""Tests the tidy checks themselves: each bad snippet is caught at its line, good code passes."""
import tempfile
import unittest
from pathlib import Path

import checks
import headers
from source import Source, closure


def found(check, path, text):
    return check(Source(path, text))


class Arrows(unittest.TestCase):
    def assert_refused(self, path, include, check=checks.include_arrows):
        said = found(check, path, f"#pragma once\n#include {include}\n")
        self.assertEqual(len(said), 1, f"{path} including {include}")
        self.assertTrue(said[0].startswith(f"{path}:2: "), said)

    def assert_allowed(self, path, include):
        text = f"#include {include}\n"
        self.assertEqual(found(checks.include_arrows, path, text), [])
        self.assertEqual(found(checks.foreign_includes, path, text), [])

    def test_upward_and_sideways_edges(self):
        for path, include in [
                ("proto/a.hpp", "dht/node.hpp"), ("dht/a.hpp", "transfer/manager.hpp"),
                ("transfer/a.hpp", "storage/extents.hpp"), ("storage/a.cpp", "dht/node.hpp"),
                ("dht/a.hpp", "node/engine/x.hpp"), ("node/engine/a.hpp", "storage/x.hpp"),
                ("node/engine/a.hpp", "node/runtime.hpp"), ("node/engine/a.hpp", "node/jobs/x.hpp"),
                ("node/jobs/a.hpp", "node/engine/x.hpp"), ("node/jobs/a.hpp", "transfer/x.hpp"),
                ("node/runtime.cpp", "tools/kith/x.hpp"), ("tools/kith/a.cpp", "storage/x.hpp"),
                ("tools/kith/a.cpp", "node/engine/x.hpp"), ("proto/a.hpp", "bytes.hpp")]:
            self.assert_refused(path, f'"{include}"')

    def test_downward_edges(self):
        for path, include in [
                ("proto/wire/a.hpp", "proto/bytes.hpp"), ("dht/a.hpp", "proto/ids.hpp"),
                ("node/engine/a.cpp", "dht/node.hpp"), ("node/jobs/a.cpp", "storage/importer.hpp"),
                ("node/runtime.cpp", "node/engine/x.hpp"), ("node/runtime.cpp", "node/jobs/x.hpp"),
                ("tools/kith/a.cpp", "node/api/x.hpp"), ("tools/simulate.cpp", "tests/sim/x.hpp"),
                ("node/jobs/a.hpp", "node/engine/job.hpp"),
                ("tests/unit/dht/a.cpp", "transfer/manager.hpp")]:
            self.assert_allowed(path, f'"{include}"')

    def test_foreign_headers(self):
        for path, header in [
                ("storage/a.cpp", "sodium.h"), ("node/a.cpp", "openssl/evp.h"),
                ("proto/wire/a.cpp", "blake3.h"), ("dht/a.hpp", "thread"), ("proto/a.hpp", "mutex"),
                ("transfer/a.cpp", "random"), ("proto/a.cpp", "boost/asio/buffer.hpp"),
                ("node/engine/a.cpp", "boost/asio.hpp"), ("node/jobs/a.cpp", "nlohmann/json.hpp"),
                ("storage/a.cpp", "sys/socket.h"), ("dht/a.cpp", "fstream"),
                ("node/a.cpp", "sqlite3.h"), ("node/engine/a.cpp", "unistd.h")]:
            self.assert_refused(path, f"<{header}>", checks.foreign_includes)
        for path, header in [
                ("proto/crypto/a.cpp", "sodium.h"), ("proto/slab.hpp", "mutex"),
                ("storage/a.hpp", "mutex"),
                ("proto/result.hpp", "boost/system/result.hpp"), ("storage/a.cpp", "sqlite3.h"),
                ("storage/a.cpp", "fcntl.h"), ("node/runtime.cpp", "boost/asio.hpp"),
                ("node/pool.cpp", "thread"), ("tests/unit/proto/a.cpp", "random")]:
            self.assert_allowed(path, f"<{header}>")

    def test_a_commented_include_is_none(self):
        self.assert_allowed("proto/a.hpp", '"proto/b.hpp"  // not "dht/node.hpp"')
        text = '// #include "dht/a.hpp"\n'
        self.assertEqual(found(checks.include_arrows, "proto/a.hpp", text), [])

    def test_beast(self):
        def user(name):
            return Source(f"node/{name}.cpp", "#include <boost/beast/http.hpp>\n")
        self.assertEqual(checks.few_beast_files([user(n) for n in "abc"]), [])
        self.assertEqual(len(checks.few_beast_files([user(n) for n in "abcd"])), 4)


    def test_links(self):
        text = "[a](source.py) [b](https://x/y.md) [c](#part) [d](checks.py#x)\n[e](nowhere.md)\n"
        said = found(checks.broken_links, "tests/tidy/x.md", text)
        self.assertEqual(said, ["tests/tidy/x.md:2: the link nowhere.md leads nowhere"])

    def test_dead_files(self):
        lists = {"dht": "target_sources(kith_dht PRIVATE a.cpp core/b.cpp ../c.cpp)",
                 "tests/fuzz": "kith_fuzz(krpc kith_proto)"}
        alive = ["dht/a.cpp", "dht/core/b.cpp", "c.cpp", "dht/x.hpp", "tests/fuzz/krpc_fuzz.cpp"]
        dead = ["dht/xa.cpp", "dht/b.cpp", "dht/core/a.cpp", "tests/fuzz/rpc_fuzz.cpp"]
        said = checks.dead_files([Source(path, "") for path in alive + dead], lists)
        self.assertEqual([line.partition(":")[0] for line in said], dead)


class BannedCalls(unittest.TestCase):
    BAD = [
        "auto t = std::chrono::steady_clock::now();", "using Clock = std::chrono::system_clock;",
        "auto t = time(nullptr);", "auto t = std::time(0);", "time_t t; ::time(&t);",
        "gettimeofday(&tv, nullptr);", "clock_gettime(CLOCK_REALTIME, &ts);", "int r = rand();",
        "std::srand(1);", "srand(1);", "std::random_device device;", "std::mt19937_64 engine(1);",
        "std::shuffle(a.begin(), a.end(), g);", "std::ranges::shuffle(a, g);",
        "std::uniform_int_distribution<int> d(1, 6);", "std::thread t(f);", "std::jthread t(f);",
        "std::this_thread::sleep_for(1s);", "std::mutex mutex_;", "std::lock_guard lock(mutex_);",
        "int fd = socket(AF_INET, SOCK_DGRAM, 0);", "if (::connect(fd, a, n) < 0) {}",
        "::bind(fd, a, n);", "return ::send(fd, p, n, 0);", "recvfrom(fd, p, n, 0, a, m);",
        "getrandom(p, n, 0);"]
    GOOD = [
        "TimePoint time() const;", "auto t = message.time();", "out.connect(id, endpoint);",
        "void connect(ConnId id);", "void bind(int handle);", "session.send(frame);",
        "// calls time(nullptr), std::thread", 'log("std::mutex, rand()");', "rng.random(16);",
        "kith::dht::connect(x);", "auto id = rng.random<Id>();", "Fixed random() {}",
        "std::chrono::nanoseconds wait;", "Rng& rand_source();",
        "auto lifetime = lifetime_of(0);", "operand(1);", "void Session::send(Frame frame) {}"]

    def test_bad(self):
        for code in self.BAD:
            with self.subTest(code):
                said = found(checks.banned_calls, "transfer/a.cpp", "int x;\n" + code + "\n")
                self.assertGreaterEqual(len(said), 1)
                self.assertTrue(said[0].startswith("transfer/a.cpp:2: "), said)

    def test_good(self):
        for code in self.GOOD:
            with self.subTest(code):
                self.assertEqual(found(checks.banned_calls, "transfer/a.cpp", code), [])

    def test_places(self):
        for folder in ("proto", "dht", "transfer", "storage", "node/engine", "node/jobs"):
            path = folder + "/a.cpp"
            self.assertTrue(found(checks.banned_calls, path, "int r = rand();"), path)
        for path in ("node/runtime.cpp", "tools/kith/main.cpp", "tests/unit/proto/a.cpp"):
            self.assertEqual(found(checks.banned_calls, path, "int r = rand();"), [], path)
        self.assertEqual(found(checks.banned_calls, "proto/slab.hpp", "std::mutex mutex_;"), [])


class Coroutines(unittest.TestCase):
    BAD = [
        "co_await write(Buffer{p, n});", "co_await send(socket, {p, n}, use);",
        "co_await run([x] { return x; });", "co_await run([&] { return 1; });",
        "auto n = co_await read(a,\n   b, Options{});", "co_await f(a[0], [] {});",
        "f(co_await a(), T{});"]
    GOOD = [
        "co_await read(socket, buffer, use);", "if (co_await done()) { x(); }",
        "if (auto r = co_await done(); r) { x(); }", "while (!(co_await done())) {}",
        "for (auto& x : co_await all()) { f(x); }", "co_await f(array[0], table [1]);",
        "auto [ec, n] = co_await read(s); T x{n};", 'co_await log("{ [x]");',
        "co_return co_await next();  // {", "co_spawn(ex, [] { co_await f(); }, detached);"]

    def test_bad(self):
        for code in self.BAD:
            with self.subTest(code):
                said = found(checks.co_await_operands, "node/driver.cpp", code)
                self.assertGreaterEqual(len(said), 1)

    def test_the_line_is_that_of_the_brace(self):
        said = found(checks.co_await_operands, "node/driver.cpp", "int x;\nco_await f(a,\n  T{});")
        self.assertTrue(said[0].startswith("node/driver.cpp:3: "), said)

    def test_good(self):
        for code in self.GOOD:
            with self.subTest(code):
                self.assertEqual(found(checks.co_await_operands, "node/driver.cpp", code), [])

    def test_places(self):
        for path in ("dht/a.cpp", "node/engine/a.cpp", "tools/kith/a.cpp"):
            self.assertTrue(found(checks.coroutine_places, path, "co_return 1;"), path)
        self.assertEqual(found(checks.coroutine_places, "node/driver.cpp", "co_return 1;"), [])


class Sizes(unittest.TestCase):
    def test_columns(self):
        self.assertEqual(found(checks.sizes, "proto/a.cpp", "x" * 100 + "\n"), [])
        self.assertEqual(found(checks.sizes, "proto/a.cpp", "é" * 100 + "\n"), [])
        said = found(checks.sizes, "proto/a.cpp", "\n" + "x" * 101 + "\n")
        self.assertEqual(said, ["proto/a.cpp:2: 101 columns; 100 at most"])

    def test_files(self):
        self.assertEqual(found(checks.sizes, "proto/a.cpp", "\n" * 800), [])
        self.assertEqual(len(found(checks.sizes, "proto/a.cpp", "\n" * 801)), 1)

    def function(self, lines, head="void f() {", prefix="namespace kith {\n", suffix="\n}"):
        return prefix + head + "\n" * (lines - 1) + "}" + suffix

    def test_functions(self):
        heads = [
            "void f() {", "Thing::Thing(int a) : a_(a), b_{a} {", "template <class T> T f(T x) {",
            "auto f() -> Result<std::vector<int>> {", "bool operator==(A a, A b) const noexcept {",
            "Thing::Thing() noexcept : a_{1}, b_{std::vector<int>{2}}, c_(3) {",
            'extern "C" int f(const char* p) {', "TEST(Suite, Case) {",
            "static const auto f = [](std::span<int> a) -> int {"]
        for head in heads:
            with self.subTest(head):
                self.assertEqual(found(checks.sizes, "proto/a.cpp", self.function(70, head)), [])
                said = found(checks.sizes, "proto/a.cpp", self.function(71, head))
                self.assertEqual(said, ["proto/a.cpp:2: a function of 71 lines; 70 at most"])

    def test_a_member_function(self):
        prefix = "class A : public B<int(int)> {\n public:\n"
        text = self.function(71, "  void f() const {", prefix, "};")
        self.assertEqual(len(found(checks.sizes, "proto/a.cpp", text)), 1)

    def test_what_is_no_function(self):
        for head in ("namespace x {", "class A : B<void()> {", "enum class E : int {",
                     'extern "C" {', "constexpr int table[] = {", "union U {",
                     "template <class T> struct S {"):
            with self.subTest(head):
                text = self.function(200, head, "", ";")
                self.assertEqual(found(checks.sizes, "proto/a.cpp", text), [])

    def test_braces_in_literals_do_not_count(self):
        text = self.function(60, "void f() {\n  g('{', \"}{{\", R\"(\"}})\", 1'000); // {{\n")
        self.assertEqual(found(checks.sizes, "proto/a.cpp", text + self.function(60)), [])


class Words(unittest.TestCase):
    def test_unfinished(self):
        for mark in ("TODO", "FIXME", "XXX"):
            self.assertTrue(found(checks.unfinished, "node/a.cpp", f"// {mark}: later\n"))
        fine = 'mkdtemp("/tmp/XXXXXX"); f("XXX", Noise_XXpsk0);'
        self.assertEqual(found(checks.unfinished, "node/a.cpp", fine), [])

    def test_piece(self):
        for name in ("PiecePicker", "piece_index", "kPieceSize", "last_piece_"):
            self.assertTrue(found(checks.words, "dht/a.hpp", f"int {name};"), name)
        self.assertEqual(found(checks.words, "dht/a.hpp", "int chunk; // a BitTorrent Piece"), [])
        self.assertEqual(found(checks.words, "tests/unit/a.cpp", "TEST(Set, InPieces) {}"), [])

    def test_waiting(self):
        code = "std::this_thread::sleep_for(1ms);"
        self.assertTrue(found(checks.no_waiting_in_unit_tests, "tests/unit/dht/a_test.cpp", code))
        self.assertEqual(found(checks.no_waiting_in_unit_tests, "node/a.cpp", code), [])

    def test_guard(self):
        self.assertTrue(found(checks.headers_have_a_guard, "dht/a.hpp", "int x;\n"))
        good = "// a\n#pragma once\n"
        self.assertEqual(found(checks.headers_have_a_guard, "dht/a.hpp", good), [])
        self.assertEqual(found(checks.headers_have_a_guard, "dht/a.cpp", "int x;\n"), [])


class Headers(unittest.TestCase):
    def setUp(self):
        self.a = Source("x/a.hpp", '#include "x/b.hpp"\n')
        self.b = Source("x/b.hpp", '#include "x/a.hpp"\n#include <vector>\n')

    def test_closure_survives_a_cycle(self):
        by_path = {"x/a.hpp": self.a, "x/b.hpp": self.b}
        self.assertEqual(closure("x/a.hpp", by_path), ["x/a.hpp", "x/b.hpp"])

    def test_digest_changes_with_an_included_header(self):
        before = headers.digest("x/a.hpp", {"x/a.hpp": self.a, "x/b.hpp": self.b})
        changed = Source("x/b.hpp", "int y;\n")
        after = headers.digest("x/a.hpp", {"x/a.hpp": self.a, "x/b.hpp": changed})
        self.assertNotEqual(before, after)

    def test_a_header_that_lacks_an_include(self):
        with tempfile.TemporaryDirectory() as folder:
            bad, good = Path(folder, "bad.hpp"), Path(folder, "good.hpp")
            bad.write_text("#pragma once\nstd::vector<int> x();\n")
            good.write_text("#pragma once\n#include <vector>\nstd::vector<int> x();\n")
            self.assertIn("error", headers.compile_alone(str(bad)))
            self.assertEqual(headers.compile_alone(str(good)), "")

    def test_a_header_that_every_build_proves(self):
        def files(*includes):
            return {path: Source(path, text) for path, text in [
                ("x/c.hpp", ""), ("x/c.cpp", "".join(f"#include {name}\n" for name in includes))]}
        self.assertEqual(list(headers.to_compile(files('"x/c.hpp"', "<vector>"))), [])
        self.assertEqual(list(headers.to_compile(files("<vector>", '"x/c.hpp"'))), ["x/c.hpp"])
        self.assertEqual(list(headers.to_compile({"x/c.hpp": Source("x/c.hpp", "")})), ["x/c.hpp"])

    def test_a_damaged_cache_is_an_empty_one(self):
        with tempfile.TemporaryDirectory() as folder:
            cache = Path(folder, "sub/headers.json")
            self.assertEqual(headers.load(cache), {})
            headers.store({"a": "1"}, cache)
            self.assertEqual(headers.load(cache), {"a": "1"})
            cache.write_text("{", encoding="utf-8")
            self.assertEqual(headers.load(cache), {})


if __name__ == "__main__":
    unittest.main()
