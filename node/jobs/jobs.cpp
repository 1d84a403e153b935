#include "node/jobs/jobs.hpp"

namespace kith::node {

JobResult Jobs::run(Job job, UnixMillis wall) {
  return std::visit(
      [&](auto& j) {
        if constexpr (requires { perform(j, wall); }) {
          return perform(j, wall);
        } else {
          return perform(j);
        }
      },
      job);
}

Result<Jobs::Place> Jobs::place_of(const ShareInfo& share, ChunkIndex index) {
  const std::uint32_t chunk = index - share.shape.index_of_chunk(0);
  const auto [first, last] = share.shape.pages_of_chunk(chunk);
  Place place;
  for (std::uint32_t number = first; number <= last; ++number) {
    if (!share.shape.describes(number, chunk)) continue;
    KITH_TRY(PagePtr page, manifests_.page(share, number));
    place.parts.push_back({std::move(page), number, chunk - share.shape.first_chunk(number)});
  }
  const Place::Part& part = place.parts.front();
  place.row = part.page->page.rows.at(part.row);
  return place;
}

std::string Jobs::path_in(const Place& place) {
  for (const Place::Part& part : place.parts) {
    const DecodedPage& page = *part.page;
    const auto extents = page.layout.extents(page.page, part.row);
    if (!extents.empty()) return page.page.entries.at(extents.front().entry).path;
  }
  return {};
}

std::uint32_t Jobs::files_in(const Place& place) {
  std::size_t files = 0;
  for (const Place::Part& part : place.parts) {
    files += part.page->layout.extents(part.page->page, part.row).size();
  }
  return static_cast<std::uint32_t>(files);
}

Result<std::vector<storage::Stretch>> Jobs::stretches(CopyId copy, const Place& place,
                                                      const storage::PathGlobs& part) {
  std::vector<storage::Stretch> out;
  const bool fetching = copies_.is_fetching(copy);
  for (const Place::Part& described : place.parts) {
    std::shared_ptr<const storage::PageStats> stats;
    if (!fetching) {
      KITH_TRY(stats, manifests_.file_stats(copy, described.number));
    }
    const DecodedPage& page = *described.page;
    storage::append_stretches(page.page, page.layout, described.row, stats.get(), out);
  }
  std::erase_if(out, [&](const storage::Stretch& s) { return !part.takes(s.path, false); });
  return out;
}

storage::PageSource Jobs::page_source(const SharePtr& share) {
  return [this, share](std::uint32_t number) -> Result<Page> {
    KITH_TRY(const PagePtr page, manifests_.page(*share, number));
    return page->page;
  };
}

}  // namespace kith::node
