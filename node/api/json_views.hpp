// The parts of answers as JSON: what several kinds of lines have in common.
#pragma once

#include <vector>

#include "node/api/json.hpp"

namespace kith::node {

/// One object, with the members that docs/cli.md shows.
[[nodiscard]] Json view_json(const SwarmView& swarm);
[[nodiscard]] Json view_json(const MemberView& member);
[[nodiscard]] Json view_json(const ShareView& share);
[[nodiscard]] Json view_json(const LimitView& limit);
[[nodiscard]] Json view_json(const Garbage& garbage);
[[nodiscard]] Json view_json(const PeerView& peer);
[[nodiscard]] Json view_json(const DoctorCheck& check);
[[nodiscard]] Json view_json(const SourceView& source);
[[nodiscard]] Json view_json(const DamageView& damage);
[[nodiscard]] Json view_json(const ScrubView& scrub);
[[nodiscard]] Json view_json(const BadEntry& entry);
[[nodiscard]] Json view_json(const Totals& totals);

/// A list of such objects.
template <class View>
[[nodiscard]] Json views_json(const std::vector<View>& views) {
  Json out = Json::array();
  for (const View& view : views) out.push_back(view_json(view));
  return out;
}

}  // namespace kith::node
