// The bodies of roster operations in bencode. Layouts: op.hpp.
#pragma once

#include "proto/swarm/op.hpp"
#include "proto/wire/bencode.hpp"

namespace kith {

/// The dictionary that the author signs.
[[nodiscard]] Buffer encode_body(const Op& op);

/// Author, parents and body, with form and limits checked; signature, id and encoding are left
/// empty. Keys that no layout has are not looked at: the caller compares with encode_body().
[[nodiscard]] Result<Op> decode_body(const bencode::Value& body);

}  // namespace kith
