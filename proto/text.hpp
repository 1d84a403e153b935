// Texts that people pass around: RFC 4648 base32, lower case, unpadded. Checksums live with the
// formats that use them (content/link, swarm/invite).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "proto/bytes.hpp"

namespace kith {

/// Eight characters for every five bytes, rounded up to whole characters.
[[nodiscard]] std::string to_base32(Bytes bytes);
/// Lower case only; nothing on a foreign character, an impossible length or set bits after the end,
/// so that every byte string has exactly one text.
[[nodiscard]] std::optional<Buffer> from_base32(std::string_view text);

/// True if `text` is well-formed UTF-8 (no overlong forms, no surrogates, at most U+10FFFF).
[[nodiscard]] bool is_utf8(std::string_view text);

/// `text` made safe to show on a terminal or in a log: control characters, DEL, backslash, C1,
/// bidirectional overrides and invalid UTF-8 become \xNN of their bytes (a backslash becomes \\).
[[nodiscard]] std::string escape(std::string_view text);

}  // namespace kith
