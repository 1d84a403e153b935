// Makes shares for tests: trees of made-up files, their chunks as an importer would cut them, and
// the manifest that ManifestBuilder makes of both. Content is never generated: a file's content is
// a number, and a chunk's id is a hash of which stretches of which contents lie in it. So equal
// content has equal ids, as with real bytes.
#pragma once

#include <algorithm>
#include <functional>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "proto/content/manifest.hpp"
#include "proto/crypto/hash.hpp"
#include "proto/crypto/random.hpp"

namespace kith::test {

struct Item {
  Entry entry;
  std::uint64_t content = 0;
};

struct Share {
  std::string name = "share";
  bool single_file = false;
  Chunking chunking;
  std::vector<Item> items;
};

struct Built {
  Root root;
  std::vector<Page> pages;
  std::vector<Buffer> encoded;
};

inline Entry directory(std::string path, std::uint32_t mode = 0755, std::int64_t mtime = 0) {
  return {.kind = EntryKind::kDirectory,
          .path = std::move(path),
          .target = {},
          .mode = mode,
          .mtime_ns = mtime};
}
inline Entry file(std::string path, std::uint64_t size, std::uint64_t offset = 0) {
  return {.kind = EntryKind::kFile,
          .path = std::move(path),
          .target = {},
          .mode = 0644,
          .mtime_ns = 1'700'000'000'000'000'000,
          .size = size,
          .offset = offset};
}
inline Entry symlink(std::string path, std::string target) {
  return {.kind = EntryKind::kSymlink, .path = std::move(path), .target = std::move(target)};
}

inline ChunkRow row(std::uint32_t length, std::uint64_t number = 1) {
  ChunkRow out;
  store_be<std::uint64_t>(out.id.mutable_view(), number);
  store_be<std::uint64_t>(out.key.mutable_view(), ~number);
  out.length = length;
  return out;
}

/// Cuts a stream into rows, given the stretches of content one after the other.
class RowMaker {
 public:
  void add(std::uint64_t content, std::uint64_t offset, std::uint64_t length) {
    append_be(description_, content);
    append_be(description_, offset);
    append_be(description_, length);
    length_ += length;
  }
  [[nodiscard]] std::uint64_t length() const { return length_; }
  /// Ends the chunk, padded to `padded` bytes.
  [[nodiscard]] ChunkRow end(std::uint64_t padded = 0) {
    ChunkRow out;
    out.id.bytes = blake3(description_);
    out.key.bytes = blake3(out.id.view());
    out.length = static_cast<std::uint32_t>(std::max(length_, padded));
    description_.clear();
    length_ = 0;
    return out;
  }

