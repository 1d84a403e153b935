// A set of chunk indices as bits, with its size and count always at hand.
//
// Bits are kept in 64-bit words, the first bit of a word in its most significant place, so that a
// word stored big-endian is eight bytes of a have-set as they stand on the wire. Invariants: bits
// at or past size() are 0; count() is the number of bits that are 1.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>
#include <vector>

#include "proto/bytes.hpp"
#include "proto/ids.hpp"

namespace kith::transfer {

class Bitfield {
 public:
  Bitfield() = default;
  /// `size` bits, all 0.
  explicit Bitfield(std::size_t size) : words_((size + 63) / 64), size_(size) {}
  /// `size` bits from `bytes`, most significant bit first. Bytes that are missing are 0; what
  /// stands at or past `size` is ignored.
  [[nodiscard]] static Bitfield from(Bytes bytes, std::size_t size);

  [[nodiscard]] std::size_t size() const { return size_; }
  /// Bits that are 1.
  [[nodiscard]] std::size_t count() const { return count_; }
  /// Also true of none at all: size() 0.
  [[nodiscard]] bool all() const { return count_ == size_; }
  [[nodiscard]] bool none() const { return count_ == 0; }

  /// False past the end.
  [[nodiscard]] bool test(std::size_t i) const {
    return i < size_ && ((words_[i / 64] >> (63 - i % 64)) & 1U) != 0;
  }
  /// Returns whether the bit changed. i < size().
  bool set(std::size_t i);
  bool clear(std::size_t i);
  /// New bits are 0; bits past the new end are gone.
  void resize(std::size_t size);
  void clear_all();

  /// The byte that holds bits [8 * i, 8 * i + 8): 0 past the end.
  [[nodiscard]] std::uint8_t byte(std::size_t i) const;
  /// Bytes [first, first + n) of the wire form.
  [[nodiscard]] Buffer bytes(std::size_t first, std::size_t n) const;

  /// The first index in [from, to) that is 1 both here and in `other`. 64 bits per step.
  [[nodiscard]] std::optional<ChunkIndex> find_common(const Bitfield& other, std::size_t from,
                                                      std::size_t to) const;

  /// Calls f(ChunkIndex) for every bit that is 1, ascending. f must not change this set.
  template <class F>
  void for_each(F&& f) const {
    for (std::size_t w = 0; w < words_.size(); ++w) {
      for (std::uint64_t rest = words_[w]; rest != 0;) {
        const auto bit = static_cast<std::size_t>(std::countl_zero(rest));
        rest &= ~(std::uint64_t{1} << (63 - bit));
        f(static_cast<ChunkIndex>(w * 64 + bit));
      }
    }
  }

  bool operator==(const Bitfield&) const = default;

 private:
  void recount();

  std::vector<std::uint64_t> words_;
  std::size_t size_ = 0;
  std::size_t count_ = 0;
};

}  // namespace kith::transfer
