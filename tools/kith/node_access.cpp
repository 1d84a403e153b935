#include "tools/kith/node_access.hpp"

#include <array>
#include <chrono>
#include <poll.h>
#include <sys/eventfd.h>
#include <thread>
#include <unistd.h>
#include <utility>

#include "node/api/socket.hpp"
#include "tools/kith/resolve.hpp"
#include "tools/kith/settings.hpp"
#include "tools/kith/units.hpp"

namespace kith::cli {
namespace {

using Clock = std::chrono::steady_clock;
using node::UniqueFd;

constexpr auto kRetryTime = std::chrono::seconds(5);
constexpr auto kEndTime = std::chrono::seconds(60);
constexpr int kRetryPauseMs = 20;

Error interrupted() { return local_error(Errc::kCancelled, "interrupted"); }

/// A short pause; false if a signal came.
bool pause(const Signals& signals) {
  pollfd wait{signals.fd(), POLLIN, 0};
  return ::poll(&wait, 1, kRetryPauseMs) <= 0;
}

std::string first_of(const std::string& flag, const std::string& setting) {
  return flag.empty() ? setting : flag;
}

Result<std::optional<Endpoint>> endpoint_of(const std::string& text) {
  std::optional<Endpoint> out;
  if (text.empty()) return out;
  KITH_TRY(const auto found, resolve(text));
  out = found.front();
  return out;
}

/// Names that are not known now are left out: a node must start without a network, too.
Result<std::vector<Endpoint>> bootstrap_of(const Context& context, const Settings& settings) {
  const auto names = context.node.bootstrap.empty() ? settings.bootstrap() : context.node.bootstrap;
  std::vector<Endpoint> out;
  for (const std::string& name : names) {
    KITH_CHECK(check_peer_address(name));
    if (auto found = resolve(name)) {
      out.insert(out.end(), found->begin(), found->end());
    } else {
      context.out.note("left out: " + to_string(found.error()));
    }
  }
  return out;
}

Result<NodeAccess> start_own(const Context& context, UniqueFd lock) {
  NodeAccess access;
  KITH_TRY(auto options, runtime_options(context));
  KITH_TRY(access.own, start_node(std::move(lock), std::move(options)));
  KITH_TRY(access.connection, node::connect_api(context.home));
  access.kind = HolderKind::kCommand;
  return access;
}

}  // namespace

/// A thread that lets the node end as soon as the runtime does, and turns that into something to
/// poll for.
struct OwnNode::Watch {
  explicit Watch(OwnNode& node)
      : ended(::eventfd(0, EFD_CLOEXEC)), thread([this, &node] {
          node.end_with_runtime();
          const std::uint64_t one = 1;
          (void)!::write(ended.get(), &one, sizeof one);
        }) {}
  UniqueFd ended;
  std::thread thread;
};

OwnNode::OwnNode(UniqueFd lock, std::unique_ptr<node::Runtime> runtime)
    : lock_(std::move(lock)),
      runtime_(std::move(runtime)),
      watch_(std::make_unique<Watch>(*this)) {}

OwnNode::~OwnNode() {
  {
    const std::lock_guard guard(mutex_);
    if (runtime_) runtime_->stop();
  }
  watch_->thread.join();
}

void OwnNode::end_with_runtime() {
  runtime_->wait();
  const std::lock_guard guard(mutex_);
  runtime_.reset();
  lock_.reset();
}

std::optional<int> OwnNode::wait(Signals& signals) {
  for (;;) {
    std::array<pollfd, 2> wait{pollfd{signals.fd(), POLLIN, 0},
                               pollfd{watch_->ended.get(), POLLIN, 0}};
    (void)::poll(wait.data(), wait.size(), -1);
    if (const auto signal = signals.take()) return signal;
    if (wait[1].revents != 0) return {};
  }
}

Result<node::RuntimeOptions> runtime_options(const Context& context) {
  KITH_TRY(const Settings settings, Settings::load(context.home));
  node::RuntimeOptions out;
  out.home = context.home;
  KITH_TRY(out.listen, endpoint_of(first_of(context.node.listen, settings.text("listen"))));
  const std::string advertise = first_of(context.node.advertise, settings.text("advertise"));
  if (!advertise.empty()) KITH_CHECK(check_peer_address(advertise));
  KITH_TRY(out.advertise, endpoint_of(advertise));
  KITH_TRY(out.bootstrap, bootstrap_of(context, settings));
  out.limit = settings.limit();
  out.scrub = {settings.scrub_rate(), settings.scrub_every()};
  if (!context.node.limit.empty()) {
    KITH_TRY(out.limit, parse_rate(context.node.limit));
  }
  out.min_free = settings.min_free();
  out.device_name = settings.text("device_name");
  out.lan = settings.lan();
  out.log_level = context.out.options().verbose ? 3 : 2;
  return out;
}

Result<std::unique_ptr<OwnNode>> start_node(UniqueFd lock, node::RuntimeOptions options) {
  KITH_TRY(auto runtime, node::Runtime::start(std::move(options)));
  return std::make_unique<OwnNode>(std::move(lock), std::move(runtime));
}

Result<NodeAccess> reach_node(const Context& context) {
  KITH_CHECK(make_home(context.home));
  const auto deadline = Clock::now() + kRetryTime;
  for (;;) {
    KITH_TRY(auto lock, try_lock(context.home, HolderKind::kCommand));
    if (lock) return start_own(context, std::move(*lock));
    auto access = reach_running_node(context);
    // The holder may have ended since: then it is our turn.
    const bool again = !access && access.error().code == Errc::kClosed && Clock::now() < deadline;
    if (!again) return access;
  }
}

Result<NodeAccess> reach_running_node(const Context& context) {
  const auto deadline = Clock::now() + kRetryTime;
  for (;;) {
    const auto holder = lock_holder(context.home);
    if (!holder) {
      return local_error(Errc::kClosed, "no node is running", context.home,
                         "kith start begins one");
    }
    auto connection = node::connect_api(context.home);
    if (connection) return NodeAccess{nullptr, std::move(*connection), holder->kind};
    if (connection.error().code != Errc::kClosed) return connection.error();
    if (Clock::now() >= deadline) {
      return local_error(Errc::kTimeout, "the node does not answer",
                         "process " + std::to_string(holder->pid));
    }
    if (!pause(context.signals)) return interrupted();
  }
}

Result<void> wait_for_end(const Context& context, int pid) {
  const auto deadline = Clock::now() + kEndTime;
  for (;;) {
    const auto holder = lock_holder(context.home);
    if (!holder || holder->pid != pid) return {};
    if (Clock::now() >= deadline) {
      return local_error(Errc::kTimeout, "the node has not ended after a minute",
                         "process " + std::to_string(pid));
    }
    if (!pause(context.signals)) return interrupted();
  }
}

}  // namespace kith::cli
