#include "node/runtime/import_driver.hpp"

#include <algorithm>
#include <atomic>
#include <deque>
#include <filesystem>

#include "node/engine/have_log.hpp"
#include "node/runtime/home.hpp"
#include "proto/crypto/random.hpp"
#include "proto/text.hpp"
#include "storage/tree_scan.hpp"

namespace kith::node {
namespace {

using namespace std::chrono_literals;

constexpr auto kProgressGap = 250ms;
// So many bytes of manifest and hashes stay in memory; what is beyond waits in the home.
constexpr std::size_t kMadeInMemory = 8 * 1024 * 1024;

/// The home holds the keys of the device. It is not shared by itself, nor in part, nor with what
/// lies around it.
Result<void> check_not_home(const ShareRequest& share, const std::string& home) {
  std::error_code error;
  const auto top = std::filesystem::canonical(share.path, error);
  if (error) return {};  // the import says what is wrong with it
  KITH_TRY(const HomeRelation relation, relation_to_home(share.path, home));
  if (relation == HomeRelation::kInside) {
    return local_error(Errc::kRefused, "the home of this device is not shared: it holds its keys",
                       share.path);
  }
  if (relation == HomeRelation::kApart) return {};
  const auto inner = std::filesystem::canonical(home, error).lexically_relative(top);
  const storage::PathGlobs exclude(share.exclude);
  if (!exclude.empty() && exclude.takes(inner.string(), true)) return {};
  return local_error(Errc::kRefused, "the home of this device lies in it, which holds its keys",
                     share.path, "leave it out: --exclude '/" + inner.string() + "/'");
}

// Chunks that were scanned, to be hashed by the pool or, while it has enough of them, by the thread
// that scans: on two cores an import may use one thread of the pool, and all would wait for that.
// Outlives the import in the pool.
class Hashing {
 public:
  struct Item {
    std::uint64_t ordinal;
    storage::HashedChunk chunk;
  };
  Hashing(const Secret& conv, storage::KnownLookup known) : conv_(conv), known_(std::move(known)) {}

  void add(storage::ScannedChunk chunk) {
    const std::lock_guard lock(mutex_);
    scanned_.push_back(std::move(chunk));
  }
  /// Any thread. False: there was none.
  bool hash_one() {
    std::unique_lock lock(mutex_);
    if (scanned_.empty()) return false;
    storage::ScannedChunk chunk = std::move(scanned_.front());
    scanned_.pop_front();
    lock.unlock();
    Item item{chunk.ordinal, storage::hash_chunk(conv_, chunk.plaintext, known_)};
    chunk.plaintext = SlabChain();
    lock.lock();
    hashed_.push_back(std::move(item));
    ready_.notify_one();
    return true;
  }
  /// What was hashed since the last call. `wait`: at least one; there must be one that was added.
  [[nodiscard]] std::deque<Item> take(bool wait) {
    std::unique_lock lock(mutex_);
    if (wait && hashed_.empty()) {
      lock.unlock();
      (void)hash_one();
      lock.lock();
      ready_.wait(lock, [this] { return !hashed_.empty(); });
    }
    return std::exchange(hashed_, {});
  }

 private:
  const Secret conv_;
  const storage::KnownLookup known_;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<storage::ScannedChunk> scanned_;
  std::deque<Item> hashed_;
};

// Tells how far an import is. What is still to come is counted beside it, by a thread of its own,
// once it turns out to take a while.
class ProgressReport {
 public:
  using Total = std::function<std::optional<std::uint64_t>(const std::function<bool()>& stopped)>;
  ProgressReport(RequestId request, const std::function<void(RequestId, ShareUpdate)>& update,
                 Total total)
      : request_(request), update_(update), total_(std::move(total)) {}
  ~ProgressReport() { stopped_ = true; }

  void tell(const storage::ImportScan& scan) {
    const auto now = std::chrono::steady_clock::now();
    if (now - last_ < kProgressGap) return;
    const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(now - last_).count();
    const bool first = last_ == std::chrono::steady_clock::time_point{};
    ShareProgress progress;
    progress.phase = "hashing";
    progress.files = scan.entries_seen();
    progress.bytes_done = scan.bytes_done();
    progress.bytes_total = std::max(bytes_total_.load(), bytes_total_ > 0 ? scan.bytes_done() : 0);
    if (!first && elapsed > 0) {
      progress.rate =
          (scan.bytes_done() - last_bytes_) * 1000 / static_cast<std::uint64_t>(elapsed);
    }
    last_ = now;
    last_bytes_ = scan.bytes_done();
    update_(request_, progress);
    if (!first && !counter_) {
      counter_.emplace();
      counter_->post(
          [this] { bytes_total_ = total_([this] { return stopped_.load(); }).value_or(0); });
    }
  }

