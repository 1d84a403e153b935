// One Manager, and what it is fed and answers, frame by frame.
#pragma once

#include <algorithm>
#include <gtest/gtest.h>

#include "proto/crypto/random.hpp"
#include "proto/limits.hpp"
#include "transfer/manager.hpp"

namespace kith::transfer::test {

using namespace std::chrono_literals;

inline constexpr ConnId kConn{1};
inline constexpr ChunkIndex kTotal = 20;  // root, one page, 18 chunks
inline constexpr std::uint32_t kLength = 100'000;

class Session : public testing::Test {
 protected:
  Session() { share_.bytes[0] = 1; }

  void connect(ConnId conn = kConn, std::uint8_t device = 1) {
    manager_.on_connected(now_, conn, device_of(device), swarm_, false, out_);
  }
  static DeviceId device_of(std::uint8_t n) {
    DeviceId id;
    id.bytes[0] = n;
    return id;
  }
  template <class Frame>
  Result<void> feed(const Frame& frame, ConnId conn = kConn) {
    const Buffer bytes = frame.encode();
    auto result = manager_.on_frame(now_, conn, static_cast<FrameType>(bytes[0]),
                                    Bytes(bytes).subspan(1), out_);
    manager_.check_invariants();
    return result;
  }
  /// The frames of one kind that were sent since the last call to clear().
  template <class Frame>
  std::vector<Frame> sent(FrameType type, ConnId conn = kConn) {
    std::vector<Frame> found;
    for (const SendFrame& f : out_.frames) {
      if (f.to != conn || static_cast<FrameType>(f.frame[0]) != type) continue;
      found.push_back(Frame::decode(Bytes(f.frame).subspan(1)).value());
    }
    return found;
  }
  void clear() { out_ = Outbox{}; }
  void limit(const LimitRule& rule) { manager_.set_limits(now_, {{rule}, false}, out_); }
  template <class T>
  std::vector<T> events() {
    std::vector<T> found;
    for (const Event& event : out_.events) {
      if (const auto* e = std::get_if<T>(&event)) found.push_back(*e);
    }
    return found;
  }

  void serve_all() {
    manager_.add_share(now_, share_, swarm_, false, out_);
    manager_.set_shape(now_, share_, kTotal, std::vector<std::uint32_t>{kLength}, Buffer(3, 0xff),
                       out_);
  }
  /// The same, with peers 1 and 2 that watch the share under handle 0.
  void serve_two() {
    serve_all();
    for (std::uint8_t i = 1; i <= 2; ++i) {
      connect(ConnId{i}, i);
      ASSERT_TRUE(feed(WatchFrame{0, share_}, ConnId{i}));
    }
  }
  /// A fetch whose root and page are held already; every chunk may be wanted.
  void fetch() {
    manager_.add_share(now_, share_, swarm_, true, out_);
    manager_.set_shape(now_, share_, kTotal, std::vector<std::uint32_t>{kLength}, Buffer{0xc0},
                       out_);
    manager_.set_lengths(now_, share_, 2, std::vector<std::uint32_t>(kTotal - 2, kLength), out_);
  }
  HaveSetFrame everything(Handle handle = 0) { return {handle, 0, kTotal, {0xff, 0xff, 0xf0}}; }
  ChunkFrame whole(ChunkIndex index, Handle handle = 0) {
    ChunkFrame frame;
    frame.handle = handle;
    frame.index = index;
    frame.length = frame.size = kLength;
    return frame;
  }
  Result<void> section(const ChunkFrame& frame, ConnId conn = kConn) {
    auto result = manager_.on_chunk(now_, conn, frame, out_);
    if (result) {
      manager_.on_section(now_, conn, SlabChain(pool_, frame.length), out_);
      manager_.check_invariants();
    }
    return result;
  }
  void stored(ChunkIndex index, StoreOutcome outcome, ConnId conn = kConn) {
    manager_.on_stored(now_, share_, index, conn, outcome, std::nullopt, out_);
    manager_.check_invariants();
  }
  void seal(const SealRequest& request, std::uint32_t size = kLength) {
    const std::uint32_t n = std::min(request.length, size - request.offset);
    manager_.on_sealed(now_, request, section_++, size, SlabChain(pool_, n), out_);
    manager_.check_invariants();
  }

  TimePoint now_{1h};
  SeededRng rng_{1};
  SlabPool pool_;
  Manager manager_{{32 << 20, 32 << 20}, rng_};
  SwarmId swarm_;
  ShareId share_;
  Outbox out_;
  Section section_ = 0;
};

}  // namespace kith::transfer::test
