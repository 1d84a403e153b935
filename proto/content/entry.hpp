// One entry of a manifest: a directory, a file or a symlink, with its path from the top of the
// tree.
//
// Encoded as a bencoded list:
//   directory ["d", path, mode, mtime]
//   file      ["f", path, mode, mtime, size], or [..., size, offset] where it began in an earlier
//             page and goes on here at `offset`, 0 < offset < size
//   symlink   ["l", path, target, mtime]
// mode = 0777 bits; mtime in ns since 1970, may be negative; size and offset below 2^63.
//
// The entries of a share ascend by compare_paths, and every directory stands before what it holds.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proto/content/paths.hpp"
#include "proto/result.hpp"
#include "proto/wire/bencode.hpp"

namespace kith {

enum class EntryKind : std::uint8_t { kDirectory, kFile, kSymlink };

struct Entry {
  EntryKind kind = EntryKind::kFile;
  std::string path;
  std::string target;      // symlinks
  std::uint32_t mode = 0;  // files and directories: 0777 bits
  std::int64_t mtime_ns = 0;
  std::uint64_t size = 0;    // files: of the whole file
  std::uint64_t offset = 0;  // files: where the file goes on in this page
  bool operator==(const Entry&) const = default;

  /// Bytes from `offset` to the end of the file; 0 for what has no content.
  [[nodiscard]] std::uint64_t remaining() const { return size - offset; }
};

/// Bytes that the entry takes in a page.
[[nodiscard]] std::size_t encoded_size(const Entry& entry);
/// Writes it as a page holds it. The entry must pass check_entry().
void encode_entry(bencode::Writer& out, const Entry& entry);
/// Checks the form, then check_entry(). Blame peer.
[[nodiscard]] Result<Entry> decode_entry(const bencode::Value& value);

/// What one entry must fulfil by itself: path, mode, target, size, offset; members that its kind
/// does not have are 0 or empty. Only a directory may have the path "". Blame peer.
[[nodiscard]] Result<void> check_entry(const Entry& entry);

/// What `path` must fulfil to stand directly behind the entry (last_path, last_kind): it is
/// greater, it does not lie below a file or symlink, and its directory is there. By induction that
/// holds for the whole list then: in this order, everything below an entry follows directly behind
/// it. Blame peer.
[[nodiscard]] Result<void> check_follows(std::string_view last_path, EntryKind last_kind,
                                         std::string_view path);

}  // namespace kith
