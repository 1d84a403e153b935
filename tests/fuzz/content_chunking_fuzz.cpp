// FastCdc against its definition, fed in portions that the input chooses. Input: one byte that sets
// the portions, then the data.
#include <algorithm>
#include <bit>
#include <vector>

#include "proto/assert.hpp"
#include "proto/content/chunking.hpp"

namespace {

using namespace kith;

std::vector<std::size_t> by_definition(const Chunking& c, Bytes data) {
  const int bits = std::countr_zero(c.average);
  std::vector<std::size_t> out;
  std::size_t start = 0;
  for (std::size_t end = 1; end <= data.size(); ++end) {
    const std::size_t n = end - start;
    if (n < c.min) continue;
    std::uint64_t hash = 0;
    for (std::size_t i = end - kGearWindow; i < end; ++i) hash = 2 * hash + gear_table()[data[i]];
    const int zeros = n < c.average ? bits + 2 : bits - 2;
    if (n < c.max && std::countl_zero(hash) < zeros) continue;
    out.push_back(end);
    start = end;
  }
  return out;
}

std::vector<std::size_t> by_portions(const Chunking& c, Bytes data, std::size_t portion) {
  FastCdc cdc(c);
  std::vector<std::size_t> out;
  for (std::size_t at = 0; at < data.size();) {
    const Bytes part = data.subspan(at, std::min(portion, data.size() - at));
    const std::size_t n = cdc.next_cut(part);
    at += n == 0 ? part.size() : n;
    if (n != 0) out.push_back(at);
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Chunking chunking = Chunking::tiny(4096);
  const Bytes bytes(data + 1, std::min<std::size_t>(size - 1, 16'384));
  const auto expected = by_definition(chunking, bytes);
  KITH_ASSERT(by_portions(chunking, bytes, bytes.size() + 1) == expected);
  KITH_ASSERT(by_portions(chunking, bytes, std::size_t{1} + data[0]) == expected);
  return 0;
}
