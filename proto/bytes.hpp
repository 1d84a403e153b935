// Views, buffers and fixed arrays of bytes, and what every parser needs of them: hex, big-endian
// integers, conversion from and to text. Nothing here allocates unless it returns a Buffer.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kith {

using Bytes = std::span<const std::uint8_t>;
using MutableBytes = std::span<std::uint8_t>;
using Buffer = std::vector<std::uint8_t>;

/// The bytes of `text`, without a terminator. The view lives as long as the text.
[[nodiscard]] inline Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
/// The same bytes seen as text, which need not be valid UTF-8.
[[nodiscard]] inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
/// A copy.
[[nodiscard]] inline Buffer to_buffer(Bytes bytes) { return {bytes.begin(), bytes.end()}; }

/// At the end of `out`, of which `bytes` must be no part.
inline void append(Buffer& out, Bytes bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }

/// Not in constant time: for what is no secret.
[[nodiscard]] inline bool equal(Bytes a, Bytes b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

/// Lower-case hexadecimal.
[[nodiscard]] std::string to_hex(Bytes bytes);
/// Accepts both cases; nothing on an odd length or a foreign character.
[[nodiscard]] std::optional<Buffer> from_hex(std::string_view text);

/// Writes `value` big-endian to out[0, sizeof(T)).
template <class T>
void store_be(MutableBytes out, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    out[i] = static_cast<std::uint8_t>(value >> (8 * (sizeof(T) - 1 - i)));
  }
}
/// Reads sizeof(T) big-endian bytes from the front of `in`, which must hold them.
template <class T>
[[nodiscard]] T load_be(Bytes in) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) value = static_cast<T>((value << 8) | in[i]);
  return value;
}
/// Appends sizeof(T) bytes, big-endian.
template <class T>
void append_be(Buffer& out, T value) {
  const std::size_t at = out.size();
  out.resize(at + sizeof(T));
  store_be<T>(MutableBytes(out).subspan(at), value);
}

/// An array of N bytes that is its own type: a DeviceId is never passed for a SwarmId. Ordered
/// bytewise.
template <std::size_t N, class Tag>
struct FixedBytes {
  static constexpr std::size_t kSize = N;
  std::array<std::uint8_t, N> bytes{};

  /// Copies `in`; nothing unless it has exactly N bytes.
  [[nodiscard]] static std::optional<FixedBytes> from(Bytes in) {
    if (in.size() != N) return std::nullopt;
    FixedBytes out;
    std::memcpy(out.bytes.data(), in.data(), N);
    return out;
  }
  [[nodiscard]] Bytes view() const { return bytes; }
  [[nodiscard]] MutableBytes mutable_view() { return bytes; }
  /// 2 · N lower-case digits.
  [[nodiscard]] std::string hex() const { return to_hex(bytes); }
  [[nodiscard]] bool is_zero() const { return *this == FixedBytes{}; }
  auto operator<=>(const FixedBytes&) const = default;
};

/// Hash for unordered containers keyed by ids that are themselves hashes or keys. Iteration order
/// of such containers is never observable in the cores.
struct FixedBytesHash {
  template <std::size_t N, class Tag>
  std::size_t operator()(const FixedBytes<N, Tag>& id) const {
    static_assert(N >= sizeof(std::size_t));
    std::size_t h;
    std::memcpy(&h, id.bytes.data(), sizeof h);
    return h;
  }
};

}  // namespace kith
