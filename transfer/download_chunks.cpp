// Sections as they come, whole chunks, and how their store jobs ended.
#include <algorithm>

#include "proto/assert.hpp"
#include "transfer/download.hpp"
#include "transfer/upload.hpp"

namespace kith::transfer {

namespace {

/// Entries of Holder::distrusted. A third bad chunk within an hour bans, so few ever stand there.
constexpr std::size_t kDistrustedMax = 16;
/// Devices named in ShareProgress::by_device.
constexpr std::size_t kDevicesNamed = 4'096;

}  // namespace

Result<void> Download::on_chunk(TimePoint now, PeerSession& session, const ChunkFrame& frame) {
  const WantKey key{frame.handle, frame.index};
  Want* want = session.ask.requests.find(key);
  if (want == nullptr) return peer_error(Errc::kMalformed, "a chunk that nobody asked for");
  if (session.ask.open) return peer_error(Errc::kMalformed, "a section inside a section");
  KITH_CHECK(want->assembly.announce(frame));
  if (!want->started) {
    want->started = true;
    session.ask.requests.on_first_byte(now, *want);
    ShareSwarm* share = want->is_void ? nullptr : core_.share(want->share);
    if (share != nullptr) share->picker().begin(key.second);
  }
  session.ask.open = OpenSection{key, {frame.section, frame.length}};
  return {};
}

void Download::on_section(TimePoint now, PeerSession& session, SlabChain sealed, Outbox& out) {
  KITH_ASSERT(session.ask.open);
  const OpenSection open = *session.ask.open;
  session.ask.open.reset();
  Want* want = session.ask.requests.find(open.key);
  KITH_ASSERT(want != nullptr && sealed.size() == open.section.length);
  if (ShareSwarm* share = core_.share(want->share)) {
    share->progress.bytes_received += open.section.length;
  }
  session.ask.requests.on_section(now, *want, open.section.length);
  make_hungry(session.conn);
  if (want->is_void) {
    want->assembly.skip(open.section.length);
  } else {
    want->assembly.append(open.section, std::move(sealed));
  }
  if (want->assembly.complete()) finish_chunk(now, session, open.key, out);
}

void Download::finish_chunk(TimePoint now, PeerSession& session, const WantKey& key, Outbox& out) {
  RequestQueue& requests = session.ask.requests;
  Want& want = *requests.find(key);
  if (want.is_void) {
    const bool restore = want.restore;
    end_want(now, session, key);
    const auto watch = session.ask.watches.find(key.first);
    if (!restore || watch == session.ask.watches.end()) return;
    ShareSwarm& share = *core_.share(watch->second);
    Holder& holder = *share.holder(session.conn);
    share.set_bit(holder, key.second);
    wake(session.conn, holder);
    return;
  }
  ShareSwarm& share = *core_.share(want.share);
  const std::uint32_t size = want.assembly.received();
  requests.on_delivered(now, want);
  StoreRequest store{session.conn, want.share, key.second, want.assembly.take_sealed(),
                     want.assembly.take_sections()};
  end_want(now, session, key);
  reserved_ += size;
  storing_.emplace(std::tuple(share.id, key.second, session.conn), StoreJob{session.device, size});
  const auto other = share.picker().begin_store(key.second, session.conn);
  if (other) take_back_all(now, share, key.second, std::span(&*other, 1), out);
  out.stores.push_back(std::move(store));
}

void Download::on_stored(TimePoint now, const ShareId& id, ChunkIndex index, ConnId from,
                         StoreOutcome outcome, std::optional<Error> error, Outbox& out) {
  const auto it = storing_.find({id, index, from});
  if (it == storing_.end()) return;
  const StoreJob job = it->second;
  storing_.erase(it);
  reserved_ -= job.size;
  ShareSwarm* share = core_.share(id);
  switch (outcome) {
    case StoreOutcome::kStored:
      if (share == nullptr) return;
      count(*share, job);
      out.events.push_back(ChunkStored{share->id, index, from});
      return hold(now, *share, index, out);
    case StoreOutcome::kKept:
      if (share == nullptr) return;
      count(*share, job);
      if (share->fetching() && index < share->picker().total()) share->picker().leave(index);
      return;
    case StoreOutcome::kLost:
      if (share != nullptr) store_returned(*share, index);
      return;
    case StoreOutcome::kBadChunk:
      return bad_chunk(now, id, index, from, job, out);
    case StoreOutcome::kBadRecord:
      if (share != nullptr) store_returned(*share, index);
      if (core_.session(from) != nullptr) {
        core_.close(from, network_error(Errc::kVerification, "a record did not open"));
      }
      return;
    case StoreOutcome::kFailed:
      if (share == nullptr) return;
      store_returned(*share, index);
      if (!share->fetching()) return;
      stop(now, *share, out);
      out.events.push_back(FetchFailed{
          id, std::move(error).value_or(local_error(Errc::kIo, "a chunk could not be written"))});
      return;
  }
}

void Download::store_returned(ShareSwarm& share, ChunkIndex index) {
  if (!share.fetching() || index >= share.picker().total()) return;
  if (share.picker().state(index) != ChunkState::kStoring) return;
  share.picker().store_failed(index);
  wanted_again(share, index);
}

void Download::count(ShareSwarm& share, const StoreJob& job) {
  share.progress.bytes_stored += job.size;
  if (share.by_device.size() < kDevicesNamed || share.by_device.contains(job.device)) {
    share.by_device[job.device] += job.size;
  }
}

void Download::tell_if_complete(ShareSwarm& share, Outbox& out) {
  if (!share.fetching() || share.completion_told || !share.picker().complete()) return;
  share.completion_told = true;
  out.events.push_back(FetchComplete{share.id});
}

void Download::bad_chunk(TimePoint now, const ShareId& id, ChunkIndex index, ConnId from,
                         const StoreJob& job, Outbox& out) {
  PeerSession* session = core_.session(from);
  ShareSwarm* share = core_.share(id);
  if (share != nullptr && session != nullptr) blame(now, *share, index, *session, out);
  if (share != nullptr) store_returned(*share, index);
  strike(now, id, index, job.device, out);
  if (share != nullptr && share->fetching() && index < share->picker().total()) {
    tell_if_unavailable(*share, index, out);
  }
}

void Download::blame(TimePoint, ShareSwarm& share, ChunkIndex index, PeerSession& session,
                     Outbox& out) {
  Holder* holder = share.holder(session.conn);
  if (holder == nullptr) return;
  send(out, session.conn, BadFrame{holder->handle, index});
  share.clear_bit(*holder, index);
  if (holder->distrusted.size() >= kDistrustedMax) {
    holder->distrusted.erase(holder->distrusted.begin());
  }
  holder->distrusted.push_back(index);
}

void Download::strike(TimePoint now, const ShareId& id, ChunkIndex index, const DeviceId& device,
                      Outbox& out) {
  if (!core_.bans.report(now, device, id, index)) return;
  const std::string why = "it sent chunks that do not match their ids";
  out.events.push_back(DeviceBanned{device, why});
  for (const auto& [conn, session] : core_.sessions) {
    if (session.device == device) core_.close(conn, peer_error(Errc::kVerification, why));
  }
}

}  // namespace kith::transfer
