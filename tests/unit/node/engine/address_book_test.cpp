#include "node/engine/address_book.hpp"

#include <gtest/gtest.h>

#include "proto/crypto/random.hpp"

namespace kith::node {
namespace {

using namespace std::chrono_literals;

constexpr auto kAny = [](const Endpoint&, const AddressBook::Address&) { return true; };
const TimePoint kStart{1h};

Endpoint endpoint(std::uint8_t last, std::uint16_t port = 5484) {
  return Endpoint::v4({192, 0, 2, last}, port);
}

DeviceId device(std::uint8_t byte) {
  DeviceId out;
  out.bytes.fill(byte);
  return out;
}

class AddressBookTest : public testing::Test {
 protected:
  SeededRng rng_{3};
  AddressBook book_{rng_};
};

TEST_F(AddressBookTest, GivesEachAddressOnceUntilItsAttemptEnded) {
  book_.add(kStart, endpoint(1), device(1), FoundBy::kInvite);
  const auto first = book_.next(kStart, kAny);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->first, endpoint(1));
  EXPECT_FALSE(book_.next(kStart, kAny));
}

TEST_F(AddressBookTest, IgnoresWhatCannotBeSentTo) {
  book_.add(kStart, endpoint(1, 0), std::nullopt, FoundBy::kDht);
  book_.add(kStart, Endpoint::v4({0, 0, 0, 0}, 5), std::nullopt, FoundBy::kDht);
  book_.add(kStart, Endpoint::v4({239, 1, 1, 1}, 5), std::nullopt, FoundBy::kDht);
  EXPECT_TRUE(book_.all().empty());
}

TEST_F(AddressBookTest, BacksOffLongerWithEveryFailureUpToFiveMinutes) {
  book_.add(kStart, endpoint(1), device(1), FoundBy::kInvite);
  TimePoint now = kStart;
  Duration before{};
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(book_.next(now, kAny)) << i;
    book_.failed(now, endpoint(1), "refused");
    const Duration wait = *book_.next_try(kAny) - now;
    EXPECT_GE(wait, 1s);
    EXPECT_LE(wait, Duration(5min) * 5 / 4);
    if (i > 0 && i < 8) {
      EXPECT_GT(wait, before) << i;
    }
    before = wait;
    EXPECT_FALSE(book_.next(now + wait - 1ns, kAny));
    now += wait;
  }
}

TEST_F(AddressBookTest, SuccessForgetsFailuresAndConfirms) {
  book_.add(kStart, endpoint(1), std::nullopt, FoundBy::kDht);
  static_cast<void>(book_.next(kStart, kAny));
  book_.failed(kStart, endpoint(1), "refused");
  EXPECT_TRUE(book_.addresses_of(device(9)).empty());
  book_.succeeded(kStart + 1min, endpoint(1), device(9));
  EXPECT_EQ(book_.addresses_of(device(9)), std::vector{endpoint(1)});
  EXPECT_EQ(book_.all().at(endpoint(1)).failures, 0u);
  EXPECT_TRUE(book_.all().at(endpoint(1)).last_failure.empty());
}

TEST_F(AddressBookTest, AConfirmedAddressKeepsItsDeviceAgainstHints) {
  book_.add(kStart, endpoint(1), device(1), FoundBy::kInvite);
  book_.succeeded(kStart, endpoint(1), device(1));
  book_.add(kStart, endpoint(1), device(2), FoundBy::kPeers);
  EXPECT_EQ(book_.all().at(endpoint(1)).device, device(1));
}

TEST_F(AddressBookTest, ABeaconMakesAFailedAddressWorthATrySoon) {
  book_.add(kStart, endpoint(1), device(1), FoundBy::kLan);
  for (int i = 0; i < 8; ++i) {
    static_cast<void>(book_.next(kStart + 1h * i, kAny));
    book_.failed(kStart + 1h * i, endpoint(1), "refused");
  }
  const TimePoint now = kStart + 7h;
  book_.add(now, endpoint(1), device(1), FoundBy::kLan);
  EXPECT_LE(*book_.next_try(kAny), now + 1s);
}

TEST_F(AddressBookTest, IsBoundedAndKeepsWhatIsConfirmed) {
  book_.add(kStart, endpoint(1), device(1), FoundBy::kInvite);
  book_.succeeded(kStart, endpoint(1), device(1));
  for (std::uint32_t i = 0; i < 10'000; ++i) {
    const auto high = static_cast<std::uint8_t>(i / 256);
    const auto low = static_cast<std::uint8_t>(i % 256);
    book_.add(kStart, Endpoint::v4({10, 1, high, low}, 5484), std::nullopt, FoundBy::kDht);
  }
  EXPECT_LE(book_.all().size(), 4'096u);
  EXPECT_TRUE(book_.all().contains(endpoint(1)));
}

TEST_F(AddressBookTest, HurryMakesEverythingDue) {
  book_.add(kStart, endpoint(1), device(1), FoundBy::kInvite);
  static_cast<void>(book_.next(kStart, kAny));
  book_.failed(kStart, endpoint(1), "refused");
  ASSERT_FALSE(book_.next(kStart, kAny));
  book_.hurry(kStart);
  EXPECT_TRUE(book_.next(kStart, kAny));
}

}  // namespace
}  // namespace kith::node
