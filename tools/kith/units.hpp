// Sizes, rates and spans as people write and read them. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "proto/result.hpp"

namespace kith::cli {

/// Bytes per second: a number, a unit, "/s" or nothing. Units are powers of ten (k, M, G, T, each
/// with or without B) or of two (KiB, MiB, GiB, TiB), in either case; a fraction is allowed:
/// "200MB/s", "10MiB/s", "800k", "1.5g". "0" and "none": no limit. kUsage otherwise.
[[nodiscard]] Result<std::uint64_t> parse_rate(std::string_view text);

/// Bytes: as a rate without "/s", up to 2^60. "0" and "none": none. kUsage otherwise.
[[nodiscard]] Result<std::uint64_t> parse_size(std::string_view text);

/// "90s", "5m", "24h", "7d": a whole number with its unit, within the bounds. kUsage otherwise.
[[nodiscard]] Result<std::chrono::milliseconds> parse_span(std::string_view text,
                                                           std::chrono::seconds least,
                                                           std::chrono::seconds most);

/// "512 B", "1.5 KiB", "118 MiB": three digits at most, units of 1024.
[[nodiscard]] std::string format_bytes(std::uint64_t bytes);
/// "112 MB/s": units of 1000, as networks are sold.
[[nodiscard]] std::string format_rate(std::uint64_t bytes_per_second);
/// "0:07", "4:31", "2:04:10", "3 d 4 h".
[[nodiscard]] std::string format_span(std::chrono::seconds span);

}  // namespace kith::cli
