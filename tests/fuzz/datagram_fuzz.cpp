// Sealed datagrams and beacons: the first byte says whether the rest comes from a stranger (0), is
// the text of a datagram that a member sealed (1), or the text of such a beacon (2).
#include <cstdint>
#include <cstdlib>

#include "proto/crypto/beacon.hpp"
#include "proto/crypto/datagram.hpp"
#include "proto/crypto/random.hpp"

namespace {

using namespace kith;

constexpr UnixMillis kNow{1'700'000'000'000};

void require(bool holds) {
  if (!holds) std::abort();
}

Secret key() { return Secret(Buffer(Secret::kSize, 9)); }

DatagramId self() {
  DatagramId out;
  out.bytes.fill(2);
  return out;
}

void from_stranger(Bytes bytes) {
  Buffer scratch;
  require(!open_datagram(key(), self(), bytes, kNow, scratch));
  require(!open_beacon(key(), bytes, kNow));
}

// A datagram is nonce ‖ AEAD without associated data, as seal_secret() makes it.
void datagram_from_member(Bytes text) {
  SeededRng rng(1);
  Buffer scratch;
  const Buffer sealed = seal_secret(key(), text, {}, rng);
  const auto opened = open_datagram(key(), self(), sealed, kNow, scratch);
  if (!opened) return;
  require(opened->from != self() && (opened->to == self() || opened->to.is_zero()));
  require(equal(opened->krpc, text.subspan(kDatagramHeader)) && !opened->krpc.empty());
}

void beacon_from_member(Bytes text) {
  SeededRng rng(1);
  const auto opened = open_beacon(key(), seal_secret(key(), text, {}, rng), kNow);
  if (opened) require(opened->port != 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Bytes rest = Bytes(data, size).subspan(1);
  switch (data[0] % 3) {
    case 0:
      from_stranger(rest);
      break;
    case 1:
      datagram_from_member(rest);
      break;
    default:
      beacon_from_member(rest);
      break;
  }
  return 0;
}
