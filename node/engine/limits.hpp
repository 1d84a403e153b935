// What the user limits, as the catalog keeps it: bencode {l: list of {d: device, n: down, s: swarm,
// u: up}, x: 1 if the local network is exempt}; d and s are missing where a rule is about all.
#pragma once

#include <string>
#include <string_view>

#include "proto/result.hpp"
#include "transfer/limit_rules.hpp"

namespace kith::node {

[[nodiscard]] std::string encode_limits(const transfer::LimitRules& limits);
/// kMalformed, blame local.
[[nodiscard]] Result<transfer::LimitRules> decode_limits(std::string_view text);

}  // namespace kith::node
