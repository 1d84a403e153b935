// Whole chunks to and from files and sockets, straight from slabs. Errors end the program.
#pragma once

#include <cstdint>

#include "proto/slab.hpp"

namespace kith::bound {

/// Prints what failed, with errno's reason, and ends the program with exit code 1.
[[noreturn]] void fail(const char* what);

/// Content of the chunk, at byte `offset` of the file.
void read_file(int fd, SlabChain& chunk, std::uint64_t offset);
void write_file(int fd, SlabChain& chunk, std::uint64_t offset);

/// The sealed records of the chunk: content and tag of every slab.
void send_records(int fd, SlabChain& chunk);
void receive_records(int fd, SlabChain& chunk);

/// A TCP socket that listens on a free port of 127.0.0.1, and one that is connected to it.
[[nodiscard]] int listen_on_loopback(std::uint16_t& port);
[[nodiscard]] int accept_one(int listener);
[[nodiscard]] int connect_to_loopback(std::uint16_t port);

}  // namespace kith::bound
