// `kith cat`: bytes of a file in order, from peers or from a copy that is here, nothing kept.
#include "tests/sim/case.hpp"

namespace kith::sim {
namespace {

using storage::MemoryFileIo;
using storage::test::directory;
using storage::test::file;
using storage::test::noise;

constexpr std::uint32_t kPortion = 20'000;

Tree library() {
  Tree tree = {{"", directory()}, {"docs", directory()}, {"docs/empty", file("")}};
  for (std::uint64_t i = 0; i < 60; ++i) {
    tree["docs/" + std::to_string(100 + i)] = file(noise(i + 1, 100));
  }
  tree["docs/link"] = storage::test::symlink("100");
  tree["film"] = file(noise(7, 400'000));
  return tree;
}

node::ReadFile reading(const std::string& link, const std::string& path, std::uint64_t offset,
                       std::uint32_t length = kPortion) {
  return {link, path, offset, length};
}

// The whole file, as the command does it.
Result<std::string> read_all(Case& c, std::size_t node, const std::string& link,
                             const std::string& path) {
  std::string out;
  for (;;) {
    KITH_TRY(const std::string more, c.read(node, reading(link, path, out.size())));
    if (more.empty()) return out;
    out += more;
  }
}

TEST(Stream, ComesFromAPeerAndNothingIsKept) {
  Chunking fixed = kTiny;
  fixed.mode = ChunkingMode::kFixed;
  for (const Chunking& chunking : {kTiny, fixed}) {
    SCOPED_TRACE(static_cast<int>(chunking.mode));
    Case c(2);
    const std::string link = c.share(0, library(), "/shared", chunking);
    EXPECT_EQ(read_all(c, 1, link, "film").value(), library().at("film").content);
    EXPECT_EQ(read_all(c, 1, link, "docs/133").value(), library().at("docs/133").content);
    EXPECT_EQ(read_all(c, 1, link, "docs/empty").value(), "");
    EXPECT_TRUE(c.shares(1).empty());
    c.world.run_for(20s);
    EXPECT_EQ(c.world.node(1).slabs_in_use(), 0U);
    EXPECT_EQ(c.world.node(1).engine().receive_memory(), 0U);
  }
}

TEST(Stream, APartOfItCostsThatPart) {
  Case c(2);
  const Tree tree = {{"", directory()}, {"film", file(noise(3, 40'000'000))}};
  const std::string link = c.share(0, tree);
  const std::string want = tree.at("film").content.substr(30'000'000, 5'000);
  EXPECT_EQ(c.read(1, reading(link, "film", 30'000'000, 5'000)).value(), want);
  c.world.run_for(5s);
  const auto peers = std::get<node::PeersAnswer>(*c.ask(1, node::ListPeers{})).peers;
  // The list of chunks, the bytes, and what is read ahead.
  EXPECT_LT(peers.at(0).bytes_received, 12'000'000U);
}

TEST(Stream, ManyTogetherReadLittleAhead) {
  Case c(2);
  const Tree tree = {{"", directory()}, {"film", file(noise(3, 10'000'000))}};
  const std::string link = c.share(0, tree, "/shared", Chunking::tiny(32));
  std::vector<std::shared_ptr<Answer>> all;
  for (std::uint64_t i = 0; i < 32; ++i) {
    all.push_back(c.begin(1, reading(link, "film", i * 5'000, 5'000)));
  }
  const auto is_here = [](const std::shared_ptr<Answer>& a) { return a->has_value(); };
  ASSERT_TRUE(c.world.run_until([&] { return std::ranges::all_of(all, is_here); }, 60s));
  for (const auto& answer : all) EXPECT_TRUE(**answer);
  c.world.run_for(5s);
  const auto peers = std::get<node::PeersAnswer>(*c.ask(1, node::ListPeers{})).peers;
  EXPECT_LT(peers.at(0).bytes_received, 2'000'000U) << "alone, each would read 8 MiB ahead";
}

TEST(Stream, PagesBeforeTheRangeAreNotFetched) {
  Case c(2);
  const Tree tree = {{"", directory()}, {"film", file(noise(3, 4'000'000))}, {"z", file("z")}};
  const std::string link = c.share(0, tree, "/shared", Chunking::tiny(1024));
  for (const std::uint64_t offset : {3'900'000U, 3'000'000U, 1'000U, 0U}) {
    EXPECT_EQ(c.read(1, reading(link, "film", offset, 5'000)).value(),
              tree.at("film").content.substr(offset, 5'000))
        << offset;
    if (offset != 3'900'000U) continue;
    c.world.run_for(5s);
    const auto peers = std::get<node::PeersAnswer>(*c.ask(1, node::ListPeers{})).peers;
    EXPECT_LT(peers.at(0).bytes_received, 260'000U) << "its pages alone have 300 kB";
  }
}

TEST(Stream, AShareWithoutContentCanBeRead) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Case c(2, seed);
    const std::string link = c.share(0, {{"", directory()}, {"none", file("")}});
    EXPECT_EQ(read_all(c, 1, link, "none").value(), "");
  }
}

// Files that share a pack of which the fetch takes one, before and after that came and was cut, and
// packs that it does not touch at all.
TEST(Stream, AFetchOfAPartHoldsBackNoReading) {
  Tree tree = library();
  tree["film"] = file(noise(7, 6'000'000));
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Case c(2, seed);
    const std::string link = c.share(0, tree);
    node::Fetch part = Case::fetch_to(link, "/out");
    part.part = {"film", "120"};
    ASSERT_TRUE(c.ask(0, node::SetLimit{200'000}));
    const auto fetch = c.begin(1, part);
    const auto read = [&](const std::string& name) {
      EXPECT_EQ(c.read(1, reading(link, name, 0)).value(), tree.at(name).content) << name;
    };
    c.world.run_for(1s);
    for (const std::string name : {"docs/120", "docs/121", "docs/100", "docs/159"}) read(name);
    c.world.run_for(12s);  // what was read is forgotten
    for (const std::string name : {"docs/120", "docs/121", "docs/100"}) read(name);
    ASSERT_FALSE(fetch->has_value());
    ASSERT_TRUE(c.world.run_until([&] { return fetch->has_value(); }, 60s));
    ASSERT_TRUE(**fetch) << to_string((*fetch)->error());
    const Tree got = c.tree_at(1, "/out/it");
    EXPECT_EQ(got.at("film"), tree.at("film"));
    EXPECT_EQ(got.at("docs/120").content, tree.at("docs/120").content);
    EXPECT_FALSE(got.contains("docs/121"));
    c.world.run_for(20s);
    EXPECT_EQ(c.world.node(1).slabs_in_use(), 0U);
  }
}

TEST(Stream, GoesOnWhenTheCopyBesideItIsUnshared) {
  Case c(2);
  const std::string link = c.share(0, library());
  ASSERT_TRUE(c.ask(1, Case::fetch_to(link, "/out")));
  c.world.run_for(5s);
  c.edit(1, "/out/it", "film", 1'000);
  EXPECT_EQ(c.read(1, reading(link, "film", 0)).value().size(), kPortion);
  ASSERT_TRUE(c.ask(1, node::Unshare{link}));
  EXPECT_EQ(c.read(1, reading(link, "film", 380'000)).value(),
            library().at("film").content.substr(380'000));
}

TEST(Stream, ASlowLimitIsNoLackOfSources) {
  Case c(2);
  const std::string link = c.share(0, library());
  ASSERT_TRUE(c.ask(1, node::SetLimit{500}));
  EXPECT_EQ(std::get<node::FileRead>(*c.ask(1, reading(link, "film", 0), 600s)).size, 400'000U);
}

TEST(Stream, ASingleFileNeedsNoPath) {
  Case c(2);
  const Tree single = {{"", file(noise(9, 100'000))}};
  const std::string link = c.share(0, single, "/film");
  EXPECT_EQ(read_all(c, 1, link, "").value(), single.at("").content);
  EXPECT_EQ(read_all(c, 1, link, "film").value(), single.at("").content);
}

TEST(Stream, WhatIsNoFileIsAnError) {
  Case c(2);
  const std::string link = c.share(0, library());
  const auto code = [&](const std::string& path) {
    const auto got = c.read(1, reading(link, path, 0));
    return got ? Errc::kInternal : got.error().code;
  };
  EXPECT_EQ(code("none"), Errc::kNotFound);
  EXPECT_EQ(code("docs/100x"), Errc::kNotFound);
  EXPECT_EQ(code("a"), Errc::kNotFound);
  EXPECT_EQ(code("docs"), Errc::kUsage);
  EXPECT_EQ(code("docs/link"), Errc::kUsage);
  EXPECT_EQ(code(""), Errc::kUsage);
}

TEST(Stream, AHeldCopyServesItWithoutPeers) {
  Case c(2);
  const std::string link = c.share(0, library());
  ASSERT_TRUE(c.ask(1, Case::fetch_to(link, "/out")));
  c.world.node(0).crash(MemoryFileIo::Crash::kProcess);
  EXPECT_EQ(read_all(c, 1, link, "film").value(), library().at("film").content);
  const std::string id = Link::parse(link)->share.hex();
  EXPECT_EQ(read_all(c, 1, id.substr(0, 10), "docs/142").value(), library().at("docs/142").content);
}

TEST(Stream, WhatACopyHereHasLostComesFromPeers) {
  Case c(2);
  const std::string link = c.share(0, library());
  ASSERT_TRUE(c.ask(1, Case::fetch_to(link, "/out")));
  c.world.run_for(5s);
  c.edit(1, "/out/it", "film", 150'000);
  EXPECT_EQ(read_all(c, 1, link, "film").value(), library().at("film").content);
  EXPECT_EQ(c.shares(1)[0].state, "withdrawn");
  // What is left of the copy is served again when nobody reads any more.
  c.world.run_for(20s);
  EXPECT_EQ(c.world.node(1).slabs_in_use(), 0U);
}

TEST(Stream, WithoutASourceItEndsAfterAWhile) {
  Case c(2);
  const std::string link = c.share(0, library());
  EXPECT_EQ(c.read(1, reading(link, "film", 0)).value().size(), kPortion);
  c.world.node(0).crash(MemoryFileIo::Crash::kProcess);
  c.world.run_for(15s);
  const auto got = c.read(1, reading(link, "film", 0));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Errc::kNotFound);
  EXPECT_EQ(got.error().subject, "film");
  const auto rest = c.read(1, reading(link, "film", 20'000));
  EXPECT_THAT(to_string(rest.error()), testing::HasSubstr("--offset 20000 reads the rest"));
  EXPECT_THAT(to_string(rest.error()), testing::Not(testing::HasSubstr("--wait")));
  c.world.node(0).start();
  EXPECT_EQ(read_all(c, 1, link, "film").value(), library().at("film").content);
}

// The fetch was told to wait, the reading was not.
TEST(Stream, WithoutASourceItEndsAlsoBesideAFetchThatWaits) {
  Case c(2);
  const std::string link = c.share(0, library());
  ASSERT_TRUE(c.ask(0, node::SetLimit{50'000}));
  node::Fetch patient = Case::fetch_to(link, "/out");
  patient.wait = true;
  const auto fetch = c.begin(1, patient);
  c.world.run_for(3s);
  c.world.node(0).crash(MemoryFileIo::Crash::kProcess);
  c.world.run_for(60s);
  const auto begun = c.world.now().mono;
  const auto got = c.read(1, reading(link, "film", 0));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Errc::kNotFound);
  EXPECT_EQ(got.error().subject, "film");
  EXPECT_GT(c.world.now().mono - begun, 29s);
  EXPECT_LT(c.world.now().mono - begun, 32s);
  EXPECT_FALSE(fetch->has_value());
  c.world.node(0).start();
  ASSERT_TRUE(c.ask(0, node::SetLimit{0}));
  EXPECT_EQ(read_all(c, 1, link, "film").value(), library().at("film").content);
  ASSERT_TRUE(c.world.run_until([&] { return fetch->has_value(); }, 120s));
  EXPECT_TRUE(**fetch) << to_string((*fetch)->error());
}

TEST(Stream, AFetchOfTheShareTakesOverAndBothEndWell) {
  Case c(2);
  const std::string link = c.share(0, library());
  EXPECT_EQ(c.read(1, reading(link, "film", 0)).value().size(), kPortion);
  const auto fetch = c.begin(1, Case::fetch_to(link, "/out"));
  EXPECT_EQ(read_all(c, 1, link, "film").value(), library().at("film").content);
  ASSERT_TRUE(c.world.run_until([&] { return fetch->has_value(); }, 60s));
  ASSERT_TRUE(**fetch) << to_string((*fetch)->error());
  EXPECT_EQ(c.tree_at(1, "/out/it"), c.tree_at(0, "/shared"));
}

TEST(Stream, AFetchUnderWayBringsWhatIsRead) {
  Case c(2);
  const std::string link = c.share(0, library());
  const auto fetch = c.begin(1, Case::fetch_to(link, "/out"));
  EXPECT_EQ(read_all(c, 1, link, "film").value(), library().at("film").content);
  ASSERT_TRUE(c.world.run_until([&] { return fetch->has_value(); }, 60s));
  EXPECT_EQ(c.tree_at(1, "/out/it"), c.tree_at(0, "/shared"));
}

// What is read next goes before everything else of the fetch, pages too, and the fetch goes on.
TEST(Stream, AFetchThatTakesLongBringsWhatIsReadFirst) {
  const Tree tree = {{"", directory()}, {"film", file(noise(3, 20'000'000))}};
  const std::string& film = tree.at("film").content;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Case c(2, seed);
    const std::string link = c.share(0, tree, "/shared", Chunking::tiny(32));
    ASSERT_TRUE(c.ask(0, node::SetLimit{1'000'000}));
    const auto fetch = c.begin(1, Case::fetch_to(link, "/out"));
    c.world.run_for(3s);
    for (const std::uint64_t offset : {19'000'000U, 19'400'000U, 500'000U}) {
      const auto begun = c.world.now().mono;
      EXPECT_EQ(c.read(1, reading(link, "film", offset)).value(), film.substr(offset, kPortion));
      EXPECT_LT(c.world.now().mono - begun, 4s) << offset;
    }
    EXPECT_FALSE(fetch->has_value());
    ASSERT_TRUE(c.world.run_until([&] { return fetch->has_value(); }, 60s));
    ASSERT_TRUE(**fetch) << to_string((*fetch)->error());
    EXPECT_EQ(c.tree_at(1, "/out/it"), c.tree_at(0, "/shared"));
  }
}

TEST(Stream, SeveralReadersOfOneShare) {
  Case c(2);
  const std::string link = c.share(0, library());
  const auto first = c.begin(1, reading(link, "film", 0));
  const auto second = c.begin(1, reading(link, "film", 390'000));
  const auto third = c.begin(1, reading(link, "docs/120", 0));
  const auto gone = c.begin(1, reading(link, "film", 200'000));
  c.world.node(1).hang_up(c.request);
  const auto all = [&] { return *first && *second && *third; };
  ASSERT_TRUE(c.world.run_until(all, 60s));
  EXPECT_TRUE(**first && **second && **third);
  for (const auto& answer : {first, second, third}) answer->reset();
  c.world.run_for(20s);
  EXPECT_FALSE(gone->has_value());
  EXPECT_EQ(c.world.node(1).slabs_in_use(), 0U);
}

TEST(Stream, LeavingTheSwarmEndsIt) {
  Case c(2);
  const std::string link = c.share(0, library());
  EXPECT_EQ(c.read(1, reading(link, "film", 0)).value().size(), kPortion);
  ASSERT_TRUE(c.ask(1, node::LeaveSwarm{}));
  const auto got = c.read(1, reading(link, "film", 100'000));
  ASSERT_FALSE(got);
  c.world.run_for(20s);
  EXPECT_EQ(c.world.node(1).slabs_in_use(), 0U);
}

// In between a source goes away and comes back, and a fetch begins and is cancelled.
TEST(Stream, GoesOnWhateverHappensAroundIt) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Case c(3, seed);
    const std::string link = c.share(0, library());
    ASSERT_TRUE(c.ask(2, Case::fetch_to(link, "/two")));
    std::string got;
    std::shared_ptr<Answer> fetch;
    const std::string want = library().at("film").content;
    while (got.size() < want.size()) {
      switch (c.world.rng().uniform(6)) {
        case 0:
          c.world.node(2).crash(MemoryFileIo::Crash::kProcess);
          c.world.node(2).start();
          break;
        case 1:
          fetch = c.begin(1, Case::fetch_to(link, "/out"));
          break;
        case 2:
          static_cast<void>(c.ask(1, node::CancelFetch{link}).has_value());
          break;
        default:
          c.world.run_for(std::chrono::milliseconds(c.world.rng().uniform(300)));
      }
      const auto more = c.read(1, reading(link, "film", got.size()));
      ASSERT_TRUE(more) << to_string(more.error());
      got += *more;
    }
    EXPECT_EQ(got, want);
    if (testing::Test::HasFailure()) return;
  }
}

// Peers of the one swarm are asked when it is left, for a reading that names the other one now.
TEST(Stream, ASwarmMayBeLeftThatIsReadFromByALinkOfAnother) {
  Case c(2);
  const std::string link = c.share(0, library());
  const auto made = c.ask(1, node::CreateSwarm{"second"});
  const SwarmId& other = std::get<node::SwarmCreated>(*made).swarm.id;
  Link there = *Link::parse(link);
  std::copy_n(other.bytes.begin(), there.swarm_prefix.size(), there.swarm_prefix.begin());
  c.world.run_for(10s);
  c.world.node(0).crash(MemoryFileIo::Crash::kProcess);
  const auto first = c.begin(1, reading(link, "film", 0));
  c.world.run_for(1s);
  const auto second = c.begin(1, reading(there.to_string(), "film", 0));
  c.world.run_for(1s);
  ASSERT_TRUE(c.ask(1, node::LeaveSwarm{"swarm"}));
  ASSERT_TRUE(c.world.run_until([&] { return first->has_value() && second->has_value(); }, 120s));
  c.world.run_for(20s);
  EXPECT_EQ(c.world.node(1).slabs_in_use(), 0U);
}

}  // namespace
}  // namespace kith::sim
