// Drives one live Manager with operations taken from bytes: frames, plausible and wild, job results
// in any order, time, connections that come and go, shares that come and go. After each step the
// manager's invariants must hold; at the end, when all is closed and answered, no memory may be
// left. Used by the property test (random bytes) and by the fuzz target.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "proto/crypto/random.hpp"
#include "transfer/manager.hpp"

namespace kith::transfer::test {

class SessionModel {
 public:
  explicit SessionModel(Bytes input);
  void run();

  [[nodiscard]] std::size_t sections_sent() const { return sections_sent_; }
  [[nodiscard]] std::size_t chunks_stored() const { return chunks_stored_; }

 private:
  static constexpr ChunkIndex kTotal = 40;
  static constexpr std::uint32_t kPages = 2;
  struct Progress {
    std::uint32_t received = 0;
    bool cancelled = false;
  };
  struct Peer {
    DeviceId device;
    std::map<Handle, ShareId> watched_by_us;
    std::map<std::pair<Handle, ChunkIndex>, Progress> wants;  // of ours, not ended
    std::map<Handle, ShareId> watched_by_peer;
    std::set<std::pair<Handle, ChunkIndex>> peer_wants;           // perhaps ended
    std::map<std::pair<Handle, ChunkIndex>, std::uint32_t> sent;  // bytes of chunks under way
    std::size_t unsent = 0;
    Section next_section = 0;
  };

  [[nodiscard]] std::uint8_t next();
  [[nodiscard]] std::uint32_t next16() { return next() * 256U + next(); }
  [[nodiscard]] static std::uint32_t length(ChunkIndex index) {
    return 1 + index * 5'003 % 130'000;
  }
  [[nodiscard]] ShareId share() { return shares_[next() % shares_.size()]; }
  [[nodiscard]] std::optional<ConnId> peer();
  [[nodiscard]] Handle our_handle(ConnId conn);

  template <class F>
  void drive(F&& call);
  void take(Outbox& out);
  void take_frame(const SendFrame& sent);
  void feed(ConnId conn, const Buffer& frame);
  void drop(ConnId conn);

  void step();
  void start();
  void connect();
  void close();
  void wild_frame();
  void have_set();
  void have();
  void refuse();
  void section();
  void peer_frame();
  void answer_seal(bool fails);
  void answer_store();
  void time_passes();
  void wrote();
  void share_comes_or_goes();
  void shape_or_lengths();
  void have_changes();
  void limits_change();
  void finish();

  Bytes input_;
  SeededRng rng_;
  SlabPool pool_;
  Manager manager_;
  TimePoint now_{};
  std::uint64_t next_conn_ = 1;
  SwarmId swarm_;
  std::vector<ShareId> shares_;
  std::map<ConnId, Peer> peers_;
  std::vector<SealRequest> seals_;
  std::vector<StoreRequest> stores_;
  std::set<ShareId> shaped_;
  std::size_t sections_sent_ = 0;
  std::size_t chunks_stored_ = 0;
};

}  // namespace kith::transfer::test
