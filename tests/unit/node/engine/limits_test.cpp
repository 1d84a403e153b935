// What is kept of the limits.
#include "node/engine/limits.hpp"

#include <gtest/gtest.h>

#include "proto/limits.hpp"

namespace kith::node {
namespace {

using transfer::LimitRule;
using transfer::LimitRules;

TEST(Limits, WhatIsKeptComesBack) {
  SwarmId swarm;
  swarm.bytes[0] = 1;
  DeviceId device;
  device.bytes[0] = 2;
  const LimitRules limits{
      {LimitRule{.up = 5}, LimitRule{.swarm = swarm, .down = std::uint64_t{1} << 40},
       LimitRule{.device = device, .up = 1},
       LimitRule{.swarm = swarm, .device = device, .up = 7, .down = 8}},
      true};
  const auto again = decode_limits(encode_limits(limits));
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, limits);
  EXPECT_EQ(*decode_limits(encode_limits({})), LimitRules());
}

TEST(Limits, ManyAreKept) {
  LimitRules many;
  for (std::size_t i = 0; i < limits::kLimitRules; ++i) {
    DeviceId device;
    device.bytes[0] = static_cast<std::uint8_t>(i);
    many.rules.push_back(LimitRule{.swarm = SwarmId(), .device = device, .up = 1, .down = 1});
  }
  const auto again = decode_limits(encode_limits(many));
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, many);
}

TEST(Limits, DamageIsTold) {
  for (const char* text :
       {"", "x", "de", "d1:lle1:xi0", "d1:lldee1:xi0ee", "d1:ld1:ni1ee1:xi0ee"}) {
    EXPECT_FALSE(decode_limits(text)) << text;
  }
}

}  // namespace
}  // namespace kith::node
