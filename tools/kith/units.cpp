#include "tools/kith/units.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdio>
#include <optional>

namespace kith::cli {
namespace {

constexpr std::uint64_t kRateMax = std::uint64_t{1} << 40;
constexpr std::uint64_t kSizeMax = std::uint64_t{1} << 60;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

/// What one unit stands for; 0 if there is no such unit.
std::uint64_t factor_of(const std::string& unit) {
  struct Row {
    char letter;
    std::uint64_t ten, two;
  };
  static constexpr std::array kRows{Row{'k', 1'000, 1ULL << 10}, Row{'m', 1'000'000, 1ULL << 20},
                                    Row{'g', 1'000'000'000, 1ULL << 30},
                                    Row{'t', 1'000'000'000'000, 1ULL << 40}};
  if (unit.empty() || unit == "b") return 1;
  for (const Row& row : kRows) {
    if (unit[0] != row.letter) continue;
    const std::string rest = unit.substr(1);
    if (rest.empty() || rest == "b") return row.ten;
    if (rest == "i" || rest == "ib") return row.two;
  }
  return 0;
}

Error bad_rate(std::string_view text) {
  return local_error(Errc::kUsage, "not a rate", std::string(text), "for example 200MB/s or 800k");
}

Error bad_size(std::string_view text) {
  return local_error(Errc::kUsage, "not a size", std::string(text), "for example 500GB or 20GiB");
}

/// The digits of a decimal number, with its point if it has one.
std::size_t number_length(std::string_view text) {
  return std::min(text.find_first_not_of("0123456789."), text.size());
}

/// A whole number of units, exactly; UINT64_MAX where it is more than that.
std::uint64_t whole_amount(std::string_view digits, std::uint64_t factor) {
  std::uint64_t number = 0;
  const auto error = std::from_chars(digits.data(), digits.data() + digits.size(), number).ec;
  return error != std::errc() || number > UINT64_MAX / factor ? UINT64_MAX : number * factor;
}

/// A number and its unit, in lower case; nothing if it is none. UINT64_MAX: that much, or more.
std::optional<std::uint64_t> amount(const std::string& text) {
  const std::size_t digits = number_length(text);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + digits, number);
  const bool is_number = error == std::errc() && end == text.data() + digits;
  const std::uint64_t factor = factor_of(text.substr(digits));
  if (digits == 0 || !is_number || factor == 0) return std::nullopt;
  const std::string_view word = std::string_view(text).substr(0, digits);
  if (word.find('.') == std::string_view::npos) return whole_amount(word, factor);
  const double bytes = number * static_cast<double>(factor);
  if (bytes >= 0x1p64) return UINT64_MAX;
  const auto out = static_cast<std::uint64_t>(bytes);
  // A fraction of a byte is a mistake, not nothing.
  return out == 0 && number > 0 ? std::nullopt : std::optional(out);
}

struct SpanUnit {
  char letter;
  std::int64_t seconds;
};
constexpr std::array kSpanUnits{SpanUnit{'d', 86'400}, SpanUnit{'h', 3'600}, SpanUnit{'m', 60},
                                SpanUnit{'s', 1}};

/// A span as one writes it, in the largest unit that fits.
std::string span_word(std::chrono::seconds span) {
  const auto unit = std::find_if(kSpanUnits.begin(), kSpanUnits.end(),
                                 [&](const SpanUnit& u) { return span.count() % u.seconds == 0; });
  return std::to_string(span.count() / unit->seconds) + unit->letter;
}

std::string scaled(std::uint64_t value, std::uint64_t base, const char* const* units) {
  double number = static_cast<double>(value);
  std::size_t unit = 0;
  while (number >= 999.5 && unit < 4) {
    number /= static_cast<double>(base);
    ++unit;
  }
  char text[32];
  const char* form = unit == 0 || number >= 99.95 ? "%.0f %s"
                     : number >= 9.995            ? "%.1f %s"
                                                  : "%.2f %s";
  std::snprintf(text, sizeof text, form, number, units[unit]);
  return text;
}

}  // namespace

Result<std::uint64_t> parse_rate(std::string_view text) {
  std::string rate = lower(text);
  if (rate == "none") return std::uint64_t{0};
  if (rate.size() >= 2 && rate.compare(rate.size() - 2, 2, "/s") == 0) rate.resize(rate.size() - 2);
  const auto bytes = amount(rate);
  if (!bytes) return bad_rate(text);
  if (*bytes > kRateMax) {
    return local_error(Errc::kUsage, "a rate of more than 1 TiB/s", std::string(text),
                       "none is no limit");
  }
  return *bytes;
}

Result<std::uint64_t> parse_size(std::string_view text) {
  const std::string size = lower(text);
  if (size == "none") return std::uint64_t{0};
  const auto bytes = amount(size);
  if (!bytes) return bad_size(text);
  if (*bytes > kSizeMax) {
    return local_error(Errc::kUsage, "a size of more than 1 EiB", std::string(text),
                       "no file and no disk is so large: 1048576TiB is the most");
  }
  return *bytes;
}

Result<std::chrono::milliseconds> parse_span(std::string_view text, std::chrono::seconds least,
                                             std::chrono::seconds most) {
  const Error bad = local_error(
      Errc::kUsage, "not a time span from " + span_word(least) + " to " + span_word(most),
      std::string(text), "for example 90s, 5m, 24h or 7d");
  std::uint64_t number = 0;
  const char* const begin = text.data();
  const auto [end, error] = std::from_chars(begin, begin + text.size(), number);
  if (error != std::errc() || static_cast<std::size_t>(end - begin) + 1 != text.size()) return bad;
  const auto unit = std::find_if(kSpanUnits.begin(), kSpanUnits.end(),
                                 [&](const SpanUnit& u) { return u.letter == text.back(); });
  if (unit == kSpanUnits.end()) return bad;
  const auto seconds = static_cast<std::uint64_t>(unit->seconds);
  if (number > static_cast<std::uint64_t>(most.count()) / seconds) return bad;
  const std::chrono::seconds out(static_cast<std::int64_t>(number * seconds));
  if (out < least) return bad;
  return std::chrono::milliseconds(out);
}

std::string format_bytes(std::uint64_t bytes) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  return scaled(bytes, 1'024, kUnits);
}

std::string format_rate(std::uint64_t bytes_per_second) {
  static constexpr const char* kUnits[] = {"B/s", "kB/s", "MB/s", "GB/s", "TB/s"};
  return scaled(bytes_per_second, 1'000, kUnits);
}

std::string format_span(std::chrono::seconds span) {
  const long long total = span.count();
  char text[48];
  if (total >= 86'400) {
    std::snprintf(text, sizeof text, "%lld d %lld h", total / 86'400, total % 86'400 / 3'600);
  } else if (total >= 3'600) {
    std::snprintf(text, sizeof text, "%lld:%02lld:%02lld", total / 3'600, total % 3'600 / 60,
                  total % 60);
  } else {
    std::snprintf(text, sizeof text, "%lld:%02lld", total / 60, total % 60);
  }
  return text;
}

}  // namespace kith::cli
