// Bytes as a roster operation: what decodes encodes to the same bytes, has the id of its bytes, and
// never crashes a roster that it reaches.
#include "proto/assert.hpp"
#include "proto/crypto/random.hpp"
#include "proto/swarm/op_codec.hpp"
#include "proto/swarm/roster.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kith;
  init_crypto();
  const Bytes input(data, size);
  const auto op = decode_op(input);
  if (!op) {
    KITH_ASSERT(op.error().blame == Blame::kPeer);
    return 0;
  }
  Buffer again;
  bencode::Writer(again).list().raw(encode_body(*op)).string(op->signature.view()).end();
  KITH_ASSERT(equal(again, input) && equal(op->encoded, input));
  KITH_ASSERT(op->id == op_id(input));
  (void)verify_op(*op);
  Roster roster(*SwarmId::from(op->id.view()));
  const auto added = roster.add(input, Roster::Trust::kVerified);
  if (added && *added == Roster::Added::kAdded) (void)roster.state();
  return 0;
}
