// The swarms of this device: rosters, secrets, who may connect, joining from the side of those who
// are in. Pure; part of the engine.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "node/engine/turn.hpp"
#include "proto/crypto/handshake.hpp"
#include "proto/crypto/replay.hpp"
#include "proto/swarm/author.hpp"
#include "proto/swarm/redeem.hpp"

namespace kith::node {

/// What follows from an epoch's network secret, derived once.
struct NetworkKeys {
  Secret psk;
  Secret datagram;
  Secret beacon;
  Secret provider;
  explicit NetworkKeys(const Secret& network);
};

struct QueuedOp {
  ConnId from{};
  Buffer encoded;
};

struct Swarm {
  Swarm(const SwarmId& swarm, Rng& rng) : id(swarm), roster(swarm), nonces(rng) {}

  SwarmId id;
  Roster roster;
  SwarmKeys secrets;
  NonceFilter nonces;             // of datagrams
  std::deque<QueuedOp> incoming;  // operations that wait for their turn

  // Worked out by refresh() whenever the roster changed.
  std::string name;
  OpId epoch;
  std::uint64_t epoch_number = 0;
  std::optional<Role> role;            // ours; nothing: we were removed
  std::optional<NetworkKeys> network;  // of the current epoch, if we hold it
  OpIndex learned = 0;                 // operations whose wraps were looked at

  [[nodiscard]] bool is_member(const DeviceId& device) const {
    return !roster.empty() && roster.state().find(device) != nullptr;
  }
  /// Empty where it does not belong, or its name cannot be opened here.
  [[nodiscard]] std::string name_of(const DeviceId& device) const;
  /// The front of the id: by that links name their swarm.
  [[nodiscard]] std::array<std::uint8_t, 8> link_prefix() const;
};

/// The node id of a device in a swarm's DHT: BLAKE2b-160("kith/1 node" ‖ swarm ‖ device).
[[nodiscard]] NodeId swarm_node_id(const SwarmId& swarm, const DeviceId& device);

/// Neither used up nor revoked nor expired.
[[nodiscard]] bool is_usable(const InviteState& invite, UnixMillis now);

/// How long a message with a wrong time counts: whoever sent it tries again within this.
inline constexpr std::chrono::minutes kClockMemory{15};

/// What a first message leads to.
struct Admission {
  SwarmId swarm;
  enum class Kind : std::uint8_t { kMember, kCatchUp, kInvite } kind = Kind::kMember;
  std::optional<SignPublic> invite;
};

class Swarms {
 public:
  Swarms(const DeviceKeys& keys, Rng& rng);

  // --- which ---
  void restore(Turn& turn, const SavedSwarm& saved);
  /// This device is its founder, and saves it. Error kUsage: a bad name.
  [[nodiscard]] Result<Swarm*> create(Turn& turn, const std::string& name,
                                      const std::string& device_name);
  /// A roster that a joiner received and checked.
  Swarm* adopt(Turn& turn, Roster roster, const JoinSecrets& secrets);
  /// Forgets it, here and in the catalog. The others are told by the engine, before.
  void leave(Turn& turn, Swarm& swarm);
  /// Nullptr: this device is not in it.
  [[nodiscard]] Swarm* find(const SwarmId& id);
  /// Errors: kUsage where several fit and none is named, kNotFound.
  [[nodiscard]] Result<Swarm*> resolve(const SwarmSelector& selector);
  /// Error kNotFound: of a swarm that this device is not in.
  [[nodiscard]] Result<Swarm*> of_link(const Link& link);
  [[nodiscard]] std::map<SwarmId, std::unique_ptr<Swarm>>& all() { return swarms_; }

  // --- who may connect ---
  /// Every psk that a first message may be under; tags lead back to admit().
  [[nodiscard]] std::vector<PskCandidate> candidates(Now now);
  /// What an opened first message may lead to; nothing: silence, for it is old, repeated, for
  /// another, or of no device that may connect.
  [[nodiscard]] std::optional<Admission> admit(Now now, const OpenedFirst& first);
  /// Whether a joiner by one more invite of ours would be answered. Error kLimit.
  [[nodiscard]] Result<void> can_invite(Now now) const;
  /// A first message or datagram came whose time lies far outside: somebody's clock is wrong.
  void clock_missed(TimePoint now) { clock_missed_ = now; }
  /// Of late: clocks are set right, and a machine that slept finds old datagrams when it wakes.
  [[nodiscard]] bool clock_missed_lately(TimePoint now) const {
    return clock_missed_ && now - *clock_missed_ < kClockMemory;
  }

  // --- roster ---
  /// Queues operations from a peer; they are taken up some per turn. False: too many are waiting.
  [[nodiscard]] bool queue_ops(Swarm& swarm, ConnId from, std::vector<Buffer> ops);
  struct OpsTaken {
    bool changed = false;       // the roster
    std::vector<ConnId> wrong;  // whose operations nobody who is honest passes on
    std::vector<ConnId> early;  // whose came before their parents, once per operation
  };
  /// Takes up at most limits::kReducePerTurn queued operations.
  [[nodiscard]] OpsTaken take_ops(Turn& turn, Swarm& swarm);
  /// take_ops() has something to do in some swarm.
  [[nodiscard]] bool has_queued() const;
  /// Adds an operation of our own, and saves it.
  [[nodiscard]] Result<void> append(Turn& turn, Swarm& swarm, const Op& op);
  /// The same of one that is saved already.
  [[nodiscard]] Result<void> take_saved(Turn& turn, Swarm& swarm, const Op& op);
  /// For the makers of proto/swarm/author.hpp. During the call only.
  [[nodiscard]] Author author(Swarm& swarm) { return {keys_, swarm.roster, swarm.secrets, rng_}; }
  [[nodiscard]] const DeviceKeys& keys() const { return keys_; }
  [[nodiscard]] DeviceId self() const { return self_; }

  // --- joiners ---
  /// What a joiner is told, and the operation that makes it true, if one is needed.
  struct JoinOutcome {
    JoinAnswerFrame answer;
    std::optional<Op> add;
  };
  /// What to say to a joiner by an invite that lives here; changes nothing.
  [[nodiscard]] JoinOutcome answer_join(Now now, Swarm& swarm, const JoinFrame& join);

  // --- views ---
  [[nodiscard]] SwarmView view(const Swarm& swarm) const;

 private:
  void refresh(Turn& turn, Swarm& swarm);
  struct Tag {
    SwarmId swarm;
    Admission::Kind kind;
    std::optional<SignPublic> invite;
    OpId epoch;
  };

  const DeviceKeys& keys_;
  DeviceId self_;
  Rng& rng_;
  std::map<SwarmId, std::unique_ptr<Swarm>> swarms_;
  std::vector<Tag> tags_;  // of the last candidates()
  NonceFilter ephemerals_;
  std::optional<TimePoint> clock_missed_;
};

}  // namespace kith::node
