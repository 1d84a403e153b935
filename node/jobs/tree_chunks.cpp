#include "node/jobs/tree_chunks.hpp"

#include <algorithm>

namespace kith::node {
namespace {

std::uint64_t first8(const ChunkKey& key) { return load_be<std::uint64_t>(key.view()); }

}  // namespace

Result<TreeChunks> TreeChunks::open(storage::FileIo& io, SlabPool& pool, Manifests& manifests,
                                    std::shared_ptr<const ShareInfo> share,
                                    const std::string& directory, std::vector<Secret> convs) {
  const Root& root = share->root;
  if (!root.private_conv.empty()) convs.assign(1, Secret(root.private_conv));
  KITH_TRY(auto scan, storage::ImportScan::open_chunks(io, pool, directory, root.chunking));
  TreeChunks out(std::move(scan), std::move(share), std::move(convs));
  KITH_CHECK(out.learn(manifests));
  return out;
}

Result<void> TreeChunks::learn(Manifests& manifests) {
  wanted_.reserve(share_->shape.chunks());
  for (std::uint32_t number = 0; number < share_->shape.pages(); ++number) {
    KITH_TRY(const PagePtr page, manifests.page(*share_, number));
    std::uint32_t chunk = share_->shape.first_chunk(number);
    for (const ChunkRow& row : page->page.rows) wanted_.push_back({first8(row.key), chunk++});
  }
  std::ranges::sort(wanted_);
  // A chunk that several pages describe came with each of them.
  wanted_.erase(std::ranges::unique(wanted_).begin(), wanted_.end());
  return {};
}

Result<std::optional<TreeChunks::Hit>> TreeChunks::step(Manifests& manifests, std::uint64_t bytes) {
  const std::uint64_t until = scan_.bytes_done() + bytes;
  while (!at_end() && scan_.bytes_done() < until) {
    KITH_TRY(auto chunk, scan_.step());
    if (!chunk) continue;
    KITH_TRY(auto places, places_of(manifests, chunk->plaintext));
    if (!places.empty()) return std::optional(Hit{std::move(places), std::move(chunk->plaintext)});
  }
  return std::optional<Hit>();
}

Result<std::vector<ChunkIndex>> TreeChunks::places_of(Manifests& manifests,
                                                      SlabChain& plaintext) const {
  std::vector<ChunkIndex> out;
  const PlainHash hash = plain_hash(plaintext);
  for (const Secret& conv : convs_) {
    const ChunkKey key = chunk_key(conv, hash);
    std::optional<ChunkId> id;
    for (auto it = std::ranges::lower_bound(wanted_, Wanted{first8(key), 0});
         it != wanted_.end() && it->key8 == first8(key); ++it) {
      KITH_TRY(const ChunkRow wanted, manifests.row(*share_, it->chunk));
      if (wanted.key != key || wanted.length != plaintext.size()) continue;
      if (!id) {
        chunk_cipher(key, 0, plaintext);
        id = chunk_id(plaintext);
        chunk_cipher(key, 0, plaintext);
      }
      if (*id == wanted.id) out.push_back(share_->shape.index_of_chunk(it->chunk));
    }
  }
  return out;
}

}  // namespace kith::node
