// Roster operations: the signed statements of which a swarm's membership consists.
//
// An operation is canonical bencode, at most limits::kOpMax bytes: a list of the body, a
// dictionary, and the author's signature over "kith/1 op" ‖ encoded body. Its id is BLAKE2b-256 of
// the whole. Every body has
//   a  author: a device id                      t  type, a text
//   p  parents: op ids in ascending order, 32 bytes each; none in a genesis, else 1 to 16
// and what its type adds (x = an EpochInfo, b = a DeviceBinding, both nested dictionaries):
//   genesis        b founder · n name of the device · s name of the swarm · w wrap · x epoch 1
//   add            b device · [i invite key · j join signature] · n name · o epoch · r role · w
//   wrap remove         d device · [x]  (x always, but never where the author removes itself)
//   set_role       d device · [o epoch · w wrap | x] · r role
//   epoch          x
//   wrap           d device · o epoch · w wrap
//   invite         e expiry · i key · j J · r role · u uses
//   revoke_invite  i key
//   rename         [d device; without it: the swarm] · n name · o epoch
// An epoch is named by the id of the operation that holds it.
//
// Nothing else may stand in an operation: what decodes encodes to the same bytes, so that versions
// that know more cannot read more out of an operation than this one does. decode() checks form and
// limits only; verify_op() checks signatures; whether an author had the right is the reducer's
// matter.
#pragma once

#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "proto/bytes.hpp"
#include "proto/crypto/keys.hpp"
#include "proto/ids.hpp"
#include "proto/limits.hpp"
#include "proto/result.hpp"
#include "proto/swarm/role.hpp"
#include "proto/time.hpp"

namespace kith {

/// BLAKE2b-256 of an epoch secret, or of the wraps of an epoch.
using SecretHash = FixedBytes<32, struct SecretHashTag>;
/// A sealed box to a device's W of N_e ‖ C_e (mirrors: N_e ‖ zeros).
using Wrap = FixedBytes<64 + kSealedBoxOverhead, struct WrapTag>;
/// A name, sealed. The plaintext is padded (length byte ‖ name ‖ zeros), so that all look alike.
using NameBox = FixedBytes<1 + limits::kDeviceNameMax + kSecretBoxOverhead, struct NameBoxTag>;
/// C of a parent epoch, sealed under KDF(C_e, "kith/1 parents").
using ParentBox = FixedBytes<32 + kSecretBoxOverhead, struct ParentBoxTag>;

/// What an epoch operation says, and what genesis, remove and set_role contain. Encoded as
/// {c: hash of C, e: number, k: boxes, n: hash of N, p: parents, w: hash of the wraps}; boxes and
/// parents are concatenations, one box per parent, parents ascending.
struct EpochInfo {
  std::uint32_t number = 1;  // 1 in a genesis, else 1 + the highest of its parents
  SecretHash network_hash;
  SecretHash content_hash;
  SecretHash wraps_hash;
  std::vector<OpId> parents;
  std::vector<ParentBox> parent_secrets;
  bool operator==(const EpochInfo&) const = default;
};

struct GenesisBody {
  static constexpr std::string_view kType = "genesis";
  DeviceBinding founder;
  NameBox swarm_name;
  NameBox device_name;
  Wrap wrap;
  EpochInfo epoch;
  bool operator==(const GenesisBody&) const = default;
};

struct AddBody {
  /// Why the author added the device: the invite it joined by, and the joiner's signature by the
  /// invite's key (see JoinFrame). Evidence for people who can read the name; not needed to count.
  struct ByInvite {
    SignPublic key;
    Signature join;
    bool operator==(const ByInvite&) const = default;
  };
  static constexpr std::string_view kType = "add";
  DeviceBinding device;
  Role role = Role::kMember;
  OpId epoch;  // of the name and of the wrap
  NameBox name;
  Wrap wrap;
  std::optional<ByInvite> invite;
  bool operator==(const AddBody&) const = default;
};

struct RemoveBody {
  static constexpr std::string_view kType = "remove";
  DeviceId device;
  /// Whoever leaves would know the secrets of an epoch of its own making; so it makes none.
  std::optional<EpochInfo> epoch;
  bool operator==(const RemoveBody&) const = default;
};

struct SetRoleBody {
  struct Given {
    OpId epoch;
    Wrap wrap;
    bool operator==(const Given&) const = default;
  };
  static constexpr std::string_view kType = "set_role";
  DeviceId device;
  Role role = Role::kMember;
  std::optional<Given> given;      // where the change gives C_e
  std::optional<EpochInfo> epoch;  // where it takes C_e away; never both
  bool operator==(const SetRoleBody&) const = default;
};

struct EpochBody {
  static constexpr std::string_view kType = "epoch";
  EpochInfo epoch;
  bool operator==(const EpochBody&) const = default;
};

struct WrapBody {
  static constexpr std::string_view kType = "wrap";
  DeviceId device;
  OpId epoch;
  Wrap wrap;
  bool operator==(const WrapBody&) const = default;
};

struct InviteBody {
  static constexpr std::string_view kType = "invite";
  SignPublic key;  // public half of I
  Secret j;        // so that every member can answer a joiner
  Role role = Role::kMember;
  std::uint32_t uses = 1;
  UnixMillis expiry{};  // read by redeemers only
  bool operator==(const InviteBody&) const = default;
};

struct RevokeInviteBody {
  static constexpr std::string_view kType = "revoke_invite";
  SignPublic key;
  bool operator==(const RevokeInviteBody&) const = default;
};

struct RenameBody {
  static constexpr std::string_view kType = "rename";
  std::optional<DeviceId> device;  // nothing: the swarm
  OpId epoch;
  NameBox name;
  bool operator==(const RenameBody&) const = default;
};

using OpBody = std::variant<GenesisBody, AddBody, RemoveBody, SetRoleBody, EpochBody, WrapBody,
                            InviteBody, RevokeInviteBody, RenameBody>;

/// A decoded operation together with its encoding. Made by sign_op() or decode_op() only.
struct Op {
  OpId id;
  DeviceId author;
  std::vector<OpId> parents;
  OpBody body;
  Signature signature;
  Buffer encoded;

  /// "add", "remove", …
  [[nodiscard]] std::string_view type() const;
  /// The device whose membership this operation is about: genesis, add, remove, set_role.
  [[nodiscard]] std::optional<DeviceId> target() const;
  /// The epoch that it holds: genesis, epoch, and some of remove and set_role. Nullptr: none.
  [[nodiscard]] const EpochInfo* epoch() const;
  /// A device that leaves.
  [[nodiscard]] bool is_self_removal() const;
};

/// BLAKE2b-256 of the encoding.
[[nodiscard]] OpId op_id(Bytes encoded);

/// Signs and encodes. Parents are sorted here. Error kLimit (local) over limits::kOpMax; parents
/// and lists of the body within their limits are the caller's duty and asserted.
[[nodiscard]] Result<Op> sign_op(const SignKeys& author, std::vector<OpId> parents, OpBody body);

/// Form and limits, no signature. Errors with blame peer: kMalformed, kLimit; kUnsupported for a
/// type that this version does not know.
[[nodiscard]] Result<Op> decode_op(Bytes encoded);

/// The author's signature, and that of the binding in a genesis or an add: 60 to 120 µs. Error
/// kVerification, blame peer.
[[nodiscard]] Result<void> verify_op(const Op& op);

}  // namespace kith
