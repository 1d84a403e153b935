// What users ask of a node, and what it answers: plain values between the API thread and the
// engine.
//
// Every command has a RequestId, chosen by the API. The engine answers each with any number of
// Progress replies and exactly one final reply: Done or an Error. A client that goes away sends
// CancelRequest: the command ends, what was verified is kept.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "proto/content/link.hpp"
#include "proto/content/manifest.hpp"
#include "proto/crypto/content_cipher.hpp"
#include "proto/endpoint.hpp"
#include "proto/ids.hpp"
#include "proto/result.hpp"
#include "proto/slab.hpp"
#include "proto/swarm/invite.hpp"
#include "proto/time.hpp"

namespace kith::node {

enum class RequestId : std::uint64_t {};

/// Which swarm: a name, a full id or a unique prefix of at least 8 characters; empty where there is
/// only one.
using SwarmSelector = std::string;
/// Which share: a link, a full id or a unique prefix of at least 8 characters (hexadecimal).
using ShareSelector = std::string;

// --- commands ---

struct CreateSwarm {
  std::string name;
};
struct ListSwarms {};
struct ListMembers {
  SwarmSelector swarm;
};
inline constexpr std::uint32_t kInviteUsesMax = 1'000;
struct MakeInvite {
  SwarmSelector swarm;
  std::string role = "member";  // admin, member, reader, mirror
  std::uint32_t uses = 1;       // at most kInviteUsesMax
  std::chrono::milliseconds lifetime{std::chrono::hours(24)};
};
struct Join {
  Invite invite;
  std::string device_name;
  std::chrono::milliseconds patience{std::chrono::seconds(30)};
};
struct LeaveSwarm {
  SwarmSelector swarm;
  bool force = false;  // also as the only admin of others
};

/// Where a share goes, decided before a long import begins. Answer: SwarmTarget. Makes a swarm
/// named `home` if there is none at all.
struct ResolveShareTarget {
  SwarmSelector swarm;
};
/// An import is done and its catalog rows are committed: announce and serve it. Answer: ShareAdded.
struct AddShare {
  SwarmId swarm;
  ShareId share;
  ChunkKey key;
  CopyId copy{};
  std::string path;
  Root root;
};
struct Fetch {
  Link link;
  std::string directory;  // absolute; made if missing
  std::string name;       // empty: the share's own
  bool replace = false;
  bool safe_links = false;
  bool wait = false;              // keep trying when nobody provides it
  bool detached = false;          // goes on when the client leaves
  std::vector<std::string> part;  // globs: only what fits one is fetched; empty: everything
  std::string reuse;  // absolute: a tree of this machine to take chunks from; empty: none
};
/// Bytes of one file of a share, from this device or from peers, nothing of it kept: `kith cat`.
/// Answer: FileRead. The next ones are read ahead.
struct ReadFile {
  ShareSelector share;
  std::string path;  // of the file in the share; may be empty for the share of a single file
  std::uint64_t offset = 0;
  std::uint32_t length = 0;  // at most kReadMax; what lies behind the end is left out
};
inline constexpr std::uint32_t kReadMax = 4 * 1024 * 1024;
struct ListShares {};
struct ShowShare {
  ShareSelector share;
};
struct Unshare {
  ShareSelector share;
};
struct CancelFetch {
  ShareSelector share;
};
/// Hash every chunk of a copy again. Progress, then VerifyReport. An empty selector: all copies.
struct VerifyShare {
  ShareSelector share;
};
/// A shared tree was moved by its owner: take it up at its new place.
struct MovedShare {
  ShareSelector share;
  std::string path;
};
struct ListPeers {};
struct GetStatus {};
struct GetDoctor {};
/// The limit of the node's settings, in each direction.
struct SetLimit {
  std::uint64_t bytes_per_second = 0;  // 0: none
};
/// Changes what the user limits, and keeps it; what is not named stays as it is. Answer:
/// LimitsAnswer, with all of it; a command that changes nothing just asks.
struct ChangeLimit {
  SwarmSelector swarm;                    // empty, and no device: of everything
  std::string device;                     // a name, an id or its first 8 characters or more
  std::optional<std::uint64_t> up, down;  // bytes per second; 0: none
  std::optional<bool> lan_exempt;
};
struct ScrubSettings {
  std::uint64_t rate = std::uint64_t{8} * 1024 * 1024;  // bytes per second; 0: off
  std::chrono::milliseconds every{
      std::chrono::hours(24 * 30)};  // from the end of a pass to the next
};
/// How all copies are read again in the background; holds at once.
struct SetScrub {
  ScrubSettings settings;
};
/// Changes what fetched copies may take, and keeps it; nothing: just asks. Answer: QuotaAnswer.
struct ChangeQuota {
  std::optional<std::uint64_t> bytes;  // 0: none
};
/// Frees what nothing needs any more. Answer: GarbageReport.
struct CollectGarbage {
  bool dry_run = false;  // only tell what would be freed
};
struct AddBootstrap {
  Endpoint endpoint;
};
/// The client of `request` went away.
struct CancelRequest {
  RequestId request{};
};

using CommandBody =
    std::variant<CreateSwarm, ListSwarms, ListMembers, MakeInvite, Join, LeaveSwarm,
                 ResolveShareTarget, AddShare, Fetch, ReadFile, ListShares, ShowShare, Unshare,
                 CancelFetch, VerifyShare, MovedShare, ListPeers, GetStatus, GetDoctor, SetLimit,
                 ChangeLimit, SetScrub, ChangeQuota, CollectGarbage, AddBootstrap, CancelRequest>;
struct Command {
  RequestId request{};
  CommandBody body;
};

// --- answers ---

struct SwarmView {
  SwarmId id;
  std::string name;
  std::string role;  // ours
  std::size_t members = 0;
  std::size_t connected = 0;
  std::uint64_t epoch = 0;
};
struct MemberView {
  DeviceId device;
  std::string name;
  std::string role;
  bool self = false;
  bool connected = false;
  std::string address;  // empty if not connected
};
struct ShareView {
  ShareId share;
  CopyId copy{};
  SwarmId swarm;
  std::string swarm_name;
  std::string name;
  std::string path;     // where the copy is, or will be
  std::string state;    // shared, fetching, paused, verifying, complete, withdrawn, failed
  std::string problem;  // why it failed, or which files changed or are missing
  std::string link;
  Totals totals;
  std::uint64_t bytes_have = 0;
  bool single_file = false;
  std::vector<std::string> part;  // globs of a copy of a part; empty: of everything
  std::uint64_t bytes_taken =
      0;                       // of the content, as far as it is known: totals.bytes, or the part
  UnixMillis scrubbed{};       // when all of it was last known to be read; 0: never
  std::uint64_t damaged = 0;   // chunks that rotted on the disk and are not repaired
  std::uint64_t repaired = 0;  // ever
};
struct PeerView {
  DeviceId device;
  std::string name;
  SwarmId swarm;
  std::string address;
  bool connected = false;
  bool incoming = false;
  std::string found_by;  // invite, remembered, lan, peers, dht, bootstrap, incoming
  std::string why_not;   // not connected: the last failure
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  std::int64_t rtt_ms = -1;
};
/// The scrub, at this moment.
struct ScrubView {
  std::uint64_t rate = 0;  // bytes per second; 0: it is off
  std::string name;        // of the share of which a pass is under way; empty: none is
  std::uint64_t done = 0;  // chunks of that
  std::uint64_t total = 0;
  std::uint64_t damaged = 0;  // chunks of all copies that are known to be damaged now
};
struct StatusView {
  DeviceId device;
  std::string version;
  std::int64_t pid = 0;
  std::string home;
  std::vector<std::string> listen;
  std::vector<SwarmView> swarms;
  std::size_t shares = 0;
  std::size_t fetches = 0;
  std::size_t connections = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  ScrubView scrub;
  std::int64_t uptime_ms = 0;
  std::int64_t longest_turn_us = 0;
};
struct DoctorCheck {
  std::string name;   // ports, addresses, reached, clock, disk, versions, peers
  std::string state;  // ok, warning, problem
  std::string what;
  std::string hint;
};
struct FetchProgress {
  ShareId share;
  std::string name;
  std::string phase;  // looking, manifest, preparing, reusing, content, verifying, finishing
  std::uint64_t bytes_done = 0;
  std::uint64_t bytes_total = 0;
  std::uint64_t rate = 0;  // bytes per second, over the last seconds
  std::size_t peers = 0;   // sources
};
struct SourceView {
  DeviceId device;
  std::string name;
  std::uint64_t bytes = 0;
};
struct FetchResult {
  ShareId share;
  std::string path;
  Totals totals;
  std::uint64_t files_taken = 0, bytes_taken = 0;  // as totals, or what the part takes of them
  std::uint64_t bytes_received = 0;                // section bytes that arrived during this command
  std::uint64_t bytes_copied = 0;                  // from other copies on this device
  std::vector<SourceView> sources;
  std::uint64_t links_outside =
      0;  // symlinks that leave the tree (carried, or left out: safe_links)
  bool already_there = false;
  std::int64_t elapsed_ms = 0;
};
/// A stretch of a chunk's content; chunks are shared with who reads them, and never changed.
struct FileStretch {
  std::shared_ptr<const SlabChain> chunk;
  std::uint32_t offset = 0;
  std::uint32_t length = 0;
};
struct FileRead {
  std::uint64_t size = 0;    // of the whole file
  std::uint64_t offset = 0;  // of the first byte in `stretches`
  std::vector<FileStretch> stretches;
};
/// A chunk that rotted on the disk, and what became of it.
struct DamageView {
  ShareId share;
  std::string copy_path;    // where the copy is
  std::uint32_t chunk = 0;  // number of the content chunk in the share
  std::uint32_t bytes = 0;  // of it
  std::string path;         // the file that was damaged; not repaired: one with bytes in the chunk
  std::uint32_t files = 1;  // with bytes in the chunk, any of which it may be
  bool repaired = false;
  DeviceId device;     // repaired with what it sent
  std::string name;    // of the device; filled in by the engine
  bool local = false;  // repaired from another copy on this device
  std::string why;     // not repaired
};
struct VerifyReport {
  std::uint64_t chunks = 0;
  std::uint64_t bytes = 0;
  std::vector<std::string> bad;    // paths with bytes that are not the share's, still
  std::uint64_t damaged = 0;       // chunks that rotted on the disk
  std::uint64_t repaired = 0;      // of these
  std::vector<DamageView> damage;  // the first of them
};
struct SwarmTarget {
  SwarmId swarm;
  std::string name;
  bool created = false;
  Secret conv;  // convergence secret of the current epoch
};

struct SwarmCreated {
  SwarmView swarm;
};
struct SwarmsAnswer {
  std::vector<SwarmView> swarms;
};
struct MembersAnswer {
  SwarmView swarm;
  std::vector<MemberView> members;
};
struct InviteMade {
  std::string text;
  SwarmView swarm;
  std::string role;
  std::uint32_t uses = 1;
  UnixMillis expiry{};
};
struct Joined {
  SwarmView swarm;
  bool already = false;
};
struct JoinProgress {
  std::string what;
};
struct ShareAdded {
  ShareView share;
};
struct SharesAnswer {
  std::vector<ShareView> shares;
};
struct ShareAnswer {
  ShareView share;
  std::vector<SourceView> sources;  // what this run of the node got of it, and from whom
};
struct LimitView {
  std::string swarm, swarm_name;    // empty: of every swarm
  std::string device, device_name;  // empty: of every device
  std::uint64_t up = 0, down = 0;   // bytes per second; 0: none
  bool setting = false;  // `limit` of the settings, or --limit: not changed by ChangeLimit
};
struct LimitsAnswer {
  std::vector<LimitView> limits;
  bool lan_exempt = false;
};
struct QuotaAnswer {
  std::uint64_t limit = 0;  // 0: none
  std::uint64_t used = 0;   // by fetched copies and by fetches, each counted whole
};
struct Garbage {
  std::string kind;  // staging: of a fetch that has ended; copy: fetched, and removed by its owner
  std::string path;  // of a staging: what it would have become
  std::uint64_t bytes = 0;
  std::string problem;  // why it could not be freed; empty: it was, or would be
};
struct GarbageReport {
  bool dry_run = false;
  std::vector<Garbage> items;
  std::uint64_t catalog_bytes = 0;  // that the catalog gave back, or would; set by the runtime
};
struct PeersAnswer {
  std::vector<PeerView> peers;
};
struct DoctorAnswer {
  std::vector<DoctorCheck> checks;
};
struct Ok {};

/// Not final.
using Progress = std::variant<FetchProgress, JoinProgress>;
/// Final.
using Done =
    std::variant<Ok, SwarmCreated, SwarmsAnswer, MembersAnswer, InviteMade, Joined, SwarmTarget,
                 ShareAdded, FetchResult, FileRead, SharesAnswer, ShareAnswer, VerifyReport,
                 LimitsAnswer, QuotaAnswer, GarbageReport, PeersAnswer, StatusView, DoctorAnswer>;

struct Reply {
  RequestId request{};
  std::variant<Progress, Done, Error> body;
};

/// Something happened that no command asked for; for the event stream.
struct NodeEvent {
  std::string kind;  // peer-connected, peer-lost, share-withdrawn, member-joined, device-banned, …
  std::string what;
  std::string subject;
};

}  // namespace kith::node
