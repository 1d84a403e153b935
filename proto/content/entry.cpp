#include "proto/content/entry.hpp"

#include "proto/content/fields.hpp"

namespace kith {
namespace {

constexpr std::uint64_t kSizeMax = INT64_MAX;
constexpr std::uint32_t kModeMask = 0777;

Error malformed(const char* what) { return peer_error(Errc::kMalformed, what); }

std::size_t digits(std::uint64_t value) {
  std::size_t count = 1;
  for (; value >= 10; value /= 10) ++count;
  return count;
}
std::size_t integer_bytes(std::int64_t value) {
  const auto magnitude = static_cast<std::uint64_t>(value);
  return value < 0 ? 3 + digits(0 - magnitude) : 2 + digits(magnitude);
}
std::size_t integer_bytes(std::uint64_t value) { return 2 + digits(value); }
std::size_t string_bytes(std::string_view text) { return digits(text.size()) + 1 + text.size(); }

bool lies_below(std::string_view path, std::string_view directory) {
  return path.size() > directory.size() && path.starts_with(directory) &&
         (directory.empty() || path[directory.size()] == '/');
}

Result<Entry> read_fields(const bencode::Value& value) {
  Fields fields(value);
  Entry entry;
  const std::string_view kind = fields.text();
  entry.path = fields.text();
  if (kind == "l") {
    entry.kind = EntryKind::kSymlink;
    entry.target = fields.text();
  } else if (kind == "f" || kind == "d") {
    entry.kind = kind == "f" ? EntryKind::kFile : EntryKind::kDirectory;
    entry.mode = fields.unsigned_integer<std::uint32_t>();
  } else {
    return malformed("entry is of no known kind");
  }
  entry.mtime_ns = fields.integer();
  if (entry.kind == EntryKind::kFile) entry.size = fields.unsigned_integer<std::uint64_t>();
  if (entry.kind == EntryKind::kFile && value.size() == 6) {
    entry.offset = fields.unsigned_integer<std::uint64_t>();
  }
  if (!fields.ok()) return malformed("entry has missing, foreign or surplus fields");
  if (value.size() == 6 && entry.offset == 0) return malformed("entry has an offset of 0");
  return entry;
}

}  // namespace

std::size_t encoded_size(const Entry& entry) {
  // "l" "1:f" … "e"
  const std::size_t common = 5 + string_bytes(entry.path) + integer_bytes(entry.mtime_ns);
  if (entry.kind == EntryKind::kSymlink) return common + string_bytes(entry.target);
  const std::size_t with_mode = common + integer_bytes(std::uint64_t{entry.mode});
  if (entry.kind == EntryKind::kDirectory) return with_mode;
  return with_mode + integer_bytes(entry.size) +
         (entry.offset == 0 ? 0 : integer_bytes(entry.offset));
}

void encode_entry(bencode::Writer& out, const Entry& entry) {
  out.list();
  if (entry.kind == EntryKind::kSymlink) {
    out.string("l").string(entry.path).string(entry.target).integer(entry.mtime_ns);
  } else {
    const bool is_file = entry.kind == EntryKind::kFile;
    out.string(is_file ? "f" : "d").string(entry.path).integer(entry.mode);
    out.integer(entry.mtime_ns);
    if (is_file) out.integer(static_cast<std::int64_t>(entry.size));
    if (entry.offset != 0) out.integer(static_cast<std::int64_t>(entry.offset));
  }
  out.end();
}

Result<Entry> decode_entry(const bencode::Value& value) {
  KITH_TRY(Entry entry, read_fields(value));
  KITH_CHECK(check_entry(entry));
  return entry;
}

Result<void> check_entry(const Entry& entry) {
  const bool is_top = entry.path.empty() && entry.kind == EntryKind::kDirectory;
  if (!is_top) KITH_CHECK(check_path(entry.path));
  if (entry.mode > kModeMask) return malformed("entry has mode bits outside 0777");
  if (entry.kind == EntryKind::kSymlink) {
    if (entry.mode != 0) return malformed("symlink has a mode");
    KITH_CHECK(check_symlink_target(entry.target));
  } else if (!entry.target.empty()) {
    return malformed("entry has a target and is no symlink");
  }
  if (entry.kind != EntryKind::kFile) {
    if (entry.size != 0 || entry.offset != 0) return malformed("entry has a size and is no file");
  } else if (entry.size > kSizeMax) {
    return peer_error(Errc::kLimit, "file is over 2^63 bytes");
  } else if (entry.offset != 0 && entry.offset >= entry.size) {
    return malformed("entry has an offset past the end of the file");
  }
  return {};
}

Result<void> check_follows(std::string_view last_path, EntryKind last_kind, std::string_view path) {
  const int order = compare_paths(last_path, path);
  if (order == 0) return malformed("two entries have one path");
  if (order > 0) return malformed("entries are not sorted");
  if (last_kind != EntryKind::kDirectory && lies_below(path, last_path)) {
    return malformed("an entry lies below a file or symlink");
  }
  const std::string_view parent = parent_path(path);
  const bool known = parent.empty() || parent == last_path || lies_below(last_path, parent);
  if (!known) return malformed("an entry's directory has no entry before it");
  return {};
}

}  // namespace kith
