#include "node/jobs/manifests.hpp"

#include "proto/crypto/content_cipher.hpp"

namespace kith::node {
namespace {

Error unknown_share(const ShareId& id) {
  return local_error(Errc::kNotFound, "the catalog does not know the share", id.hex());
}

using Marks = std::map<CopyId, std::vector<bool>>;

bool is_marked(const Marks& marks, CopyId copy, ChunkIndex index) {
  const auto it = marks.find(copy);
  return it != marks.end() && index < it->second.size() && it->second[index];
}

void mark(Marks& marks, CopyId copy, ChunkIndex index) {
  std::vector<bool>& chunks = marks[copy];
  if (chunks.size() <= index) chunks.resize(index + 1);
  chunks[index] = true;
}

}  // namespace

template <class Key, class Value>
std::shared_ptr<const Value> Manifests::Recent<Key, Value>::get(const Key& key) {
  for (auto it = items_.begin(); it != items_.end(); ++it) {
    if (it->first != key) continue;
    items_.splice(items_.begin(), items_, it);
    return it->second;
  }
  return nullptr;
}

template <class Key, class Value>
void Manifests::Recent<Key, Value>::put(const Key& key, std::shared_ptr<const Value> value) {
  items_.emplace_front(key, std::move(value));
  if (items_.size() > limit_) items_.pop_back();
}

template <class Key, class Value>
template <class Match>
void Manifests::Recent<Key, Value>::erase_if(Match&& match) {
  items_.remove_if([&](const auto& item) { return match(item.first); });
}

void Manifests::put_share(const ShareId& id, const ChunkKey& key, Root root, CopyId stream) {
  ShareShape shape(root);
  auto info =
      std::make_shared<const ShareInfo>(ShareInfo{id, key, std::move(root), std::move(shape)});
  const std::lock_guard lock(mutex_);
  // Known for good stays so.
  const auto before = shares_.find(id);
  if (before != shares_.end() && before->second.stream == CopyId{}) stream = {};
  shares_[id] = {std::move(info), stream};
}

void Manifests::put_fresh(const ShareId& share, ChunkIndex index, Buffer ciphertext,
                          CopyId stream) {
  const std::lock_guard lock(mutex_);
  fresh_[{share, index}] = {std::move(ciphertext), stream};
}

void Manifests::saved(const CatalogBody& write) {
  const auto erase = [this](const ShareId& share, ChunkIndex index) {
    const std::lock_guard lock(mutex_);
    fresh_.erase({share, index});
  };
  if (const auto* share = std::get_if<PutShare>(&write)) erase(share->share, 0);
  if (const auto* page = std::get_if<PutPage>(&write)) erase(page->share, page->page + 1);
  if (const auto* stats = std::get_if<PutFileStats>(&write)) forget_file_stats(stats->copy);
  if (const auto* page = std::get_if<PutPageStats>(&write)) saved_stats(*page);
  if (const auto* gone = std::get_if<DeleteCopy>(&write)) {
    forget_file_stats(gone->copy);
    if (gone->last && !is_fresh(gone->share)) forget(gone->share);
  }
}

// A fetch that began after the write was asked for has put its root here, and not yet there.
bool Manifests::is_fresh(const ShareId& share) {
  const std::lock_guard lock(mutex_);
  return fresh_.contains({share, 0});
}

void Manifests::forget(const ShareId& share) {
  const std::lock_guard lock(mutex_);
  shares_.erase(share);
  std::erase_if(fresh_, [&](const auto& item) { return item.first.first == share; });
  pages_.erase_if([&](const auto& key) { return key.first == share; });
}

void Manifests::forget_stream(const ShareId& share, CopyId stream) {
  const std::lock_guard lock(mutex_);
  const auto known = shares_.find(share);
  if (known != shares_.end() && known->second.stream == stream) shares_.erase(known);
  std::erase_if(fresh_, [&](const auto& item) {
    return item.first.first == share && item.second.stream == stream;
  });
}

void Manifests::forget_file_stats(CopyId copy) {
  const std::lock_guard lock(mutex_);
  stats_.erase_if([&](const auto& key) { return key.first == copy; });
  std::erase_if(fresh_stats_, [&](const auto& item) { return item.first.first == copy; });
  hashed_.erase(copy);
  sound_.erase(copy);
}

void Manifests::put_file_stats(CopyId copy, std::uint32_t page, Buffer stats) {
  renew_file_stats(copy, page, std::move(stats));
  const std::lock_guard lock(mutex_);
  hashed_.erase(copy);
  sound_.erase(copy);
}

void Manifests::renew_file_stats(CopyId copy, std::uint32_t page, Buffer stats) {
  const std::pair key(copy, page);
  const std::lock_guard lock(mutex_);
  fresh_stats_[key] = std::move(stats);
  stats_.erase_if([&](const auto& at_hand) { return at_hand == key; });
}

// Unless there are newer ones, which the catalog will have.
void Manifests::saved_stats(const PutPageStats& write) {
  const std::pair key(write.copy, write.page);
  const std::lock_guard lock(mutex_);
  stats_.erase_if([&](const auto& at_hand) { return at_hand == key; });
  const auto it = fresh_stats_.find(key);
  if (it != fresh_stats_.end() && it->second == write.stats) fresh_stats_.erase(it);
}

bool Manifests::is_hashed(CopyId copy, ChunkIndex index) {
  const std::lock_guard lock(mutex_);
  return is_marked(hashed_, copy, index);
}

void Manifests::mark_hashed(CopyId copy, ChunkIndex index) {
  const std::lock_guard lock(mutex_);
  mark(hashed_, copy, index);
}

bool Manifests::is_sound(CopyId copy, ChunkIndex index) {
  const std::lock_guard lock(mutex_);
  return is_marked(sound_, copy, index);
}

void Manifests::mark_sound(CopyId copy, ChunkIndex index) {
  const std::lock_guard lock(mutex_);
  mark(sound_, copy, index);
  mark(hashed_, copy, index);
}

bool Manifests::are_sound(CopyId copy, ChunkIndex first, std::size_t count) {
  const std::lock_guard lock(mutex_);
  const auto it = sound_.find(copy);
  if (it == sound_.end() || it->second.size() < first + count) return false;
  for (std::size_t i = first + count; i > first; --i) {
    if (!it->second[i - 1]) return false;
  }
  return true;
}

Result<std::shared_ptr<const ShareInfo>> Manifests::share(const ShareId& id) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto it = shares_.find(id); it != shares_.end()) return it->second.info;
  }
  std::optional<Buffer> ciphertext;
  std::optional<ChunkKey> key;
  {
    const std::lock_guard lock(source_mutex_);
    KITH_TRY(ciphertext, source_.root(id));
    KITH_TRY(key, source_.key(id));
  }
  if (!ciphertext || !key) return unknown_share(id);
  KITH_TRY(const Buffer plaintext, decipher_page(id, *key, *ciphertext));
  KITH_TRY(Root root, Root::decode(plaintext));
  put_share(id, *key, std::move(root));
  const std::lock_guard lock(mutex_);
  return shares_.at(id).info;
}

