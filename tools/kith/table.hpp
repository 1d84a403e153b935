// Text in columns. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace kith::cli {

/// Columns that `text` (UTF-8) takes, one per code point: wide and combining characters are not
/// told apart, so a table may lean a little, and nothing else depends on it.
[[nodiscard]] std::size_t display_width(std::string_view text);
/// `text` cut to at most `width` columns, with an ellipsis where something is missing.
[[nodiscard]] std::string shorten(std::string_view text, std::size_t width);

/// Rows of cells, each column as wide as its widest cell, two spaces between, nothing behind the
/// last. A cell of more than 40 columns widens its own row only: one long name spoils no table.
class Table {
 public:
  explicit Table(std::vector<std::string> head) { rows_.push_back(std::move(head)); }
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  [[nodiscard]] bool empty() const { return rows_.size() == 1; }
  [[nodiscard]] std::vector<std::string> lines() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace kith::cli
