#include "tools/kith/qr.hpp"

#include <memory>
#include <qrencode.h>

namespace kith::cli {
namespace {

constexpr int kQuietZone = 2;  // modules; four are asked for, two are enough on a screen

}  // namespace

/// Two rows of modules are one line of text. A light module is drawn, since terminals are mostly
/// dark; readers accept both.
void print_qr(Output& out, const std::string& text) {
  const std::unique_ptr<QRcode, void (*)(QRcode*)> code(
      QRcode_encodeString8bit(text.c_str(), 0, QR_ECLEVEL_L), QRcode_free);
  if (!code) return out.note("the invite is too long for a QR code");
  const int width = code->width;
  const auto light = [&](int x, int y) {
    const bool inside = x >= 0 && y >= 0 && x < width && y < width;
    return !inside || (code->data[y * width + x] & 1) == 0;
  };
  for (int y = -kQuietZone; y < width + kQuietZone; y += 2) {
    std::string line;
    for (int x = -kQuietZone; x < width + kQuietZone; ++x) {
      const bool upper = light(x, y);
      const bool lower = light(x, y + 1);
      line += upper ? (lower ? "█" : "▀") : (lower ? "▄" : " ");
    }
    out.note(line);
  }
}

}  // namespace kith::cli