 private:
  RequestId request_;
  const std::function<void(RequestId, ShareUpdate)>& update_;
  Total total_;
  std::chrono::steady_clock::time_point last_{};
  std::uint64_t last_bytes_ = 0;
  std::atomic<bool> stopped_ = false;
  std::atomic<std::uint64_t> bytes_total_ = 0;  // 0: not known yet
  std::optional<Worker> counter_;               // the first to go: it uses the others
};

}  // namespace

void ImportDriver::stop() {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(stopping_, true)) return;
  }
  answered_.notify_all();
  worker_.reset();
}

void ImportDriver::start(RequestId request, ShareRequest share) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return;
  active_[request] = false;
  worker_->post([this, request, share = std::move(share)] { run(request, share); });
}

void ImportDriver::cancel(RequestId request) {
  const std::lock_guard lock(mutex_);
  if (const auto it = active_.find(request); it != active_.end()) it->second = true;
}

bool ImportDriver::is_cancelled(RequestId request) {
  const std::lock_guard lock(mutex_);
  const auto it = active_.find(request);
  return stopping_ || (it != active_.end() && it->second);
}

bool ImportDriver::deliver(const Reply& reply) {
  const std::lock_guard lock(mutex_);
  const auto it = asked_.find(reply.request);
  if (it == asked_.end()) return false;
  if (const auto* done = std::get_if<Done>(&reply.body)) it->second = Result<Done>(*done);
  if (const auto* error = std::get_if<Error>(&reply.body)) it->second = Result<Done>(*error);
  answered_.notify_all();
  return true;
}

Result<Done> ImportDriver::ask(CommandBody body) {
  std::unique_lock lock(mutex_);
  const RequestId request{next_request_++};
  asked_[request] = std::nullopt;
  lock.unlock();
  links_.submit({request, std::move(body)});
  lock.lock();
  answered_.wait(lock, [&] { return stopping_ || asked_[request].has_value(); });
  auto answer = std::move(asked_[request]);
  asked_.erase(request);
  if (!answer) return cancelled();
  return std::move(*answer);
}

void ImportDriver::run(RequestId request, const ShareRequest& request_body) {
  auto done = share(request, request_body);
  {
    const std::lock_guard lock(mutex_);
    active_.erase(request);
  }
  if (done) {
    links_.update(request, std::move(*done));
  } else {
    links_.update(request, std::move(done).error());
  }
}

Result<ShareDone> ImportDriver::share(RequestId request, const ShareRequest& share) {
  KITH_CHECK(check_not_home(share, links_.home));
  KITH_TRY(const Done answer, ask(ResolveShareTarget{share.swarm}));
  const SwarmTarget& target = std::get<SwarmTarget>(answer);
  const auto before = earlier(target.swarm, share.path);
  KITH_TRY(const Imported imported, import(request, share, target, before));
  const storage::ImportResult& result = imported.result;
  KITH_TRY(const CopyId copy, save(request, share.path, target, imported, before));
  links_.manifests.forget(result.share);
  links_.manifests.forget_file_stats(copy);
  KITH_TRY(const Done added,
           ask(AddShare{target.swarm, result.share, result.key, copy, share.path, result.root}));
  ShareDone done;
  done.share = std::get<ShareAdded>(added).share;
  done.skipped_count = result.skipped_count;
  done.links_outside = result.links_outside_count;
  done.bytes_read = result.bytes_read;
  for (const storage::ImportNote& note : result.skipped) {
    done.skipped.push_back({escape(note.path), note.reason});
  }
  return done;
}

