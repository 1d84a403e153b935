#include "proto/swarm/invite.hpp"

#include "proto/assert.hpp"
#include "proto/limits.hpp"
#include "proto/text.hpp"

namespace kith {
namespace {

constexpr std::string_view kPrefix = "kith:invite/";
constexpr std::string_view kJoinLabel = "kith/1 join";
constexpr std::string_view kAskAgain = "ask for the invite again, or copy all of it";
constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kChecksum = 4;
constexpr std::size_t kFixedPart = 1 + 32 + 32 + 32 + 8 + 1;
constexpr std::size_t kLongest = kFixedPart + limits::kInviteHints * 19 + kChecksum;

Error bad(Errc code, std::string_view what, std::string_view hint = kAskAgain) {
  return local_error(code, "the invite " + std::string(what), {}, std::string(hint));
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\v\f";
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

Bytes take(Bytes& from, std::size_t size) {
  const Bytes out = from.first(size);
  from = from.subspan(size);
  return out;
}

Result<std::vector<Endpoint>> parse_hints(Bytes bytes) {
  const std::size_t count = take(bytes, 1)[0];
  if (count > limits::kInviteHints) return bad(Errc::kMalformed, "has too many address hints");
  std::vector<Endpoint> out;
  for (std::size_t i = 0; i < count; ++i) {
    if (bytes.empty() || bytes.size() - 1 < bytes[0]) {
      return bad(Errc::kMalformed, "has address hints that run past its end");
    }
    const std::size_t size = take(bytes, 1)[0];
    const auto hint = Endpoint::from_compact(take(bytes, size));
    // An IPv4 address in the long form would be a second text of the same invite.
    if (!hint || hint->compact().size() != size) {
      return bad(Errc::kMalformed, "has an address hint that is no address");
    }
    out.push_back(*hint);
  }
  if (!bytes.empty()) return bad(Errc::kMalformed, "has bytes after its address hints");
  return out;
}

Buffer join_message(const SwarmId& swarm, Bytes binding, std::string_view name) {
  Buffer out = to_buffer(swarm.view());
  append(out, binding);
  append(out, as_bytes(name));
  return out;
}

}  // namespace

SignKeys invite_keys(const Secret& seed) {
  return SignKeys::from_seed(kdf(seed, "kith/1 invite key"));
}
Secret invite_j(const Secret& seed) { return kdf(seed, "kith/1 invite J"); }
Secret invite_psk(const Secret& j) { return kdf(j, "kith/1 invite psk"); }
Secret invite_beacon(const Secret& j) { return kdf(j, "kith/1 invite beacon"); }

std::string Invite::to_string() const {
  KITH_ASSERT(hints.size() <= limits::kInviteHints);
  Buffer out = {kVersion};
  append(out, swarm.view());
  append(out, seed.view());
  append(out, issuer.view());
  append_be(out, static_cast<std::uint64_t>(count(expiry)));
  out.push_back(static_cast<std::uint8_t>(hints.size()));
  for (const Endpoint& hint : hints) {
    const Buffer compact = hint.compact();
    out.push_back(static_cast<std::uint8_t>(compact.size()));
    append(out, compact);
  }
  append(out, Bytes(blake2b_256(out)).first(kChecksum));
  return std::string(kPrefix) + to_base32(out);
}

Result<Invite> Invite::parse(std::string_view text) {
  text = trimmed(text);
  if (!text.starts_with(kPrefix)) {
    return bad(Errc::kMalformed, "does not begin with kith:invite/", "it looks like kith:invite/…");
  }
  text.remove_prefix(kPrefix.size());
  if (text.size() > kLongest * 8 / 5 + 1) return bad(Errc::kMalformed, "is too long");
  if (text.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567") != std::string_view::npos) {
    return bad(Errc::kMalformed, "holds characters that do not belong in it");
  }
  const auto decoded = from_base32(text);
  if (!decoded) return bad(Errc::kMalformed, "is altered or cut: impossible length");
  if (decoded->size() < 1 + kChecksum) return bad(Errc::kMalformed, "is too short");
  Bytes body = Bytes(*decoded).first(decoded->size() - kChecksum);
  if (!equal(Bytes(blake2b_256(body)).first(kChecksum), Bytes(*decoded).last(kChecksum))) {
    return bad(Errc::kVerification, "is altered or cut: its checksum is wrong");
  }
  if (take(body, 1)[0] != kVersion) {
    return bad(Errc::kUnsupported, "is of a newer version", "use a newer kith");
  }
  if (body.size() + 1 < kFixedPart) return bad(Errc::kMalformed, "is too short");
  Invite out;
  out.swarm = *SwarmId::from(take(body, 32));
  out.seed = Secret(take(body, 32));
  out.issuer = *DeviceId::from(take(body, 32));
  const auto expiry = load_be<std::uint64_t>(take(body, 8));
  if (expiry > INT64_MAX) return bad(Errc::kMalformed, "has an impossible expiry");
  out.expiry = UnixMillis{static_cast<std::int64_t>(expiry)};
  KITH_TRY(out.hints, parse_hints(body));
  return out;
}

Signature sign_join(const SignKeys& invite, const SwarmId& swarm, Bytes binding,
                    std::string_view name) {
  return invite.sign(kJoinLabel, join_message(swarm, binding, name));
}

bool verify_join(const SignPublic& invite, const SwarmId& swarm, Bytes binding,
                 std::string_view name, const Signature& signature) {
  return verify(invite, kJoinLabel, join_message(swarm, binding, name), signature);
}

}  // namespace kith
