// Deficit round robin (Shreedhar and Varghese, 1995), in bytes: whose next section job may start.
//
// Every connection that may have something to send is in one circle. When its turn comes, its
// deficit grows by a quantum; it may start sections while the deficit covers them. So over time all
// that always have something get equally many bytes, however long their sections are. A connection
// with nothing to start leaves the circle, and its deficit is forgotten.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <utility>

#include "proto/ids.hpp"
#include "proto/slab.hpp"

namespace kith::transfer {

class SendScheduler {
 public:
  /// `conn` may have something to start. Without effect if it is in the circle.
  void activate(ConnId conn) {
    if (deficits_.try_emplace(conn, 0).second) circle_.push_back(conn);
  }
  /// The connection ended. Its deficit is forgotten.
  void remove(ConnId conn) {
    if (deficits_.erase(conn) > 0) std::erase(circle_, conn);
  }
  [[nodiscard]] bool empty() const { return circle_.empty(); }

  /// The connection whose turn it is and the cost of its next section; nothing when none has any.
  /// cost(ConnId) → std::optional<std::uint32_t>: bytes, or nothing to start now (it leaves the
  /// circle then). The cost is taken off at once; `refund` gives back what was not used.
  template <class Cost>
  [[nodiscard]] std::optional<std::pair<ConnId, std::uint32_t>> next(Cost&& cost) {
    while (!circle_.empty()) {
      const ConnId conn = circle_.front();
      const std::optional<std::uint32_t> bytes = cost(conn);
      if (!bytes) {
        circle_.pop_front();
        deficits_.erase(conn);
        continue;
      }
      std::int64_t& deficit = deficits_.at(conn);
      if (deficit >= std::int64_t{*bytes}) {
        deficit -= std::int64_t{*bytes};
        return std::pair{conn, *bytes};
      }
      deficit += kQuantum;
      circle_.pop_front();
      circle_.push_back(conn);
    }
    return std::nullopt;
  }
  /// Nothing happens if the connection is not in the circle.
  void refund(ConnId conn, std::uint32_t bytes) {
    if (const auto it = deficits_.find(conn); it != deficits_.end()) it->second += bytes;
  }

 private:
  /// 16 records: several turns for a whole chunk, one for the sections of slow connections.
  static constexpr std::int64_t kQuantum = 16 * std::int64_t{kRecordBytes};

  std::deque<ConnId> circle_;
  std::map<ConnId, std::int64_t> deficits_;
};

}  // namespace kith::transfer
