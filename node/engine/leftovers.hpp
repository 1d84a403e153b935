// Stagings of fetches that have ended and that are still to be removed: the fetch was cancelled,
// and the node ended in that moment, or the file system did not let go of them. Noted before the
// copy's row goes, so that none is forgotten; tried again at every start and by `kith gc`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proto/ids.hpp"
#include "proto/result.hpp"

namespace kith::node {

/// More of them are not remembered: the oldest are forgotten.
inline constexpr std::size_t kLeftoversMax = 1'000;

struct Leftover {
  CopyId copy{};  // that it was of
  ShareId share;
  std::string directory;
  std::string name;          // the final one of the fetch
  std::uint64_t device = 0;  // of the staging: something else of that name is not touched
  std::uint64_t inode = 0;
  bool operator==(const Leftover&) const = default;
  /// Where a fetch would make a staging of the same name.
  [[nodiscard]] bool is_at(const ShareId& of, std::string_view in, std::string_view as) const {
    return share == of && directory == in && name == as;
  }
};

/// As the catalog keeps them: bencode list of {c: copy, d: directory, i: inode, n: name, s: share,
/// v: device}.
[[nodiscard]] std::string encode_leftovers(const std::vector<Leftover>& leftovers);
/// kMalformed, blame local.
[[nodiscard]] Result<std::vector<Leftover>> decode_leftovers(std::string_view text);

}  // namespace kith::node
