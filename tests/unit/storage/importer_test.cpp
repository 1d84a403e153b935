// What the importer refuses, leaves out and notices. That it carries everything else is in
// round_trip_test.cpp.
#include "storage/importer.hpp"

#include <cerrno>
#include <gmock/gmock.h>

#include "storage/memory_file_io.hpp"
#include "tests/unit/storage/support.hpp"

namespace kith::storage::test {
namespace {

using testing::Test;

class Importer : public Test {
 protected:
  ImportOptions options() { return import_options(Chunking::tiny(1024)); }
  Result<ImportResult> import(ImportOptions with) {
    return import_tree(io_, pool_, "/tree", std::move(with));
  }
  std::vector<std::string> paths(const ImportResult& result) {
    std::vector<std::string> out;
    for (std::uint32_t i = 0; i < result.root.pages.size(); ++i) {
      const PageRef& ref = result.root.pages[i];
      const auto plain = decipher_page(ref.id, ref.key, result.pages[i].ciphertext);
      const auto page = Page::decode(*plain);
      for (const Entry& entry : page->entries) {
        if (entry.offset == 0) out.push_back(entry.path);
      }
    }
    return out;
  }
  void add_other(const std::string& directory, const std::string& name) {
    ASSERT_OK(io_.make_other(*io_.open_root(directory), name));
  }

