// The engine: membership, discovery and transfer of one device, as a pure state machine. Input and
// the present time go in, an Outbox comes out; the runtime (or the simulator) applies it after the
// call returned. No socket, thread, clock, file or global randomness.
//
// The engine owns every deadline: the driver arms one timer for next_timeout(). It owns the bytes
// of every connection: the driver asks where to read to and what to write (read_plan, write_plan).
// Calls are made from one thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "dht/rate_limiter.hpp"
#include "node/engine/connection.hpp"
#include "node/engine/copies.hpp"
#include "node/engine/discovery.hpp"
#include "node/engine/joins.hpp"
#include "node/engine/outbox.hpp"
#include "node/engine/swarms.hpp"
#include "proto/rng.hpp"
#include "proto/slab.hpp"
#include "transfer/manager.hpp"
#include "transfer/rate_limit.hpp"

namespace kith::node {

struct EngineConfig {
  DeviceKeys keys;
  std::string device_name;
  std::string version;
  std::string home;
  std::int64_t pid = 0;
  std::vector<Endpoint> listening;  // as bound
  std::vector<Endpoint> own;  // addresses of this machine with our port, best first, for hints
  std::optional<Endpoint> advertise;
  std::vector<Endpoint> bootstrap;
  bool lan = true;
  std::uint64_t limit = 0;  // bytes per second, each direction
  ScrubSettings scrub{};
};

/// How often deadlines that are counted in seconds are looked at.
inline constexpr std::chrono::milliseconds kWatchEvery{100};

class Engine {
 public:
  Engine(EngineConfig config, Rng& rng, SlabPool& slabs);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Takes up what the catalog had. The first call, once.
  void start(Now now, const SavedState& saved, Outbox& out);
  /// Says farewell on every connection and hands all that is unsaved to the catalog.
  void shutdown(Now now, Outbox& out);

  // --- datagrams ---
  void handle_datagram(Now now, const Endpoint& from, Bytes bytes, Outbox& out);
  /// A beacon, from anybody on the local network.
  void handle_beacon(Now now, const Endpoint& from, Bytes bytes, Outbox& out);

  // --- connections ---
  /// Nothing: too many are half-open, or open; the driver closes it without a word.
  [[nodiscard]] std::optional<ConnId> handle_accepted(Now now, const Endpoint& from, Outbox& out);
  /// A dial that OutConnect asked for succeeded. `local`: our end of it.
  void handle_connected(Now now, ConnId conn, const Endpoint& local, Outbox& out);
  /// Appends where the next bytes go; handle_read() says how many came. Valid until then.
  void read_plan(ConnId conn, std::vector<MutableBytes>& out);
  void handle_read(Now now, ConnId conn, std::size_t n, Outbox& out);
  /// Appends what is to be written; handle_wrote() says how many bytes left. Valid until then.
  void write_plan(ConnId conn, std::vector<Bytes>& out) const;
  void handle_wrote(Now now, ConnId conn, std::size_t n, Outbox& out);
  /// The socket ended, or the dial failed.
  void handle_closed(Now now, ConnId conn, const Error& why, Outbox& out);

  // --- results, commands, time ---
  void handle_job(Now now, JobResult result, Outbox& out);
  /// The write with this ack was committed, or failed.
  void handle_catalog(Now now, const CatalogDone& done, Outbox& out);
  void handle_command(Now now, Command command, Outbox& out);
  void handle_timeout(Now now, Outbox& out);
  [[nodiscard]] std::optional<TimePoint> next_timeout() const;

  /// The runtime's measurement, for status.
  void set_longest_turn(Duration turn) { longest_turn_ = turn; }
  [[nodiscard]] DeviceId device() const { return swarms_.self(); }
  /// All, half-open ones included.
  [[nodiscard]] std::size_t connection_count() const { return connections_.size(); }
  /// Reserved for chunks that were asked for: 0 when nothing is being fetched.
  [[nodiscard]] std::size_t receive_memory() const { return transfer_.reserved(); }
  /// Of sections at jobs or not written yet: 0 when nothing is being served.
  [[nodiscard]] std::size_t send_memory() const { return transfer_.send_reserved(); }
  /// Asserts what must always hold. For tests.
  void check_invariants() const;

 private:
  // engine.cpp
  void finish_turn(Turn& turn);
  void notice_sleep(Turn& turn);
  void hold_promises(Turn& turn);
  void keep_promises(Turn& turn, const CatalogDone& done);
  void forget_swarm(Turn& turn, Swarm& swarm);
  void look_around(Turn& turn);
  bool drain_transfer(Turn& turn);
  void seal(Turn& turn, transfer::SealRequest request);
  void store(Turn& turn, transfer::StoreRequest request);
  void on_event(Turn& turn, const transfer::CloseConnection& event);
  void on_event(Turn& turn, const transfer::DeviceBanned& event);
  /// Copies hear of a stored chunk from its job, before the transfer core does.
  void on_event(Turn&, const transfer::ChunkStored&) {}
  template <class Event>
  void on_event(Turn& turn, const Event& event) {
    copies_.on_event(turn, event);
  }
  void on_result(Turn& turn, SectionSealed result);

