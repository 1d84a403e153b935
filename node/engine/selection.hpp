// What a copy of a part of a share takes of it (`kith fetch --path`), learned page by page as pages
// come.
//
// A chunk is *taken* if it holds bytes of an entry that is. It comes whole and is verified, but
// only what is taken of it is written; if something is left, the chunk is *cut*: it cannot be read
// back, so it is neither served nor copied from, and when its bytes are doubted it is fetched
// again.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "node/engine/job.hpp"
#include "proto/content/manifest.hpp"

namespace kith::node {

class Selection {
 public:
  explicit Selection(std::vector<std::string> globs) : globs_(std::move(globs)) {}

  [[nodiscard]] const std::vector<std::string>& globs() const { return globs_; }
  /// Nothing is known of any page.
  void reset(const ShareShape& shape);
  /// What a page holds of it. Once for each page. `lengths`: of the page's chunks, where they are
  /// known; else empty.
  void add(const ShareShape& shape, std::uint32_t page, const PageSelection& selection,
           std::span<const std::uint32_t> lengths);
  [[nodiscard]] bool knows(std::uint32_t page) const { return known_[page]; }
  /// Every page is known.
  [[nodiscard]] bool is_complete() const { return unknown_ == 0; }

  /// By number of a content chunk. As far as known: another page may take something of it, too.
  [[nodiscard]] bool takes(std::uint32_t chunk) const { return takes_[chunk]; }
  [[nodiscard]] bool cuts(std::uint32_t chunk) const { return takes_[chunk] && leaves_[chunk]; }
  /// Chunks that are taken.
  [[nodiscard]] std::uint32_t chunks() const { return chunks_; }
  [[nodiscard]] std::uint64_t entries() const { return entries_; }
  [[nodiscard]] std::uint64_t files() const { return files_; }
  /// Of the content of what is taken.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  /// Of the chunks that are taken, whole, as far as their lengths were given.
  [[nodiscard]] std::uint64_t stored() const { return stored_; }

 private:
  std::vector<std::string> globs_;
  std::vector<bool> known_;           // by page
  std::vector<bool> takes_, leaves_;  // by content chunk
  std::uint32_t unknown_ = 1;
  std::uint32_t chunks_ = 0;
  std::uint64_t entries_ = 0, files_ = 0, bytes_ = 0, stored_ = 0;
};

}  // namespace kith::node
