#include "proto/content/root_check.hpp"

#include "proto/content/paths.hpp"
#include "proto/limits.hpp"

namespace kith {
namespace {

struct Sums {
  std::uint64_t bytes = 0;
  std::uint64_t entries = 0;
  std::uint64_t chunks = 0;
  std::uint64_t pages = 0;       // of ciphertext
  std::uint64_t last_chunk = 0;  // of the pages that describe the last chunk so far
};

Error malformed(const char* what) { return peer_error(Errc::kMalformed, what); }
Error over_limit(const char* what) { return peer_error(Errc::kLimit, what); }

// Every chunk of a page has at least one byte that the page describes.
Result<void> check_ref(const PageRef& ref, std::uint64_t chunks_before) {
  if (ref.length == 0) return malformed("page is empty");
  if (ref.length > limits::kPageMax) return over_limit("page is over 1 MiB");
  if (ref.entries == 0) return malformed("page has no entry");
  if (ref.shares_first && (ref.chunks == 0 || chunks_before == 0)) {
    return malformed("page shares a chunk that is not there");
  }
  if (ref.bytes < ref.chunks || ref.bytes > ref.chunks * limits::kChunkMaxAllowed) {
    return malformed("page has more or fewer bytes than its chunks can hold");
  }
  return {};
}

// A page may begin with the path with which the page before began, where that page lies wholly
// within one file.
Result<void> check_first_path(const Root& root, std::size_t page) {
  const std::string& path = root.pages[page].first_path;
  if (page == 0) {
    if (path == (root.single_file ? root.name : std::string())) return {};
    return malformed("first page begins with a wrong path");
  }
  KITH_CHECK(check_path(path));
  const PageRef& before = root.pages[page - 1];
  const int order = compare_paths(before.first_path, path);
  if (order < 0 || (order == 0 && before.entries == 1)) return {};
  return malformed("pages are not sorted");
}

Result<void> add_lengths(const PageRef& ref, Sums& sums) {
  sums.pages += ref.length;
  if (sums.pages > limits::kManifestMax) return over_limit("manifest is over 2 GiB");
  if (ref.chunks == 0) return {};
  sums.last_chunk = ref.length + (ref.shares_first ? sums.last_chunk : 0);
  if (sums.last_chunk > limits::kChunkPagesMax) {
    return over_limit("one chunk holds more entries than 16 MiB of pages describe");
  }
  if (ref.chunks > 1) sums.last_chunk = ref.length;
  return {};
}

Result<Sums> sum_pages(const Root& root) {
  Sums sums;
  for (std::size_t i = 0; i < root.pages.size(); ++i) {
    const PageRef& ref = root.pages[i];
    KITH_CHECK(check_ref(ref, sums.chunks));
    KITH_CHECK(check_first_path(root, i));
    // Neither sum overflows: both are held below their limits after each step.
    sums.chunks += ref.chunks - (ref.shares_first ? 1u : 0u);
    sums.bytes += ref.bytes;
    sums.entries += ref.entries;
    if (sums.chunks > limits::kChunksMax) return over_limit("share has over 16 M chunks");
    KITH_CHECK(add_lengths(ref, sums));
  }
  return sums;
}

Result<void> check_kinds(const Root& root) {
  const Totals& t = root.totals;
  if (t.files > limits::kEntriesMax || t.directories > limits::kEntriesMax ||
      t.symlinks > limits::kEntriesMax || t.entries() > limits::kEntriesMax) {
    return over_limit("share has over 4 M entries");
  }
  const bool one_file = t.files == 1 && t.directories == 0 && t.symlinks == 0;
  if (root.single_file ? !one_file : t.directories == 0) {
    return malformed("totals do not fit the kind of share");
  }
  return {};
}

Result<void> check_stored(const Root& root) {
  const Totals& t = root.totals;
  if (root.chunking.mode == ChunkingMode::kCdc) {
    if (t.stored != t.bytes) return malformed("stored bytes are not the content");
    return {};
  }
  if (t.stored != t.chunks * root.chunking.fixed || t.stored < t.bytes ||
      t.stored - t.bytes >= root.chunking.fixed) {
    return malformed("stored bytes are not the content in whole chunks");
  }
  return {};
}

}  // namespace

Result<void> check_root(const Root& root) {
  KITH_CHECK(check_name(root.name));
  KITH_CHECK(root.chunking.check());
  if (root.pages.empty()) return malformed("root has no page");
  KITH_TRY(const Sums sums, sum_pages(root));
  KITH_CHECK(check_kinds(root));
  if (sums.bytes != root.totals.bytes) return malformed("pages and total differ in bytes");
  if (sums.chunks != root.totals.chunks) return malformed("pages and total differ in chunks");
  // A file that goes on in the next page is counted in both.
  const std::uint64_t entries = root.totals.entries();
  if (sums.entries < entries || sums.entries - entries > root.pages.size() - 1) {
    return malformed("pages and totals differ in entries");
  }
  return check_stored(root);
}

}  // namespace kith