  // connections.cpp
  Connection* find(ConnId id);
  Connection& add_connection(Turn& turn, ConnId id, const Endpoint& remote, bool incoming);
  Connection& dial(Turn& turn, Swarm& swarm, const Endpoint& endpoint,
                   const AddressBook::Address& address);
  void dial_join(Turn& turn, PendingJoin& join, PendingJoin::Try& attempt);
  bool process(Turn& turn, Connection& conn);
  bool process_handshake(Turn& turn, Connection& conn);
  void answer_first(Turn& turn, Connection& conn);
  void finish_handshake(Turn& turn, Connection& conn);
  void opened(Turn& turn, Connection& conn);
  void opened_member(Turn& turn, Connection& conn);
  void admit_device(Turn& turn, Connection& conn);
  bool keep_among_two(Turn& turn, Connection& conn);
  void send(Connection& conn, Bytes frame);
  void mark_writable(ConnId conn) { writable_.insert(conn); }
  /// With a reason that is told to the other side; the connection is dead for us at once.
  void close(Turn& turn, ConnId conn, const std::string& reason);
  /// Without a word.
  void drop(Turn& turn, ConnId conn, const std::string& why);
  void ended(Turn& turn, Connection& conn, const std::string& why);
  [[nodiscard]] HandshakePayload own_payload(const Swarm* swarm) const;
  [[nodiscard]] bool guests_full(const Endpoint& from) const;
  [[nodiscard]] std::size_t half_open(const Endpoint* subnet_of) const;
  [[nodiscard]] Connection* connection_to(const SwarmId& swarm, const DeviceId& device);
  void watch_connections(Turn& turn);
  [[nodiscard]] bool is_outdated(const Turn& turn, const Connection& conn);
  void renew_connections(Turn& turn);
  [[nodiscard]] bool has_caught_up(const Turn& turn, const Connection& conn);

  // frames.cpp: one function per frame kind
  Result<void> on_frame(Turn& turn, Connection& conn, FrameType type, Bytes body);
  Result<void> keep_early(Connection& conn, FrameType type, Bytes body);
  void hear_early(Turn& turn, Connection& conn);
  Result<void> on_ping(Connection& conn, Bytes body);
  Result<void> on_pong(Turn& turn, Connection& conn, Bytes body);
  Result<void> on_close(Turn& turn, Connection& conn, Bytes body);
  Result<void> on_roster_have(Connection& conn, Bytes body);
  Result<void> on_roster_want(Turn& turn, Connection& conn, Bytes body);
  Result<void> on_roster_ops(Turn& turn, Connection& conn, Bytes body);
  Result<void> on_join(Turn& turn, Connection& conn, Bytes body);
  Result<void> on_peers(Turn& turn, Connection& conn, Bytes body);
  Result<void> on_chunk(Turn& turn, Connection& conn, Bytes body);
  [[nodiscard]] static Buffer roster_have(const Swarm& swarm);
  void want_roster(Connection& conn, std::span<const OpId> theirs);
  void ask_for_ops(Connection& conn, const Roster& roster);
  void go_on_asking(const Swarm& swarm);
  void answer_joiner(Turn& turn, Connection& conn, Swarm& swarm, const JoinFrame& frame);
  void let_in(Connection& conn, const JoinAnswerFrame& answer);
  bool on_add_saved(Turn& turn, const CatalogDone& done);
  void roster_changed(Turn& turn, Swarm& swarm);
  void take_queued_ops(Turn& turn);
  void blame_for_ops(Turn& turn, const Swarms::OpsTaken& taken);
  void send_peers(Connection& conn);
  void introduce(const Connection& fresh);

  // joining.cpp
  void begin_join(Turn& turn, RequestId request, const Join& command);
  void watch_joins(Turn& turn);
  void join_failed(Turn& turn, std::uint64_t number, Error error);
  bool take_answers(Turn& turn, PendingJoin& join);
  void end_attempt(Turn& turn, PendingJoin& join, const Connection& conn, const std::string& why,
                   Duration retry);
  void end_join(Turn& turn, std::uint64_t number, const std::string& why);
  void finish_join(Turn& turn, PendingJoin& join, ConnId from);
  Result<void> on_joiners_ops(Connection& conn, RosterOpsFrame frame);
  Result<void> on_join_answer(Turn& turn, Connection& conn, Bytes body);
  void join_connection_ended(Turn& turn, const Connection& conn, const std::string& why);

  // discovery
  void dial_more(Turn& turn);
  [[nodiscard]] bool wants_dial(const Swarm& swarm, const AddressBook::Address& address) const;

