// The first line is the name of a command, the rest its arguments. Whatever they are: a request or
// an error that has an exit code and can be written as a line.
#include <cstdint>
#include <string_view>

#include "node/api/routes.hpp"
#include "proto/assert.hpp"
#include "proto/bytes.hpp"

namespace {

using namespace kith;
using namespace kith::node;

void check_error(const Error& error) {
  KITH_ASSERT(!error.what.empty());
  const Json line = to_json(error);
  KITH_ASSERT(line.at("exit").get<int>() > 0);
  KITH_ASSERT(Json::parse(dump_line(line)).at("event") == "error");
}

void check_request(const ApiRequest& request, const Json& arguments) {
  KITH_ASSERT(arguments.is_object());
  const auto* share = std::get_if<ShareRequest>(&request.body);
  if (share != nullptr) KITH_ASSERT(share->path.front() == '/');
  const auto* command = std::get_if<CommandBody>(&request.body);
  const auto* fetch = command == nullptr ? nullptr : std::get_if<Fetch>(command);
  KITH_ASSERT(request.detached == (fetch != nullptr && fetch->detached));
  if (fetch == nullptr) return;
  KITH_ASSERT(fetch->directory.front() == '/');
  KITH_ASSERT(fetch->name.find('/') == std::string::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = as_text({data, size});
  const std::size_t end = std::min(text.find('\n'), text.size());
  const auto arguments = parse_arguments(text.substr(std::min(end + 1, text.size())));
  if (!arguments) {
    check_error(arguments.error());
    return 0;
  }
  const auto request = parse_request(text.substr(0, end), *arguments);
  if (request) {
    check_request(*request, *arguments);
  } else {
    check_error(request.error());
  }
  return 0;
}
