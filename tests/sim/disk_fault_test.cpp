// Disks that fail at every single call, once or from then on: the command says so, nothing half is
// visible, and when the disk is well again the same command gives what it would have given.
#include <cerrno>

#include "tests/sim/case.hpp"

namespace kith::sim {
namespace {

using storage::MemoryFileIo;
using storage::test::directory;
using storage::test::file;

const Tree& small_tree() {
  static const Tree kTree = {
      {"", directory(0750)},      {"a", file(storage::test::noise(1, 12'000), 0600)},
      {"deep", directory()},      {"deep/b", file("some words")},
      {"deep/c", file("", 0444)}, {"link", storage::test::symlink("deep/b")}};
  return kTree;
}

struct Fault {
  const char* name;
  int error;     // that the call fails with; 0: none
  bool remount;  // from then on nothing may be changed
  bool full;     // from then on there is no room for content
};
constexpr Fault kFaults[] = {{"EIO", EIO, false, false},
                             {"ENOSPC", ENOSPC, false, false},
                             {"ReadOnly", 0, true, false},
                             {"Full", 0, false, true}};

// From the n-th call from now.
void plan(MemoryFileIo& disk, const Fault& fault, std::uint64_t call, bool& struck) {
  disk.before_call(disk.calls() + call, [&disk, &struck, fault] {
    struck = true;
    if (fault.remount) disk.set_read_only(true);
    if (fault.full) disk.set_capacity(disk.used_bytes());
    return fault.error;
  });
}

void heal(MemoryFileIo& disk) {
  disk.forget_script();
  disk.set_read_only(false);
  disk.set_capacity(UINT64_MAX);
}

bool says_so(const Error& error, const Fault& fault) {
  if (fault.full || fault.error == ENOSPC) return error.code == Errc::kNoSpace;
  return error.code == (fault.remount ? Errc::kUnsupported : Errc::kIo);
}

std::string share_small(Case& c) {
  MemoryFileIo& disk = c.world.node(0).disk();
  disk.set_time_ns(count(c.world.now().wall) * 1'000'000);
  storage::test::write_tree(disk, "/shared", small_tree());
  c.world.run_for(10s);
  return c.world.node(0).share("/shared", kTiny).value();
}

// What comes late of a fetch that failed is nothing to the next one of the same share.
TEST(DiskFaults, AFetchThatFailsTakesNoOtherWithIt) {
  std::size_t both = 0;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(seed);
    Case c(2, seed);
    const std::string link = c.share(0, noise_tree(1 << 20));
    MemoryFileIo& disk = c.world.node(1).disk();
    const auto first = c.begin(1, Case::fetch_to(link, "/first"));
    const auto second = c.begin(1, Case::fetch_to(link, "/second"));
    const auto is_on_its_way = [&] {
      const auto shares = c.shares(1);
      return !shares.empty() && shares.front().bytes_have > 100'000;
    };
    ASSERT_TRUE(c.world.run_until(is_on_its_way, 60s));
    for (std::uint64_t call = 1; call <= 4; ++call) {
      disk.before_call(disk.calls() + call, [] { return EIO; });
    }
    const auto done = [&] { return first->has_value() && second->has_value(); };
    ASSERT_TRUE(c.world.run_until(done, 120s));
    both += **first || **second ? 0U : 1U;
    if (!**second) {
      EXPECT_THAT((*second)->error().subject, testing::StartsWith("/second"));
    }
  }
  EXPECT_LT(both, 15U) << "hardly ever the first alone";
}

class DiskFault : public testing::TestWithParam<Fault> {};

// False: the fetch ended before that many calls.
bool fetch_with_fault(const Fault& fault, std::uint64_t call) {
  SCOPED_TRACE(testing::Message() << "at call " << call);
  Case c(2, call);
  const std::string link = share_small(c);
  MemoryFileIo& disk = c.world.node(1).disk();
  bool struck = false;
  plan(disk, fault, call, struck);
  const auto first = c.ask(1, Case::fetch_to(link, "/fetched"));
  if (!struck) return false;
  heal(disk);
  const Tree whole = storage::test::without_link_times(small_tree());
  if (!first) {
    EXPECT_TRUE(says_so(first.error(), fault)) << to_string(first.error());
    EXPECT_THAT(first.error().subject, testing::StartsWith("/")) << to_string(first.error());
    EXPECT_THAT(first.error().subject, testing::Not(testing::HasSubstr("/fetched/fetched")));
    const Tree now = storage::test::exists(disk, "/fetched") ? c.tree_at(1, "/fetched/it") : Tree();
    EXPECT_TRUE(now.empty() || now == whole) << "something half is visible";
  }
  const auto second = c.ask(1, Case::fetch_to(link, "/fetched"));
  EXPECT_TRUE(second) << to_string(second.error());
  EXPECT_EQ(c.tree_at(1, "/fetched/it"), whole);
  c.world.run_for(1s);
  EXPECT_THAT(storage::test::names_in(disk, "/fetched"), testing::ElementsAre("it"));
  const auto shares = c.shares(1);
  EXPECT_EQ(shares.size(), 1U);
  EXPECT_TRUE(shares.empty() || shares.front().state == "complete") << shares.front().state;
  return true;
}

TEST_P(DiskFault, WhileItFetches) {
  std::uint64_t call = 1;
  while (fetch_with_fault(GetParam(), call) && !HasFailure()) ++call;
  EXPECT_GT(call, 50U) << "so few calls?";
}

// False: it served everything before that many calls.
bool serve_with_fault(const Fault& fault, std::uint64_t call) {
  SCOPED_TRACE(testing::Message() << "at call " << call);
  Case c(2, call);
  node::Fetch command = Case::fetch_to(share_small(c), "/fetched");
  bool struck = false;
  plan(c.world.node(0).disk(), fault, call, struck);
  const auto first = c.ask(1, command);
  heal(c.world.node(0).disk());
  if (!first) {
    EXPECT_EQ(first.error().code, Errc::kNotFound) << to_string(first.error());
    const auto second = c.ask(1, command);
    EXPECT_TRUE(second) << to_string(second.error());
  }
  EXPECT_EQ(c.tree_at(1, "/fetched/it"), storage::test::without_link_times(small_tree()));
  EXPECT_EQ(c.shares(0).front().state, "shared") << c.shares(0).front().problem;
  return struck;
}

TEST_P(DiskFault, WhileItServes) {
  std::uint64_t call = 1;
  while (serve_with_fault(GetParam(), call) && !HasFailure()) ++call;
  EXPECT_GT(call, 10U) << "so few calls?";
}

// False: it was shared before that many calls.
bool share_with_fault(const Fault& fault, std::uint64_t call, const std::string& expected) {
  SCOPED_TRACE(testing::Message() << "at call " << call);
  Case c(1, 7);  // the same swarm each time, so that the link is the same
  MemoryFileIo& disk = c.world.node(0).disk();
  disk.set_time_ns(count(c.world.now().wall) * 1'000'000);
  storage::test::write_tree(disk, "/shared", small_tree());
  c.world.run_for(10s);
  bool struck = false;
  plan(disk, fault, call, struck);
  auto shared = c.world.node(0).share("/shared", kTiny);
  heal(disk);
  if (!shared) {
    EXPECT_THAT(c.shares(0), testing::IsEmpty());
    shared = c.world.node(0).share("/shared", kTiny);
  }
  EXPECT_TRUE(shared) << to_string(shared.error());
  if (shared) {
    EXPECT_EQ(*shared, expected);
  }
  EXPECT_EQ(storage::test::read_tree(disk, "/shared"),
            storage::test::without_link_times(small_tree()));
  return struck;
}

TEST_P(DiskFault, WhileItShares) {
  Case c(1, 7);
  const std::string link = share_small(c);
  std::uint64_t call = 1;
  while (share_with_fault(GetParam(), call, link) && !HasFailure()) ++call;
  EXPECT_GT(call, 10U) << "so few calls?";
}

// Half of it is here, and a fault strikes while it is removed. False: it was removed before that
// many calls.
bool cancel_with_fault(const Fault& fault, std::uint64_t call) {
  SCOPED_TRACE(testing::Message() << "at call " << call);
  Case c(2, call);
  const std::string link = share_small(c);
  MemoryFileIo& disk = c.world.node(1).disk();
  bool stopped = false;
  plan(disk, kFaults[0], 60, stopped);
  EXPECT_FALSE(c.ask(1, Case::fetch_to(link, "/fetched")));
  EXPECT_EQ(storage::test::names_in(disk, "/fetched").size(), 1U) << "nothing was staged";
  bool struck = false;
  plan(disk, fault, call, struck);
  EXPECT_TRUE(c.ask(1, node::CancelFetch{Link::parse(link)->share.hex()}));
  c.world.run_for(1s);
  if (!struck) return false;
  heal(disk);
  EXPECT_TRUE(c.ask(1, node::CollectGarbage{}));
  EXPECT_THAT(storage::test::names_in(disk, "/fetched"), testing::IsEmpty());
  return true;
}

TEST_P(DiskFault, WhileItRemovesWhatWasCancelled) {
  std::uint64_t call = 1;
  while (cancel_with_fault(GetParam(), call) && !HasFailure()) ++call;
  EXPECT_GT(call, 10U) << "so few calls?";
}

INSTANTIATE_TEST_SUITE_P(, DiskFault, testing::ValuesIn(kFaults),
                         [](const auto& fault) { return std::string(fault.param.name); });

}  // namespace
}  // namespace kith::sim
