#include "tools/kith/progress.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

#include "tools/kith/fields.hpp"
#include "tools/kith/table.hpp"
#include "tools/kith/units.hpp"

namespace kith::cli {
namespace {

constexpr std::size_t kBarMax = 24;
constexpr std::size_t kBarMin = 6;
// Of the name as much as leaves room for a bar.
constexpr std::size_t kNameWidths[] = {24, 16, 8};
constexpr std::uint64_t kLongestEta = 100ULL * 86'400;

/// Thousandths, so that nothing overflows and nothing is rounded up to all.
std::uint64_t permille(std::uint64_t done, std::uint64_t total) {
  if (total == 0) return 0;
  if (done >= total) return 1'000;
  return total >= 1'000'000 ? std::min<std::uint64_t>(done / (total / 1'000), 999)
                            : done * 1'000 / total;
}

std::string bar(std::uint64_t thousandths, std::size_t cells) {
  const std::size_t full = static_cast<std::size_t>(thousandths) * cells / 1'000;
  std::string out = "[" + std::string(full, '=');
  if (full < cells) out += '>' + std::string(cells - full - 1, ' ');
  return out + "]";
}

/// What is there is looked at and not counted: then nothing can be said but how much it is.
bool is_uncounted(const node::Json& progress) {
  const std::string phase = raw(progress, "phase");
  return number(progress, "bytes_done") == 0 && (phase == "preparing" || phase == "verifying");
}

std::string numbers(const node::Json& progress) {
  const std::uint64_t done = number(progress, "bytes_done");
  const std::uint64_t total = number(progress, "bytes_total");
  const std::uint64_t rate = number(progress, "rate");
  if (is_uncounted(progress)) return total > 0 ? format_bytes(total) : std::string();
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

std::string headline(const node::Json& progress, std::size_t name_width) {
  const std::string name = text(progress, "name");
  const std::string phase = text(progress, "phase");
  const std::string what = text(progress, "what");
  if (!what.empty()) return phase + ": " + what;
  if (name.empty()) return phase;
  const std::string shown = phase == "content" || phase.empty() ? "" : "  " + phase;
  return shorten(name, name_width) + shown;
}

/// The line with a bar that fills what is left of `width`; nothing where that is too little.
std::optional<std::string> with_bar(const node::Json& progress, const std::string& tail,
                                    std::size_t width) {
  const std::uint64_t total = number(progress, "bytes_total");
  if (total == 0 || is_uncounted(progress)) return {};
  for (const std::size_t name_width : kNameWidths) {
    std::string head = headline(progress, name_width);
    if (!head.empty()) head += "  ";
    const std::size_t taken = display_width(head) + display_width("[]  ") + display_width(tail);
    if (taken + kBarMin >= width) continue;
    const std::size_t cells = std::min(width - 1 - taken, kBarMax);
    return head + bar(permille(number(progress, "bytes_done"), total), cells) + "  " + tail;
  }
  return {};
}

}  // namespace

std::string format_progress(const node::Json& progress, std::size_t width) {
  const std::string tail = numbers(progress);
  if (auto whole = with_bar(progress, tail, width)) return *whole;
  const std::string head = headline(progress, kNameWidths[0]);
  const std::string gap = head.empty() || tail.empty() ? "" : "  ";
  if (const std::string plain = head + gap + tail; display_width(plain) < width) return plain;
  return shorten(tail.empty() ? head : tail, width > 1 ? width - 1 : width);
}

}  // namespace kith::cli
