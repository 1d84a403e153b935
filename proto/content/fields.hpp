// Reads the elements of a bencoded list one after the other. A missing element, or one of another
// kind, fails the whole list: the caller reads on and asks ok() once, at the end.
#pragma once

#include <limits>

#include "proto/wire/bencode.hpp"

namespace kith {

class Fields {
 public:
  explicit Fields(const bencode::Value& list)
      : at_(list.begin()), end_(list.end()), ok_(list.kind() == bencode::Kind::kList) {}

  /// The next element, a string; empty where it fails.
  [[nodiscard]] std::string_view text() {
    const auto value = next() ? (*at_).string() : std::nullopt;
    return as_text(take(value));
  }
  [[nodiscard]] std::int64_t integer() {
    const auto value = next() ? (*at_).integer() : std::nullopt;
    return take(value);
  }
  /// The next element, an integer in [0, max of T].
  template <class T>
  [[nodiscard]] T unsigned_integer() {
    const std::int64_t value = integer();
    if (value < 0 || static_cast<std::uint64_t>(value) > std::numeric_limits<T>::max()) ok_ = false;
    return ok_ ? static_cast<T>(value) : T{};
  }
  /// True if every read so far succeeded and nothing is left.
  [[nodiscard]] bool ok() const { return ok_ && at_ == end_; }

 private:
  [[nodiscard]] bool next() const { return ok_ && !(at_ == end_); }
  template <class T>
  T take(const std::optional<T>& value) {
    if (!value) {
      ok_ = false;
      return T{};
    }
    ++at_;
    return *value;
  }

  bencode::Value::Iterator at_, end_;
  bool ok_;
};

}  // namespace kith
