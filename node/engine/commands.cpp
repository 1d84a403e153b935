// What users ask for: one function per command.
#include <algorithm>

#include "node/engine/engine.hpp"
#include "proto/limits.hpp"

namespace kith::node {
namespace {

// How long who asks what there is waits until the files were looked at.
constexpr std::chrono::milliseconds kLookTime{60};

}  // namespace

void Engine::handle_command(Now now, Command command, Outbox& out) {
  Turn turn{now, out, transfer_out_};
  run(turn, std::move(command));
  look_around(turn);
  finish_turn(turn);
}

void Engine::run(Turn& turn, Command command) {
  if (must_wait(command.body)) return waiting_.push_back(std::move(command));
  const bool shows = std::holds_alternative<ListShares>(command.body) ||
                     std::holds_alternative<ShowShare>(command.body);
  if (shows) {
    copies_.look(turn);
    return looking_.push_back({std::move(command), turn.now.mono + kLookTime});
  }
  perform(turn, std::move(command));
}

void Engine::perform(Turn& turn, Command command) {
  std::visit([&](auto& body) { on_command(turn, command.request, std::move(body)); }, command.body);
}

// Right after the start, and for a moment when a fetch looks for another source, it is not known
// what a copy has.
bool Engine::must_wait(const CommandBody& body) const {
  const auto any = [this](const std::vector<CopyId>& copies) {
    return std::any_of(copies.begin(), copies.end(),
                       [this](CopyId copy) { return copies_.is_opening(copy); });
  };
  const bool counts = std::holds_alternative<ChangeQuota>(body) ||
                      std::holds_alternative<CollectGarbage>(body) ||
                      (std::holds_alternative<Fetch>(body) && copies_.quota() > 0);
  if (counts || std::holds_alternative<ListShares>(body)) return any(copies_.all());
  if (const auto* read = std::get_if<ReadFile>(&body)) return any(copies_.select(read->share));
  if (const auto* show = std::get_if<ShowShare>(&body)) return any(copies_.select(show->share));
  if (const auto* moved = std::get_if<MovedShare>(&body)) return any(copies_.select(moved->share));
  if (const auto* verify = std::get_if<VerifyShare>(&body)) {
    return any(verify->share.empty() ? copies_.all() : copies_.select(verify->share));
  }
  return false;
}

void Engine::run_waiting(Turn& turn) {
  for (Command& command : std::exchange(waiting_, {})) run(turn, std::move(command));
}

// Who asks what there is gets what the files look like now, if that does not take long.
void Engine::run_looked(Turn& turn) {
  if (looking_.empty()) return;
  const bool is_looking = copies_.is_looking();
  for (Looking& looking : std::exchange(looking_, {})) {
    if (is_looking && turn.now.mono < looking.until) {
      looking_.push_back(std::move(looking));
    } else {
      perform(turn, std::move(looking.command));
    }
  }
}

// Transfer knows devices; people want names.
void Engine::name_sources(Outbox& out) {
  const auto name_of = [this](const DeviceId& device) {
    std::string found;
    for (const auto& [id, swarm] : swarms_.all()) {
      if (found.empty()) found = swarm->name_of(device);
    }
    return found;
  };
  const auto name = [&](std::vector<SourceView>& sources) {
    for (SourceView& source : sources) source.name = name_of(source.device);
  };
  for (Reply& reply : out.replies) {
    auto* done = std::get_if<Done>(&reply.body);
    if (done == nullptr) continue;
    if (auto* fetched = std::get_if<FetchResult>(done)) name(fetched->sources);
    if (auto* share = std::get_if<ShareAnswer>(done)) name(share->sources);
    if (auto* report = std::get_if<VerifyReport>(done)) {
      for (DamageView& damage : report->damage) damage.name = name_of(damage.device);
    }
  }
}

// --- swarms ---

SwarmView Engine::named_view(const Swarm& swarm) {
  SwarmView out = swarms_.view(swarm);
  for (const auto& [id, conn] : connections_) {
    if (conn->announced && conn->swarm == swarm.id) ++out.connected;
  }
  return out;
}

void Engine::on_command(Turn& turn, RequestId request, const CreateSwarm& command) {
  const auto swarm = swarms_.create(turn, command.name, config_.device_name);
  if (!swarm) return turn.fail(request, swarm.error());
  discovery_.add_swarm(turn, **swarm);
  turn.done_when_saved(request, SwarmCreated{named_view(**swarm)}, (*swarm)->id);
}

void Engine::on_command(Turn& turn, RequestId request, const ListSwarms&) {
  SwarmsAnswer answer;
  for (const auto& [id, swarm] : swarms_.all()) answer.swarms.push_back(named_view(*swarm));
  turn.done(request, std::move(answer));
}

void Engine::on_command(Turn& turn, RequestId request, const ListMembers& command) {
  const auto swarm = swarms_.resolve(command.swarm);
  if (!swarm) return turn.fail(request, swarm.error());
  MembersAnswer answer;
  answer.swarm = named_view(**swarm);
  for (const auto& [device, member] : (*swarm)->roster.state().members) {
    MemberView view{device,
                    (*swarm)->name_of(device),
                    std::string(to_string(member.role)),
                    device == swarms_.self(),
                    false,
                    {}};
    if (const Connection* conn = connection_to((*swarm)->id, device)) {
      view.connected = true;
      view.address = conn->remote.to_string();
    }
    answer.members.push_back(std::move(view));
  }
  turn.done(request, std::move(answer));
}

std::vector<Endpoint> Engine::hints() const {
  std::vector<Endpoint> out;
  if (config_.advertise) out.push_back(*config_.advertise);
  for (const Endpoint& endpoint : config_.own) {
    if (out.size() >= limits::kInviteHints) break;
    if (std::find(out.begin(), out.end(), endpoint) == out.end()) out.push_back(endpoint);
  }
  return out;
}

Error Engine::only_admins_invite(const Swarm& swarm) {
  std::string admins;
  for (const DeviceId& device : swarm.roster.state().admins) {
    if (!admins.empty()) admins += ", ";
    admins += swarm.name_of(device) + " (" + device.hex().substr(0, 8) + ")";
  }
  return local_error(Errc::kRefused, "only its admins can invite to a swarm", swarm.name,
                     admins.empty() ? "it has no admin left" : "ask one of them: " + admins);
}

void Engine::on_command(Turn& turn, RequestId request, const MakeInvite& command) {
  const auto swarm = swarms_.resolve(command.swarm);
  if (!swarm) return turn.fail(request, swarm.error());
  if ((*swarm)->role != Role::kAdmin) return turn.fail(request, only_admins_invite(**swarm));
  const auto role = parse_role(command.role);
  if (!role) {
    return turn.fail(request, local_error(Errc::kUsage, "there is no such role", command.role));
  }
  if (command.uses == 0 || command.uses > kInviteUsesMax || command.lifetime.count() <= 0) {
    return turn.fail(
        request, local_error(Errc::kUsage, "an invite has 1 to " + std::to_string(kInviteUsesMax) +
                                               " uses, and a time to live that is not over"));
  }
  if (const auto can = swarms_.can_invite(turn.now); !can) return turn.fail(request, can.error());
  const UnixMillis expiry{count(turn.now.wall) + command.lifetime.count()};
  auto made = kith::make_invite(swarms_.author(**swarm), *role, command.uses, expiry);
  if (!made) return turn.fail(request, made.error());
  if (const auto done = swarms_.append(turn, **swarm, made->op); !done) {
    return turn.fail(request, done.error());
  }
  made->invite.hints = hints();
  roster_changed(turn, **swarm);
  turn.done_when_saved(request, InviteMade{made->invite.to_string(), named_view(**swarm),
                                           std::string(to_string(*role)), command.uses, expiry});
}

void Engine::on_command(Turn& turn, RequestId request, const Join& command) {
  begin_join(turn, request, command);
}

bool Engine::is_last_admin(const Swarm& swarm) {
  const RosterState& state = swarm.roster.state();
  return swarm.role == Role::kAdmin && state.admins.size() == 1 && state.members.size() > 1;
}

void Engine::on_command(Turn& turn, RequestId request, const LeaveSwarm& command) {
  const auto resolved = swarms_.resolve(command.swarm);
  if (!resolved) return turn.fail(request, resolved.error());
  Swarm& swarm = **resolved;
  const SwarmId id = swarm.id;
  if (!command.force && is_last_admin(swarm)) {
    return turn.fail(
        request,
        local_error(Errc::kRefused,
                    "this device is its only admin: nobody could "
                    "invite to it any more",
                    swarm.name, "'kith swarm invite --role admin' makes another; --force leaves"));
  }
  // The others are told if they can be; who is alone just goes.
  if (swarm.role && swarm.roster.state().members.size() > 1) {
    const auto removal = make_remove(swarms_.author(swarm), swarms_.self());
    if (removal && swarms_.append(turn, swarm, removal->op)) {
      RosterOpsFrame frame;
      frame.ops.push_back(removal->op.encoded);
      const Buffer encoded = frame.encode();
      for (const auto& [conn_id, conn] : connections_) {
        if (conn->announced && conn->swarm == id) send(*conn, encoded);
      }
    }
  }
  forget_swarm(turn, swarm);
  turn.done_when_saved(request, Ok{});
}

void Engine::forget_swarm(Turn& turn, Swarm& swarm) {
  const SwarmId id = swarm.id;
  std::vector<ConnId> ids;
  for (const auto& [conn_id, conn] : connections_) {
    if (conn->swarm == id) ids.push_back(conn_id);
  }
  for (const ConnId conn : ids) close(turn, conn, "the device left the swarm");
  copies_.leave(turn, id);
  discovery_.remove_swarm(id);
  swarms_.leave(turn, swarm);
}

// --- shares ---

void Engine::on_command(Turn& turn, RequestId request, const ResolveShareTarget& command) {
  SwarmTarget target;
  if (swarms_.all().empty() && command.swarm.empty()) {
    const auto made = swarms_.create(turn, "home", config_.device_name);
    if (!made) return turn.fail(request, made.error());
    discovery_.add_swarm(turn, **made);
    target.created = true;
  }
  const auto swarm = swarms_.resolve(command.swarm);
  if (!swarm) return turn.fail(request, swarm.error());
  const bool may = (*swarm)->role && *(*swarm)->role >= Role::kMember;
  const EpochSecrets* secrets = (*swarm)->secrets.find((*swarm)->epoch);
  if (!may || secrets == nullptr || !secrets->content) {
    return turn.fail(request, local_error(Errc::kRefused, "this device may not share in the swarm",
                                          (*swarm)->name, "it needs the role member or admin"));
  }
  target.swarm = (*swarm)->id;
  target.name = (*swarm)->name;
  target.conv = convergence_key(*secrets->content);
  if (!target.created) return turn.done(request, std::move(target));
  const SwarmId begun = target.swarm;
  turn.done_when_saved(request, std::move(target), begun);
}

ShareView Engine::named(ShareView view) {
  if (const Swarm* swarm = swarms_.find(view.swarm)) view.swarm_name = swarm->name;
  return view;
}

void Engine::on_command(Turn& turn, RequestId request, AddShare command) {
  copies_.add_share(turn, request, std::move(command));
  for (Reply& reply : turn.out.replies) {
    auto* done = std::get_if<Done>(&reply.body);
    auto* added = done == nullptr ? nullptr : std::get_if<ShareAdded>(done);
    if (added != nullptr) added->share = named(std::move(added->share));
  }
}

void Engine::on_command(Turn& turn, RequestId request, const Fetch& command) {
  const auto swarm = swarms_.of_link(command.link);
  if (!swarm) return turn.fail(request, swarm.error());
  discovery_.hurry(turn);
  std::vector<Secret> convs;
  for (const auto& [epoch, secrets] : (*swarm)->secrets.epochs()) {
    if (secrets.content) convs.push_back(convergence_key(*secrets.content));
  }
  copies_.fetch(turn, request, command, (*swarm)->id, std::move(convs));
}

void Engine::on_command(Turn& turn, RequestId request, const ReadFile& command) {
  auto link = Link::parse(command.share);
  if (!link) {
    const auto copies = copies_of(command.share, Wanted::kAny);
    if (!copies) return turn.fail(request, copies.error());
    link = Link::parse(copies_.view(copies->front()).link);
  }
  const auto swarm = swarms_.of_link(*link);
  if (!swarm) return turn.fail(request, swarm.error());
  discovery_.hurry(turn);
  copies_.read(turn, request, command, *link, (*swarm)->id);
}

void Engine::on_command(Turn& turn, RequestId request, const ListShares&) {
  SharesAnswer answer;
  for (ShareView& view : copies_.views()) answer.shares.push_back(named(std::move(view)));
  turn.done(request, std::move(answer));
}

// The copies here of the one share that is meant: those that are wanted, or all if none is.
Result<std::vector<CopyId>> Engine::copies_of(const ShareSelector& selector, Wanted wanted) const {
  std::vector<CopyId> fits = copies_.select(selector);
  if (fits.empty()) {
    return local_error(Errc::kNotFound, "there is no such share here", selector,
                       "'kith list' shows what there is; ids may be cut to 8 characters");
  }
  const bool one_share = std::all_of(fits.begin(), fits.end(), [&](CopyId copy) {
    return copies_.view(copy).share == copies_.view(fits.front()).share;
  });
  if (!one_share) {
    return local_error(Errc::kUsage, "several shares fit", selector, "give more of the id");
  }
  const auto meant = std::partition(fits.begin(), fits.end(), [&](CopyId copy) {
    return wanted == Wanted::kAny || copies_.holds(copy) == (wanted == Wanted::kHeld);
  });
  if (meant != fits.begin()) fits.erase(meant, fits.end());
  return fits;
}

void Engine::on_command(Turn& turn, RequestId request, const ShowShare& command) {
  const auto copies = copies_of(command.share, Wanted::kAny);
  if (!copies) return turn.fail(request, copies.error());
  ShareView view = named(copies_.view(copies->front()));
  std::vector<SourceView> sources = copies_.sources_of(view.share);
  turn.done(request, ShareAnswer{std::move(view), std::move(sources)});
}

void Engine::on_command(Turn& turn, RequestId request, const Unshare& command) {
  const auto copies = copies_of(command.share, Wanted::kHeld);
  if (!copies) return turn.fail(request, copies.error());
  for (const CopyId copy : *copies) {
    if (const auto done = copies_.unshare(turn, copy); !done) {
      return turn.fail(request, done.error());
    }
  }
  turn.done(request, Ok{});
}

void Engine::on_command(Turn& turn, RequestId request, const CancelFetch& command) {
  const auto copies = copies_of(command.share, Wanted::kFetch);
  if (!copies) return turn.fail(request, copies.error());
  copies_.cancel(turn, request, copies->front());
}

void Engine::on_command(Turn& turn, RequestId request, const VerifyShare& command) {
  if (!command.share.empty()) {
    auto copies = copies_of(command.share, Wanted::kHeld);
    if (!copies) return turn.fail(request, copies.error());
    return copies_.verify(turn, request, std::move(*copies));
  }
  copies_.verify(turn, request, copies_.all());
}

void Engine::on_command(Turn& turn, RequestId request, const MovedShare& command) {
  const auto copies = copies_of(command.share, Wanted::kHeld);
  if (!copies) return turn.fail(request, copies.error());
  // Of several the one that lacks something is the one that was moved.
  const auto lacking = std::ranges::find_if(
      *copies, [this](CopyId copy) { return copies_.view(copy).state == "withdrawn"; });
  copies_.moved(turn, request, lacking == copies->end() ? copies->front() : *lacking, command.path);
}

// --- the node ---

void Engine::on_command(Turn& turn, RequestId request, const ListPeers&) {
  PeersAnswer answer;
  for (const auto& [id, conn] : connections_) {
    if (!conn->announced) continue;
    const Swarm* swarm = swarms_.find(conn->swarm);
    PeerView view;
    view.device = conn->device;
    view.name = swarm == nullptr ? "" : swarm->name_of(conn->device);
    view.swarm = conn->swarm;
    view.address = conn->remote.to_string();
    view.connected = true;
    view.incoming = conn->incoming;
    view.found_by = "incoming";
    view.bytes_sent = conn->sent;
    view.bytes_received = conn->received;
    if (conn->round_trip) {
      const auto rtt = std::chrono::duration_cast<std::chrono::milliseconds>(*conn->round_trip);
      view.rtt_ms = rtt.count();
    }
    const AddressBook* book = discovery_.book(conn->swarm);
    if (book != nullptr && book->all().contains(conn->remote)) {
      view.found_by = to_string(book->all().at(conn->remote).found_by);
    }
    answer.peers.push_back(std::move(view));
  }
  for (const auto& [id, swarm] : swarms_.all()) {
    for (const auto& [endpoint, address] : discovery_.book(id)->all()) {
      const bool met = address.device && connection_to(id, *address.device) != nullptr;
      if (met || (!address.device && address.last_failure.empty())) continue;
      PeerView view;
      if (address.device) {
        view.device = *address.device;
        view.name = swarm->name_of(*address.device);
      }
      view.swarm = id;
      view.address = endpoint.to_string();
      view.found_by = to_string(address.found_by);
      view.why_not = address.dialling ? "being dialled" : address.last_failure;
      answer.peers.push_back(std::move(view));
    }
  }
  turn.done(request, std::move(answer));
}

void Engine::on_command(Turn& turn, RequestId request, const GetStatus&) {
  StatusView status;
  status.device = swarms_.self();
  status.version = config_.version;
  status.pid = config_.pid;
  status.home = config_.home;
  for (const Endpoint& endpoint : config_.listening) status.listen.push_back(endpoint.to_string());
  for (const auto& [id, swarm] : swarms_.all()) status.swarms.push_back(named_view(*swarm));
  status.shares = copies_.shares();
  status.fetches = copies_.fetches();
  for (const auto& [id, conn] : connections_) status.connections += conn->announced ? 1U : 0U;
  status.bytes_sent = bytes_sent_;
  status.bytes_received = bytes_received_;
  status.scrub = copies_.scrub_view();
  status.uptime_ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(turn.now.mono - started_).count();
  status.longest_turn_us =
      std::chrono::duration_cast<std::chrono::microseconds>(longest_turn_).count();
  turn.done(request, std::move(status));
}

void Engine::on_command(Turn& turn, RequestId request, const SetScrub& command) {
  config_.scrub = command.settings;
  copies_.set_scrub(command.settings);
  turn.done(request, Ok{});
}

void Engine::on_command(Turn& turn, RequestId request, const AddBootstrap& command) {
  config_.bootstrap.push_back(command.endpoint);
  discovery_.add_bootstrap(turn, command.endpoint);
  turn.done(request, Ok{});
}

void Engine::on_command(Turn& turn, RequestId, const CancelRequest& command) {
  std::erase_if(waiting_, [&](const Command& c) { return c.request == command.request; });
  std::erase_if(looking_, [&](const Looking& l) { return l.command.request == command.request; });
  copies_.cancel_request(turn, command.request);
  for (const auto& [number, join] : joins_) {
    if (join->request != command.request) continue;
    join_failed(turn, number, local_error(Errc::kCancelled, "the join was cancelled"));
    return;
  }
}

}  // namespace kith::node
