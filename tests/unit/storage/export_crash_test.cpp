// A fetch that crashes at every single operation, as a process and as a system, and goes on
// afterwards with what the catalog would know. At no moment is anything but the whole share, or
// what was there before, under the final name.
#include <cerrno>
#include <set>

#include "storage/chunk_reader.hpp"
#include "storage/memory_file_io.hpp"
#include "tests/unit/storage/support.hpp"

namespace kith::storage::test {
namespace {

using Crash = MemoryFileIo::Crash;
using State = PreparedExport::State;

// What the node remembers across crashes, and how it uses it (docs/architecture.md, "Two kinds of
// crash"). A catalog commit is durable here as soon as it is made.
struct Catalogued {
  StagedRoot staged;
  std::set<std::uint32_t> had, durable;
  bool complete = false;
  std::string boot;
};

class CrashRun {
 public:
  CrashRun(const Shared& shared, MemoryFileIo& io, ExportTarget target, Tree before)
      : shared_(shared), io_(io), target_(std::move(target)), before_(std::move(before)) {}

  // One life of the node: until the fetch is done, or the first error.
  Result<void> live() {
    target_.finished = known_.complete;
    KITH_TRY(auto prepared, prepare_export(io_, shared_.import.root, shared_.import.share, target_,
                                           known_.staged));
    if (prepared.state == State::kPublished) {
      if (!known_.complete) ADD_FAILURE() << "renamed before it was complete";
      done_ = true;
      return {};
    }
    if (!prepared.exporter) return local_error(Errc::kExists, "the destination exists");
    Exporter& exporter = *prepared.exporter;
    if (prepared.state == State::kFresh) known_ = {};
    known_.staged = exporter.staged();
    KITH_CHECK(believe_what_is_there(exporter));
    known_.boot = io_.boot_id();
    for (std::uint32_t chunk = 0; chunk < shared_.chunks.size(); ++chunk) {
      if (known_.had.contains(chunk)) continue;
      KITH_CHECK(write_chunk(exporter, pool_, shared_, chunk));
      known_.had.insert(chunk);
      if (chunk % 3 == 2) KITH_CHECK(sync(exporter));
    }
    auto finished = exporter.finish(shared_.pages(), UnixMillis(0), no_stats());
    if (!finished && !io_.crashed()) known_.had.clear();  // verify everything: here, fetch it again
    if (!finished) return std::move(finished).error();
    if (!finished->altered.empty()) {
      ADD_FAILURE() << "altered: " << finished->altered_path;
      return local_error(Errc::kChanged, "altered", finished->altered_path);
    }
    KITH_CHECK(sync(exporter));
    known_.complete = true;
    KITH_CHECK(exporter.publish());
    done_ = true;
    return {};
  }

  void expect_final_name_is_whole() {
    const Tree now = read_tree(io_, "/out/tree");
    const Tree whole = without_link_times(expected());
    EXPECT_TRUE(now == whole || now == without_link_times(before_));
    if (done_) {
      EXPECT_EQ(now, whole);
    }
  }
  [[nodiscard]] bool done() const { return done_; }

 private:
  Result<void> sync(Exporter& exporter) {
    const auto mark = known_.had;
    KITH_CHECK(exporter.sync());
    known_.durable = mark;
    return {};
  }

  // Another boot: what is not durable is read back and compared.
  Result<void> believe_what_is_there(Exporter& exporter) {
    if (known_.boot.empty() || known_.boot == io_.boot_id()) return {};
    std::set<std::uint32_t> good = known_.durable;
    for (const std::uint32_t chunk : known_.had) {
      if (good.contains(chunk)) {
        EXPECT_TRUE(is_on_disk(exporter, chunk)) << "a durable chunk is lost: " << chunk;
      } else if (is_on_disk(exporter, chunk)) {
        KITH_CHECK(confirm(exporter, chunk));
        good.insert(chunk);
      }
      if (io_.crashed()) return local_error(Errc::kIo, "crashed");
    }
    known_.had = good;
    return {};
  }

  bool is_on_disk(Exporter& exporter, std::uint32_t chunk) {
    const ShareShape shape(shared_.import.root);
    std::vector<Stretch> stretches;
    const auto [first, last] = shape.pages_of_chunk(chunk);
    for (std::uint32_t number = first; number <= last; ++number) {
      if (shape.chunk_count(number) == 0) continue;
      const Page page = shared_.page(number);
      append_stretches(page, PageLayout(page), chunk - shape.first_chunk(number), nullptr,
                       stretches);
    }
    const Buffer& expected = shared_.chunks[chunk];
    const auto read = read_chunk(exporter.files(), pool_, stretches, 0,
                                 static_cast<std::uint32_t>(expected.size()));
    // A crash while reading is no proof of anything.
    return io_.crashed() || (read && read->data.to_buffer() == expected);
  }

  Result<void> confirm(Exporter& exporter, std::uint32_t chunk) {
    const ShareShape shape(shared_.import.root);
    const auto [first, last] = shape.pages_of_chunk(chunk);
    for (std::uint32_t number = first; number <= last; ++number) {
      if (!shape.describes(number, chunk)) continue;
      const Page page = shared_.page(number);
      KITH_CHECK(exporter.confirm_chunk(page, PageLayout(page), chunk - shape.first_chunk(number)));
    }
    return {};
  }

  [[nodiscard]] const Tree& expected() const { return *tree_; }

 public:
  const Tree* tree_ = nullptr;

