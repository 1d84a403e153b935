// The answers of a node for people: one function per kind. Each gets the `done` line.
#pragma once

#include "node/api/json.hpp"
#include "tools/kith/output.hpp"

namespace kith::cli {

void print_nothing(Output& out, const node::Json& done);
void print_swarm_created(Output& out, const node::Json& done);
void print_swarms(Output& out, const node::Json& done);
void print_members(Output& out, const node::Json& done);
void print_invite(Output& out, const node::Json& done);
void print_joined(Output& out, const node::Json& done);
void print_shared(Output& out, const node::Json& done);
void print_fetched(Output& out, const node::Json& done);
void print_shares(Output& out, const node::Json& done);
void print_share(Output& out, const node::Json& done);
void print_verified(Output& out, const node::Json& done);
void print_limits(Output& out, const node::Json& done);
void print_quota(Output& out, const node::Json& done);
void print_garbage(Output& out, const node::Json& done);
void print_peers(Output& out, const node::Json& done);
void print_status(Output& out, const node::Json& done);
void print_doctor(Output& out, const node::Json& done);

/// Exit code 6 if bytes were found that are not the share's, else 0.
[[nodiscard]] int verify_verdict(const node::Json& done);
/// Exit code 1 if a check found a problem, else 0.
[[nodiscard]] int doctor_verdict(const node::Json& done);

}  // namespace kith::cli