 private:
  Buffer description_;
  std::uint64_t length_ = 0;
};

/// What an importer hands to the builder, in its natural order: exactly one of the two is meant.
struct Step {
  const Item* item = nullptr;
  ChunkRow row;
};

inline void cut_large(const Item& item, const Chunking& c, RowMaker& maker,
                      std::vector<Step>& steps) {
  std::uint64_t at = 0;
  while (at < item.entry.size) {
    Buffer seed;
    append_be(seed, item.content);
    append_be(seed, at);
    const std::uint64_t spread = load_be<std::uint64_t>(blake3(seed)) % (c.max - c.min + 1);
    const std::uint64_t n = std::min(c.min + spread, item.entry.size - at);
    maker.add(item.content, at, n);
    steps.push_back({nullptr, maker.end()});
    at += n;
  }
}

inline std::vector<Step> cdc_steps(const Share& share) {
  std::vector<Step> steps;
  Packer packer(share.chunking);
  RowMaker maker;
  const auto end_pack = [&] {
    packer.reset();
    if (maker.length() > 0) steps.push_back({nullptr, maker.end()});
  };
  for (const Item& item : share.items) {
    const bool large = item.entry.size >= share.chunking.large_file;
    if (large) end_pack();
    steps.push_back({&item, {}});
    if (large) {
      cut_large(item, share.chunking, maker, steps);
      continue;
    }
    if (item.entry.size > 0) maker.add(item.content, 0, item.entry.size);
    if (packer.add(item.entry.path, item.entry.size, encoded_size(item.entry))) end_pack();
  }
  end_pack();
  return steps;
}

inline std::vector<Step> fixed_steps(const Share& share) {
  std::vector<Step> steps;
  RowMaker maker;
  const std::uint64_t chunk = share.chunking.fixed;
  for (const Item& item : share.items) {
    steps.push_back({&item, {}});
    for (std::uint64_t at = 0; at < item.entry.size;) {
      const std::uint64_t n = std::min(chunk - maker.length(), item.entry.size - at);
      maker.add(item.content, at, n);
      at += n;
      if (maker.length() == chunk) steps.push_back({nullptr, maker.end()});
    }
  }
  if (maker.length() > 0) steps.push_back({nullptr, maker.end(chunk)});
  return steps;
}

inline std::vector<Step> steps_of(const Share& share) {
  return share.chunking.mode == ChunkingMode::kCdc ? cdc_steps(share) : fixed_steps(share);
}

/// The same entries and rows, each kind in its order, mixed at random.
inline std::vector<Step> mixed(const std::vector<Step>& steps, Rng& rng) {
  std::vector<Step> entries, rows, out;
  for (const Step& step : steps) (step.item != nullptr ? entries : rows).push_back(step);
  std::size_t e = 0, r = 0;
  while (e < entries.size() || r < rows.size()) {
    const bool entry = r == rows.size() || (e < entries.size() && rng.chance(1, 2));
    out.push_back(entry ? entries[e++] : rows[r++]);
  }
  return out;
}

inline void take(ManifestBuilder& builder, Built& built) {
  for (Page& page : builder.take_pages()) {
    built.encoded.push_back(page.encode());
    const ChunkId id = *ChunkId::from(blake3(built.encoded.back()));
    const ChunkKey key = *ChunkKey::from(blake3(id.view()));
    builder.add_page_ref(page, id, key, static_cast<std::uint32_t>(built.encoded.back().size()));
    built.pages.push_back(std::move(page));
  }
}

inline Built build(const Share& share, const std::vector<Step>& steps) {
  ManifestBuilder builder(share.name, share.single_file, share.chunking);
  Built built;
  for (const Step& step : steps) {
    const auto ok = step.item != nullptr ? builder.add(step.item->entry) : builder.add(step.row);
    EXPECT_TRUE(ok.has_value()) << (ok ? "" : to_string(ok.error()));
    take(builder, built);
  }
  builder.finish_pages();
  take(builder, built);
  auto root = builder.finish();
  EXPECT_TRUE(root.has_value()) << (root ? "" : to_string(root.error()));
  if (root) built.root = *root;
  return built;
}
inline Built build(const Share& share) { return build(share, steps_of(share)); }

/// A name of 1 to 12 characters, now and then an odd one that is legal all the same.
inline std::string random_name(Rng& rng) {
  static const std::vector<std::string> kOdd{" ",
                                             "\n",
                                             "...",
                                             "a\\b",
                                             "\x01",
                                             "\xc3\xa9",
                                             "\xf0\x9f\x8e\x81",
                                             "-rf",
                                             ".hidden",
                                             "e\xcc\x81",
                                             std::string(255, 'x'),
                                             "con",
                                             "A",
                                             "a",
                                             "\x7f"};
  if (rng.chance(1, 12)) return kOdd[rng.uniform(kOdd.size())];
  std::string name;
  for (std::uint64_t n = 1 + rng.uniform(12); n > 0; --n) {
    name.push_back("abcdefghijklmnopqrstuvwxyz0123456789.-_ "[rng.uniform(40)]);
  }
  return name == "." || name == ".." ? "dots" : name;
}

inline std::uint64_t random_size(const Chunking& c, Rng& rng) {
  const std::uint64_t edges[] = {
      0,     1,           c.large_file - 1, c.large_file, c.large_file + 1, c.min,
      c.max, c.fixed - 1, c.fixed,          c.fixed + 1,  5ULL * c.max + 3};
  if (rng.chance(1, 8)) return edges[rng.uniform(std::size(edges))];
  return rng.uniform(c.large_file);
}

/// A random tree of about `count` entries; `depth` is how readily it nests, of 100.
inline Share random_tree(const Chunking& chunking, std::size_t count, std::uint64_t depth,
                         Rng& rng) {
  Share share;
  share.chunking = chunking;
  std::vector<std::string> directories{""};
  share.items.push_back({directory("", 0700, -1), 0});
  for (std::size_t i = 0; i < count; ++i) {
    const std::string& parent =
        rng.chance(depth, 100) ? directories.back() : directories[rng.uniform(directories.size())];
    const std::string path = (parent.empty() ? "" : parent + "/") + random_name(rng);
    const std::uint64_t kind = rng.uniform(10);
    if (path.size() > 4095) continue;
    if (kind == 0) {
      directories.push_back(path);
      share.items.push_back({directory(path, 0755, static_cast<std::int64_t>(rng.next_u64())), 0});
    } else if (kind == 1) {
      share.items.push_back({symlink(path, "../" + random_name(rng)), 0});
    } else {
      share.items.push_back({file(path, random_size(chunking, rng)), rng.next_u64()});
    }
  }
  std::stable_sort(share.items.begin(), share.items.end(), [](const Item& a, const Item& b) {
    return compare_paths(a.entry.path, b.entry.path) < 0;
  });
  const auto same = [](const Item& a, const Item& b) { return a.entry.path == b.entry.path; };
  share.items.erase(std::unique(share.items.begin(), share.items.end(), same), share.items.end());
  // A name may have been both a directory and something else: what lies below the latter goes.
  std::vector<Item> kept;
  for (Item& item : share.items) {
    if (kept.empty() ||
        check_follows(kept.back().entry.path, kept.back().entry.kind, item.entry.path)) {
      kept.push_back(std::move(item));
    }
  }
  share.items = std::move(kept);
  return share;
}

}  // namespace kith::test
