#include "proto/crypto/replay.hpp"

#include <algorithm>
#include <utility>

#include "proto/assert.hpp"

namespace kith {
namespace {

constexpr std::size_t kFirstSlots = 64;

// The finaliser of MurmurHash3: every input bit reaches every output bit.
std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 33)) * 0xFF51AFD7ED558CCDULL;
  x = (x ^ (x >> 33)) * 0xC4CEB9FE1A85EC53ULL;
  return x ^ (x >> 33);
}

}  // namespace

bool is_fresh(UnixMillis sent, UnixMillis now) {
  const auto a = std::max(count(sent), count(now));
  const auto b = std::min(count(sent), count(now));
  // Unsigned, because a peer's time may be so far off that the difference needs 64 bits.
  const std::uint64_t apart = static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b);
  constexpr std::chrono::milliseconds window = limits::kFreshness;
  return apart <= static_cast<std::uint64_t>(window.count());
}

bool NonceFilter::Generation::contains(std::uint64_t fingerprint) const {
  if (slots.empty()) return false;
  const std::size_t mask = slots.size() - 1;
  for (std::size_t i = fingerprint & mask; slots[i] != 0; i = (i + 1) & mask) {
    if (slots[i] == fingerprint) return true;
  }
  return false;
}

void NonceFilter::Generation::place(std::uint64_t fingerprint) {
  const std::size_t mask = slots.size() - 1;
  std::size_t i = fingerprint & mask;
  while (slots[i] != 0) i = (i + 1) & mask;
  slots[i] = fingerprint;
}

void NonceFilter::Generation::insert(std::uint64_t fingerprint) {
  if ((count + 1) * 2 > slots.size()) {
    const auto before =
        std::exchange(slots, std::vector<std::uint64_t>(std::max(kFirstSlots, slots.size() * 2)));
    for (const std::uint64_t known : before) {
      if (known != 0) place(known);
    }
  }
  place(fingerprint);
  ++count;
}

NonceFilter::NonceFilter(Rng& rng, std::size_t capacity)
    : salt_(rng.next_u64()), capacity_(capacity) {
  KITH_ASSERT(capacity > 0);
}

std::uint64_t NonceFilter::fingerprint(Bytes nonce) const {
  KITH_ASSERT(nonce.size() >= kNonceMin);
  const auto a = load_be<std::uint64_t>(nonce);
  const auto b = load_be<std::uint64_t>(nonce.subspan(8));
  return std::max<std::uint64_t>(mix(mix(a ^ salt_) ^ b), 1);
}

bool NonceFilter::insert(Bytes nonce) {
  const std::uint64_t value = fingerprint(nonce);
  if (young_.contains(value) || old_.contains(value)) return false;
  if (young_.count == capacity_) old_ = std::exchange(young_, {});
  young_.insert(value);
  return true;
}

}  // namespace kith
