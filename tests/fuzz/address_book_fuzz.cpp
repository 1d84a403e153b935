// Addresses from every source, dials and what becomes of them, in any order. What is known stays
// bounded, nothing is dialled twice at once or before its time, and what was proven is offered.
#include <cstdint>
#include <set>

#include "node/engine/address_book.hpp"
#include "proto/assert.hpp"
#include "proto/crypto/random.hpp"

namespace {

using namespace kith;
using namespace kith::node;

constexpr std::size_t kMost = 4'096;  // of addresses, as the header of the book says

Endpoint endpoint_of(std::uint8_t n) {
  return Endpoint::v4({10, 0, static_cast<std::uint8_t>(n >> 4), 1},
                      static_cast<std::uint16_t>(n & 15));  // port 0 is not usable
}

std::optional<DeviceId> device_of(std::uint8_t n) {
  if (n % 4 == 0) return std::nullopt;
  DeviceId out;
  out.bytes[0] = n % 4;
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  SeededRng rng(1);
  AddressBook book(rng);
  TimePoint now{};
  std::set<Endpoint> dialling;
  for (std::size_t i = 0; i + 3 <= size; i += 3) {
    const Endpoint endpoint = endpoint_of(data[i + 1]);
    const auto device = device_of(data[i + 2]);
    switch (data[i] % 8) {
      case 0:
      case 1:
        book.add(now, endpoint, device, static_cast<FoundBy>((data[i] >> 3) % 7),
                 device_of(data[i + 2] >> 4));
        break;
      case 2: {
        const auto next = book.next(now, [](const auto&, const auto&) { return true; });
        if (!next) break;
        KITH_ASSERT(next->first.is_usable());
        KITH_ASSERT(next->second.next_try <= now);
        KITH_ASSERT(dialling.insert(next->first).second);
        break;
      }
      case 3:
        if (!device || dialling.erase(endpoint) == 0) break;
        book.succeeded(now, endpoint, *device);
        if (book.all().contains(endpoint)) KITH_ASSERT(book.knows(*device));
        break;
      case 4:
        dialling.erase(endpoint);
        book.failed(now, endpoint, "it failed", (data[i] & 8) != 0);
        break;
      case 5:
        dialling.erase(endpoint);
        book.forget(endpoint);
        break;
      case 6:
        book.provides(endpoint, now + std::chrono::seconds(data[i + 2]));
        book.hurry(now);
        break;
      default:
        now += std::chrono::seconds(data[i + 1]);
    }
    KITH_ASSERT(book.all().size() <= kMost);
  }
  for (const auto& [endpoint, address] : book.all()) {
    KITH_ASSERT(endpoint.is_usable());
    KITH_ASSERT(!address.dialling || dialling.contains(endpoint));
  }
  return 0;
}
