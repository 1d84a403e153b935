// Deficit round robin (Shreedhar and Varghese, 1995), in bytes: whose next section job may start.
//
// Every connection that may have something to send is in one circle. When its turn comes, its
// deficit grows by a quantum; it may start sections while the deficit covers them. So over time all
// that always have something get equally many bytes, however long their sections are. A connection
// with nothing to start leaves the circle, and what it saved is forgotten; what it owes is not. One
// that has something and must wait (for a limit) keeps its place.
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
    Account& account = accounts_[conn];
    if (account.in_circle) return;
    account.in_circle = true;
    circle_.push_back(conn);
    resting_ = false;
  }
  /// The connection ended. Its deficit is forgotten.
  void remove(ConnId conn) {
    if (accounts_.erase(conn) > 0) std::erase(circle_, conn);
  }
  /// Those that had to wait are to be looked at again.
  void rouse() { resting_ = false; }

  /// The connection whose turn it is and the cost of its next section; nothing when none has any,
  /// or all have to wait: then it stays so until rouse() or a new connection.
  /// cost(ConnId) → std::optional<std::uint32_t>: bytes; 0 to wait; nothing if there is nothing to
  /// start now (it leaves the circle then). The cost is taken off at once; `refund` gives back what
  /// was not used.
  template <class Cost>
  [[nodiscard]] std::optional<std::pair<ConnId, std::uint32_t>> next(Cost&& cost) {
    std::size_t waiting = 0;
    while (!resting_ && !circle_.empty()) {
      const ConnId conn = circle_.front();
      const std::optional<std::uint32_t> bytes = cost(conn);
      if (!bytes) {
        leave();
        continue;
      }
      std::int64_t& deficit = accounts_.at(conn).deficit;
      const bool waits = *bytes == 0;
      if (!waits && deficit >= std::int64_t{*bytes}) {
        deficit -= std::int64_t{*bytes};
        return std::pair{conn, *bytes};
      }
      if (!waits) deficit += kQuantum;
      waiting = waits ? waiting + 1 : 0;
      circle_.pop_front();
      circle_.push_back(conn);
      resting_ = waiting >= circle_.size();
    }
    return std::nullopt;
  }
  /// A live connection starts `bytes` out of turn: it owes them.
  void charge(ConnId conn, std::uint32_t bytes) { accounts_[conn].deficit -= bytes; }
  /// Nothing happens if there is no account of the connection.
  void refund(ConnId conn, std::uint32_t bytes) {
    if (const auto it = accounts_.find(conn); it != accounts_.end()) it->second.deficit += bytes;
  }

 private:
  struct Account {
    std::int64_t deficit = 0;
    bool in_circle = false;
  };
  /// 16 records: several turns for a whole chunk, one for the sections of slow connections.
  static constexpr std::int64_t kQuantum = 16 * std::int64_t{kRecordBytes};

  void leave() {
    const auto it = accounts_.find(circle_.front());
    circle_.pop_front();
    it->second.in_circle = false;
    if (it->second.deficit >= 0) accounts_.erase(it);
  }

  std::deque<ConnId> circle_;
  std::map<ConnId, Account> accounts_;
  bool resting_ = false;  // all wait
};

}  // namespace kith::transfer
