#include "tests/sim/backing.hpp"

#include <algorithm>

#include "proto/assert.hpp"

namespace kith::sim {
namespace {

node::Manifests::Source source_of(storage::Catalog& catalog) {
  return {
      [&catalog](const ShareId& share) -> Result<std::optional<Buffer>> {
        KITH_TRY(auto record, catalog.share(share));
        return record ? std::optional(record->root) : std::nullopt;
      },
      [&catalog](const ShareId& share) -> Result<std::optional<ChunkKey>> {
        KITH_TRY(auto record, catalog.share(share));
        return record ? std::optional(record->key) : std::nullopt;
      },
      [&catalog](const ShareId& share, std::uint32_t page) { return catalog.page(share, page); },
      [&catalog](CopyId copy, std::uint32_t page) { return catalog.file_stats(copy, page); },
      [&catalog](const ChunkId& id) { return catalog.find_chunk(id); },
  };
}

node::CopyTable::Lookup lookup_in(storage::Catalog& catalog) {
  return [&catalog](CopyId id) -> Result<std::optional<node::CopyTable::Place>> {
    KITH_TRY(const auto copies, catalog.copies());
    for (const auto& copy : copies) {
      if (copy.id == id) return std::optional(node::CopyTable::Place{copy.share, copy.path, false});
    }
    return std::optional<node::CopyTable::Place>();
  };
}

Result<void> put_import(storage::Catalog& catalog, const storage::ImportResult& result,
                        const SwarmId& swarm, CopyId copy, const std::string& path) {
  KITH_CHECK(catalog.put_share(
      {result.share, swarm, result.root.name, result.key, result.root_ciphertext}));
  storage::CopyRecord record;
  record.id = copy;
  record.share = result.share;
  record.state = storage::CopyState::kShared;
  record.name = result.root.name;
  record.path = path;
  record.swarm = swarm;
  KITH_CHECK(catalog.put_copy(record));
  for (std::size_t i = 0; i < result.pages.size(); ++i) {
    const auto number = static_cast<std::uint32_t>(i);
    KITH_CHECK(catalog.put_page(result.share, number, result.pages[i].ciphertext));
    KITH_CHECK(catalog.put_file_stats(copy, number, result.pages[i].file_stats));
  }
  return catalog.index_chunks(result.share, 0, result.chunks);
}

std::unique_ptr<storage::Catalog> empty_catalog() {
  return std::make_unique<storage::Catalog>(storage::Catalog::open_in_memory().value());
}

}  // namespace

Backing::Backing() : catalog_(empty_catalog()) {}

node::SavedState Backing::start() {
  KITH_ASSERT(jobs_ == nullptr);
  // One pool for all lives of the node: jobs of an earlier one may still be on their way.
  if (slabs_ == nullptr) slabs_ = std::make_unique<SlabPool>();
  jobs_ = std::make_unique<node::Jobs>(disk_, *slabs_, source_of(*catalog_), lookup_in(*catalog_));
  return node::load_state(*catalog_, disk_.boot_id()).value();
}

void Backing::crash(Crash kind, Rng& rng) {
  jobs_.reset();
  disk_.crash(kind);
  disk_.restart(rng.next_u64());
  if (kind == Crash::kSystem) lose_groups(rng);
}

void Backing::lose_groups(Rng& rng) {
  const std::size_t kept = durable_ + rng.uniform(log_.size() - durable_ + 1);
  if (kept == log_.size()) return;
  catalog_ = empty_catalog();
  const std::vector<Group> log = std::exchange(log_, {});
  for (std::size_t i = 0; i < kept; ++i) KITH_ASSERT(commit(log[i], i < durable_));
}

Result<void> Backing::commit(Group group, bool full) {
  KITH_CHECK(catalog_->begin());
  if (auto done = group(*catalog_); !done) {
    catalog_->roll_back();
    return done;
  }
  KITH_CHECK(catalog_->commit());
  log_.push_back(std::move(group));
  if (full) durable_ = log_.size();
  return {};
}

node::JobResult Backing::run(node::Job job, UnixMillis wall) {
  disk_.set_time_ns(count(wall) * 1'000'000);
  node::JobResult result = jobs_->run(std::move(job), wall);
  auto* verified = std::get_if<node::ChunkVerified>(&result);
  if (verified != nullptr && !sees_damage_) {
    verified->good = true;
    verified->rotten = false;
    verified->error.reset();
  }
  return result;
}

Result<void> Backing::save(std::vector<node::CatalogWrite> writes) {
  const bool full = std::ranges::any_of(writes, &node::CatalogWrite::full);
  const auto kept = std::make_shared<const std::vector<node::CatalogWrite>>(std::move(writes));
  const auto group = [kept, boot = disk_.boot_id()](storage::Catalog& catalog) -> Result<void> {
    for (const auto& write : *kept) KITH_CHECK(node::execute(catalog, write.body, boot));
    return {};
  };
  KITH_CHECK(commit(group, full));
  for (const auto& write : *kept) jobs_->manifests().saved(write.body);
  return {};
}

Result<node::AddShare> Backing::import(const std::string& path, storage::ImportOptions options,
                                       const SwarmId& swarm, CopyId fresh) {
  KITH_TRY(auto imported, storage::import_tree(disk_, *slabs_, path, std::move(options)));
  const auto result = std::make_shared<const storage::ImportResult>(std::move(imported));
  CopyId copy = fresh;
  KITH_TRY(const auto copies, catalog_->copies());
  for (const storage::CopyRecord& other : copies) {
    const bool shared = other.state == storage::CopyState::kShared;
    if (other.share == result->share && other.path == path && shared) copy = other.id;
  }
  const auto group = [=](storage::Catalog& catalog) {
    return put_import(catalog, *result, swarm, copy, path);
  };
  KITH_CHECK(commit(group, true));
  return node::AddShare{swarm, result->share, result->key, copy, path, result->root};
}

}  // namespace kith::sim
