// Every limit of kith, each with its reason. Sizes are bytes unless the name says otherwise. What a
// peer can fill is bounded here.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace kith::limits {

using namespace std::chrono_literals;

inline constexpr std::size_t kKiB = 1024;
inline constexpr std::size_t kMiB = 1024 * kKiB;

// --- memory ---
inline constexpr std::size_t kReceiveBudget = 32 * kMiB;  // chunks wanted and not yet stored
inline constexpr std::size_t kSendBudget = 32 * kMiB;     // sections sealed and not yet sent
inline constexpr std::size_t kImportChunksInFlight = 16;  // scanned and not yet hashed
inline constexpr std::size_t kControlBuffer = 16 * kKiB;  // per connection, for control records
inline constexpr std::size_t kReadPerTurn = 1 * kMiB;     // one readv per readiness, for fairness
inline constexpr std::size_t kControlQueue = 1 * kMiB;  // unsent control bytes: then the peer does
                                                        // not read, and the connection closes

inline constexpr std::size_t kFlushBytes =
    32 * kMiB;  // of new chunks, then have-bits are committed
inline constexpr std::size_t kSyncBytes = 256 * kMiB;  // of new chunks, then content is synced
inline constexpr std::size_t kBackgroundJobs = 4;      // chunks checked or copied at a time
inline constexpr std::size_t kSuspects = 100;  // chunks of a copy hashed because of how files look

// --- content ---
inline constexpr std::size_t kPageMax = 1 * kMiB;      // one encoded page, and the root
inline constexpr std::size_t kPageTokens = 400'000;    // values in one: more than fit valid ones
inline constexpr std::size_t kEntriesMax = 4'000'000;  // of one share
inline constexpr std::size_t kChunksMax = 16'000'000;  // of one share
inline constexpr std::size_t kPathMax = 4'095;         // PATH_MAX without its NUL
inline constexpr std::size_t kComponentMax = 255;      // NAME_MAX
inline constexpr std::size_t kSymlinkMax = 4'095;
inline constexpr std::size_t kChunkMaxAllowed =
    4 * kMiB;  // any chunking: what receivers reserve for
inline constexpr std::size_t kChunkPagesMax =
    16 * kMiB;  // pages that describe one chunk: a job decodes all of them
inline constexpr std::uint64_t kManifestMax =
    2'048 * kMiB;  // all pages, kept in the home: 16 M rows and 4 M usual names fit

// --- handshake and connections ---
inline constexpr std::size_t kHandshakeMessageMax = 1 * kKiB;  // keeps strangers cheap
inline constexpr auto kHandshakeTime = 5s;                     // all three messages together
inline constexpr std::size_t kHalfOpenPerSubnet = 32;          // per /24 or /64
inline constexpr std::size_t kHalfOpenMax = 256;
inline constexpr std::size_t kHandshakesPerSecond = 200;  // a DH costs 0.1 ms of T0
inline constexpr auto kFirstMessageEvery = 20ms;    // tried per /24 or /64, on average: each costs
inline constexpr std::size_t kFirstMessages = 200;  // up to 64 psks; burst: a LAN that wakes up
inline constexpr std::size_t kConnectionsMax = 1'024;
inline constexpr std::size_t kGuestsMax = 128;       // open connections by invites: whoever found
inline constexpr std::size_t kGuestsPerSubnet = 16;  // the text of one may hold some
inline constexpr auto kGuestTime = 30s;        // to join or catch up, since more was last asked for
inline constexpr std::size_t kPsksTried = 64;  // per first message, all swarms
inline constexpr std::size_t kHandshakeHeads = 16;      // as many as fit message 2's 1 KiB
inline constexpr std::size_t kEarlyFrames = 16 * kKiB;  // kept until the device is in the roster
inline constexpr std::size_t kFrameMax = 60 * kKiB;     // one control frame, with its type
inline constexpr std::uint64_t kRekeyEvery = 1 << 14;   // transport messages
inline constexpr std::uint64_t kConnectionBytesMax = 1ULL << 40;
inline constexpr auto kConnectionLife = 24h;
inline constexpr auto kFreshness = 30min;  // |sent − now| of first messages
inline constexpr auto kIdlePing = 20s;
inline constexpr auto kIdleClose = 60s;

// --- roster ---
inline constexpr std::size_t kOpMax = 4 * kKiB;
inline constexpr std::size_t kOpParentsMax = 16;
inline constexpr std::size_t kRosterOpsMax = 100'000;
inline constexpr std::size_t kRosterPending = 1'024;  // operations whose parents are missing
inline constexpr std::size_t kReducePerTurn = 8;      // on T0
inline constexpr std::size_t kDeviceNameMax = 64;
inline constexpr std::size_t kSwarmNameMax = 64;
inline constexpr std::size_t kInviteHints = 3;
inline constexpr std::uint32_t kInviteUsesMax = 100'000;  // there are never more operations
inline constexpr std::size_t kSwarmsMax = 32;