  // commands.cpp: one function per command
  void run(Turn& turn, Command command);
  void perform(Turn& turn, Command command);
  void run_waiting(Turn& turn);
  void run_looked(Turn& turn);
  [[nodiscard]] bool must_wait(const CommandBody& body) const;
  void on_command(Turn& turn, RequestId request, const CreateSwarm& command);
  void on_command(Turn& turn, RequestId request, const ListSwarms& command);
  void on_command(Turn& turn, RequestId request, const ListMembers& command);
  void on_command(Turn& turn, RequestId request, const MakeInvite& command);
  void on_command(Turn& turn, RequestId request, const Join& command);
  void on_command(Turn& turn, RequestId request, const LeaveSwarm& command);
  void on_command(Turn& turn, RequestId request, const ResolveShareTarget& command);
  void on_command(Turn& turn, RequestId request, AddShare command);
  void on_command(Turn& turn, RequestId request, const Fetch& command);
  void on_command(Turn& turn, RequestId request, const ReadFile& command);
  void on_command(Turn& turn, RequestId request, const ListShares& command);
  void on_command(Turn& turn, RequestId request, const ShowShare& command);
  void on_command(Turn& turn, RequestId request, const Unshare& command);
  void on_command(Turn& turn, RequestId request, const CancelFetch& command);
  void on_command(Turn& turn, RequestId request, const VerifyShare& command);
  void on_command(Turn& turn, RequestId request, const MovedShare& command);
  void on_command(Turn& turn, RequestId request, const ListPeers& command);
  void on_command(Turn& turn, RequestId request, const GetStatus& command);
  void on_command(Turn& turn, RequestId request, const GetDoctor& command);
  void on_command(Turn& turn, RequestId request, const SetLimit& command);
  void on_command(Turn& turn, RequestId request, const ChangeLimit& command);
  void on_command(Turn& turn, RequestId request, const SetScrub& command);
  void on_command(Turn& turn, RequestId request, const ChangeQuota& command);
  void on_command(Turn& turn, RequestId request, const CollectGarbage& command);
  void restore_space(Turn& turn, const SavedState& saved);
  void restore_limits(Turn& turn, const std::string& saved);
  void apply_limits(Turn& turn);
  [[nodiscard]] Result<void> change_limit(const ChangeLimit& command);
  [[nodiscard]] Result<DeviceId> find_device(const std::optional<SwarmId>& of,
                                             const std::string& text);
  [[nodiscard]] LimitsAnswer limits_view();
  void on_command(Turn& turn, RequestId request, const AddBootstrap& command);
  void on_command(Turn& turn, RequestId request, const CancelRequest& command);
  /// What a selector may mean where one share has several copies.
  enum class Wanted : std::uint8_t { kAny, kHeld, kFetch };
  [[nodiscard]] Result<std::vector<CopyId>> copies_of(const ShareSelector& selector,
                                                      Wanted wanted) const;
  [[nodiscard]] ShareView named(ShareView view);
  [[nodiscard]] static Error only_admins_invite(const Swarm& swarm);
  [[nodiscard]] static bool is_last_admin(const Swarm& swarm);
  [[nodiscard]] SwarmView named_view(const Swarm& swarm);
  [[nodiscard]] std::vector<Endpoint> hints() const;
  void name_sources(Outbox& out);

  EngineConfig config_;
  Rng& rng_;
  SlabPool& slabs_;
  Swarms swarms_;
  transfer::Manager transfer_;
  Copies copies_;
  Discovery discovery_;

  transfer::Outbox transfer_out_;
  std::map<ConnId, std::unique_ptr<Connection>> connections_;
  std::set<ConnId> writable_;
  std::set<ConnId> doomed_;  // do not read: dropped at the end of the turn
  std::uint64_t next_conn_ = 1;
  std::map<std::uint64_t, std::unique_ptr<PendingJoin>> joins_;
  std::uint64_t next_join_ = 1;
  /// An add that the catalog is saving. Until it has, the roster does not hold it and nobody hears
  /// of it: an invite must not be usable again after a power cut. Whoever else asks to join that
  /// swarm waits, for the add decides what it is told. By ack; one per swarm.
  struct Redemption {
    SwarmId swarm;
    Op add;
    std::string name;
    std::vector<std::pair<ConnId, JoinFrame>> requests;
  };
  std::map<std::uint64_t, Redemption> redemptions_;
  std::map<std::uint64_t, std::vector<Promise>> promises_;  // by the ack of what they wait for
  /// A command that shows copies, while their files are looked at.
  struct Looking {
    Command command;
    TimePoint until;
  };
  std::vector<Looking> looking_;
  std::vector<Command> waiting_;         // about copies that are being taken up
  std::uint64_t next_ack_ = 1ULL << 32;  // Copies counts from 1
  transfer::LimitRules limits_;          // of the user; the setting stands in config_
  transfer::RateLimit handshakes_;       // answered: of those who hold a psk
  dht::RateLimiter first_messages_;      // tried, per subnet: strangers spend nothing but their own
  TimePoint started_{};
  TimePoint last_now_{};
  TimePoint next_watch_{};
  std::uint64_t bytes_sent_ = 0;
  std::uint64_t bytes_received_ = 0;
  std::uint64_t reached_by_ =
      0;  // incoming connections of members, and of those whom an invite lets in
  Duration longest_turn_{};
};

}  // namespace kith::node
