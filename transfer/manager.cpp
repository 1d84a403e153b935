#include "transfer/manager.hpp"

#include "proto/assert.hpp"
#include "transfer/core.hpp"
#include "transfer/download.hpp"
#include "transfer/upload.hpp"

namespace kith::transfer {

namespace {

/// Shares above this are checked by their sums only: the full check is linear in share and holders.
constexpr ChunkIndex kCheckedTotal = 4'096;

}  // namespace

struct Manager::Impl {
  Impl(const Config& config, Rng& rng) : core{config, rng}, upload(core), download(core, upload) {}

  /// Ends every call: closes what must be closed, then uses what became free.
  void settle(TimePoint now, Outbox& out) {
    while (!core.closing.empty()) {
      const auto closing = std::move(core.closing);
      core.closing.clear();
      for (const auto& [conn, why] : closing) {
        if (!core.sessions.contains(conn)) continue;
        out.events.push_back(CloseConnection{conn, why});
        forget(now, conn);
      }
    }
    download.pump(now, out);
    upload.schedule(now, out);
  }

  void forget(TimePoint now, ConnId conn) {
    PeerSession* session = core.session(conn);
    if (session == nullptr) return;
    download.forget(now, *session);
    upload.forget(*session);
    core.sessions.erase(conn);
  }

  /// Connections that had no handle left get one for a share that waited for it.
  void refill_handles(Outbox& out) {
    for (auto& [conn, session] : core.sessions) {
      if (session.ask.watches.size() + 1 == limits::kHandlesPerConnection) {
        download.watch_all(session, out);
      }
    }
  }

  Result<void> dispatch(TimePoint now, PeerSession& session, FrameType type, Bytes body,
                        Outbox& out);

