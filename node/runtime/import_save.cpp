// What an import made, on its way to the catalog. In small groups, since whatever else is to be
// saved waits behind each of them; the copy comes last, and from then on all of it counts. What an
// import leaves that ends before is removed at the next start (Catalog::remove_unused).
#include <algorithm>
#include <future>

#include "node/engine/copies.hpp"
#include "node/runtime/import_driver.hpp"
#include "proto/crypto/random.hpp"

namespace kith::node {
namespace {

// In one group: some tens of milliseconds.
constexpr std::size_t kPagesPerGroup = 16;
constexpr std::uint32_t kHashesPerGroup = 8192;
// The last copy of the very share may be removed meanwhile, and the share with it.
constexpr int kSaveTries = 3;

}  // namespace

Result<void> ImportDriver::in_catalog(bool full,
                                      const std::function<Result<void>(storage::Catalog&)>& write) {
  const auto done = std::make_shared<std::promise<Result<void>>>();
  links_.catalog.run([&write, full, done](storage::Catalog& catalog) {
    const auto group = [&]() -> Result<void> {
      KITH_CHECK(catalog.begin());
      KITH_CHECK(write(catalog));
      return full ? catalog.commit_full() : catalog.commit();
    };
    auto written = group();
    if (!written) catalog.roll_back();
    done->set_value(std::move(written));
  });
  return done->get_future().get();
}

Result<CopyId> ImportDriver::save(RequestId request, const std::string& path,
                                  const SwarmTarget& target, const Imported& imported,
                                  const std::optional<Earlier>& earlier) {
  SystemRng rng;
  const storage::ImportResult& result = imported.result;
  CopyId copy = random_copy_id(rng);
  const auto found = in_catalog(false, [&](storage::Catalog& catalog) -> Result<void> {
    KITH_TRY(const auto copies, catalog.copies());
    for (const storage::CopyRecord& other : copies) {
      // The same tree at the same place, shared again: the copy it already is.
      const bool shared = other.state == storage::CopyState::kShared;
      if (other.share == result.share && other.path == path && shared) copy = other.id;
    }
    return {};
  });
  if (!found) return found.error();
  storage::CopyRecord record;
  record.id = copy;
  record.share = result.share;
  record.state = storage::CopyState::kShared;
  record.name = result.root.name;
  record.path = path;
  record.swarm = target.swarm;
  const storage::ShareRecord share{result.share, target.swarm, result.root.name, result.key,
                                   result.root_ciphertext};
  for (int tries = 1;; ++tries) {
    auto saved = save_groups(request, share, record, imported, earlier);
    if (saved) return copy;
    if (saved.error().code != Errc::kNotFound || tries == kSaveTries) {
      return std::move(saved).error();
    }
  }
}

Result<void> ImportDriver::save_groups(RequestId request, const storage::ShareRecord& share,
                                       const storage::CopyRecord& copy, const Imported& imported,
                                       const std::optional<Earlier>& earlier) {
  const Put put = [&](const std::function<Result<void>(storage::Catalog&)>& write) {
    return is_cancelled(request) ? Result<void>(cancelled()) : in_catalog(false, write);
  };
  const bool is_new = !earlier || earlier->share != share.id;
  const auto save_part = [&](const storage::ImportMade& made) -> Result<void> {
    KITH_CHECK(save_pages(put, share.id, copy.id, made));
    if (!is_new) return {};  // it has its hashes
    return save_hashes(put, share.id, made, imported.result.reused, earlier);
  };
  KITH_CHECK(put([&](storage::Catalog& catalog) { return catalog.put_share(share); }));
  for (std::size_t i = 0; i < imported.spool.size(); ++i) {
    KITH_TRY(const storage::ImportMade made, imported.spool.part(i));
    KITH_CHECK(save_part(made));
  }
  KITH_CHECK(save_part(imported.result));
  if (is_cancelled(request)) return cancelled();
  return in_catalog(true, [&](storage::Catalog& catalog) { return catalog.put_copy(copy); });
}

Result<void> ImportDriver::save_pages(const Put& put, const ShareId& share, CopyId copy,
                                      const storage::ImportMade& made) {
  for (std::size_t at = 0; at < made.pages.size(); at += kPagesPerGroup) {
    const std::size_t end = std::min(at + kPagesPerGroup, made.pages.size());
    const auto saved = put([&](storage::Catalog& catalog) -> Result<void> {
      for (std::size_t i = at; i < end; ++i) {
        const auto number = made.first_page + static_cast<std::uint32_t>(i);
        KITH_CHECK(catalog.put_page(share, number, made.pages[i].ciphertext));
        KITH_CHECK(catalog.put_file_stats(copy, number, made.pages[i].file_stats));
      }
      return {};
    });
    if (!saved) return saved;
  }
  return {};
}

Result<void> ImportDriver::save_hashes(const Put& put, const ShareId& share,
                                       const storage::ImportMade& made,
                                       std::span<const storage::ReusedRun> reused,
                                       const std::optional<Earlier>& earlier) {
  // f(catalog, first, count) for each group of the chunks [begin, end).
  const auto in_groups = [&](std::uint32_t begin, std::uint32_t end, auto&& f) -> Result<void> {
    for (std::uint32_t at = begin; at < end; at += kHashesPerGroup) {
      const std::uint32_t count = std::min(kHashesPerGroup, end - at);
      KITH_CHECK(put([&](storage::Catalog& catalog) { return f(catalog, at, count); }));
    }
    return {};
  };
  const std::span<const ChunkId> ids(made.chunks);
  const std::span<const PlainHash> plain(made.plain);
  const std::uint32_t first = made.first_chunk;
  const auto end = static_cast<std::uint32_t>(first + ids.size());
  const auto index_plain = [&](storage::Catalog& catalog, std::uint32_t at, std::uint32_t count) {
    return catalog.index_plain(share, at, plain.subspan(at - first, count));
  };
  KITH_CHECK(in_groups(first, end, [&](storage::Catalog& catalog, auto at, auto count) {
    return catalog.index_chunks(share, at, ids.subspan(at - first, count));
  }));
  // Of what was not read, the hashes are those that the earlier share has.
  std::uint32_t next = first;
  for (const storage::ReusedRun& run : reused) {
    const std::uint32_t from = std::max(run.to, first);
    const std::uint32_t to = std::min(run.to + run.count, end);
    if (from >= to) continue;  // in another part
    KITH_CHECK(in_groups(next, from, index_plain));
    KITH_CHECK(in_groups(from, to, [&](storage::Catalog& catalog, auto at, auto count) {
      return catalog.copy_plain(earlier->share, run.from + (at - run.to), share, at, count);
    }));
    next = to;
  }
  return in_groups(next, end, index_plain);
}

}  // namespace kith::node
