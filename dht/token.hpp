// Write tokens (BEP 5): whoever announces must show a token that it was given, at the same address
// and for the same target, within the last minutes. So nobody announces for an address that is not
// its own. A token is the first 8 bytes of a keyed BLAKE2b of address, target and epoch; an epoch
// is 5 minutes, the present one and the one before count. Nothing is stored per querier.
#pragma once

#include <array>

#include "proto/endpoint.hpp"
#include "proto/ids.hpp"
#include "proto/rng.hpp"
#include "proto/time.hpp"

namespace kith::dht {

class TokenMint {
 public:
  using Token = std::array<std::uint8_t, 8>;

  explicit TokenMint(Rng& rng);
  /// For `from`, whatever its port, and `target`.
  [[nodiscard]] Token make(TimePoint now, const Endpoint& from, const InfoHash& target) const;
  /// Takes the same time whether and where the token differs.
  [[nodiscard]] bool check(TimePoint now, const Endpoint& from, const InfoHash& target,
                           Bytes token) const;

 private:
  [[nodiscard]] Token make(std::int64_t epoch, const Endpoint& from, const InfoHash& target) const;
  std::array<std::uint8_t, 32> key_;
};

}  // namespace kith::dht
