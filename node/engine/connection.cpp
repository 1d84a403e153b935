#include "node/engine/connection.hpp"

#include "proto/crypto/bulk.hpp"

namespace kith::node {

void Connection::send(Bytes frame) {
  Buffer record;
  record.reserve(frame.size() + kRecordOverhead);
  channel->seal_frame(frame, record);
  out.push(record);
}

void Connection::send(const ChunkFrame& frame, SlabChain sealed) {
  send(frame.encode());
  channel->add_section_sent(section_wire_bytes(sealed.size()));
  out.push(std::move(sealed));
}

}  // namespace kith::node