  MemoryFileIo io_;
  SlabPool pool_;
};

TEST_F(Importer, EntriesComeInOrderOfTheirComponents) {
  write_tree(io_, "/tree",
             {{"", directory()},
              {"a", directory()},
              {"a/z", file("")},
              {"a.b", file("")},
              {"a-b", directory()},
              {"a-b/c", file("x")},
              {"B", file("y")}});
  const auto result = import(options());
  ASSERT_OK(result);
  EXPECT_EQ(paths(*result), (std::vector<std::string>{"", "B", "a", "a/z", "a-b", "a-b/c", "a.b"}));
}

TEST_F(Importer, WhatItWillReadIsKnownBefore) {
  write_tree(io_, "/tree",
             {{"", directory()},
              {"a", file(noise(1, 5'000))},
              {"d", directory()},
              {"d/b", file(noise(2, 70'000))},
              {"d/link", symlink("b")},
              {"left", directory()},
              {"left/out", file("xyz")}});
  add_other("/tree/d", "pipe");
  const PathGlobs exclude({"left/"});
  const auto never = [] { return false; };
  EXPECT_EQ(content_bytes(io_, "/tree", exclude, never), 75'000U);
  EXPECT_EQ(content_bytes(io_, "/tree/d/b", {}, never), 70'000U);
  EXPECT_EQ(content_bytes(io_, "/tree/none", {}, never), 0U);
  EXPECT_EQ(content_bytes(io_, "/tree", exclude, [] { return true; }), std::nullopt);
}

TEST_F(Importer, WhatCannotBeSharedIsToldAllTogether) {
  write_tree(io_, "/tree",
             {{"", directory()}, {"ok", file("x")}, {"bad\xff", file("y")}, {"d", directory()}});
  add_other("/tree/d", "pipe");
  add_other("/tree", "socket");
  auto scan = ImportScan::open(io_, pool_, "/tree", options());
  ASSERT_OK(scan);
  while (!scan->scanned()) ASSERT_OK(scan->step());
  std::vector<std::string> skipped;
  for (const ImportNote& note : scan->skipped()) skipped.push_back(note.path);
  EXPECT_THAT(skipped, testing::ElementsAre("/tree/bad\xff", "/tree/d/pipe", "/tree/socket"));
  const auto result = scan->finish();
  EXPECT_ERROR(result, Errc::kUnsupported);
  EXPECT_EQ(result.error().what, "3 entries cannot be shared");
}

TEST_F(Importer, SkipBadSharesTheRest) {
  write_tree(io_, "/tree",
             {{"", directory()},
              {"ok", file("x")},
              {"bad\xff", directory()},
              {"bad\xff/inside", file("y")}});
  add_other("/tree", "socket");
  ImportOptions with = options();
  with.skip_bad = true;
  const auto result = import(with);
  ASSERT_OK(result);
  EXPECT_EQ(paths(*result), (std::vector<std::string>{"", "ok"}));
  EXPECT_EQ(result->skipped_count, 2U);
  ASSERT_EQ(result->skipped.size(), 2U);
  EXPECT_EQ(result->skipped[1].path, "/tree/socket");
}

TEST_F(Importer, AfterARefusalNothingMoreIsRead) {
  write_tree(io_, "/tree", {{"", directory()}, {"z", file(noise(1, 500'000))}});
  add_other("/tree", "a");
  auto scan = ImportScan::open(io_, pool_, "/tree", options());
  ASSERT_OK(scan);
  while (!scan->scanned()) {
    const auto chunk = scan->step();
    ASSERT_OK(chunk);
    EXPECT_FALSE(*chunk);
  }
  EXPECT_EQ(scan->bytes_done(), 0U);
  EXPECT_ERROR(scan->finish(), Errc::kUnsupported);
}

TEST_F(Importer, UnreadableFilesAreBad) {
  write_tree(io_, "/tree", {{"", directory()}, {"a", file("x")}, {"b", file("y")}});
  // Opening the parent, its stat, the top twice, stat, list: the next call opens "a".
  ImportOptions with = options();
  with.skip_bad = true;
  auto scan = ImportScan::open(io_, pool_, "/tree", with);
  ASSERT_OK(scan);
  io_.fail_at(io_.calls() + 4, EACCES);
  while (!scan->scanned()) {
    auto chunk = scan->step();
    ASSERT_OK(chunk);
    if (*chunk) {
      ASSERT_OK(
          scan->add_result((*chunk)->ordinal, hash_chunk(with.conv, (*chunk)->plaintext, {})));
    }
  }
  const auto result = scan->finish();
  ASSERT_OK(result);
  ASSERT_EQ(result->skipped.size(), 1U);
  EXPECT_EQ(result->skipped[0].path, "/tree/a");
  EXPECT_EQ(paths(*result), (std::vector<std::string>{"", "b"}));
}

TEST_F(Importer, Excludes) {
  write_tree(io_, "/tree",
             {{"", directory()},
              {"a.o", file("")},
              {"a.c", file("")},
              {"sub", directory()},
              {"sub/b.o", file("")},
              {"sub/build", directory()},
              {"sub/build/x", file("")},
              {"build", file("")},
              {"top", directory()},
              {"top/keep", file("")},
              {"sub/top", file("")}});
  ImportOptions with = options();
  with.exclude = {"*.o", "build/", "/top"};
  const auto result = import(with);
  ASSERT_OK(result);
  EXPECT_EQ(paths(*result), (std::vector<std::string>{"", "a.c", "build", "sub", "sub/top"}));
}

TEST_F(Importer, LinksThatLeaveTheTreeAreCounted) {
  write_tree(io_, "/tree",
             {{"", directory()},
              {"in", symlink("d/../x")},
              {"d", directory()},
              {"d/out", symlink("../../x")},
              {"abs", symlink("/etc/passwd")}});
  const auto result = import(options());
  ASSERT_OK(result);
  EXPECT_EQ(result->links_outside_count, 2U);
  EXPECT_EQ(result->links_outside[0].path, "abs");
  EXPECT_EQ(result->links_outside[1].path, "d/out");
}

TEST_F(Importer, NamesOfShares) {
  write_tree(io_, "/tree", {{"", directory()}});
  ImportOptions with = options();
  with.name = "a/b";
  EXPECT_ERROR(import(with), Errc::kUsage);
  with.name = "other";
  const auto result = import(with);
  ASSERT_OK(result);
  EXPECT_EQ(result->root.name, "other");
  EXPECT_ERROR(import_tree(io_, pool_, "/", options()), Errc::kUsage);  // no name to take
  EXPECT_OK(import_tree(io_, pool_, "/", with));
  EXPECT_OK(import_tree(io_, pool_, "/tree///", options()));
}

TEST_F(Importer, SourcesThatAreNone) {
  write_tree(io_, "/tree",
             {{"", directory()},
              {"d", directory()},
              {"f", file("x")},
              {"to_d", symlink("d")},
              {"to_f", symlink("f")}});
  add_other("/tree", "pipe");
  EXPECT_ERROR(import_tree(io_, pool_, "/tree/none", options()), Errc::kNotFound);
  EXPECT_ERROR(import_tree(io_, pool_, "/tree/pipe", options()), Errc::kUnsupported);
  EXPECT_ERROR(import_tree(io_, pool_, "/tree/to_f", options()), Errc::kUnsupported);
  EXPECT_OK(import_tree(io_, pool_, "/tree/to_d", options()));
}

// --- files that change meanwhile ---

class ImportChange : public Importer {
 protected:
  // Imports while `edit` runs before call number n, for every n; returns the outcomes.
  template <class Edit>
  void at_every_call(Edit&& edit) {
    const Tree tree = {{"", directory()},
                       {"a", file("first")},
                       {"large", file(noise(1, 20'000))},
                       {"z", file("last")}};
    std::uint64_t refused = 0, unchanged = 0;
    for (std::uint64_t call = 1;; ++call) {
      MemoryFileIo io;
      write_tree(io, "/tree", tree);
      io.set_time_ns(5'000'000'000);
      bool ran = false;
      io.before_call(io.calls() + call, [&] {
        ran = true;
        edit(io);
        return 0;
      });
      const auto result = import_tree(io, pool_, "/tree", options());
      if (!ran) break;
      if (!result) {
        EXPECT_EQ(result.error().code, Errc::kChanged) << to_string(result.error());
        EXPECT_NE(result.error().subject.find("/tree"), std::string::npos);
        ++refused;
        continue;
      }
      // Whatever it took is what was there at one moment: before, or after.
      MemoryFileIo fresh;
      write_tree(fresh, "/tree", tree);
      const auto before = import_tree(fresh, pool_, "/tree", options());
      const auto after = import_tree(io, pool_, "/tree", options());
      EXPECT_TRUE(result->share == before->share || result->share == after->share) << call;
      ++unchanged;
    }
    EXPECT_GT(refused, 0U);
    EXPECT_GT(unchanged, 0U);
  }
};

TEST_F(ImportChange, AFileIsWritten) {
  at_every_call([](MemoryFileIo& io) {
    const auto file = io.open_file(*io.open_root("/tree"), "large", OpenMode::kReadWrite);
    std::string content = "changed";
    const iovec part{content.data(), content.size()};
    ASSERT_OK(io.write(*file, 9'000, std::span(&part, 1)));
  });
}

TEST_F(ImportChange, AFileGrows) {
  at_every_call([](MemoryFileIo& io) {
    const auto file = io.open_file(*io.open_root("/tree"), "large", OpenMode::kReadWrite);
    ASSERT_OK(io.truncate(*file, 20'100));
  });
}

TEST_F(ImportChange, AFileShrinks) {
  at_every_call([](MemoryFileIo& io) {
    const auto file = io.open_file(*io.open_root("/tree"), "large", OpenMode::kReadWrite);
    ASSERT_OK(io.truncate(*file, 100));
  });
}

TEST_F(ImportChange, AFileIsReplaced) {
  at_every_call([](MemoryFileIo& io) {
    const auto dir = io.open_root("/tree");
    write_tree(io, "/other", {{"", file(noise(2, 20'000))}});
    ASSERT_OK(io.rename(*io.open_root("/"), "other", *dir, "large", RenameMode::kPlain));
    // The directory's own time may be of before or after; that is not what this is about.
    ASSERT_OK(io.set_mtime(*dir, directory().mtime_ns));
  });
}

// --- only chunks: of a tree that someone else may be at work in ---

class ChunksOfATree : public Importer {
 protected:
  // Scans while `edit` runs before call number n, for every n. It never fails, and always finds
  // what lies in the large file at the end, which nothing happened to.
  template <class Edit>
  void at_every_call(Edit&& edit) {
    const Tree tree = {{"", directory()},       {"a", file("first")},
                       {"d", directory()},      {"d/large", file(noise(1, 20'000))},
                       {"d/m", file("middle")}, {"z", file(noise(2, 20'000))}};
    MemoryFileIo alone;
    write_tree(alone, "/tree", {{"", directory()}, {"z", tree.at("z")}});
    const auto expected = chunks(alone);
    for (std::uint64_t call = 1;; ++call) {
      MemoryFileIo io;
      write_tree(io, "/tree", tree);
      bool ran = false;
      io.before_call(io.calls() + call, [&] {
        ran = true;
        return edit(io);
      });
      const auto found = chunks(io);
      if (!ran) break;
      for (const Buffer& chunk : expected) EXPECT_TRUE(found.contains(chunk)) << call;
    }
  }

  std::set<Buffer> chunks(MemoryFileIo& io) {
    std::set<Buffer> out;
    auto scan = ImportScan::open_chunks(io, pool_, "/tree", Chunking::tiny(1024));
    EXPECT_OK(scan);
    while (scan && !scan->scanned()) {
      auto chunk = scan->step();
      EXPECT_OK(chunk);
      if (!chunk) break;
      if (*chunk) out.insert((*chunk)->plaintext.to_buffer());
    }
    return out;
  }
};

TEST_F(ChunksOfATree, AFileShrinks) {
  at_every_call([](MemoryFileIo& io) {
    const auto file = io.open_file(*io.open_root("/tree/d"), "large", OpenMode::kReadWrite);
    EXPECT_OK(io.truncate(*file, 100));
    return 0;
  });
}

TEST_F(ChunksOfATree, AFileGoes) {
  at_every_call([](MemoryFileIo& io) {
    EXPECT_OK(io.remove_file(*io.open_root("/tree"), "a"));
    return 0;
  });
}

TEST_F(ChunksOfATree, AFileBecomesADirectory) {
  at_every_call([](MemoryFileIo& io) {
    EXPECT_OK(io.remove_file(*io.open_root("/tree/d"), "m"));
    write_tree(io, "/tree/d/m", {{"", directory()}});
    return 0;
  });
}

TEST_F(ChunksOfATree, ADirectoryGoes) {
  at_every_call([](MemoryFileIo& io) {
    EXPECT_OK(remove_tree(io, *io.open_root("/tree"), "d"));
    return 0;
  });
}

// --- chunks and results ---

TEST_F(Importer, ResultsMayComeInAnyOrder) {
  write_tree(io_, "/tree", {{"", directory()}, {"f", file(noise(1, 60'000))}, {"g", file("x")}});
  const auto expected = import(options());
  ASSERT_OK(expected);
  auto scan = ImportScan::open(io_, pool_, "/tree", options());
  ASSERT_OK(scan);
  std::vector<ScannedChunk> out;
  SeededRng rng(1);
  const auto give_back = [&](std::size_t keep) {
    while (out.size() > keep) {
      const std::size_t i = rng.uniform(out.size());
      ASSERT_OK(scan->add_result(out[i].ordinal, hash_chunk(options().conv, out[i].plaintext, {})));
      out.erase(out.begin() + static_cast<std::ptrdiff_t>(i));
    }
  };
  while (!scan->scanned()) {
    if (!scan->may_step()) {
      EXPECT_GE(out.size(), 1U);
      give_back(0);
    }
    auto chunk = scan->step();
    ASSERT_OK(chunk);
    if (*chunk) out.push_back(std::move(**chunk));
    EXPECT_LE(out.size(), limits::kImportChunksInFlight);
  }
  give_back(0);
  const auto result = scan->finish();
  ASSERT_OK(result);
  EXPECT_EQ(result->share, expected->share);
  EXPECT_EQ(result->chunks, expected->chunks);
  EXPECT_EQ(result->plain, expected->plain);
}

TEST_F(Importer, KnownContentKeepsIdAndKey) {
  write_tree(io_, "/tree", {{"", directory()}, {"f", file(noise(1, 30'000))}});
  const auto first = share(io_, pool_, "/tree", options());
  std::map<PlainHash, KnownChunk> known;
  for (std::uint32_t i = 0; i < first->import.root.pages.size(); ++i) {
    const Page page = first->page(i);
    for (std::size_t row = 0; row < page.rows.size(); ++row) {
      known[first->import.plain[known.size()]] = {page.rows[row].id, page.rows[row].key};
    }
  }
  ImportOptions later = options();
  later.conv = Secret(as_bytes("another epoch's convergence key."));
  const auto unrelated = import(later);
  ASSERT_OK(unrelated);
  EXPECT_NE(unrelated->chunks, first->import.chunks);
  const KnownLookup lookup = [&](const PlainHash& plain) -> std::optional<KnownChunk> {
    return known.at(plain);
  };
  const auto again = import_tree(io_, pool_, "/tree", later, lookup);
  ASSERT_OK(again);
  EXPECT_EQ(again->chunks, first->import.chunks);
}

TEST_F(Importer, AWrongHintIsNotBelieved) {
  write_tree(io_, "/tree", {{"", directory()}, {"f", file(noise(1, 30'000))}});
  const auto expected = import(options());
  SeededRng rng(1);
  const KnownLookup wrong = [&](const PlainHash&) {
    return std::optional(KnownChunk{rng.random<ChunkId>(), rng.random<ChunkKey>()});
  };
  const auto result = import_tree(io_, pool_, "/tree", options(), wrong);
  ASSERT_OK(result);
  EXPECT_EQ(result->share, expected->share);
}

TEST_F(Importer, RecordsTheStateOfEveryFile) {
  io_.set_time_ns(1'000'000'000);
  Tree tree = {{"", directory()}, {"large", file(noise(1, 100'000))}, {"d", directory()}};
  for (int i = 0; i < 40; ++i) tree["d/" + std::to_string(i)] = file(noise(2, 10));
  write_tree(io_, "/tree", tree);
  const auto shared = share(io_, pool_, "/tree", options());
  std::size_t files = 0;
  for (std::uint32_t i = 0; i < shared->import.root.pages.size(); ++i) {
    const auto stats = PageStats::decode(shared->import.pages[i].file_stats);
    ASSERT_OK(stats);
    EXPECT_EQ(stats->recorded_at, options().recorded_at);
    std::size_t at = 0;
    for (const Entry& entry : shared->page(i).entries) {
      if (entry.kind != EntryKind::kFile) continue;
      const auto dir = io_.open_root(join_native("/tree", split(entry.path).parent));
      EXPECT_EQ(stats->files.at(at++), FileStat::of(*io_.stat_at(*dir, split(entry.path).name)));
      ++files;
    }
    EXPECT_EQ(at, stats->files.size());
  }
  EXPECT_GT(files, 41U);  // the large one crosses pages
}

TEST_F(Importer, APrivateShareCarriesItsSecret) {
  write_tree(io_, "/tree", {{"", directory()}});
  ImportOptions with = options();
  with.is_private = true;
  const auto result = import(with);
  ASSERT_OK(result);
  EXPECT_EQ(result->root.private_conv, to_buffer(with.conv.view()));
}

}  // namespace
}  // namespace kith::storage::test
