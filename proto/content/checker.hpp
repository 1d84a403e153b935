// Checks pages against the root, and against each other: what Page::decode and Root::decode, which
// see one of them only, cannot. Nothing of a share becomes visible before its checker is through.
#pragma once

#include <optional>
#include <string>

#include "proto/content/page.hpp"
#include "proto/content/root.hpp"
#include "proto/result.hpp"

namespace kith {

/// Checks page number `index` alone against what the root says of it and of the next page's first
/// path: counts, content, lengths of chunks, the root's own rules for first entries. Pages can be
/// checked so in any order, as they come. Blame peer.
[[nodiscard]] Result<void> check_page(const Root& root, std::uint32_t index, const Page& page);

/// Checks, page after page in order, what a page alone cannot show: every parent is a directory
/// that came before, paths ascend across pages, a file that crosses pages goes on where it stopped,
/// a chunk that crosses pages is the same in both, counts and totals are the root's. Memory: one
/// entry and one row. After an error the checker is spent.
class ManifestChecker {
 public:
  /// `root` is as Root::decode made it, and outlives the checker.
  explicit ManifestChecker(const Root& root) : root_(&root) {}
  /// The next page, decoded; check_page() is part of it. Blame peer.
  [[nodiscard]] Result<void> add(const Page& page);
  /// After the last page. Blame peer.
  [[nodiscard]] Result<void> finish() const;

 private:
  [[nodiscard]] Result<void> check_first_entry(const Entry& first) const;
  [[nodiscard]] Result<void> check_first_row(const Page& page) const;
  void count(const Page& page);
  void remember_end(const Page& page);

  const Root* root_;
  std::uint32_t pages_ = 0;
  Totals seen_;
  std::optional<Entry> last_;  // the last entry of the pages so far
  bool crosses_ = false;       // it goes on in the next page, at last_->offset
  ChunkRow last_row_;
  std::uint32_t row_used_ = 0;  // bytes of last_row_ described so far
};

}  // namespace kith
