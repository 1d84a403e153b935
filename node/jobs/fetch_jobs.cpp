// Jobs of a fetch: what arrives is opened, verified and written; the destination is prepared and,
// at the end, given its name.
#include "node/jobs/jobs.hpp"
#include "proto/crypto/content_cipher.hpp"
#include "proto/limits.hpp"
#include "storage/path_policy.hpp"

namespace kith::node {
namespace {

using transfer::StoreOutcome;

// Left free in the home when a manifest is fetched: the catalog writes other things, too.
constexpr std::uint64_t kHomeMargin = 1024 * 1024;

// A sync that failed, for whatever reason the disk had: Linux tells of it once, and the next one
// succeeds without what was lost. Too many open files are no reason of the disk.
bool loses_content(const Error& error) { return error.code != Errc::kLimit; }

std::uint64_t pages_bytes(const Root& root) {
  std::uint64_t bytes = 0;
  for (const PageRef& page : root.pages) bytes += page.length;
  return bytes;
}

}  // namespace

StoreOutcome Jobs::outcome_of(const Error& error) {
  switch (error.blame) {
    case Blame::kNetwork:
      return StoreOutcome::kBadRecord;
    case Blame::kPeer:
      return StoreOutcome::kBadChunk;
    case Blame::kLocal:
      return StoreOutcome::kFailed;
  }
  return StoreOutcome::kFailed;
}

Result<void> Jobs::open_records(const BulkKey& key, transfer::StoreRequest& store) {
  std::size_t slab = 0;
  for (const transfer::ReceivedSection& section : store.sections) {
    KITH_CHECK(open_section(key, section.section, store.sealed, slab, section.length));
    slab += slabs_for(section.length);
  }
  return {};
}

// Afterwards store.sealed is the plaintext of the chunk that `row` describes.
Result<void> Jobs::open_chunk(const BulkKey& key, const ChunkRow& row,
                              transfer::StoreRequest& store) {
  KITH_CHECK(open_records(key, store));
  if (chunk_id(store.sealed) != row.id) {
    return peer_error(Errc::kVerification, "a chunk does not have its hash");
  }
  chunk_cipher(row.key, 0, store.sealed);
  return {};
}

JobResult Jobs::perform(OpenRootJob& job) {
  RootOpened out;
  out.share = job.store.share;
  out.stream = job.stream;
  out.from = job.store.from;
  const auto open = [&]() -> Result<void> {
    KITH_CHECK(open_records(job.key, job.store));
    out.ciphertext = job.store.sealed.to_buffer();
    KITH_TRY(const Buffer plaintext, decipher_page(job.store.share, job.root_key, out.ciphertext));
    auto root = Root::decode(plaintext);
    // It has the id that the link names: whoever made the link made this.
    if (!root) {
      return local_error(
          Errc::kVerification,
          "the link's key is wrong, or the share is malformed: " + root.error().what);
    }
    out.root = std::move(*root);
    return {};
  };
  if (const auto done = open(); !done) {
    out.outcome = outcome_of(done.error());
    out.error = done.error();
    return out;
  }
  out.outcome = StoreOutcome::kStored;
  // In this order: a share whose root is not in the catalog yet is not forgotten.
  manifests_.put_fresh(out.share, 0, out.ciphertext, job.stream);
  manifests_.put_share(out.share, job.root_key, out.root, job.stream);
  return out;
}

// From its ciphertext, in out.ciphertext.
Result<void> Jobs::open_page(PageOpened& out, CopyId stream) {
  const std::uint32_t number = out.index - 1;
  KITH_TRY(const SharePtr share, manifests_.share(out.share));
  const PageRef& ref = share->root.pages.at(number);
  KITH_TRY(const Buffer plaintext, decipher_page(ref.id, ref.key, out.ciphertext));
  auto page = Page::decode(plaintext);
  // Its hash was right, so the sharer wrote both: what is wrong is the manifest's fault, not that
  // of whoever sent it.
  auto checked = page ? check_page(share->root, number, *page) : Result<void>(page.error());
  if (!checked) {
    return local_error(Errc::kVerification, "the share is malformed: " + checked.error().what);
  }
  for (const ChunkRow& row : page->rows) {
    out.lengths.push_back(row.length);
    out.chunks.push_back(row.id);
  }
  manifests_.put_fresh(out.share, out.index, out.ciphertext, stream);
  return {};
}

JobResult Jobs::perform(OpenPageJob& job) {
  PageOpened out;
  out.share = job.store.share;
  out.stream = job.stream;
  out.index = job.store.index;
  out.from = job.store.from;
  const auto open = [&]() -> Result<void> {
    KITH_CHECK(open_records(job.key, job.store));
    out.ciphertext = job.store.sealed.to_buffer();
    return open_page(out, job.stream);
  };
  if (const auto done = open(); !done) {
    out.outcome = outcome_of(done.error());
    out.error = done.error();
    return out;
  }
  out.outcome = StoreOutcome::kStored;
  return out;
}

JobResult Jobs::perform(const ReusePageJob& job) {
  PageOpened out;
  out.share = job.share;
  out.index = job.page + 1;
  out.reused = true;
  const auto open = [&]() -> Result<void> {
    KITH_TRY(const SharePtr from, manifests_.share(job.from));
    KITH_TRY(out.ciphertext,
             manifests_.ciphertext(*from, from->shape.index_of_page(job.from_page)));
    return open_page(out, {});
  };
  // What is wrong with it there is no matter here: then it is fetched.
  out.outcome = open() ? StoreOutcome::kStored : StoreOutcome::kFailed;
  return out;
}

Result<void> Jobs::write_chunk(CopyId copy, const Place& place, const SlabChain& chunk) {
  const auto exporter = copies_.exporter(copy);
  if (exporter == nullptr) return local_error(Errc::kCancelled, "the fetch has ended");
  for (const Place::Part& part : place.parts) {
    const DecodedPage& page = *part.page;
    KITH_CHECK(exporter->write_chunk(page.page, page.layout, part.row, chunk));
  }
  return {};
}

// A stream may have only the first of several pages that describe the chunk.
Result<void> Jobs::hand_over(const ShareInfo& share, StoreChunkJob& job, ChunkWritten& out) {
  KITH_TRY(const ChunkRow row, manifests_.row(share, out.index - share.shape.index_of_chunk(0)));
  KITH_CHECK(open_chunk(job.key, row, job.store));
  out.data = std::make_shared<const SlabChain>(std::move(job.store.sealed));
  return {};
}

JobResult Jobs::perform(StoreChunkJob& job) {
  ChunkWritten out;
  out.copy = job.copy;
  out.share = job.store.share;
  out.index = job.store.index;
  out.from = job.store.from;
  out.bytes = static_cast<std::uint32_t>(job.store.sealed.size());
  const auto store = [&]() -> Result<void> {
    KITH_TRY(const SharePtr share, manifests_.share(out.share));
    if (!job.write) return hand_over(*share, job, out);
    KITH_TRY(const Place place, place_of(*share, out.index));
    if (auto opened = open_chunk(job.key, place.row, job.store); !opened) {
      if (opened.error().blame == Blame::kPeer) out.path = path_in(place);
      return opened;
    }
    KITH_CHECK(write_chunk(job.copy, place, job.store.sealed));
    if (job.hand_over) out.data = std::make_shared<const SlabChain>(std::move(job.store.sealed));
    return {};
  };
  if (auto done = store(); !done) {
    out.outcome = outcome_of(done.error());
    out.error = std::move(done).error();
    return out;
  }
  out.outcome = job.write ? StoreOutcome::kStored : StoreOutcome::kKept;
  return out;
}

// The catalog writes more than `more` bytes of pages: it is never left without any.
Result<void> Jobs::check_home(std::uint64_t more) {
  if (options_.home.empty()) return {};
  KITH_TRY(const storage::Dir home, io_.open_root(options_.home));
  KITH_TRY(const storage::FileSystemInfo system, io_.file_system(home));
  const std::uint64_t stays = std::max(kHomeMargin, storage::reserve_of(system, options_.min_free));
  if (system.free_bytes >= stays && system.free_bytes - stays >= more) return {};
  return local_error(Errc::kNoSpace,
                     "the home has " + std::to_string(system.free_bytes) +
                         " bytes free, of which " + std::to_string(stays) +
                         " are to stay so, and the list of the share's " + "files may take " +
                         std::to_string(more),
                     options_.home, "make room there, then give the same command again");
}

JobResult Jobs::perform(PrepareFetchJob& job) {
  FetchPrepared out;
  out.copy = job.copy;
  // A fetch that was paused in this process still has its staging open, and locked.
  const auto exporter = copies_.exporter(job.copy);
  if (exporter && exporter->is_in_place()) {
    if (auto room = exporter->check_rest(); !room) out.error = std::move(room).error();
    exporter->set_options(job.replace, job.safe_links);
    out.path = exporter->path();
    out.fresh = false;
    out.device = exporter->staged().dev;
    out.inode = exporter->staged().inode;
    return out;
  }
  const auto prepare = [&]() -> Result<void> {
    KITH_TRY(const SharePtr share, manifests_.share(job.share));
    const bool begins = job.device == 0 && job.inode == 0;
    if (options_.check_target) {
      const std::string& name = job.name.empty() ? share->root.name : job.name;
      KITH_CHECK(options_.check_target(storage::join_native(job.directory, name)));
    }
    KITH_CHECK(check_home(begins ? pages_bytes(share->root) : 0));
    storage::ExportTarget target{job.directory,
                                 job.name,
                                 job.replace,
                                 job.safe_links,
                                 storage::PathGlobs(std::move(job.part)),
                                 !job.compared,
                                 job.finished,
                                 job.unattended,
                                 job.room,
                                 options_.min_free,
                                 options_.owner};
    KITH_TRY(storage::PreparedExport prepared,
             storage::prepare_export(io_, share->root, job.share, std::move(target),
                                     {job.device, job.inode}));
    out.path = prepared.path;
    using State = storage::PreparedExport::State;
    out.exists = prepared.state == State::kExists;
    out.renamed = prepared.state == State::kPublished;
    out.fresh = prepared.state == State::kFresh;
    if (prepared.exporter == nullptr) {
      copies_.published(job.copy, prepared.path);
      return {};
    }
    out.device = prepared.exporter->staged().dev;
    out.inode = prepared.exporter->staged().inode;
    copies_.put_exporter(job.copy, job.share, std::move(prepared.exporter));
    return {};
  };
  if (auto done = prepare(); !done) out.error = std::move(done).error();
  return out;
}

JobResult Jobs::perform(CompareDestinationJob& job, UnixMillis wall) {
  DestinationCompared out;
  out.copy = job.copy;
  const auto look = [&]() -> Result<void> {
    KITH_TRY(const SharePtr share, manifests_.share(job.share));
    auto files = storage::CopyFiles::open(io_, job.path, share->root.single_file);
    if (!files) return {};  // something of another kind: not equal
    storage::Comparison how{job.safe_links, storage::PathGlobs(std::move(job.part)), {}};
    if (job.held != CopyId{}) {
      how.recorded = [&](std::uint32_t page) { return manifests_.file_stats(job.held, page); };
    }
    KITH_TRY(const auto difference, compare(**files, job.path, share, how, wall, out.file_stats));
    out.equal = !difference;
    if (!out.equal) return {};
    copies_.published(job.copy, job.path);
    return {};
  };
  if (auto done = look(); !done) out.error = std::move(done).error();
  return out;
}

JobResult Jobs::perform(const FinishFetchJob& job, UnixMillis wall) {
  FetchFinished out;
  out.copy = job.copy;
  const auto finish = [&]() -> Result<void> {
    KITH_TRY(const SharePtr share, manifests_.share(job.share));
    const auto exporter = copies_.exporter(job.copy);
    if (exporter == nullptr) return local_error(Errc::kCancelled, "the fetch has ended");
    out.file_stats.resize(share->root.pages.size());
    const auto sink = [&out](std::uint32_t page, Buffer stats) -> Result<void> {
      out.file_stats.at(page) = std::move(stats);
      return {};
    };
    KITH_TRY(auto finished, exporter->finish(page_source(share), wall, sink, options_.in_parallel));
    out.links_outside = finished.links_outside;
    out.altered = std::move(finished.altered);
    out.altered_path = std::move(finished.altered_path);
    auto synced = exporter->sync();
    out.is_lost = !synced && loses_content(synced.error());
    return synced;
  };
  if (auto done = finish(); !done) out.error = std::move(done).error();
  return out;
}

JobResult Jobs::perform(const RenameFetchJob& job, UnixMillis wall) {
  FetchRenamed out;
  out.copy = job.copy;
  const auto publish = [&]() -> Result<void> {
    KITH_TRY(const SharePtr share, manifests_.share(job.share));
    const auto exporter = copies_.exporter(job.copy);
    if (exporter == nullptr) return local_error(Errc::kCancelled, "the fetch has ended");
    KITH_TRY(const auto published, exporter->publish());
    out.path = exporter->path();
    if (published.stat) {
      // Only a single file is renamed itself; its pages each name just it.
      const Buffer stats = storage::PageStats{wall, {*published.stat}}.encode();
      out.file_stats.assign(share->root.pages.size(), stats);
    }
    copies_.published(job.copy, out.path);
    manifests_.forget_file_stats(job.copy);
    return {};
  };
  if (auto done = publish(); !done) out.error = std::move(done).error();
  return out;
}

JobResult Jobs::perform(const SyncJob& job) {
  CopySynced out{job.copy, job.mark, {}};
  const auto exporter = copies_.exporter(job.copy);
  if (exporter == nullptr) return out;
  // Here, since it comes every quarter of a second or more while something is written.
  if (auto room = check_home(0); !room) {
    out.error = std::move(room).error();
  } else if (job.mark == 0) {
    exporter->start_writeback();
  } else if (auto done = exporter->sync(); !done) {
    out.error = std::move(done).error();
    out.is_lost = loses_content(*out.error);
  }
  return out;
}

}  // namespace kith::node
