// The API's Unix socket, HOME/run/api.sock. A socket address holds 107 bytes of path, a home may
// have more: both sides open the directory and go through /proc/self/fd/N.
#pragma once

#include <string>

#include "node/api/unique_fd.hpp"
#include "proto/result.hpp"

namespace kith::node {

/// Binds and listens. Makes HOME/run (0700) and replaces a socket that an earlier node left: the
/// caller holds the lock of the home, so nobody listens there. Not blocking, close-on-exec.
[[nodiscard]] Result<UniqueFd> listen_api(const std::string& home);
/// Removes the socket, so that a client need not try it.
void remove_api_socket(const std::string& home);

/// Connects. Blocking, close-on-exec. kClosed if nobody listens there, kRefused if the socket is
/// another user's.
[[nodiscard]] Result<UniqueFd> connect_api(const std::string& home);

/// True if the process at the other end of `fd` has the effective uid of this one.
[[nodiscard]] bool is_same_user(int fd);

}  // namespace kith::node