Result<ImportDriver::Imported> ImportDriver::import(RequestId request, const ShareRequest& share,
                                                    const SwarmTarget& target,
                                                    const std::optional<Earlier>& earlier) {
  storage::ImportOptions options;
  options.name = share.name;
  options.exclude = share.exclude;
  options.skip_bad = share.skip_bad;
  options.chunking.mode = share.fixed_chunks ? ChunkingMode::kFixed : ChunkingMode::kCdc;
  options.conv = target.conv;
  options.is_private = share.private_share;
  if (share.private_share) SystemRng().fill(options.conv.mutable_view());
  options.recorded_at = links_.wall();
  const Secret conv = options.conv;
  storage::KnownLookup lookup;
  if (!share.private_share) {
    lookup = [this, swarm = target.swarm](const PlainHash& plain) { return known(swarm, plain); };
  }
  KITH_TRY(storage::ImportScan scan,
           storage::ImportScan::open(links_.io, links_.slabs, share.path, std::move(options)));
  if (earlier) scan.set_earlier(earlier->tree);
  const auto hashing = std::make_shared<Hashing>(conv, std::move(lookup));
  ProgressReport report(request, links_.update, [&](const std::function<bool()>& stopped) {
    return storage::content_bytes(links_.io, share.path, storage::PathGlobs(share.exclude),
                                  stopped);
  });
  storage::ImportSpool spool(links_.io, links_.home);
  std::uint64_t out = 0;
  const auto collect = [&](bool wait) -> Result<void> {
    // All that came is counted, also behind an error: whoever waits for the rest counts on it.
    Result<void> first;
    for (Hashing::Item& item : hashing->take(wait)) {
      --out;
      auto added = scan.add_result(item.ordinal, item.chunk);
      if (!added && first) first = std::move(added);
    }
    if (first && scan.made_bytes() > kMadeInMemory) first = spool.put(scan.take_made());
    return first;
  };
  std::optional<Error> error;
  while (!scan.scanned() && !error) {
    report.tell(scan);
    if (is_cancelled(request)) error = cancelled();
    if (const auto done = collect(!scan.may_step() && !error); !done) error = done.error();
    if (error || !scan.may_step()) continue;
    auto stepped = scan.step();
    if (!stepped) {
      error = stepped.error();
    } else if (*stepped) {
      ++out;
      hashing->add(std::move(**stepped));
      links_.pool.post(Pool::Kind::kBackground, [hashing] { (void)hashing->hash_one(); });
    }
  }
  // Chunks that are out hold slabs and point here: they come home whatever happened.
  while (out > 0) {
    if (const auto done = collect(true); !done && !error) error = done.error();
  }
  for (const storage::ImportNote& note : scan.skipped()) {
    links_.update(request, BadEntry{escape(note.path), note.reason});
  }
  if (error) return *error;
  KITH_TRY(storage::ImportResult result, scan.finish());
  return Imported{std::move(spool), std::move(result)};
}

std::optional<storage::KnownChunk> ImportDriver::known(const SwarmId& swarm,
                                                       const PlainHash& plain) {
  const std::lock_guard lock(index_mutex_);
  const auto places = links_.index.find_plain(plain);
  if (!places) return std::nullopt;
  for (const storage::ChunkPlace& place : *places) {
    const auto record = links_.index.share(place.share);
    if (!record || !*record || (*record)->swarm != swarm) continue;
    const auto share = links_.manifests.share(place.share);
    if (!share || !(*share)->root.private_conv.empty()) continue;
    if (place.chunk >= (*share)->shape.chunks()) continue;
    const auto row = links_.manifests.row(**share, place.chunk);
    if (row) return storage::KnownChunk{row->id, row->key};
  }
  return std::nullopt;
}

std::optional<ImportDriver::Earlier> ImportDriver::earlier(const SwarmId& swarm,
                                                           const std::string& path) {
  const std::lock_guard lock(index_mutex_);
  std::optional<Earlier> latest;
  const auto copies = links_.index.copies();
  if (!copies) return latest;
  for (const storage::CopyRecord& copy : *copies) {
    const bool held =
        copy.state == storage::CopyState::kShared || copy.state == storage::CopyState::kComplete;
    if (!held || copy.path != path) continue;
    auto found = earlier_copy(copy, swarm);
    // One that cannot be read is none: then everything is read anew.
    if (!found || !*found) continue;
    if (!latest || latest->recorded_at < (*found)->recorded_at) latest = std::move(*found);
  }
  return latest;
}

Result<std::optional<ImportDriver::Earlier>> ImportDriver::earlier_copy(
    const storage::CopyRecord& copy, const SwarmId& swarm) {
  KITH_TRY(const auto record, links_.index.share(copy.share));
  if (!record || record->swarm != swarm) return std::optional<Earlier>();
  KITH_TRY(const auto share, links_.manifests.share(copy.share));
  KITH_TRY(const auto first, links_.manifests.file_stats(copy.id, 0));
  if (first == nullptr) return std::optional<Earlier>();
  storage::EarlierTree::Source source{share->root, {}, {}};
  HaveLog have;
  have.reset(share->shape.total(), true);
  KITH_TRY(const auto rows, links_.index.have(copy.id));
  for (const storage::HaveRow& row : rows) {
    if (!row.durable) have.load({copy.id, row.first, row.bits, false});
  }
  for (std::uint32_t chunk = 0; have.count() < have.total() && chunk < share->shape.chunks();
       ++chunk) {
    source.withdrawn.push_back(!have.has(share->shape.index_of_chunk(chunk)));
  }
  source.pages = [this, share,
                  id = copy.id](std::uint32_t number) -> Result<storage::EarlierTree::Page> {
    KITH_TRY(const PagePtr page, links_.manifests.page(*share, number));
    KITH_TRY(const auto stats, links_.manifests.file_stats(id, number));
    if (stats == nullptr) return local_error(Errc::kNotFound, "no file was recorded");
    return storage::EarlierTree::Page{{page, &page->page}, stats};
  };
  return std::optional(
      Earlier{copy.share, first->recorded_at, storage::EarlierTree(std::move(source))});
}

}  // namespace kith::node
