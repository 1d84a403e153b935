// The secrets of a swarm, what is derived from them, and how a device learns them.
//
//   G    32 bytes, given to every device when it joins, never changed: for a device that slept
//   through
//        a change of epoch.
//   N_e  network secret of an epoch: handshakes, datagrams, beacons, rendezvous, provider keys.
//   C_e  content secret of an epoch: convergence of keys, names. Mirrors never hold one.
// N_e and C_e are random and independent. Every derived key is kdf(secret, label), labels below.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proto/crypto/keys.hpp"
#include "proto/swarm/roster.hpp"

namespace kith {

// From N_e.
[[nodiscard]] Secret epoch_psk(const Secret& network);       // "kith/1 psk": of the handshake
[[nodiscard]] Secret datagram_key(const Secret& network);    // "kith/1 dgram": K_dgram
[[nodiscard]] Secret beacon_key(const Secret& network);      // "kith/1 beacon"
[[nodiscard]] Secret provider_key(const Secret& network);    // "kith/1 prov": K_prov
[[nodiscard]] Secret rendezvous_key(const Secret& network);  // "kith/1 rv": K_rv
// From C_e.
[[nodiscard]] Secret convergence_key(const Secret& content);  // "kith/1 conv": conv of chunk keys
[[nodiscard]] Secret names_key(const Secret& content);        // "kith/1 names"
// From G.
[[nodiscard]] Secret catch_up_psk(const Secret& group);     // "kith/1 catch-up psk"
[[nodiscard]] Secret catch_up_beacon(const Secret& group);  // "kith/1 catch-up beacon"

/// What a device knows of one epoch. A secret that it does not know is absent: N of epochs before
/// it joined, C on a mirror.
struct EpochSecrets {
  std::optional<Secret> network;
  std::optional<Secret> content;

  /// Both, new.
  [[nodiscard]] static EpochSecrets generate(Rng& rng);
  bool operator==(const EpochSecrets&) const = default;
};

/// What an epoch operation says of a secret, so that whoever is given it can check it.
[[nodiscard]] SecretHash hash_secret(const Secret& secret);
/// The hashes of both stand in the epoch operation.
[[nodiscard]] bool matches(const EpochSecrets& secrets, const EpochInfo& info);

/// N ‖ C for a device's W; for a mirror, N ‖ zeros. `secrets.network` is there, and `content`
/// unless the role is mirror.
[[nodiscard]] Wrap seal_wrap(const DeviceBinding& to, Role role, const EpochSecrets& secrets,
                             Rng& rng);
/// Error kVerification, blame peer: not for these keys, or not the secrets of this epoch.
[[nodiscard]] Result<EpochSecrets> open_wrap(const DeviceKeys& keys, Bytes wrap,
                                             const EpochInfo& info);

/// All wraps of an epoch: device id ‖ wrap, ascending by device. Their BLAKE2b-256 stands in the
/// epoch operation.
struct NamedWrap {
  DeviceId device;
  Wrap wrap;
};
/// `wraps` in ascending order of devices.
[[nodiscard]] Buffer encode_wraps(std::span<const NamedWrap> wraps);
/// Errors kMalformed (blame peer): a wrong size, or devices not in ascending order.
[[nodiscard]] Result<std::vector<NamedWrap>> decode_wraps(Bytes bytes);

/// C of a parent epoch, readable to who holds C of the child.
[[nodiscard]] ParentBox seal_parent(const Secret& child_content, const OpId& parent,
                                    const Secret& parent_content, Rng& rng);
/// Error kVerification, blame peer: another child or parent, or altered.
[[nodiscard]] Result<Secret> open_parent(const Secret& child_content, const OpId& parent,
                                         const ParentBox& box);

/// Names of 1 to 64 bytes of UTF-8 without control characters. Error kUsage (local).
[[nodiscard]] Result<void> check_roster_name(std::string_view name);
/// Sealed with its subject (device id; nothing for the swarm) as associated data.
[[nodiscard]] NameBox seal_name(const Secret& content, std::optional<DeviceId> subject,
                                std::string_view name, Rng& rng);
/// Errors, blame peer: kVerification; kMalformed for what is no name.
[[nodiscard]] Result<std::string> open_name(const Secret& content, std::optional<DeviceId> subject,
                                            const NameBox& box);

/// What a joiner is told: a sealed box to its W of G ‖ N_e ‖ C_e (mirrors: zeros for C_e).
[[nodiscard]] Buffer seal_join_secrets(const DeviceBinding& to, Role role, const Secret& group,
                                       const EpochSecrets& secrets, Rng& rng);
struct JoinSecrets {
  Secret group;
  EpochSecrets epoch;
};
/// Errors, blame peer: kVerification (not for these keys), kMalformed (a wrong size).
[[nodiscard]] Result<JoinSecrets> open_join_secrets(const DeviceKeys& keys, Bytes sealed);

/// Everything secret that one device knows of one swarm.
class SwarmKeys {
 public:
  SwarmKeys() = default;
  explicit SwarmKeys(const Secret& group) : group_(group) {}

  [[nodiscard]] const Secret& group() const { return group_; }
  /// All epochs of which anything is known.
  [[nodiscard]] const std::map<OpId, EpochSecrets>& epochs() const { return epochs_; }
  /// Nullptr: nothing known.
  [[nodiscard]] const EpochSecrets* find(const OpId& epoch) const;
  /// Adds what `secrets` has; what is known already and absent there stays.
  void learn(const OpId& epoch, const EpochSecrets& secrets);

  /// Takes what the roster's operations from number `from` on carry for this device: wraps, then C
  /// of parent epochs, and theirs. What does not open is passed over: somebody else's mistake.
  /// Returns true if something was learned. About 100 µs per wrap.
  bool learn_from(const Roster& roster, const DeviceKeys& keys, OpIndex from = 0);
  /// The wraps of an epoch as fetched from a peer; error kVerification if they are not those that
  /// the operation names, kNotFound if the epoch is unknown or none of them is for this device.
  [[nodiscard]] Result<void> learn_wraps(const Roster& roster, const DeviceKeys& keys,
                                         const OpId& epoch, Bytes wraps);

  /// Error kNotFound where C of the epoch is not known (a mirror), kVerification if it does not
  /// open.
  [[nodiscard]] Result<std::string> name(const SealedName& sealed,
                                         std::optional<DeviceId> subject) const;

 private:
  void learn_parents(const Roster& roster);

  Secret group_;
  std::map<OpId, EpochSecrets> epochs_;
};

}  // namespace kith
