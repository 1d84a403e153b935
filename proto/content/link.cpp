#include "proto/content/link.hpp"

#include <algorithm>

#include "proto/crypto/hash.hpp"
#include "proto/text.hpp"

namespace kith {
namespace {

constexpr std::string_view kPrefix = "kith:share/";
constexpr std::string_view kSpace = " \t\r\n\f\v";
constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kChecksumBytes = 4;
constexpr std::size_t kLinkBytes = 1 + 8 + 32 + 32 + kChecksumBytes;
constexpr std::size_t kTextMax = 4096;  // more than any later version needs

std::array<std::uint8_t, kChecksumBytes> checksum(Bytes body) {
  const auto hash = blake2b_256(body);
  std::array<std::uint8_t, kChecksumBytes> out;
  std::copy_n(hash.begin(), out.size(), out.begin());
  return out;
}

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

// A link is a secret: no error repeats it.
Error bad_link(Errc code, const char* what, const char* hint) {
  return local_error(code, std::string("link: ") + what, {}, hint);
}

bool is_base32(std::string_view text) {
  return text.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567") == std::string_view::npos;
}

bool checksum_holds(Bytes bytes) {
  if (bytes.size() <= kChecksumBytes) return false;
  return equal(checksum(bytes.first(bytes.size() - kChecksumBytes)), bytes.last(kChecksumBytes));
}

Result<Buffer> decode_text(std::string_view text) {
  text = trim(text);
  if (!text.starts_with(kPrefix)) {
    return bad_link(Errc::kMalformed, "does not begin with kith:share/", "is it an invite?");
  }
  text.remove_prefix(kPrefix.size());
  if (!is_base32(text)) {
    return bad_link(Errc::kMalformed, "has a character that links do not have",
                    "copy the link once more");
  }
  const auto bytes = text.size() <= kTextMax ? from_base32(text) : std::nullopt;
  const bool other_version = bytes && checksum_holds(*bytes) && bytes->front() != kVersion;
  if (other_version) {
    return bad_link(Errc::kUnsupported, "has a version that is not known", "update kith");
  }
  if (!bytes || bytes->size() != kLinkBytes) {
    return bad_link(Errc::kMalformed, "has the wrong length", "copy the whole link");
  }
  if (!checksum_holds(*bytes)) {
    return bad_link(Errc::kMalformed, "has a wrong checksum", "copy the link once more");
  }
  return *bytes;
}

}  // namespace

std::string Link::to_string() const {
  Buffer bytes;
  bytes.reserve(kLinkBytes);
  bytes.push_back(kVersion);
  append(bytes, swarm_prefix);
  append(bytes, share.view());
  append(bytes, key.view());
  append(bytes, checksum(bytes));
  return std::string(kPrefix) + to_base32(bytes);
}

Result<Link> Link::parse(std::string_view text) {
  KITH_TRY(const Buffer buffer, decode_text(text));
  const Bytes bytes = buffer;
  Link link;
  std::copy_n(bytes.begin() + 1, link.swarm_prefix.size(), link.swarm_prefix.begin());
  link.share = *ShareId::from(bytes.subspan(9, 32));
  link.key = *ChunkKey::from(bytes.subspan(41, 32));
  return link;
}

}  // namespace kith
