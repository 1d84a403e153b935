#include "node/engine/selection.hpp"

namespace kith::node {

void Selection::reset(const ShareShape& shape) {
  known_.assign(shape.pages(), false);
  takes_.assign(shape.chunks(), false);
  leaves_.assign(shape.chunks(), false);
  unknown_ = shape.pages();
  chunks_ = 0;
  entries_ = files_ = bytes_ = stored_ = 0;
}

void Selection::add(const ShareShape& shape, std::uint32_t page, const PageSelection& selection,
                    std::span<const std::uint32_t> lengths) {
  known_[page] = true;
  --unknown_;
  entries_ += selection.entries;
  files_ += selection.files;
  bytes_ += selection.bytes;
  const std::uint32_t first = shape.first_chunk(page);
  for (std::uint32_t row = 0; row < selection.takes.size(); ++row) {
    const std::uint32_t chunk = first + row;
    if (selection.takes[row] && !takes_[chunk]) {
      ++chunks_;
      if (row < lengths.size()) stored_ += lengths[row];
    }
    if (selection.takes[row]) takes_[chunk] = true;
    if (selection.leaves[row]) leaves_[chunk] = true;
  }
}

}  // namespace kith::node
