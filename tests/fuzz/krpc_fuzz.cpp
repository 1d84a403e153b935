// What decodes as KRPC encodes to a message of the same meaning, which is canonical and, where it
// is ours to say, within the limit.
#include <cstdint>

#include "proto/assert.hpp"
#include "proto/wire/bencode.hpp"
#include "proto/wire/krpc.hpp"

namespace {

using namespace kith;
using namespace kith::krpc;

void check_query(Bytes transaction, const Query& query) {
  if (std::holds_alternative<UnknownQuery>(query.call)) return;
  const Buffer out = encode(transaction, query);
  const auto back = decode(out);
  KITH_ASSERT(back && equal(back->transaction, transaction));
  const auto& again = std::get<Query>(back->body);
  KITH_ASSERT(again.id == query.id && again.read_only == query.read_only);
  KITH_ASSERT(again.call.index() == query.call.index());
  KITH_ASSERT(equal(encode(transaction, again), out));
}

void check_response(Bytes transaction, const Response& response) {
  const Buffer out = encode(transaction, response);
  KITH_ASSERT(out.size() <= limits::kKrpcMax);
  const auto back = decode(out);
  KITH_ASSERT(back.has_value());
  const auto& again = std::get<Response>(back->body);
  KITH_ASSERT(again.id == response.id && again.ip == response.ip);
  KITH_ASSERT(again.nodes.size() <= response.nodes.size());
  KITH_ASSERT(again.values.size() <= response.values.size());
}

void check_failure(Bytes transaction, const Failure& failure) {
  if (failure.text.size() > 256) return;
  const auto out = encode(transaction, failure);
  const auto back = decode(out);
  KITH_ASSERT(back && std::get<Failure>(back->body).code == failure.code);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto message = decode(Bytes(data, size));
  if (!message) {
    KITH_ASSERT(message.error().blame == Blame::kPeer);
    return 0;
  }
  if (const auto* query = std::get_if<Query>(&message->body)) {
    check_query(message->transaction, *query);
  } else if (const auto* response = std::get_if<Response>(&message->body)) {
    check_response(message->transaction, *response);
  } else {
    check_failure(message->transaction, std::get<Failure>(message->body));
  }
  return 0;
}
