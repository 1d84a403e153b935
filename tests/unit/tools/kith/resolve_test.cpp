#include "tools/kith/resolve.hpp"

#include <gtest/gtest.h>
#include <string>

namespace kith::cli {
namespace {

TEST(Resolve, AddressesNeedNoLookup) {
  EXPECT_EQ(resolve("192.0.2.1:5484")->front().to_string(), "192.0.2.1:5484");
  EXPECT_EQ(resolve("[2001:db8::1]:80")->front().to_string(), "[2001:db8::1]:80");
  EXPECT_EQ(resolve("0.0.0.0:0")->front().port(), 0);
}

TEST(Resolve, FormsThatAreAccepted) {
  for (const char* text : {"nas.example.org:5484", "localhost:1", "my_nas:65535", ":5484"}) {
    EXPECT_TRUE(check_address(text).has_value()) << text;
  }
}

TEST(Resolve, FormsThatAreNot) {
  for (const char* text :
       {"", "host", "host:", "host:port", "host:65536", "host:-1", "host:1x", "ho st:1",
        "http://host:1", "2001:db8::1:80", "[::1]", "[host]:1", "192.0.2.1:99999"}) {
    const auto result = check_address(text);
    ASSERT_FALSE(result.has_value()) << text;
    EXPECT_EQ(result.error().code, Errc::kUsage) << text;
  }
  EXPECT_FALSE(check_address(std::string(254, 'a') + ":1").has_value());
}

TEST(Resolve, AnAddressToReachNamesAHostAndAPort) {
  for (const char* text : {"nas.example.org:5484", "192.0.2.1:1", "[2001:db8::1]:5484"}) {
    EXPECT_TRUE(check_peer_address(text).has_value()) << text;
  }
  for (const char* text :
       {"", "host", "0.0.0.0:5484", "[::]:5484", ":5484", "127.0.0.1:0", "nas:0"}) {
    const auto result = check_peer_address(text);
    ASSERT_FALSE(result.has_value()) << text;
    EXPECT_EQ(result.error().code, Errc::kUsage) << text;
  }
}

}  // namespace
}  // namespace kith::cli
