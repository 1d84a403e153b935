#include "proto/crypto/beacon.hpp"

#include "proto/assert.hpp"
#include "proto/crypto/replay.hpp"
#include "proto/limits.hpp"
#include "proto/wire/bencode.hpp"

namespace kith {
namespace {

constexpr std::string_view kLabel = "kith/1 beacon";

Buffer signed_part(UnixMillis time, std::uint16_t port) {
  Buffer out;
  append_be(out, static_cast<std::uint64_t>(count(time)));
  append_be(out, port);
  return out;
}

Result<Beacon> decode(Bytes text) {
  KITH_TRY(const auto document, bencode::parse(text));
  const auto root = document.root();
  const auto key = root.find_fixed<SignPublic>("d");
  const auto port = root.find_unsigned<std::uint16_t>("p");
  const auto signature = root.find_fixed<Signature>("s");
  const auto time = root.find_integer("t");
  if (!key || !port || *port == 0 || !signature || !time || *time < 0) {
    return peer_error(Errc::kMalformed, "malformed beacon");
  }
  const Beacon beacon{*DeviceId::from(key->view()), *port, UnixMillis{*time}};
  if (!verify(*key, kLabel, signed_part(beacon.time, beacon.port), *signature)) {
    return peer_error(Errc::kVerification, "beacon with a wrong signature");
  }
  return beacon;
}

}  // namespace

Buffer seal_beacon(const Secret& key, const SignKeys& signer, std::uint16_t port, UnixMillis now,
                   Rng& rng) {
  KITH_ASSERT(port != 0);
  const Signature signature = signer.sign(kLabel, signed_part(now, port));
  Buffer text;
  bencode::Writer writer(text);
  writer.dict();
  writer.string("d", signer.pub.view()).integer("p", port);
  writer.string("s", signature.view()).integer("t", count(now));
  writer.end();
  return seal_secret(key, text, {}, rng);
}

Result<Beacon> open_beacon(const Secret& key, Bytes beacon, UnixMillis now) {
  if (beacon.size() > limits::kBeaconMax) return peer_error(Errc::kMalformed, "beacon too long");
  KITH_TRY(const Buffer text, open_secret(key, beacon, {}));
  KITH_TRY(const Beacon out, decode(text));
  if (!is_fresh(out.time, now)) return peer_error(Errc::kTimeout, "stale beacon");
  return out;
}

}  // namespace kith