Result<Buffer> Manifests::ciphertext(const ShareInfo& share, ChunkIndex index) {
  {
    const std::lock_guard lock(mutex_);
    const auto it = fresh_.find({share.id, index});
    if (it != fresh_.end()) return it->second.ciphertext;
  }
  const std::lock_guard lock(source_mutex_);
  KITH_TRY(std::optional<Buffer> out,
           index == 0 ? source_.root(share.id) : source_.page(share.id, index - 1));
  if (!out) {
    return local_error(Errc::kNotFound, "a manifest page is not in the catalog", share.root.name);
  }
  return std::move(*out);
}

Result<PagePtr> Manifests::page(const ShareInfo& share, std::uint32_t number) {
  const std::pair key(share.id, number);
  {
    const std::lock_guard lock(mutex_);
    if (PagePtr page = pages_.get(key)) return page;
  }
  const PageRef& ref = share.root.pages.at(number);
  KITH_TRY(const Buffer bytes, ciphertext(share, share.shape.index_of_page(number)));
  KITH_TRY(const Buffer plaintext, decipher_page(ref.id, ref.key, bytes));
  KITH_TRY(Page decoded, Page::decode(plaintext));
  auto page = std::make_shared<const DecodedPage>(std::move(decoded));
  const std::lock_guard lock(mutex_);
  pages_.put(key, page);
  return page;
}

Result<ChunkRow> Manifests::row(const ShareInfo& share, std::uint32_t chunk) {
  const std::uint32_t number = share.shape.pages_of_chunk(chunk).first;
  KITH_TRY(const PagePtr found, page(share, number));
  return found->page.rows.at(chunk - share.shape.first_chunk(number));
}

Result<std::vector<storage::ChunkPlace>> Manifests::find_chunk(const ChunkId& id) {
  const std::lock_guard lock(source_mutex_);
  return source_.chunk(id);
}

Result<std::shared_ptr<const storage::PageStats>> Manifests::file_stats(CopyId copy,
                                                                        std::uint32_t page) {
  const std::pair key(copy, page);
  std::optional<Buffer> blob;
  {
    const std::lock_guard lock(mutex_);
    if (auto stats = stats_.get(key)) return stats;
    const auto fresh = fresh_stats_.find(key);
    if (fresh != fresh_stats_.end()) blob = fresh->second;
  }
  if (!blob) {
    const std::lock_guard lock(source_mutex_);
    KITH_TRY(blob, source_.file_stats(copy, page));
  }
  if (!blob) return std::shared_ptr<const storage::PageStats>();
  KITH_TRY(storage::PageStats decoded, storage::PageStats::decode(*blob));
  auto stats = std::make_shared<const storage::PageStats>(std::move(decoded));
  const std::lock_guard lock(mutex_);
  stats_.put(key, stats);
  return std::shared_ptr<const storage::PageStats>(stats);
}

}  // namespace kith::node
