// A small swarm for cases that a large random one meets rarely: commands and what became of them.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/swarm/invite.hpp"
#include "tests/sim/world.hpp"
#include "tests/unit/storage/support.hpp"

namespace kith::sim {

using namespace std::chrono_literals;
using storage::test::Tree;

using Answer = std::optional<Result<node::Done>>;

inline const Chunking kTiny = Chunking::tiny(256);

class Case {
 public:
  explicit Case(std::size_t nodes, std::uint64_t seed = 1, NetworkFaults faults = {})
      : world(seed, faults) {
    for (std::size_t i = 0; i < nodes; ++i) world.add_node();
    EXPECT_TRUE(ask(0, node::CreateSwarm{"swarm"}));
    for (std::size_t i = 1; i < nodes; ++i) join(i);
  }
  ~Case() { EXPECT_THAT(world.catalog_errors(), testing::IsEmpty()); }

  std::string invite(std::chrono::milliseconds lifetime = 24h) {
    node::MakeInvite command;
    command.lifetime = lifetime;
    return std::get<node::InviteMade>(*ask(0, command)).text;
  }

  void join(std::size_t node) {
    const auto joined = ask(node, node::Join{*Invite::parse(invite()), "a device", 60s});
    ASSERT_TRUE(joined) << to_string(joined.error());
  }

  /// The final answer of a command, within `limit`.
  Result<node::Done> ask(std::size_t node, node::CommandBody body, Duration limit = 120s) {
    const auto answer = begin(node, std::move(body));
    if (!world.run_until([&] { return answer->has_value(); }, limit)) {
      return local_error(Errc::kTimeout, "no answer");
    }
    return std::move(**answer);
  }

  std::shared_ptr<Answer> begin(std::size_t node, node::CommandBody body) {
    auto answer = std::make_shared<Answer>();
    request =
        world.node(node).command(std::move(body), [answer](auto r) { *answer = std::move(r); });
    return answer;
  }

  std::string share(std::size_t node, const Tree& tree, const std::string& path = "/shared",
                    const Chunking& chunking = kTiny) {
    storage::MemoryFileIo& disk = world.node(node).disk();
    disk.set_time_ns(count(world.now().wall) * 1'000'000);
    storage::test::write_tree(disk, path, tree);
    const auto link = world.node(node).share(path, chunking);
    EXPECT_TRUE(link) << to_string(link.error());
    return link ? *link : std::string();
  }

  static node::Fetch fetch_to(const std::string& link, const std::string& directory) {
    node::Fetch out;
    out.link = *Link::parse(link);
    out.directory = directory;
    out.name = "it";
    return out;
  }

  /// The bytes that one ReadFile brings.
  Result<std::string> read(std::size_t node, const node::ReadFile& command) {
    const auto answer = ask(node, command);
    if (!answer) return answer.error();
    std::string out;
    for (const node::FileStretch& stretch : std::get<node::FileRead>(*answer).stretches) {
      Buffer bytes(stretch.length);
      stretch.chunk->copy_out(stretch.offset, bytes);
      out.append(bytes.begin(), bytes.end());
    }
    return out;
  }

  /// The result of a fetch, which must succeed.
  node::FetchResult fetched(std::size_t node, const node::Fetch& command) {
    const auto answer = ask(node, command);
    EXPECT_TRUE(answer) << to_string(answer.error());
    return answer ? std::get<node::FetchResult>(*answer) : node::FetchResult();
  }

  /// Somebody writes one byte of a file, now.
  void edit(std::size_t node, const std::string& top, const std::string& name,
            std::uint64_t offset) {
    storage::MemoryFileIo& disk = world.node(node).disk();
    disk.set_time_ns(count(world.now().wall) * 1'000'000);
    const auto opened = disk.open_file(*disk.open_root(top), name, storage::OpenMode::kReadWrite);
    char other = 'x';
    const iovec part{&other, 1};
    ASSERT_TRUE(disk.write(*opened, offset, std::span(&part, 1)));
  }

  Tree tree_at(std::size_t node, const std::string& path) {
    return storage::test::read_tree(world.node(node).disk(), path);
  }

  std::vector<node::ShareView> shares(std::size_t node) {
    return std::get<node::SharesAnswer>(*ask(node, node::ListShares{})).shares;
  }

  World world;
  node::RequestId request{};  // of the last command
};

inline Tree noise_tree(std::size_t bytes, std::uint64_t seed = 7) {
  return {{"", storage::test::directory()},
          {"a", storage::test::file(storage::test::noise(seed, bytes))},
          {"b", storage::test::file("small")}};
}

}  // namespace kith::sim
