#include "proto/endpoint.hpp"

#include <gtest/gtest.h>

namespace kith {
namespace {

Endpoint at(std::string_view text) {
  const auto endpoint = Endpoint::parse(text);
  EXPECT_TRUE(endpoint) << text;
  return endpoint.value_or(Endpoint());
}

TEST(Endpoint, ParsesAndPrints) {
  for (const char* text : {"192.0.2.1:5484", "0.0.0.0:0", "255.255.255.255:65535", "[::]:0",
                           "[::1]:1", "[2001:db8::1]:5484", "[fe80::1:2]:80"}) {
    EXPECT_EQ(at(text).to_string(), text);
  }
  EXPECT_EQ(at("[2001:DB8:0::1]:5").to_string(), "[2001:db8::1]:5");
  EXPECT_EQ(at("192.0.2.1:5484").address_string(), "192.0.2.1");
  EXPECT_EQ(at("[2001:db8::1]:5484").address_string(), "2001:db8::1");
  EXPECT_EQ(at("192.0.2.1:05").port(), 5);
}

TEST(Endpoint, RefusesOtherTexts) {
  for (const char* text : {"",
                           ":",
                           "192.0.2.1",
                           "192.0.2.1:",
                           ":80",
                           "192.0.2.1:65536",
                           "192.0.2.1:-1",
                           "192.0.2.1: 1",
                           "192.0.2.1:1 ",
                           " 192.0.2.1:1",
                           "192.0.2:1",
                           "192.0.2.256:1",
                           "192.0.2.1.1:1",
                           "host:80",
                           "localhost:80",
                           "::1:80",
                           "2001:db8::1",
                           "[::1]",
                           "[::1]:",
                           "[::1:80",
                           "::1]:80",
                           "[]:80",
                           "[192.0.2.1]:80",
                           "[::1]x:80",
                           "[fe80::1%eth0]:80",
                           "192.0.2.1:0x50",
                           "192.0.2.1:+1"}) {
    EXPECT_FALSE(Endpoint::parse(text)) << text;
  }
}

TEST(Endpoint, HasACompactForm) {
  EXPECT_EQ(to_hex(at("192.0.2.1:5484").compact()), "c0000201156c");
  EXPECT_EQ(to_hex(at("[2001:db8::1]:5484").compact()), "20010db8000000000000000000000001156c");
  for (const char* text : {"192.0.2.1:5484", "[2001:db8::1]:5484", "0.0.0.0:0", "[::]:0"}) {
    EXPECT_EQ(Endpoint::from_compact(at(text).compact()), at(text));
  }
  for (const std::size_t size : {0u, 4u, 5u, 7u, 16u, 17u, 19u}) {
    EXPECT_FALSE(Endpoint::from_compact(Buffer(size, 1))) << size;
  }
}

TEST(Endpoint, KeepsMappedAddressesAsIpv4) {
  EXPECT_EQ(at("[::ffff:192.0.2.1]:7"), at("192.0.2.1:7"));
  EXPECT_FALSE(at("[::ffff:192.0.2.1]:7").is_v6());
  const auto mapped = from_hex("00000000000000000000ffffc00002010007");
  EXPECT_EQ(Endpoint::from_compact(*mapped), at("192.0.2.1:7"));
  EXPECT_TRUE(at("[::fffe:192.0.2.1]:7").is_v6());
}

TEST(Endpoint, OrdersAndCompares) {
  EXPECT_EQ(at("192.0.2.1:7"), Endpoint::v4({192, 0, 2, 1}, 7));
  EXPECT_NE(at("192.0.2.1:7"), at("192.0.2.1:8"));
  EXPECT_NE(at("0.0.0.0:0"), at("[::]:0"));
  EXPECT_LT(at("192.0.2.1:9"), at("192.0.2.2:1"));
  EXPECT_LT(at("255.0.0.0:1"), at("[::]:1"));
  EXPECT_EQ(at("192.0.2.1:7").with_port(9), at("192.0.2.1:9"));
  EXPECT_EQ(Endpoint(), at("0.0.0.0:0"));
}

TEST(Endpoint, KnowsSpecialAddresses) {
  struct Case {
    const char* text;
    const char* flags;  // u unspecified, l loopback, m multicast, k link-local, p private, s usable
  };
  for (const Case& c : {Case{"0.0.0.0:1", "u"},         Case{"[::]:1", "u"},
                        Case{"127.0.0.1:1", "lps"},     Case{"127.255.255.255:1", "lps"},
                        Case{"[::1]:1", "lps"},         Case{"128.0.0.1:1", "s"},
                        Case{"224.0.0.1:1", "m"},       Case{"239.255.255.255:1", "m"},
                        Case{"223.255.255.255:1", "s"}, Case{"240.0.0.1:1", ""},
                        Case{"255.255.255.255:1", ""},  Case{"[ff02::1]:1", "m"},
                        Case{"169.254.1.1:1", "kps"},   Case{"169.253.1.1:1", "s"},
                        Case{"[fe80::1]:1", "kps"},     Case{"[febf::1]:1", "kps"},
                        Case{"[fec0::1]:1", "s"},       Case{"10.0.0.1:1", "ps"},
                        Case{"11.0.0.1:1", "s"},        Case{"172.15.0.1:1", "s"},
                        Case{"172.16.0.1:1", "ps"},     Case{"172.31.255.255:1", "ps"},
                        Case{"172.32.0.1:1", "s"},      Case{"192.168.0.1:1", "ps"},
                        Case{"192.169.0.1:1", "s"},     Case{"100.63.0.1:1", "s"},
                        Case{"100.64.0.1:1", "ps"},     Case{"100.127.0.1:1", "ps"},
                        Case{"100.128.0.1:1", "s"},     Case{"[fc00::1]:1", "ps"},
                        Case{"[fdff::1]:1", "ps"},      Case{"[fe00::1]:1", "s"},
                        Case{"[2001:db8::1]:1", "s"},   Case{"8.8.8.8:0", ""}}) {
    const Endpoint e = at(c.text);
    std::string flags;
    if (e.is_unspecified()) flags += 'u';
    if (e.is_loopback()) flags += 'l';
    if (e.is_multicast()) flags += 'm';
    if (e.is_link_local()) flags += 'k';
    if (e.is_private()) flags += 'p';
    if (e.is_usable()) flags += 's';
    EXPECT_EQ(flags, c.flags) << c.text;
  }
}

TEST(Endpoint, HasASubnet) {
  EXPECT_TRUE(equal(at("192.0.2.1:1").subnet(), at("192.0.2.255:9").subnet()));
  EXPECT_FALSE(equal(at("192.0.2.1:1").subnet(), at("192.0.3.1:1").subnet()));
  EXPECT_TRUE(equal(at("[2001:db8:0:1::1]:1").subnet(), at("[2001:db8:0:1:ffff::9]:1").subnet()));
  EXPECT_FALSE(equal(at("[2001:db8:0:1::1]:1").subnet(), at("[2001:db8:0:2::1]:1").subnet()));
  EXPECT_EQ(at("192.0.2.1:1").subnet_key(), at("192.0.2.255:9").subnet_key());
  EXPECT_NE(at("192.0.2.1:1").subnet_key(), at("192.0.3.1:1").subnet_key());
  EXPECT_EQ(at("[2001:db8:0:1::1]:1").subnet_key(), at("[2001:db8:0:1:ffff::9]:1").subnet_key());
  EXPECT_NE(at("[2001:db8:0:1::1]:1").subnet_key(), at("[2001:db8:0:2::1]:1").subnet_key());
  EXPECT_EQ(at("192.0.2.1:1").address().size(), 4u);
  EXPECT_EQ(at("[::1]:1").address().size(), 16u);
}

}  // namespace
}  // namespace kith