// --- transfer ---
inline constexpr std::size_t kHandlesPerConnection = 1'024;  // watched shares
inline constexpr std::size_t kQueuedWantsPerPeer = 256;
inline constexpr std::size_t kHavePerFrame = 4'096;
inline constexpr std::size_t kBadChunksToBan = 3;  // within an hour, or the same twice
inline constexpr auto kBadChunkWindow = 1h;
inline constexpr std::size_t kStrikesKept = 8;          // per device, to know the same chunk
inline constexpr std::size_t kBanEntries = 4'096;       // devices on record, and banned ones
inline constexpr std::size_t kBadReportsBurst = 16;     // `bad` frames acted on: each costs a
inline constexpr std::size_t kBadReportsPerSecond = 1;  // hash of a chunk; more are ignored
inline constexpr auto kHaveBatch = 100ms;               // one `have` per watcher and interval
inline constexpr auto kCancelAnswer = 60s;              // a want that was taken back must end
inline constexpr auto kWriteStall = 60s;  // sections unsent, and less than a record leaves

// --- frames ---
inline constexpr std::size_t kCloseReasonMax = 256;   // one sentence
inline constexpr std::size_t kHeadsPerFrame = 1'024;  // concurrent branches of a roster
inline constexpr std::size_t kOpsPerFrame = 1'024;    // an operation has at least 60 bytes
inline constexpr std::size_t kWrapsPerFrame = 400;    // 144 bytes each: fits kFrameMax
inline constexpr std::size_t kBindingMax = 256;       // an encoded device binding
inline constexpr std::size_t kJoinSecretsMax = 512;   // sealed box of three secrets, and room
inline constexpr std::size_t kHaveBytesPerFrame =
    48 * kKiB;  // bits of one have_set: fits kFrameMax
inline constexpr std::size_t kPeersPerFrame = 64;
inline constexpr std::size_t kIndicesMax =
    kChunksMax + 65'536;                                   // root, pages and chunks of a share
inline constexpr std::uint64_t kSectionsMax = 1ULL << 48;  // section · 2^16 is a 64-bit nonce

// --- datagrams and DHT ---
inline constexpr std::size_t kDatagramMax = 1'400;
inline constexpr std::size_t kKrpcMax = 1'200;           // inside a sealed datagram
inline constexpr std::size_t kNonceGeneration = 65'536;  // nonces known: 1 MiB at most for each
                                                         // of two generations
inline constexpr std::size_t kBeaconMax = 256;           // a LAN beacon: one small datagram
inline constexpr std::size_t kDatagramBatch = 64;
inline constexpr std::size_t kBencodeDepth = 10;
inline constexpr std::size_t kKrpcTokens = 500;
inline constexpr std::size_t kPeersPerRecord = 500;
inline constexpr std::size_t kRecords = 2'000;
inline constexpr std::size_t kProvidersTotal = 100'000;   // all records: some 5 MB
inline constexpr std::size_t kPublicPerAddress = 4;       // providers of one record on one address
inline constexpr auto kRecordLife = 30min;                // as everywhere in Mainline
inline constexpr auto kAnnounceEvery = 15min;             // half of it
inline constexpr auto kAnnounceRetry = 30s;               // when nobody could store it
inline constexpr auto kAnnounceGap = 10s;                 // at least, when the network changes
inline constexpr std::size_t kAnnouncementsMax = 10'000;  // shares of this device
inline constexpr std::size_t kAnnouncingMax = 8;          // lookups of announcements at a time
inline constexpr std::size_t kBucketSize = 8;             // k of Kademlia
inline constexpr unsigned kFailuresToDisplace = 2;        // then another may have its id
inline constexpr unsigned kFailuresToRemove = 3;          // one lost packet is no death
inline constexpr auto kGoodFor = 15min;                   // silent for longer: questionable
inline constexpr auto kPingAgain = 30s;                   // a questionable contact
inline constexpr std::size_t kCallsMax = 2'048;           // queries waiting for an answer
inline constexpr auto kSoftTimeoutMin = 100ms;            // a scheduler's hiccup is no loss
inline constexpr auto kSoftTimeoutMax = 1s;               // beyond it, better ask another
inline constexpr auto kHardTimeout = 4s;                  // then it has failed
inline constexpr std::size_t kLookupsMax = 256;           // running at a time
inline constexpr std::size_t kLookupParallel = 5;         // waiting at the top of one lookup
inline constexpr std::size_t kLookupCandidates = 100;     // of one lookup
inline constexpr std::size_t kNodesPerReply = 32;      // taken from one reply; clients send 8–20
inline constexpr auto kTokenLife = 5min;               // one epoch; the one before counts too
inline constexpr std::size_t kRateEntries = 4'096;     // addresses whose rate is watched
inline constexpr std::size_t kBootstrapContacts = 64;  // remembered from outside
inline constexpr std::size_t kTransactionMax = 64;     // a foreign `t`, which is echoed
inline constexpr std::size_t kTokenMax = 128;          // a foreign write token

// --- API ---
inline constexpr std::size_t kApiHeaderMax = 8 * kKiB;
inline constexpr std::size_t kApiBodyMax = 1 * kMiB;
inline constexpr std::size_t kApiConnections = 64;
inline constexpr std::size_t kApiBacklog = 4 * kMiB;  // unread events of one client
inline constexpr auto kApiRequestTime = 10s;          // a whole request: else it is junk
inline constexpr auto kApiProgressEvery = 250ms;      // progress lines of one command
inline constexpr auto kApiFlushTime = 1s;             // last lines, when the node ends
/// Limits on speed that a user may have set: more than anybody can oversee.
inline constexpr std::size_t kLimitRules = 256;

}  // namespace kith::limits
