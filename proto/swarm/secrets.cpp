#include "proto/swarm/secrets.hpp"

#include <algorithm>

#include "proto/assert.hpp"
#include "proto/text.hpp"

namespace kith {
namespace {

constexpr std::size_t kPaddedName = 1 + limits::kDeviceNameMax;
static_assert(limits::kSwarmNameMax == limits::kDeviceNameMax);

// Plaintexts that hold secrets are wiped, as Secret wipes itself.
struct Wiped {
  Buffer bytes;
  ~Wiped() { wipe(bytes); }
};

std::optional<Secret> unless_zero(Bytes bytes) {
  const Secret secret(bytes);
  return secret.is_zero() ? std::nullopt : std::optional(secret);
}

void append_secrets(Buffer& out, Role role, const EpochSecrets& secrets) {
  KITH_ASSERT(secrets.network.has_value());
  append(out, secrets.network->view());
  KITH_ASSERT(!holds_content(role) || secrets.content.has_value());
  append(out, holds_content(role) ? secrets.content->view() : Secret().view());
}

Buffer name_ad(const std::optional<DeviceId>& subject) {
  return subject ? to_buffer(subject->view()) : Buffer();
}

}  // namespace

Secret epoch_psk(const Secret& network) { return kdf(network, "kith/1 psk"); }
Secret datagram_key(const Secret& network) { return kdf(network, "kith/1 dgram"); }
Secret beacon_key(const Secret& network) { return kdf(network, "kith/1 beacon"); }
Secret provider_key(const Secret& network) { return kdf(network, "kith/1 prov"); }
Secret rendezvous_key(const Secret& network) { return kdf(network, "kith/1 rv"); }
Secret convergence_key(const Secret& content) { return kdf(content, "kith/1 conv"); }
Secret names_key(const Secret& content) { return kdf(content, "kith/1 names"); }
Secret catch_up_psk(const Secret& group) { return kdf(group, "kith/1 catch-up psk"); }
Secret catch_up_beacon(const Secret& group) { return kdf(group, "kith/1 catch-up beacon"); }

EpochSecrets EpochSecrets::generate(Rng& rng) {
  EpochSecrets out{Secret(), Secret()};
  rng.fill(out.network->mutable_view());
  rng.fill(out.content->mutable_view());
  return out;
}

SecretHash hash_secret(const Secret& secret) { return SecretHash{blake2b_256(secret.view())}; }

bool matches(const EpochSecrets& secrets, const EpochInfo& info) {
  return (!secrets.network || hash_secret(*secrets.network) == info.network_hash) &&
         (!secrets.content || hash_secret(*secrets.content) == info.content_hash);
}

Wrap seal_wrap(const DeviceBinding& to, Role role, const EpochSecrets& secrets, Rng& rng) {
  Wiped plain;
  plain.bytes.reserve(64);
  append_secrets(plain.bytes, role, secrets);
  return *Wrap::from(seal_box(to.wrap, plain.bytes, rng));
}

Result<EpochSecrets> open_wrap(const DeviceKeys& keys, Bytes wrap, const EpochInfo& info) {
  Wiped plain;
  KITH_TRY(plain.bytes, open_box(keys.wrap, wrap));
  const Error wrong = peer_error(Errc::kVerification, "a wrap does not hold its epoch's secrets");
  if (plain.bytes.size() != 64) return wrong;
  const EpochSecrets out{Secret(Bytes(plain.bytes).first(32)),
                         unless_zero(Bytes(plain.bytes).last(32))};
  if (!matches(out, info)) return wrong;
  return out;
}

Buffer encode_wraps(std::span<const NamedWrap> wraps) {
  Buffer out;
  out.reserve(wraps.size() * (DeviceId::kSize + Wrap::kSize));
  for (const NamedWrap& named : wraps) {
    append(out, named.device.view());
    append(out, named.wrap.view());
  }
  return out;
}

Result<std::vector<NamedWrap>> decode_wraps(Bytes bytes) {
  constexpr std::size_t kEach = DeviceId::kSize + Wrap::kSize;
  if (bytes.size() % kEach != 0) return peer_error(Errc::kMalformed, "wraps are cut");
  std::vector<NamedWrap> out;
  for (; !bytes.empty(); bytes = bytes.subspan(kEach)) {
    const NamedWrap next{*DeviceId::from(bytes.first(DeviceId::kSize)),
                         *Wrap::from(bytes.subspan(DeviceId::kSize, Wrap::kSize))};
    if (!out.empty() && !(out.back().device < next.device)) {
      return peer_error(Errc::kMalformed, "wraps are not in ascending order");
    }
    out.push_back(next);
  }
  return out;
}

ParentBox seal_parent(const Secret& child_content, const OpId& parent, const Secret& parent_content,
                      Rng& rng) {
  const Secret key = kdf(child_content, "kith/1 parents");
  return *ParentBox::from(seal_secret(key, parent_content.view(), parent.view(), rng));
}

Result<Secret> open_parent(const Secret& child_content, const OpId& parent, const ParentBox& box) {
  const Secret key = kdf(child_content, "kith/1 parents");
  Wiped plain;
  KITH_TRY(plain.bytes, open_secret(key, box.view(), parent.view()));
  return Secret(plain.bytes);
}

Result<void> check_roster_name(std::string_view name) {
  if (name.empty() || name.size() > limits::kDeviceNameMax) {
    return local_error(Errc::kUsage, "a name has 1 to 64 bytes", escape(name));
  }
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (!is_utf8(name) || std::any_of(name.begin(), name.end(), control)) {
    return local_error(Errc::kUsage, "a name is UTF-8 without control characters", escape(name));
  }
  return {};
}

NameBox seal_name(const Secret& content, std::optional<DeviceId> subject, std::string_view name,
                  Rng& rng) {
  KITH_ASSERT(check_roster_name(name).has_value());
  Buffer plain(kPaddedName, 0);
  plain[0] = static_cast<std::uint8_t>(name.size());
  std::copy(name.begin(), name.end(), plain.begin() + 1);
  return *NameBox::from(seal_secret(names_key(content), plain, name_ad(subject), rng));
}

Result<std::string> open_name(const Secret& content, std::optional<DeviceId> subject,
                              const NameBox& box) {
  KITH_TRY(const Buffer plain, open_secret(names_key(content), box.view(), name_ad(subject)));
  const std::size_t size = plain[0];
  if (size >= kPaddedName) return peer_error(Errc::kMalformed, "a sealed name is too long");
  std::string name(as_text(Bytes(plain).subspan(1, size)));
  if (!check_roster_name(name))
    return peer_error(Errc::kMalformed, "a sealed name is not a legal name");
  return name;
}

Buffer seal_join_secrets(const DeviceBinding& to, Role role, const Secret& group,
                         const EpochSecrets& secrets, Rng& rng) {
  Wiped plain;
  plain.bytes.reserve(96);
  append(plain.bytes, group.view());
  append_secrets(plain.bytes, role, secrets);
  return seal_box(to.wrap, plain.bytes, rng);
}

Result<JoinSecrets> open_join_secrets(const DeviceKeys& keys, Bytes sealed) {
  Wiped plain;
  KITH_TRY(plain.bytes, open_box(keys.wrap, sealed));
  if (plain.bytes.size() != 96) return peer_error(Errc::kMalformed, "join secrets of a wrong size");
  const Bytes bytes = plain.bytes;
  return JoinSecrets{Secret(bytes.first(32)),
                     {Secret(bytes.subspan(32, 32)), unless_zero(bytes.last(32))}};
}

const EpochSecrets* SwarmKeys::find(const OpId& epoch) const {
  const auto it = epochs_.find(epoch);
  return it == epochs_.end() ? nullptr : &it->second;
}

void SwarmKeys::learn(const OpId& epoch, const EpochSecrets& secrets) {
  EpochSecrets& known = epochs_[epoch];
  if (secrets.network) known.network = secrets.network;
  if (secrets.content) known.content = secrets.content;
}

bool SwarmKeys::learn_from(const Roster& roster, const DeviceKeys& keys, OpIndex from) {
  const auto before = epochs_;
  for (OpIndex i = from; i < roster.size(); ++i) {
    const auto carried = carried_wrap(roster.op(i));
    if (!carried || carried->device != keys.id()) continue;
    const auto epoch = roster.find(carried->epoch);
    const EpochInfo* info = epoch ? roster.op(*epoch).epoch() : nullptr;
    if (info == nullptr) continue;
    if (const auto opened = open_wrap(keys, carried->wrap->view(), *info)) {
      learn(carried->epoch, *opened);
    }
  }
  learn_parents(roster);
  return epochs_ != before;
}

Result<void> SwarmKeys::learn_wraps(const Roster& roster, const DeviceKeys& keys, const OpId& epoch,
                                    Bytes wraps) {
  const auto i = roster.find(epoch);
  const EpochInfo* info = i ? roster.op(*i).epoch() : nullptr;
  if (info == nullptr) return peer_error(Errc::kNotFound, "wraps of an unknown epoch");
  if (SecretHash{blake2b_256(wraps)} != info->wraps_hash) {
    return peer_error(Errc::kVerification, "wraps do not match their epoch");
  }
  KITH_TRY(const auto list, decode_wraps(wraps));
  const DeviceId self = keys.id();
  const auto own = std::find_if(list.begin(), list.end(),
                                [&](const NamedWrap& named) { return named.device == self; });
  if (own == list.end())
    return peer_error(Errc::kNotFound, "the epoch has no wrap for this device");
  KITH_TRY(const EpochSecrets secrets, open_wrap(keys, own->wrap.view(), *info));
  learn(epoch, secrets);
  learn_parents(roster);
  return {};
}

void SwarmKeys::learn_parents(const Roster& roster) {
  std::vector<OpId> todo;
  for (const auto& [id, secrets] : epochs_) {
    if (secrets.content) todo.push_back(id);
  }
  while (!todo.empty()) {
    const OpId child = todo.back();
    todo.pop_back();
    const auto i = roster.find(child);
    const EpochInfo* info = i ? roster.op(*i).epoch() : nullptr;
    if (info == nullptr) continue;
    for (std::size_t k = 0; k < info->parents.size(); ++k) {
      const OpId& parent = info->parents[k];
      const auto* known = find(parent);
      if (known != nullptr && known->content) continue;
      const auto content = open_parent(*epochs_[child].content, parent, info->parent_secrets[k]);
      const EpochInfo* parent_info = roster.op(*roster.find(parent)).epoch();
      if (!content || hash_secret(*content) != parent_info->content_hash) continue;
      learn(parent, {std::nullopt, *content});
      todo.push_back(parent);
    }
  }
}

Result<std::string> SwarmKeys::name(const SealedName& sealed,
                                    std::optional<DeviceId> subject) const {
  const EpochSecrets* secrets = find(sealed.epoch);
  if (secrets == nullptr || !secrets->content) {
    return local_error(Errc::kNotFound, "the key of this name is not known here");
  }
  return open_name(*secrets->content, subject, sealed.box);
}

}  // namespace kith
