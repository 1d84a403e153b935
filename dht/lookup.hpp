// One iterative lookup: asks ever nearer nodes until the k nearest that live have answered. A value
// without I/O: the caller sends what next_requests() names and reports what became of it.
//
// Candidates are kept sorted by distance. Of the k nearest that are not given up, up to alpha are
// waited for at a time; a nearer one that a reply brings is asked at once, whatever is under way
// farther off. A *slow* candidate gives its place to the next, but its late answer still counts.
// It is done when the k nearest that are neither slow nor failed have answered, or nobody is left.
// Sources: Kademlia (2002); Jimenez et al. (2011) for asking at the top of the list.
#pragma once

#include <vector>

#include "dht/metric.hpp"
#include "proto/limits.hpp"
#include "proto/wire/krpc.hpp"

namespace kith::dht {

class Lookup {
 public:
  /// `diverse`: at most one candidate per /24 or /64 (public network).
  Lookup(const NodeId& target, const NodeId& self, bool diverse)
      : target_(target), self_(self), diverse_(diverse) {}

  /// Takes note of a node; the own id, repetitions and what is farther than a full list are left
  /// out.
  void add(const krpc::Node& node);
  /// Whom to ask now. They count as asked. Never more than alpha.
  [[nodiscard]] std::vector<krpc::Node> next_requests();

  /// `node` was asked and answered, with nodes that it knows and perhaps a write token.
  void on_reply(const krpc::Node& node, const std::vector<krpc::Node>& nodes, Bytes token);
  /// No answer from `node` within the soft timeout.
  void on_slow(const krpc::Node& node);
  /// `node` will not answer, or answered with an error.
  void on_failure(const krpc::Node& node);

  /// See above. Nobody need be asked after that, though late answers may still be reported.
  [[nodiscard]] bool done() const;
  /// How many candidates have answered.
  [[nodiscard]] std::size_t responders() const;

  struct Responder {
    krpc::Node node;
    Buffer token;  // may be empty
  };
  /// The k nearest that answered, nearest first.
  [[nodiscard]] std::vector<Responder> closest_responders() const;

  [[nodiscard]] const NodeId& target() const { return target_; }
  /// Asked and neither answered nor failed, slow ones included.
  [[nodiscard]] std::size_t waiting() const;
  void check_invariants() const;

 private:
  enum class State : std::uint8_t { kFresh, kAsked, kSlow, kReplied, kFailed };
  struct Candidate {
    krpc::Node node;
    State state = State::kFresh;
    Buffer token;
  };
  [[nodiscard]] Candidate* find(const krpc::Node& node);
  [[nodiscard]] bool is_nearer(const krpc::Node& a, const krpc::Node& b) const;
  [[nodiscard]] bool is_welcome(const krpc::Node& node) const;
  void trim();

  NodeId target_;
  NodeId self_;
  bool diverse_;
  std::vector<Candidate> candidates_;  // nearest first
};

}  // namespace kith::dht