 private:
  const Shared& shared_;
  MemoryFileIo& io_;
  ExportTarget target_;
  Tree before_;
  Catalogued known_;
  SlabPool pool_;
  bool done_ = false;
};

struct Scenario {
  const char* name;
  Tree tree;
  Tree before;  // at the final name
};

void crash_at_every_call(const Scenario& scenario, Crash kind, std::uint64_t seeds) {
  MemoryFileIo source;
  SlabPool pool;
  write_tree(source, "/tree", scenario.tree);
  const auto shared = share(source, pool, "/tree", import_options(Chunking::tiny(1024)));
  const ExportTarget target{.directory = "/out", .name = {}, .replace = !scenario.before.empty()};
  for (std::uint64_t call = 1;; ++call) {
    bool crashed = false;
    for (std::uint64_t seed = 0; seed < seeds; ++seed) {
      SCOPED_TRACE(testing::Message()
                   << scenario.name << ", crash before call " << call << ", seed " << seed);
      MemoryFileIo io;
      make_dir(io, "/out");
      if (!scenario.before.empty()) write_tree(io, "/out/tree", scenario.before);
      ASSERT_OK(io.sync_all(*io.open_root("/")));
      CrashRun run(*shared, io, target, scenario.before);
      run.tree_ = &scenario.tree;
      io.crash_at(io.calls() + call, kind);
      const auto first = run.live();
      crashed = io.crashed();
      io.forget_script();
      if (!crashed) EXPECT_OK(first);
      // A second crash soon after the first, then peace.
      if (crashed) {
        io.restart(seed);
        run.expect_final_name_is_whole();
        io.crash_at(io.calls() + 1 + (call * 7 + seed) % 60, kind);
        (void)run.live();
        io.forget_script();
        if (io.crashed()) io.restart(seed + 100);
        run.expect_final_name_is_whole();
      }
      std::string why;
      for (int life = 0; life < 3 && !run.done(); ++life) {
        if (const auto lived = run.live(); !lived) why += to_string(lived.error()) + "; ";
      }
      EXPECT_TRUE(run.done()) << why;
      run.expect_final_name_is_whole();
      EXPECT_EQ(names_in(io, "/out"), std::vector<std::string>{"tree"});
      if (testing::Test::HasFailure()) return;
    }
    if (!crashed) return;
  }
}

const Tree kTree = {{"", directory(0750)},     {"a", file("one", 0600)},
                    {"d", directory(0555)},    {"d/b", file("two", 0711)},
                    {"d/e", directory(0700)},  {"d/e/deep", file(noise(3, 300))},
                    {"empty", file("", 0400)}, {"large", file(noise(1, 9000), 0640)},
                    {"link", symlink("d/b")},  {"z", file(noise(2, 2000))}};
const Tree kOld = {
    {"", directory()}, {"old", file("precious")}, {"dir", directory()}, {"dir/x", file("y")}};

TEST(ExportCrash, ProcessCrashes) {
  crash_at_every_call({"tree", kTree, {}}, Crash::kProcess, 1);
  crash_at_every_call({"replaced", kTree, kOld}, Crash::kProcess, 1);
  crash_at_every_call({"single", {{"", file(noise(1, 9000), 0640)}}, {}}, Crash::kProcess, 1);
}

TEST(ExportCrash, SystemCrashesOfATree) {
  crash_at_every_call({"tree", kTree, {}}, Crash::kSystem, 6);
}

TEST(ExportCrash, SystemCrashesWhileReplacing) {
  crash_at_every_call({"replaced", kTree, kOld}, Crash::kSystem, 6);
}

TEST(ExportCrash, SystemCrashesOfASingleFile) {
  crash_at_every_call({"single", {{"", file(noise(1, 9000), 0640)}}, {}}, Crash::kSystem, 6);
  crash_at_every_call({"empty", {{"", file("")}}, {}}, Crash::kSystem, 6);
}

TEST(ExportCrash, SystemCrashesOfManyFiles) {
  // More than are synced one by one.
  Tree tree = {{"", directory()}};
  for (int i = 0; i < 80; ++i) tree["f" + std::to_string(i)] = file(noise(1, 40));
  crash_at_every_call({"many", tree, {}}, Crash::kSystem, 2);
}

// Every call fails once with ENOSPC or EIO: the fetch stops with an error that says so, and goes
// on.
TEST(ExportCrash, EveryCallFailsOnce) {
  MemoryFileIo source;
  SlabPool pool;
  write_tree(source, "/tree", kTree);
  const auto shared = share(source, pool, "/tree", import_options(Chunking::tiny(1024)));
  for (const int error : {ENOSPC, EIO}) {
    for (std::uint64_t call = 1;; ++call) {
      SCOPED_TRACE(testing::Message() << "error " << error << " at call " << call);
      MemoryFileIo io;
      make_dir(io, "/out");
      CrashRun run(*shared, io, {.directory = "/out", .name = {}}, {});
      run.tree_ = &kTree;
      bool failed = false;
      io.before_call(io.calls() + call, [&] {
        failed = true;
        return error;
      });
      const auto first = run.live();
      if (!failed) break;
      if (!first) {
        EXPECT_EQ(first.error().code, error == ENOSPC ? Errc::kNoSpace : Errc::kIo);
        EXPECT_TRUE(first.error().subject.starts_with("/out")) << to_string(first.error());
      }
      for (int life = 0; life < 3 && !run.done(); ++life) (void)run.live();
      EXPECT_TRUE(run.done());
      run.expect_final_name_is_whole();
      if (HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace kith::storage::test
