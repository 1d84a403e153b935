// Decoded manifest pages for jobs: kept while they are used, read from the catalog when they are
// not at hand. Any thread; the lock is held for look-ups only, never while a page is read or
// decoded.
#pragma once

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "node/engine/catalog_write.hpp"
#include "proto/content/manifest.hpp"
#include "proto/result.hpp"
#include "storage/catalog.hpp"
#include "storage/file_stat.hpp"

namespace kith::node {

/// A share as jobs see it: its root and its shape. Immutable.
struct ShareInfo {
  ShareId id;
  ChunkKey key;
  Root root;
  ShareShape shape;
};

struct DecodedPage {
  Page page;
  PageLayout layout;
  explicit DecodedPage(Page decoded) : page(std::move(decoded)), layout(page) {}
};
using PagePtr = std::shared_ptr<const DecodedPage>;

class Manifests {
 public:
  /// Where ciphertext comes from: a reading connection to the catalog. Called under a lock of its
  /// own.
  struct Source {
    std::function<Result<std::optional<Buffer>>(const ShareId&)> root;  // ciphertext
    std::function<Result<std::optional<ChunkKey>>(const ShareId&)> key;
    std::function<Result<std::optional<Buffer>>(const ShareId&, std::uint32_t)> page;
    std::function<Result<std::optional<Buffer>>(CopyId, std::uint32_t)> file_stats;
    std::function<Result<std::vector<storage::ChunkPlace>>(const ChunkId&)> chunk;
  };
  explicit Manifests(Source source) : source_(std::move(source)) {}

  /// A share whose root was just opened: known from now on. `stream`: see put_fresh().
  void put_share(const ShareId& id, const ChunkKey& key, Root root, CopyId stream = {});
  /// The root (index 0) or a page that was just received: at hand until the catalog has it, for it
  /// may be asked of us before. With `stream` it will not be saved, and is at hand until that ends.
  void put_fresh(const ShareId& share, ChunkIndex index, Buffer ciphertext, CopyId stream);
  /// The catalog has executed this.
  void saved(const CatalogBody& write);
  /// Of a share that is gone.
  void forget(const ShareId& share);
  /// What only this stream has made known.
  void forget_stream(const ShareId& share, CopyId stream);

  /// kNotFound if the catalog does not know it either; kVerification if its bytes were damaged
  /// there.
  [[nodiscard]] Result<std::shared_ptr<const ShareInfo>> share(const ShareId& id);
  /// Decoded, and its id compared. Errors as share().
  [[nodiscard]] Result<PagePtr> page(const ShareInfo& share, std::uint32_t page);
  /// The row of content chunk number `chunk`, which the share has. Errors as page().
  [[nodiscard]] Result<ChunkRow> row(const ShareInfo& share, std::uint32_t chunk);
  /// The root (index 0) or a page, enciphered, as it is sent.
  [[nodiscard]] Result<Buffer> ciphertext(const ShareInfo& share, ChunkIndex index);
  /// Recorded states of the files of a page; nothing if none were recorded.
  [[nodiscard]] Result<std::shared_ptr<const storage::PageStats>> file_stats(CopyId copy,
                                                                             std::uint32_t page);
  /// Where shares in the catalog have a chunk, by the first bytes of its id.
  [[nodiscard]] Result<std::vector<storage::ChunkPlace>> find_chunk(const ChunkId& id);
  /// Recorded anew for a page: true from now on, though the catalog has it later (PutPageStats).
  void put_file_stats(CopyId copy, std::uint32_t page, Buffer stats);
  /// As put_file_stats(), but the files are as they were.
  void renew_file_stats(CopyId copy, std::uint32_t page, Buffer stats);
  /// They were recorded anew, or will be: what is at hand is old.
  void forget_file_stats(CopyId copy);

  /// Chunks that were hashed when every file in them was as recorded, and its last change a minute
  /// ago or written back: for them a recording that came too soon after that change
  /// (FileTrust::kRacy) is as good as any, to send them. Kept until file states are recorded anew;
  /// a restart begins without.
  [[nodiscard]] bool is_hashed(CopyId copy, ChunkIndex index);
  void mark_hashed(CopyId copy, ChunkIndex index);
  /// Those among them whose files had been written back for certain: a later change shows.
  [[nodiscard]] bool is_sound(CopyId copy, ChunkIndex index);
  void mark_sound(CopyId copy, ChunkIndex index);
  /// All of [first, first + count). Looks at the last one first, which in the order of indices is
  /// the last to become so.
  [[nodiscard]] bool are_sound(CopyId copy, ChunkIndex first, std::size_t count);

 private:
  template <class Key, class Value>
  class Recent {
   public:
    explicit Recent(std::size_t limit) : limit_(limit) {}
    std::shared_ptr<const Value> get(const Key& key);
    void put(const Key& key, std::shared_ptr<const Value> value);
    template <class Match>
    void erase_if(Match&& match);

   private:
    std::size_t limit_;
    std::list<std::pair<Key, std::shared_ptr<const Value>>> items_;  // latest first
  };
  // About 0.5 MiB each when decoded.
  static constexpr std::size_t kPagesAtHand = 48;

  [[nodiscard]] bool is_fresh(const ShareId& share);
  void saved_stats(const PutPageStats& write);

  Source source_;
  std::mutex source_mutex_;
  std::mutex mutex_;
  struct Known {
    std::shared_ptr<const ShareInfo> info;
    CopyId stream{};
  };
  std::map<ShareId, Known> shares_;
  struct Fresh {
    Buffer ciphertext;
    CopyId stream{};
  };
  std::map<std::pair<ShareId, ChunkIndex>, Fresh> fresh_;  // not in the catalog, or not yet
  Recent<std::pair<ShareId, std::uint32_t>, DecodedPage> pages_{kPagesAtHand};
  Recent<std::pair<CopyId, std::uint32_t>, storage::PageStats> stats_{kPagesAtHand};
  std::map<std::pair<CopyId, std::uint32_t>, Buffer> fresh_stats_;  // not in the catalog yet
  std::map<CopyId, std::vector<bool>> hashed_, sound_;              // by chunk index
};

}  // namespace kith::node