  Core core;
  Upload upload;
  Download download;
};

Manager::Manager(const Config& config, Rng& rng) : impl_(std::make_unique<Impl>(config, rng)) {
  impl_->core.limits.set(config.limits);
}
Manager::~Manager() = default;

void Manager::add_share(TimePoint now, const ShareId& share, const SwarmId& swarm, bool fetching,
                        Outbox& out) {
  ShareSwarm& here = impl_->core.shares.try_emplace(share, share).first->second;
  const bool is_told = here.join(swarm) && here.total() > 0;
  if (is_told) impl_->upload.offer(now, here, swarm, out);
  if (fetching || here.fetching()) impl_->download.start(here, out);
  impl_->settle(now, out);
}

void Manager::set_shape(TimePoint now, const ShareId& id, ChunkIndex total,
                        std::span<const std::uint32_t> page_lengths, Bytes have, Outbox& out) {
  ShareSwarm* share = impl_->core.share(id);
  if (share == nullptr) return;
  if (share->total() == 0) {
    impl_->download.set_shape(now, *share, total, page_lengths, have, out);
    impl_->upload.offer(now, *share, std::nullopt, out);
  } else {
    KITH_ASSERT(share->total() == total);
    Bitfield::from(have, total).for_each([&](ChunkIndex index) {
      impl_->download.hold(now, *share, index, out);
    });
  }
  impl_->settle(now, out);
}

void Manager::set_lengths(TimePoint now, const ShareId& id, ChunkIndex first,
                          std::span<const std::uint32_t> lengths, Outbox& out) {
  ShareSwarm* share = impl_->core.share(id);
  if (share == nullptr) return;
  impl_->download.set_lengths(*share, first, lengths);
  impl_->settle(now, out);
}

void Manager::fetch_in_order(const ShareId& id) {
  ShareSwarm* share = impl_->core.share(id);
  if (share != nullptr && share->fetching()) share->picker().pick_in_order();
}

void Manager::hurry(const ShareId& id, std::vector<ChunkIndex> urgent) {
  ShareSwarm* share = impl_->core.share(id);
  if (share != nullptr && share->fetching()) share->picker().hurry(std::move(urgent));
}

void Manager::add_have(TimePoint now, const ShareId& id, ChunkIndex index, Outbox& out) {
  ShareSwarm* share = impl_->core.share(id);
  if (share == nullptr) return;
  impl_->download.hold(now, *share, index, out);
  impl_->settle(now, out);
}

void Manager::drop_have(TimePoint now, const ShareId& id, ChunkIndex index, Outbox& out) {
  ShareSwarm* share = impl_->core.share(id);
  if (share == nullptr || !share->drop(index)) return;
  impl_->upload.withdraw(*share, index, out);
  impl_->download.wanted_again(*share, index);
  impl_->settle(now, out);
}

void Manager::stop_fetching(TimePoint now, const ShareId& id, Outbox& out) {
  ShareSwarm* share = impl_->core.share(id);
  if (share == nullptr) return;
  impl_->download.stop(now, *share, out);
  impl_->refill_handles(out);
  impl_->settle(now, out);
}

void Manager::remove_share(TimePoint now, const ShareId& id, Outbox& out) {
  ShareSwarm* share = impl_->core.share(id);
  if (share == nullptr) return;
  impl_->download.stop(now, *share, out);
  impl_->upload.remove(*share, out);
  impl_->core.shares.erase(id);
  impl_->refill_handles(out);
  impl_->settle(now, out);
}

bool Manager::has_share(const ShareId& share) const { return impl_->core.shares.contains(share); }

bool Manager::is_in(const ShareId& id, const SwarmId& swarm) const {
  const ShareSwarm* share = impl_->core.share(id);
  return share != nullptr && share->is_in(swarm);
}

ShareProgress Manager::progress(const ShareId& id) const {
  const ShareSwarm* share = impl_->core.share(id);
  if (share == nullptr) return {};
  ShareProgress out = share->report();
  out.limited = impl_->download.is_limited(*share);
  return out;
}

void Manager::on_connected(TimePoint now, ConnId conn, const DeviceId& device, const SwarmId& swarm,
                           bool lan, Outbox& out) {
  if (impl_->core.bans.contains(device)) {
    out.events.push_back(CloseConnection{
        conn, peer_error(Errc::kRefused, "it is shut out because it sent wrong chunks")});
    return;
  }
  const auto [it, fresh] = impl_->core.sessions.try_emplace(conn);
  KITH_ASSERT(fresh);
  it->second.conn = conn;
  it->second.device = device;
  it->second.swarm = swarm;
  it->second.lan = lan;
  impl_->download.watch_all(it->second, out);
  impl_->settle(now, out);
}

void Manager::on_round_trip(ConnId conn, Duration time) {
  PeerSession* session = impl_->core.session(conn);
  if (session == nullptr) return;
  Duration& least = session->ask.round_trip;
  if (least == Duration{} || time < least) least = time;
}

void Manager::on_closed(TimePoint now, ConnId conn, Outbox& out) {
  impl_->forget(now, conn);
  impl_->settle(now, out);
}

Result<void> Manager::on_frame(TimePoint now, ConnId conn, FrameType type, Bytes body,
                               Outbox& out) {
  PeerSession* session = impl_->core.session(conn);
  if (session == nullptr) return network_error(Errc::kClosed, "the connection is closed");
  Result<void> result = impl_->dispatch(now, *session, type, body, out);
  impl_->settle(now, out);
  return result;
}

Result<void> Manager::Impl::dispatch(TimePoint now, PeerSession& session, FrameType type,
                                     Bytes body, Outbox& out) {
  switch (type) {
    case FrameType::kWatch: {
      KITH_TRY(const auto frame, WatchFrame::decode(body));
      return upload.on_watch(now, session, frame, out);
    }
    case FrameType::kHaveSet: {
      KITH_TRY(const auto frame, HaveSetFrame::decode(body));
      return download.on_have_set(session, frame);
    }
    case FrameType::kHave: {
      KITH_TRY(const auto frame, HaveFrame::decode(body));
      return download.on_have(session, frame);
    }
    case FrameType::kWant: {
      KITH_TRY(const auto frame, WantFrame::decode(body));
      return upload.on_want(now, session, frame, out);
    }
    case FrameType::kCancel: {
      KITH_TRY(const auto frame, CancelFrame::decode(body));
      return upload.on_cancel(session, frame, out);
    }
    case FrameType::kRefuse: {
      KITH_TRY(const auto frame, RefuseFrame::decode(body));
      return download.on_refuse(now, session, frame, out);
    }
    case FrameType::kBad: {
      KITH_TRY(const auto frame, BadFrame::decode(body));
      return upload.on_bad(now, session, frame, out);
    }
    default:
      return peer_error(Errc::kMalformed, "a frame that is not about chunks");
  }
}

Result<void> Manager::on_chunk(TimePoint now, ConnId conn, const ChunkFrame& frame, Outbox&) {
  PeerSession* session = impl_->core.session(conn);
  if (session == nullptr) return network_error(Errc::kClosed, "the connection is closed");
  return impl_->download.on_chunk(now, *session, frame);
}

void Manager::on_section(TimePoint now, ConnId conn, SlabChain sealed, Outbox& out) {
  PeerSession* session = impl_->core.session(conn);
  if (session == nullptr) return;
  impl_->download.on_section(now, *session, std::move(sealed), out);
  impl_->settle(now, out);
}

void Manager::on_wrote(TimePoint now, ConnId conn, std::size_t wrote, std::size_t unsent,
                       Outbox& out) {
  PeerSession* session = impl_->core.session(conn);
  if (session == nullptr) return;
  impl_->upload.on_wrote(now, *session, wrote, unsent, out);
  impl_->settle(now, out);
}

void Manager::on_stored(TimePoint now, const ShareId& share, ChunkIndex index, ConnId from,
                        StoreOutcome outcome, std::optional<Error> error, Outbox& out) {
  impl_->download.on_stored(now, share, index, from, outcome, std::move(error), out);
  impl_->settle(now, out);
}

void Manager::on_sealed(TimePoint now, const SealRequest& request, Section section,
                        std::uint32_t size, SlabChain sealed, Outbox& out) {
  impl_->upload.on_sealed(now, request, section, size, std::move(sealed), out);
  impl_->settle(now, out);
}

void Manager::on_seal_failed(TimePoint now, const SealRequest& request, Outbox& out) {
  impl_->upload.on_seal_failed(request, out);
  impl_->settle(now, out);
}

void Manager::on_timeout(TimePoint now, Outbox& out) {
  impl_->download.on_timeout(now, out);
  impl_->upload.on_timeout(now, out);
  impl_->settle(now, out);
}

std::optional<TimePoint> Manager::next_timeout() const {
  return earliest(impl_->download.next_timeout(), impl_->upload.next_timeout());
}

void Manager::set_limits(TimePoint now, const LimitRules& rules, Outbox& out) {
  impl_->core.limits.set(rules);
  impl_->upload.limits_changed();
  impl_->download.limits_changed();
  impl_->settle(now, out);
}

bool Manager::is_banned(const DeviceId& device) const { return impl_->core.bans.contains(device); }

std::size_t Manager::reserved() const { return impl_->download.reserved(); }

std::size_t Manager::send_reserved() const { return impl_->upload.in_use(); }

std::uint64_t Manager::looks() const { return impl_->core.looks; }

void Manager::check_invariants() const {
  KITH_ASSERT(impl_->core.closing.empty());
  impl_->download.check_invariants();
  impl_->upload.check_invariants();
  for (const auto& [id, share] : impl_->core.shares) {
    if (share.total() <= kCheckedTotal) share.check_invariants();
  }
}

}  // namespace kith::transfer
