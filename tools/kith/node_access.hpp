// The one rule for the node. A command tries the lock of the home: held by another process, it is a
// client of that node; gained, it starts the same node in its own process and is its client just
// the same. Such a node ends with the command.
#pragma once

#include <memory>
#include <mutex>
#include <optional>

#include "node/api/unique_fd.hpp"
#include "node/runtime.hpp"
#include "proto/result.hpp"
#include "tools/kith/context.hpp"
#include "tools/kith/home.hpp"

namespace kith::cli {

/// A node that runs in this process, with the lock that it holds. Ends in order when it dies. Where
/// `kith stop` ends it, the lock is free at once, whatever this process is waiting for.
class OwnNode {
 public:
  OwnNode(node::UniqueFd lock, std::unique_ptr<node::Runtime> runtime);
  ~OwnNode();
  OwnNode(const OwnNode&) = delete;
  OwnNode& operator=(const OwnNode&) = delete;
  /// Waits until a signal comes, which is returned, or the node has ended by itself.
  [[nodiscard]] std::optional<int> wait(Signals& signals);

 private:
  void end_with_runtime();
  node::UniqueFd lock_;
  std::mutex mutex_;  // of runtime_, which goes in the thread that watches it
  std::unique_ptr<node::Runtime> runtime_;
  struct Watch;
  std::unique_ptr<Watch> watch_;
};

/// What the node in this process is told, from the settings of the home and the command's options.
/// Looks names up. Errors name the option or the setting.
[[nodiscard]] Result<node::RuntimeOptions> runtime_options(const Context& context);

/// Starts a node in this process. The caller has the lock.
[[nodiscard]] Result<std::unique_ptr<OwnNode>> start_node(node::UniqueFd lock,
                                                          node::RuntimeOptions options);

struct NodeAccess {
  std::unique_ptr<OwnNode> own;  // nothing: another process has it
  node::UniqueFd connection;     // to its API
  HolderKind kind = HolderKind::kNode;
};

/// Applies the rule. While another process holds the lock and does not answer (it is just starting,
/// or just ending), tries again for 5 s. kCancelled if a signal came meanwhile, which is not taken.
[[nodiscard]] Result<NodeAccess> reach_node(const Context& context);

/// Only a node that runs already, in whichever process; kClosed (exit 3) otherwise. The same 5 s.
[[nodiscard]] Result<NodeAccess> reach_running_node(const Context& context);

/// Waits until `pid` no longer holds the lock of the home. kTimeout after a minute, kCancelled on a
/// signal.
[[nodiscard]] Result<void> wait_for_end(const Context& context, int pid);

}  // namespace kith::cli
