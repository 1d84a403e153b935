// Whatever parses as bencode encodes to the same bytes; the lenient parser accepts all that the
// strict one accepts, and reads it alike.
#include <cstdint>

#include "proto/assert.hpp"
#include "proto/wire/bencode.hpp"

namespace {

using namespace kith;
using namespace kith::bencode;

void write(Writer& out, Value value) {
  if (const auto integer = value.integer()) {
    out.integer(*integer);
  } else if (const auto string = value.string()) {
    out.string(*string);
  } else if (value.kind() == Kind::kList) {
    out.list();
    std::size_t count = 0;
    for (const Value item : value) {
      write(out, item);
      ++count;
    }
    KITH_ASSERT(count == value.size());
    out.end();
  } else {
    out.dict();
    for (auto it = value.begin(); it != value.end(); ++it) {
      const auto key = as_text(*(*it).string());
      ++it;
      KITH_ASSERT(equal(value.find(key)->raw(), (*it).raw()));
      out.key(key);
      write(out, *it);
    }
    out.end();
  }
}

Buffer rewritten(const Document& document) {
  Buffer out;
  Writer writer(out);
  write(writer, document.root());
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes input(data, size);
  const auto strict = parse(input);
  const auto lenient = parse(input, {.allow_unsorted_keys = true});
  if (!strict) return 0;
  KITH_ASSERT(lenient.has_value());
  KITH_ASSERT(equal(rewritten(*strict), input));
  KITH_ASSERT(equal(rewritten(*lenient), input));
  return 0;
}
