// An input read as a script, front to back: small values one after the other, zeros behind its end.
#pragma once

#include <algorithm>
#include <cstdint>

#include "proto/bytes.hpp"

namespace kith {

class Script {
 public:
  explicit Script(Bytes input) : left_(input) {}

  [[nodiscard]] bool empty() const { return left_.empty(); }
  /// The next byte; 0 behind the end.
  std::uint8_t byte() {
    const Bytes out = take(1);
    return out.empty() ? 0 : out.front();
  }
  /// The next `count` bytes, or what is left.
  Bytes take(std::size_t count) {
    const Bytes out = left_.first(std::min(count, left_.size()));
    left_ = left_.subspan(out.size());
    return out;
  }

 private:
  Bytes left_;
};

}  // namespace kith
