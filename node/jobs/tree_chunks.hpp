// Looks through a tree of this machine for chunks of a share that is being fetched: `--reuse`.
//
// The tree is cut as the share was, and each chunk hashed: BLAKE3-keyed(conv, p) tells its key, for
// the convergence secret of the share, or for each epoch's. A chunk with that key is enciphered and
// its id compared before it counts.
// Memory: 16 bytes per chunk of the share. One thread at a time.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "node/jobs/manifests.hpp"
#include "proto/crypto/content_cipher.hpp"
#include "storage/importer.hpp"

namespace kith::node {

class TreeChunks {
 public:
  /// Needs every page of the share. `convs` as in Fetch; a private share brings its own. Errors: as
  /// ImportScan::open, or of reading a page.
  [[nodiscard]] static Result<TreeChunks> open(storage::FileIo& io, SlabPool& pool,
                                               Manifests& manifests,
                                               std::shared_ptr<const ShareInfo> share,
                                               const std::string& directory,
                                               std::vector<Secret> convs);

  /// One chunk of the tree that is a chunk of the share, at each of its places there.
  struct Hit {
    std::vector<ChunkIndex> places;
    SlabChain plaintext;
  };
  /// Reads on, at most `bytes`, until a chunk is found; nothing: not yet, or at_end(). An error of
  /// reading ends it.
  [[nodiscard]] Result<std::optional<Hit>> step(Manifests& manifests, std::uint64_t bytes);
  [[nodiscard]] bool at_end() const { return scan_.scanned(); }

 private:
  struct Wanted {
    std::uint64_t key8 = 0;
    std::uint32_t chunk = 0;
    auto operator<=>(const Wanted&) const = default;
  };
  TreeChunks(storage::ImportScan scan, std::shared_ptr<const ShareInfo> share,
             std::vector<Secret> convs)
      : scan_(std::move(scan)), share_(std::move(share)), convs_(std::move(convs)) {}
  [[nodiscard]] Result<void> learn(Manifests& manifests);
  [[nodiscard]] Result<std::vector<ChunkIndex>> places_of(Manifests& manifests,
                                                          SlabChain& plaintext) const;

  storage::ImportScan scan_;
  std::shared_ptr<const ShareInfo> share_;
  std::vector<Secret> convs_;
  std::vector<Wanted> wanted_;  // sorted
};

}  // namespace kith::node
