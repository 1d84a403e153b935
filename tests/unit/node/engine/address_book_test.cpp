#include "node/engine/address_book.hpp"

#include <gtest/gtest.h>
#include <set>
#include <vector>

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

/// The ith of many.
Endpoint dead(int i) {
  return Endpoint::v4({10, static_cast<std::uint8_t>(i / 65'536),
                       static_cast<std::uint8_t>(i / 256), static_cast<std::uint8_t>(i)},
                      5484);
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

// It is let in, and sent away at once: once may be chance.
TEST_F(AddressBookTest, BacksOffFromWhoEndsEveryConnectionAtOnce) {
  book_.add(kStart, endpoint(1), device(1), FoundBy::kInvite);
  TimePoint now = kStart;
  const auto wait_after = [&](Duration life) {
    EXPECT_TRUE(book_.next(now, kAny));
    book_.succeeded(now, endpoint(1), device(1));
    now += life;
    book_.failed(now, endpoint(1), "shut out");
    const Duration wait = *book_.next_try(kAny) - now;
    now += wait;
    return wait;
  };
  EXPECT_LT(wait_after(10ms), 1'300ms);
  EXPECT_LT(wait_after(10ms), 2'600ms);
  for (int i = 0; i < 8; ++i) (void)wait_after(10ms);
  EXPECT_GE(wait_after(4'999ms), 5min);
  EXPECT_LT(wait_after(5s), 1'300ms);
  EXPECT_LT(wait_after(10ms), 1'300ms);
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

TEST_F(AddressBookTest, ADevicesWordIsBoundedUntilItIsProven) {
  const auto tell = [&](std::uint8_t teller, int from, int to) {
    for (int i = from; i < to; ++i) {
      book_.add(kStart, dead(i), std::nullopt, FoundBy::kPeers, device(teller));
    }
  };
  tell(1, 0, 1'000);
  EXPECT_EQ(book_.all().size(), 128u);
  tell(2, 1'000, 1'010);
  EXPECT_EQ(book_.all().size(), 138u) << "another's word is its own";
  book_.succeeded(kStart, dead(5), device(9));
  tell(1, 500, 1'000);
  EXPECT_EQ(book_.all().size(), 139u) << "what is proven is nobody's word any more";
  for (int i = 0; i < 3; ++i) book_.failed(kStart, dead(6), "refused");
  EXPECT_FALSE(book_.all().contains(dead(6))) << "what fails makes room for the next";
  book_.forget(dead(7));
  tell(1, 700, 1'000);
  EXPECT_EQ(book_.all().size(), 139u);
}

// 16 dials at a time, a dead address takes 5 s; who floods tells new ones all the time. How long
// after `start` until `honest` is dialled.
Duration flooded_wait(AddressBook& book, TimePoint start, const Endpoint& honest) {
  std::vector<std::pair<TimePoint, Endpoint>> dialling;
  int told = 0;
  for (TimePoint now = start; now < start + 1h; now += 100ms) {
    for (int i = 0; i < 100; ++i) {
      book.add(now, dead(told), device(static_cast<std::uint8_t>(told)), FoundBy::kPeers,
               device(66));
      ++told;
    }
    std::erase_if(dialling, [&](const auto& dial) {
      if (dial.first > now) return false;
      book.failed(now, dial.second, "no answer");
      return true;
    });
    while (dialling.size() < 16) {
      const auto next = book.next(now, kAny);
      if (!next) break;
      if (next->first == honest) return now - start;
      dialling.emplace_back(now + 5s, next->first);
    }
  }
  return 1h;
}

TEST_F(AddressBookTest, AFloodDoesNotKeepAProvenAddressWaiting) {
  book_.add(kStart, endpoint(1), device(1), FoundBy::kPeers);
  book_.succeeded(kStart, endpoint(1), device(1));
  book_.failed(kStart, endpoint(1), "lost");
  EXPECT_LE(flooded_wait(book_, kStart, endpoint(1)), 10s);
}

TEST_F(AddressBookTest, AFloodDoesNotKeepAnotherDevicesWordWaitingForLong) {
  (void)flooded_wait(book_, kStart, endpoint(1));
  book_.add(kStart + 1h, endpoint(1), device(1), FoundBy::kPeers, device(2));
  EXPECT_LE(flooded_wait(book_, kStart + 1h, endpoint(1)), 3min);
}

TEST_F(AddressBookTest, ManyProvenAddressesLeaveRoomForNewOnes) {
  for (int i = 0; i < 3'000; ++i) book_.add(kStart, dead(i), std::nullopt, FoundBy::kRemembered);
  book_.add(kStart, endpoint(1), device(1), FoundBy::kPeers, device(2));
  book_.add(kStart, endpoint(2), std::nullopt, FoundBy::kDht);
  book_.provides(endpoint(2), kStart + 1min);
  std::set<Endpoint> dialled;
  for (int i = 0; i < 4; ++i) dialled.insert(book_.next(kStart, kAny)->first);
  EXPECT_TRUE(dialled.contains(endpoint(1)));
  EXPECT_TRUE(dialled.contains(endpoint(2)));
}

TEST_F(AddressBookTest, AProviderGoesBeforeHearsayUntilItsTimeIsOver) {
  const auto dial = [](TimePoint now) {
    SeededRng rng(5);
    AddressBook book(rng);
    for (int i = 0; i < 100; ++i) book.add(kStart, dead(i), std::nullopt, FoundBy::kPeers);
    book.add(kStart, endpoint(1), std::nullopt, FoundBy::kDht);
    book.provides(endpoint(1), kStart + 1min);
    return book.next(now, kAny)->first;
  };
  EXPECT_EQ(dial(kStart), endpoint(1));
  EXPECT_NE(dial(kStart + 1min), endpoint(1));
}

TEST_F(AddressBookTest, ChanceChoosesAmongEquals) {
  for (int i = 0; i < 100; ++i) book_.add(kStart, dead(i), std::nullopt, FoundBy::kPeers);
  int of_first_half = 0;
  for (int i = 0; i < 50; ++i) of_first_half += book_.next(kStart, kAny)->first < dead(50) ? 1 : 0;
  EXPECT_GT(of_first_half, 10);
  EXPECT_LT(of_first_half, 40);
}

}  // namespace
}  // namespace kith::node
