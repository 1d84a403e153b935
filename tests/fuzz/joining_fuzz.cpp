// A device that joins by an invite, and the one that answers says what the input says: answers of
// every state with secrets that are right or not, the roster in any order, other frames, bytes,
// time. It joins only if the roster lets it in, gives an answer in any case, and keeps its
// invariants.
#include <cstdint>

#include "proto/assert.hpp"
#include "proto/swarm/author.hpp"
#include "tests/fuzz/script.hpp"
#include "tests/unit/node/engine/support.hpp"

namespace {

using namespace kith;
using namespace kith::node;
using namespace kith::node::test;

const Endpoint kIssuerAt = Endpoint::v4({10, 0, 0, 9}, 5484);

class Harness {
 public:
  explicit Harness(Bytes input) : input_(input) {
    KITH_ASSERT(roster_.add(swarm_.genesis.encoded));
    NewInvite made = make_invite(author(), Role::kMember, 1, UnixMillis(1LL << 60)).value();
    KITH_ASSERT(roster_.add(made.op.encoded));
    invite_ = made.invite;
    invite_.hints = {kIssuerAt};
    request_ = node_.begin(Join{invite_, "a device", std::chrono::seconds(30)});
  }

  void run() {
    for (int i = 0; i < 48 && !input_.empty(); ++i) {
      if (!issuer_ || issuer_->wire().is_closed()) answer_dial();
      step();
    }
    if (issuer_) issuer_->wire().cut();
    node_.pass(std::chrono::minutes(3));
    node_.engine().check_invariants();
    const Result<Done>* answer = node_.answer(request_);
    KITH_ASSERT(answer != nullptr);
    KITH_ASSERT(!*answer || let_in_);
  }

 private:
  std::uint8_t byte() { return input_.byte(); }
  Buffer bytes() {
    const std::size_t wanted = byte();
    return to_buffer(input_.take(wanted));
  }
  Author author() { return {issuer_keys_, roster_, swarm_.keys, node_.rng()}; }

  void answer_dial() {
    while (!node_.dials.empty() && node_.is_closed(node_.dials.front().conn)) {
      node_.dials.pop_front();
    }
    if (node_.dials.empty()) return node_.pass(std::chrono::seconds(1));
    issuer_.emplace(Wire::answer(node_), issuer_keys_);
    if (!issuer_->answer(invite_psk(invite_j(invite_.seed)), FirstKey::kInvite)) {
      issuer_->wire().cut();
      return issuer_.reset();
    }
    if (const auto frame = issuer_->first_of(FrameType::kJoin)) join_ = decoded<JoinFrame>(*frame);
  }

  void step() {
    const std::uint8_t what = byte() % 8;
    if (what == 0) return node_.pass(std::chrono::milliseconds(100) * byte());
    if (!issuer_ || issuer_->wire().is_closed()) return;
    switch (what) {
      case 1:
        return let_in();
      case 2:
        return say_secrets();
      case 3:
        return say_roster();
      case 4:
        return say_other();
      case 5: {
        Buffer frame = {byte()};
        append(frame, bytes());
        return issuer_->send(frame);
      }
      case 6:
        return issuer_->wire().write(bytes());
      default:
        return issuer_->wire().cut();
    }
  }

  void let_in() {
    if (let_in_ || !join_) return;
    const AddBody::ByInvite by{*SignPublic::from(join_->invite.view()),
                               *Signature::from(join_->signature.view())};
    const auto binding = DeviceBinding::decode(join_->binding).value();
    const Op add = make_add(author(), binding, Role::kMember, join_->name, by).value();
    KITH_ASSERT(roster_.add(add.encoded));
    let_in_ = true;
  }

  void say_secrets() {
    if (!join_) return;
    const std::uint8_t wrong = byte();
    JoinAnswerFrame answer;
    answer.state = JoinAnswerFrame::State::kIn;
    Secret group = swarm_.keys.group();
    EpochSecrets epoch = *swarm_.keys.find(roster_.state().current_epoch);
    if ((wrong & 1) != 0) node_.rng().fill(group.mutable_view());
    if ((wrong & 2) != 0) epoch = EpochSecrets::generate(node_.rng());
    const auto binding = DeviceBinding::decode(join_->binding).value();
    answer.secrets = seal_join_secrets(binding, Role::kMember, group, epoch, node_.rng());
    issuer_->send(answer.encode());
  }

  void say_roster() {
    RosterOpsFrame ops;
    const std::uint8_t order = byte();
    ops.more = (order & 1) != 0;
    for (OpIndex i = 0; i < roster_.size(); ++i) {
      if ((order & (2U << (i & 3))) == 0) ops.ops.push_back(to_buffer(roster_.op(i).encoded));
    }
    if ((order & 128) != 0) std::reverse(ops.ops.begin(), ops.ops.end());
    issuer_->send(ops.encode());
  }

  void say_other() {
    const std::uint8_t what = byte();
    JoinAnswerFrame answer;
    answer.state = what % 2 == 0 ? JoinAnswerFrame::State::kWaiting : answer.state;
    if (what % 2 == 0) answer.waiting_for = DeviceId{};
    answer.reason = what % 2 == 0 ? "" : "no";
    issuer_->send(answer.encode());
  }

  Script input_;
  Node node_{2};
  DeviceKeys issuer_keys_ = DeviceKeys::generate(node_.rng());
  NewSwarm swarm_ = create_swarm(issuer_keys_, "swarm", "issuer", node_.rng()).value();
  Roster roster_{swarm_.id};
  Invite invite_;
  RequestId request_{};
  std::optional<Device> issuer_;
  std::optional<JoinFrame> join_;
  bool let_in_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Harness(Bytes(data, size)).run();
  return 0;
}
