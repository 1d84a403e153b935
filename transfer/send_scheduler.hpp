// Deficit round robin (Shreedhar and Varghese, 1995), in bytes: whose next section job may start.
//
// Every connection that may have something to send is in one circle. When its turn comes, its
// deficit grows by a quantum and it goes to the end; it may start sections while the deficit covers
// them. So over time all that always have something get equally many bytes, however long their
// sections are. A connection with nothing to start leaves the circle, and what it saved is
// forgotten; what it owes is not. One that must wait (for a limit) keeps its place, and one that is
// full keeps what it saved and comes back to the front: so a slow one gets all it can take, up to
// its part, in many small steps. The quantum is the longest section offered lately: a turn is no
// longer than it must be, and nobody goes round in vain.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <utility>

#include "proto/ids.hpp"
#include "proto/slab.hpp"

namespace kith::transfer {

/// What a connection has to start now.
struct Offer {
  enum class What : std::uint8_t {
    kNothing,
    kFull,   // it has enough on its way
    kWaits,  // something else must happen first
    kSection,
  };
  What what = What::kNothing;
  std::uint32_t bytes = 0;

  static Offer section(std::uint32_t bytes) { return {What::kSection, bytes}; }
};

class SendScheduler {
 public:
  /// `conn` may have something to start. Without effect if it is in the circle.
  void activate(ConnId conn) {
    Account& account = accounts_[conn];
    if (account.in_circle) return;
    account.in_circle = true;
    if (account.deficit > 0) {
      circle_.push_front(conn);
    } else {
      circle_.push_back(conn);
    }
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
  /// offer(ConnId) → Offer. The cost is taken off at once; `refund` gives back what was not used.
  template <class F>
  [[nodiscard]] std::optional<std::pair<ConnId, std::uint32_t>> next(F&& offer) {
    std::size_t at = 0;  // who stands before it waits
    while (!resting_ && at < circle_.size()) {
      const ConnId conn = circle_[at];
      const Offer found = offer(conn);
      if (found.what == Offer::What::kWaits) {
        ++at;
        continue;
      }
      note(found.bytes);
      circle_.erase(circle_.begin() + static_cast<std::ptrdiff_t>(at));
      Account& account = accounts_.at(conn);
      if (found.what != Offer::What::kSection) {
        leave(conn, account, found.what == Offer::What::kFull);
      } else if (account.deficit < std::int64_t{found.bytes}) {
        account.deficit += quantum_;
        circle_.push_back(conn);
      } else {
        account.deficit -= std::int64_t{found.bytes};
        circle_.insert(circle_.begin() + static_cast<std::ptrdiff_t>(at), conn);
        return std::pair{conn, found.bytes};
      }
    }
    resting_ = !circle_.empty();
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
  static constexpr unsigned kPeriod = 4'096;  // offers

  void note(std::int64_t bytes) {
    if (++offers_ % kPeriod == 0) quantum_ = std::exchange(longest_, 0);
    longest_ = std::max(longest_, bytes);
    quantum_ = std::max(quantum_, longest_);
  }
  void leave(ConnId conn, Account& account, bool full) {
    account.in_circle = false;
    if (account.deficit == 0 || (!full && account.deficit > 0)) accounts_.erase(conn);
  }

  std::deque<ConnId> circle_;
  std::map<ConnId, Account> accounts_;
  std::int64_t quantum_ = 0;  // the longest section offered in this period and the one before
  std::int64_t longest_ = 0;  // in this period
  unsigned offers_ = 0;
  bool resting_ = false;  // all wait
};

}  // namespace kith::transfer
