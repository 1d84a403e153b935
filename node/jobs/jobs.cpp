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
  place.first_page = first;
  for (std::uint32_t number = first; number <= last; ++number) {
    KITH_TRY(PagePtr page, manifests_.page(share, number));
    place.rows.push_back(chunk - share.shape.first_chunk(number));
    place.pages.push_back(std::move(page));
  }
  place.row = place.pages.front()->page.rows.at(place.rows.front());
  return place;
}

std::string Jobs::path_in(const Place& place) {
  for (std::size_t i = 0; i < place.pages.size(); ++i) {
    const DecodedPage& page = *place.pages[i];
    const auto extents = page.layout.extents(page.page, place.rows[i]);
    if (!extents.empty()) return page.page.entries.at(extents.front().entry).path;
  }
  return {};
}

Result<std::vector<storage::Stretch>> Jobs::stretches(CopyId copy, const Place& place) {
  std::vector<storage::Stretch> out;
  const bool fetching = copies_.is_fetching(copy);
  for (std::size_t i = 0; i < place.pages.size(); ++i) {
    std::shared_ptr<const storage::PageStats> stats;
    if (!fetching) {
      KITH_TRY(stats,
               manifests_.file_stats(copy, place.first_page + static_cast<std::uint32_t>(i)));
    }
    const DecodedPage& page = *place.pages[i];
    storage::append_stretches(page.page, page.layout, place.rows[i], stats.get(), out);
  }
  return out;
}

storage::PageSource Jobs::page_source(const SharePtr& share) {
  return [this, share](std::uint32_t number) -> Result<Page> {
    KITH_TRY(const PagePtr page, manifests_.page(*share, number));
    return page->page;
  };
}

}  // namespace kith::node
