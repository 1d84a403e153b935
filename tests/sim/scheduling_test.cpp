// Whole engines and what they make of the uploads that are there, by the virtual clock. Everything
// is a sixteenth of its usual size: chunks of 64 KiB on average, 500 kB/s for each, files of 16
// MiB. So what is counted in seconds is as with 1 MiB, 8 MB/s and 256 MiB. The real sizes, without
// content: tests/unit/transfer/scheduling_test.cpp.
#include "tests/sim/case.hpp"

namespace kith::sim {
namespace {

using storage::MemoryFileIo;

const Chunking kSmall = Chunking::tiny(16);
constexpr std::uint64_t kUpload = 500'000;
constexpr std::size_t kFile = 16 << 20;
constexpr NetworkFaults kNear{.delay_min = 1ms, .delay_max = 10ms};

double in_seconds(Duration duration) { return static_cast<double>(duration.count()) * 1e-9; }

void limit_upload(Case& c, std::size_t node, std::uint64_t rate) {
  node::ChangeLimit command;
  command.up = rate;
  ASSERT_TRUE(c.ask(node, command));
}

/// Begun long ago, so that no chunk is hashed before it is sent.
std::string share_old(Case& c, std::size_t node, const Tree& tree) {
  MemoryFileIo& disk = c.world.node(node).disk();
  disk.set_time_ns(count(c.world.now().wall) * 1'000'000);
  storage::test::write_tree(disk, "/shared", tree);
  c.world.run_for(61s);
  return c.world.node(node).share("/shared", kSmall).value();
}

/// All `nodes` fetch at once: what each got, and the time until the last one had it.
struct Fetched {
  std::vector<node::FetchResult> results;
  double seconds = 0;
};
Fetched fetch_at(Case& c, const std::vector<std::size_t>& nodes, const std::string& link) {
  const TimePoint began = c.world.now().mono;
  std::vector<std::shared_ptr<Answer>> answers;
  for (const std::size_t node : nodes) {
    answers.push_back(c.begin(node, Case::fetch_to(link, "/fetched")));
  }
  const auto done = [&] {
    return std::ranges::all_of(answers, [](const auto& answer) { return answer->has_value(); });
  };
  EXPECT_TRUE(c.world.run_until(done, 300s));
  Fetched out;
  out.seconds = in_seconds(c.world.now().mono - began);
  for (const auto& answer : answers) {
    if (*answer && **answer) out.results.push_back(std::get<node::FetchResult>(***answer));
  }
  EXPECT_EQ(out.results.size(), nodes.size());
  return out;
}

TEST(Scheduling, SixteenFetchersOfASoleSourceComeNearTheBound) {
  constexpr std::size_t kFetchers = 16;
  Case c(1 + kFetchers, 1, kNear);
  const Tree tree = noise_tree(kFile);
  std::vector<std::size_t> fetchers;
  for (std::size_t i = 0; i <= kFetchers; ++i) {
    limit_upload(c, i, kUpload);
    if (i > 0) fetchers.push_back(i);
  }
  const std::string link = share_old(c, 0, tree);
  c.world.run_for(60s);  // all are connected by then
  const Fetched fetched = fetch_at(c, fetchers, link);
  // Kumar and Ross: the source's own upload bounds it, for all together could do 17/16 of that.
  const double times = fetched.seconds * kUpload / kFile;
  std::uint64_t from_source = 0;
  std::uint64_t received = 0;
  for (const node::FetchResult& result : fetched.results) {
    received += result.bytes_received;
    for (const node::SourceView& source : result.sources) {
      if (source.name != "a device") from_source += source.bytes;  // who joined is called so
    }
  }
  EXPECT_LE(times, 1.10) << "x the bound";
  EXPECT_GE(from_source, kFile);
  EXPECT_LE(static_cast<double>(from_source), 1.10 * kFile);
  EXPECT_LE(static_cast<double>(received), 1.05 * kFetchers * kFile);
  for (const std::size_t node : fetchers) {
    EXPECT_TRUE(c.tree_at(node, "/fetched/it") == c.tree_at(0, "/shared")) << node;
  }
}

// What moves to another source may be under way at the first one, the more the farther that is; and
// near the end some is asked for twice. All of it stays within a twentieth, and a chunk. What was
// overdue and comes after all is not part of that, and is little: another chunk.
TEST(Scheduling, WhatComesTwiceStaysWithinATwentieth) {
  const std::uint64_t most = kFile + kFile / 20 + 2 * kSmall.max;
  for (const Duration delay : {Duration(20ms), Duration(120ms), Duration(300ms)}) {
    Case c(9, 1, {.delay_min = 1ms, .delay_max = delay});
    std::vector<std::size_t> fetchers;
    for (std::size_t i = 0; i < c.world.size(); ++i) {
      // Everybody asks the source, and the others are faster.
      limit_upload(c, i, i == 0 ? kUpload : 4 * kUpload);
      if (i > 0) fetchers.push_back(i);
    }
    const std::string link = share_old(c, 0, noise_tree(kFile));
    c.world.run_for(60s);
    for (const node::FetchResult& result : fetch_at(c, fetchers, link).results) {
      EXPECT_LE(result.bytes_received, most) << delay.count();
    }
  }
}

void make_liar(Node& node) {
  node.see_no_damage();  // or it would mend itself
  MemoryFileIo& disk = node.disk();
  const storage::Dir root = disk.open_root("/shared").value();
  const storage::FileInfo info = disk.stat_at(root, "a").value();
  const storage::File file = disk.open_file(root, "a", storage::OpenMode::kReadWrite).value();
  std::string other = storage::test::noise(99, 2 * kFile);
  disk.set_time_ns(info.ctime_ns);
  const iovec part{other.data(), other.size()};
  ASSERT_TRUE(disk.write(file, 0, std::span(&part, 1)));
  ASSERT_TRUE(disk.set_mtime(file, info.mtime_ns));
}

/// Seconds of a fetch of 32 MiB from five sources, and from three more that are no good.
double from_several(bool with_bad) {
  constexpr std::size_t kGood = 5, kLiar = 6, kSlow = 7, kStalls = 8;
  Case c(1 + kGood + (with_bad ? 3 : 0), 1, kNear);
  const Tree tree = noise_tree(2 * kFile);
  std::string link;
  for (std::size_t i = 1; i < c.world.size(); ++i) {
    limit_upload(c, i, i == kSlow ? kUpload / 100 : kUpload);
    link = share_old(c, i, tree);
  }
  c.world.run_for(60s);
  if (with_bad) {
    make_liar(c.world.node(kLiar));
    c.world.after(2s, [&c] { c.world.node(kStalls).sleep(10min); });
  }
  const Fetched fetched = fetch_at(c, {0}, link);
  EXPECT_TRUE(c.tree_at(0, "/fetched/it") == c.tree_at(1, "/shared"));
  const auto banned =
      std::ranges::count(c.world.node(0).events(), "device-banned", &node::NodeEvent::kind);
  EXPECT_EQ(banned, with_bad ? 1 : 0);
  return fetched.seconds;
}

TEST(Scheduling, OneThatStallsOneThatIsSlowAndOneThatLiesCostLittle) {
  const double without = from_several(false);
  const double with = from_several(true);
  EXPECT_LE(with, 1.15 * without) << without << " s without";
}

}  // namespace
}  // namespace kith::sim
