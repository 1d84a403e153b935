// Token buckets by the rules of limit_rules.hpp, and what they say of a connection.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "transfer/limit_rules.hpp"
#include "transfer/peer_session.hpp"
#include "transfer/rate_limit.hpp"

namespace kith::transfer {

enum class Direction : std::uint8_t { kUp, kDown };

class SpeedLimits {
 public:
  /// Debts of the limits that stay are kept.
  void set(const LimitRules& rules) {
    std::vector<Limit> fresh;
    for (const LimitRule& rule : rules.rules) {
      const auto same = std::ranges::find_if(limits_, [&](const Limit& limit) {
        return limit.rule.swarm == rule.swarm && limit.rule.device == rule.device;
      });
      Limit limit = same == limits_.end() ? Limit{} : *same;
      limit.rule = rule;
      limit.up.set_rate(rule.up);
      limit.down.set_rate(rule.down);
      fresh.push_back(limit);
    }
    limits_ = std::move(fresh);
    lan_exempt_ = rules.lan_exempt;
  }

  /// When something may go to, or be asked of, this peer: nothing means now, however much.
  [[nodiscard]] std::optional<TimePoint> wait_until(Direction direction, TimePoint now,
                                                    const PeerSession& session) {
    std::optional<TimePoint> until;
    for_each(direction, session, [&](RateLimit& limit) {
      if (!limit.allows(now)) until = std::max(until.value_or(now), limit.ready_at());
    });
    return until;
  }
  /// The same for everybody together: nothing means that it depends on whom it is about.
  [[nodiscard]] std::optional<TimePoint> all_wait_until(Direction direction, TimePoint now) {
    if (lan_exempt_) return std::nullopt;
    for (Limit& limit : limits_) {
      if (limit.rule.swarm || limit.rule.device) continue;
      RateLimit& bucket = direction == Direction::kUp ? limit.up : limit.down;
      if (!bucket.allows(now)) return bucket.ready_at();
    }
    return std::nullopt;
  }
  /// Takes off what goes; what was spent and did not go comes back.
  void spend(Direction direction, const PeerSession& session, std::uint64_t bytes) {
    for_each(direction, session, [bytes](RateLimit& limit) { limit.spend(bytes); });
  }
  void refund(Direction direction, const PeerSession& session, std::uint64_t bytes) {
    for_each(direction, session, [bytes](RateLimit& limit) { limit.refund(bytes); });
  }
  /// The lowest rate; nothing: no limit.
  [[nodiscard]] std::optional<std::uint64_t> rate(Direction direction, const PeerSession& session) {
    std::optional<std::uint64_t> lowest;
    for_each(direction, session, [&](const RateLimit& limit) {
      if (limit.rate() > 0) lowest = std::min(lowest.value_or(limit.rate()), limit.rate());
    });
    return lowest;
  }

 private:
  struct Limit {
    LimitRule rule;
    RateLimit up{0}, down{0};
  };

  template <class F>
  void for_each(Direction direction, const PeerSession& session, F&& f) {
    for (Limit& limit : limits_) {
      const LimitRule& rule = limit.rule;
      const bool about = (!rule.swarm || *rule.swarm == session.swarm) &&
                         (!rule.device || *rule.device == session.device);
      const bool exempt = lan_exempt_ && session.lan && !rule.device;
      if (about && !exempt) f(direction == Direction::kUp ? limit.up : limit.down);
    }
  }

  std::vector<Limit> limits_;
  bool lan_exempt_ = false;
};

}  // namespace kith::transfer
