#include "dht/token.hpp"

#include <algorithm>

#include "proto/crypto/hash.hpp"
#include "proto/limits.hpp"

namespace kith::dht {
namespace {

std::int64_t epoch_of(TimePoint now) { return now.time_since_epoch() / limits::kTokenLife; }

bool equal_in_constant_time(const TokenMint::Token& a, Bytes b) {
  if (b.size() != a.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) difference |= static_cast<unsigned>(a[i] ^ b[i]);
  return difference == 0;
}

}  // namespace

TokenMint::TokenMint(Rng& rng) { rng.fill(key_); }

TokenMint::Token TokenMint::make(std::int64_t epoch, const Endpoint& from,
                                 const InfoHash& target) const {
  Buffer message = to_buffer(from.address());
  append(message, target.view());
  append_be(message, static_cast<std::uint64_t>(epoch));
  std::array<std::uint8_t, 16> hash;
  blake2b(hash, message, key_);
  Token out;
  std::copy_n(hash.begin(), out.size(), out.begin());
  return out;
}

TokenMint::Token TokenMint::make(TimePoint now, const Endpoint& from,
                                 const InfoHash& target) const {
  return make(epoch_of(now), from, target);
}

bool TokenMint::check(TimePoint now, const Endpoint& from, const InfoHash& target,
                      Bytes token) const {
  const std::int64_t epoch = epoch_of(now);
  const bool present = equal_in_constant_time(make(epoch, from, target), token);
  const bool before = equal_in_constant_time(make(epoch - 1, from, target), token);
  return present || before;
}

}  // namespace kith::dht
