// A link that parses has one text, but for white space around it.
#include "proto/assert.hpp"
#include "proto/content/link.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kith;
  const std::string_view text = as_text({data, size});
  const auto link = Link::parse(text);
  if (!link) return 0;
  const std::string again = link->to_string();
  KITH_ASSERT(text.find(again) != std::string_view::npos);
  KITH_ASSERT(*Link::parse(again) == *link);
  return 0;
}
