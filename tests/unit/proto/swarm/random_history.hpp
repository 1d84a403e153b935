// Random histories of a swarm: operations by several admins on random parents, most of them legal,
// some not. Driven by a source of numbers, so that a generator or a fuzzer can be one.
#pragma once

#include <set>

#include "tests/unit/proto/swarm/maker.hpp"

namespace kith::test {

/// `Source` has pick(n): a number in [0, n).
template <class Source>
class RandomHistory {
 public:
  /// A fierce one has little but admins who remove and demote each other at the same time.
  RandomHistory(Source& source, const Maker& maker, bool fierce = false)
      : source_(source), make_(maker), fierce_(fierce) {
    ids_.push_back(maker.genesis().id);
    epochs_.push_back({maker.genesis().id, 1});
  }

  /// Some operation. Call accepted() if it turned out valid, so that others may follow it.
  Op next() {
    const std::size_t author = source_.pick(make_.devices());
    return make_.make(author, parents(), body(author));
  }

  void accepted(const Op& op) {
    ids_.push_back(op.id);
    if (op.epoch() != nullptr) epochs_.push_back({op.id, op.epoch()->number});
  }

  /// Now and then something hangs from an invalid operation.
  void refused(const Op& op) {
    if (source_.pick(200) == 0) ids_.push_back(op.id);
  }

 private:
  struct Epoch {
    OpId id;
    std::uint32_t number;
  };

  // Mostly near the end, so that branches are short but many.
  std::vector<OpId> parents() {
    std::set<OpId> out;
    const std::size_t count = 1 + source_.pick(3);
    const std::size_t near = fierce_ ? 12 : 6;
    const bool far = source_.pick(4) == 0 || ids_.size() < near;
    const std::size_t window = far ? ids_.size() : near;
    for (std::size_t i = 0; i < count; ++i) {
      out.insert(ids_[ids_.size() - 1 - source_.pick(window)]);
    }
    return {out.begin(), out.end()};
  }

  OpId epoch() { return epochs_[source_.pick(epochs_.size())].id; }

  EpochInfo new_epoch() {
    const Epoch a = epochs_[source_.pick(epochs_.size())];
    const Epoch b = epochs_[source_.pick(epochs_.size())];
    std::vector<OpId> from = {a.id};
    if (b.id != a.id && source_.pick(2) == 0) from.push_back(b.id);
    const auto highest = from.size() == 2 ? std::max(a.number, b.number) : a.number;
    return epoch_info(highest + 1, std::move(from));
  }

  Role role() {
    // Half of them admins: they are what makes histories interesting.
    return source_.pick(2) == 0 ? Role::kAdmin : static_cast<Role>(source_.pick(4));
  }

  OpBody body(std::size_t author) {
    const std::size_t device = source_.pick(make_.devices());
    const auto invite = static_cast<std::uint8_t>(1 + source_.pick(4));
    const std::size_t kind =
        fierce_ && source_.pick(4) > 0 ? 5 + source_.pick(5) : source_.pick(16);
    switch (kind) {
      case 0:
      case 1:
      case 2:
      case 3:
        return make_.add(device, role(), epoch());
      case 4: {
        auto add = make_.add_by(device, invite % 2 == 0 ? Role::kAdmin : Role::kMember, invite);
        add.epoch = epoch();
        return add;
      }
      case 5:
      case 6:
      case 7:
        if (device == author) return make_.leave(author);
        return RemoveBody{make_.id(device), new_epoch()};
      case 8:
        return make_.set_role(device, role());
      case 9:
        return SetRoleBody{make_.id(device), Role::kMirror, std::nullopt, new_epoch()};
      case 10:
        return SetRoleBody{make_.id(device), role(), SetRoleBody::Given{epoch(), pattern<Wrap>(9)},
                           std::nullopt};
      case 11:
        return EpochBody{new_epoch()};
      case 12:
        return WrapBody{make_.id(device), epoch(), pattern<Wrap>(8)};
      case 13:
        return make_.invite(invite, invite % 2 == 0 ? Role::kAdmin : Role::kMember,
                            invite > 2 ? 2 : 1);
      case 14:
        return RevokeInviteBody{Maker::invite_key(invite)};
      default: {
        const auto box = pattern<NameBox>(static_cast<std::uint8_t>(source_.pick(256)));
        if (source_.pick(4) == 0) return RenameBody{std::nullopt, epoch(), box};
        return RenameBody{make_.id(device), epoch(), box};
      }
    }
  }

  Source& source_;
  const Maker& make_;
  bool fierce_;
  std::vector<OpId> ids_;
  std::vector<Epoch> epochs_;
};

}  // namespace kith::test
