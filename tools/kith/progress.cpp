#include "tools/kith/progress.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "tools/kith/fields.hpp"
#include "tools/kith/table.hpp"
#include "tools/kith/units.hpp"

namespace kith::cli {
namespace {

constexpr std::size_t kBarWidth = 24;
constexpr std::size_t kNameWidth = 24;
constexpr std::uint64_t kLongestEta = 100ULL * 86'400;

/// Thousandths, so that nothing overflows and nothing is rounded up to all.
std::uint64_t permille(std::uint64_t done, std::uint64_t total) {
  if (total == 0) return 0;
  if (done >= total) return 1'000;
  return total >= 1'000'000 ? std::min<std::uint64_t>(done / (total / 1'000), 999)
                            : done * 1'000 / total;
}

std::string bar(std::uint64_t thousandths) {
  const std::size_t full = static_cast<std::size_t>(thousandths) * kBarWidth / 1'000;
  std::string out = "[" + std::string(full, '=');
  if (full < kBarWidth) out += '>' + std::string(kBarWidth - full - 1, ' ');
  return out + "]";
}

std::string numbers(const node::Json& progress) {
  const std::uint64_t done = number(progress, "bytes_done");
  const std::uint64_t total = number(progress, "bytes_total");
  const std::uint64_t rate = number(progress, "rate");
  std::string out;
  if (total > 0) {
    out += std::to_string(permille(done, total) / 10) + " %  " + format_bytes(done) + " of " +
           format_bytes(total);
  } else if (done > 0) {
    out += format_bytes(done);
  }
  if (rate > 0) out += "  " + format_rate(rate);
  if (rate > 0 && total > done && (total - done) / rate < kLongestEta) {
    out += "  ETA " + format_span(std::chrono::seconds((total - done + rate - 1) / rate));
  }
  if (const std::uint64_t files = number(progress, "files"); files > 0) {
    out += "  " + std::to_string(files) + (files == 1 ? " file" : " files");
  }
  if (progress.contains("peers")) {
    const std::uint64_t peers = number(progress, "peers");
    out += "  " + std::to_string(peers) + (peers == 1 ? " peer" : " peers");
  }
  return out;
}

std::string headline(const node::Json& progress) {
  const std::string name = text(progress, "name");
  const std::string phase = text(progress, "phase");
  const std::string what = text(progress, "what");
  if (!what.empty()) return phase + ": " + what;
  if (name.empty()) return phase;
  const std::string shown = phase == "content" || phase.empty() ? "" : "  " + phase;
  return shorten(name, kNameWidth) + shown;
}

}  // namespace

std::string format_progress(const node::Json& progress, std::size_t width) {
  const std::string head = headline(progress);
  const std::string tail = numbers(progress);
  const std::uint64_t total = number(progress, "bytes_total");
  const std::string gauge = bar(permille(number(progress, "bytes_done"), total));
  const std::string gap = head.empty() || tail.empty() ? "" : "  ";
  const std::string whole = head + gap + gauge + "  " + tail;
  if (total > 0 && display_width(whole) < width) return whole;
  if (const std::string plain = head + gap + tail; display_width(plain) < width) return plain;
  return shorten(tail.empty() ? head : tail, width > 1 ? width - 1 : width);
}

}  // namespace kith::cli
