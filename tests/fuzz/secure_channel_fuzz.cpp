// The receiving side of a channel: the input is a list of steps (kind, argument), two bytes each.
// A frame is sent, a section of plain bytes stands behind one, the network delivers a few bytes or
// changes one. Until the first change, what arrives is what was sent, in order; after one inside a
// record, that record and all behind it stay closed.
#include <cstdint>
#include <cstdlib>
#include <deque>

#include "proto/crypto/secure_channel.hpp"

namespace {

using namespace kith;

void require(bool holds) {
  if (!holds) std::abort();
}

Secret secret_of(std::uint8_t byte) { return Secret(Buffer(Secret::kSize, byte)); }

class Simulation {
 public:
  void step(std::uint8_t kind, std::uint8_t argument) {
    switch (kind % 4) {
      case 0:
        send_frame(argument);
        break;
      case 1:
        send_large(argument);
        break;
      case 2:
        deliver(argument);
        break;
      default:
        tamper(argument);
        break;
    }
  }
  void finish() {
    while (!wire_.empty()) deliver(255);
    require(tampered_ || sent_.empty());
  }

 private:
  void send_frame(std::uint8_t argument) { send(Buffer(argument % 40 + 1u, argument)); }
  void send_large(std::uint8_t argument) {
    send(Buffer(limits::kFrameMax - argument % 3, argument));
  }
  void send(Buffer frame) {
    Buffer record;
    sender_.seal_frame(frame, record);
    wire_.insert(wire_.end(), record.begin(), record.end());
    sent_.push_back(std::move(frame));
  }
  void tamper(std::uint8_t argument) {
    if (wire_.empty()) return;
    wire_[argument % wire_.size()] ^= static_cast<std::uint8_t>(argument | 1);
    tampered_ = true;
  }
  void deliver(std::uint8_t argument) {
    const std::size_t n = std::min<std::size_t>(wire_.size(), argument * 64u + 1);
    const auto end = wire_.begin() + static_cast<std::ptrdiff_t>(n);
    buffer_.insert(buffer_.end(), wire_.begin(), end);
    wire_.erase(wire_.begin(), end);
    open_what_is_there();
  }
  void open_what_is_there() {
    std::size_t at = 0;
    for (;;) {
      const auto opened = receiver_.open_frame(MutableBytes(buffer_).subspan(at));
      if (!opened) {
        require(tampered_ && receiver_.broken());
        buffer_.clear();
        return;
      }
      if (!*opened) break;
      require(!sent_.empty() && equal((*opened)->frame, sent_.front()));
      sent_.pop_front();
      at += (*opened)->consumed;
    }
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(at));
  }

  SecureChannel sender_{noise::CipherState(secret_of(1)), noise::CipherState(secret_of(2)), {}};
  SecureChannel receiver_{noise::CipherState(secret_of(2)), noise::CipherState(secret_of(1)), {}};
  std::deque<Buffer> sent_;
  std::deque<std::uint8_t> wire_;
  Buffer buffer_;
  bool tampered_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 256) return 0;
  Simulation simulation;
  for (std::size_t i = 0; i + 1 < size; i += 2) simulation.step(data[i], data[i + 1]);
  simulation.finish();
  return 0;
}
