// Reads the arguments of one command from its JSON object. The first thing that is wrong is kept
// and every later read returns a default, so that a route lists its arguments without a check at
// each; finish() tells. What nobody read is an error too: a misspelt argument must not be ignored.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "node/api/json.hpp"
#include "proto/result.hpp"

namespace kith::node {

class Args {
 public:
  /// `object` must outlive this.
  explicit Args(const Json& object);

  /// A text of at most `max` bytes of UTF-8 without NUL; empty if it is not given. Text that JSON
  /// cannot carry comes from a command line, and must not arrive repaired as something else.
  [[nodiscard]] std::string text(std::string_view key, std::size_t max);
  /// The same; an error if it is not given or empty.
  [[nodiscard]] std::string required_text(std::string_view key, std::size_t max);
  /// False if missing.
  [[nodiscard]] bool flag(std::string_view key);
  /// A whole number from `min` to `max`; `fallback` if it is not given.
  [[nodiscard]] std::uint64_t number(std::string_view key, std::uint64_t min, std::uint64_t max,
                                     std::uint64_t fallback);
  /// At most `count` texts of at most `max` bytes of UTF-8.
  [[nodiscard]] std::vector<std::string> texts(std::string_view key, std::size_t count,
                                               std::size_t max);
  /// Records a fault of the argument `key` that the caller found.
  void fail(std::string_view key, std::string what, std::string hint = {});
  /// Records an error as it is.
  void fail(Error error);
  /// Nothing was wrong so far.
  [[nodiscard]] bool ok() const { return !failed_; }
  /// The first fault, or an argument that nobody read.
  [[nodiscard]] Result<void> finish() const;

 private:
  const Json* find(std::string_view key);
  std::string one_of(std::string_view key, const Json& item, std::size_t max);
  const Json& object_;
  std::set<std::string, std::less<>> known_;
  bool failed_ = false;
  Error error_;
};

}  // namespace kith::node
