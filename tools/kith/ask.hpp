// One command of the API, from its arguments to an exit code: checked here, sent to the node that
// the rule finds, its lines shown or passed on.
#pragma once

#include <memory>
#include <string>

#include "node/api/json.hpp"
#include "tools/kith/client.hpp"
#include "tools/kith/context.hpp"
#include "tools/kith/node_access.hpp"

namespace kith::cli {

struct Question {
  std::string command;  // as in the API
  node::Json arguments = node::Json::object();
  bool needs_running_node = false;
  /// Asks the node that this command runs already. When that ends, so does the command: somebody
  /// wanted that.
  bool of_own_node = false;
  /// A node in the background is started first, if none runs.
  bool in_background = false;
  /// If the node that was asked belonged to another command and ended with it, ask again: only for
  /// commands that may be carried out twice.
  bool repeatable = true;
  /// Gets the bytes that come with the answer; on_repeat: from the first one on again.
  OnData on_data = {};
  std::function<void()> on_repeat = {};
  /// What to do after a signal ended it.
  const char* hint_if_interrupted = "";
};

struct Answer {
  int exit = 0;  // of an error; 0 if `done` holds the answer
  node::Json done;
  std::unique_ptr<OwnNode> own;  // the node that was started for this question, still running
};

/// Errors have been said when this returns. A signal ends it: 130 or 143, and the node, if it is
/// another's, drops the command.
[[nodiscard]] Answer ask(Context& context, const Question& question);

/// The same, for commands that are over with their answer: `print` shows it to people, `verdict`
/// may turn it into another exit code.
using Print = void (*)(Output&, const node::Json&);
using Verdict = int (*)(const node::Json&);
[[nodiscard]] int ask_and_print(Context& context, const Question& question, Print print,
                                Verdict verdict = nullptr);

/// Says that a signal ended the command, and what to do next; its exit code.
int interrupted(Context& context, const char* hint = "");

/// Writes what is still to be written to stdout; the exit code of a failure, which has been said: 0
/// if there was none.
[[nodiscard]] int finish_output(Context& context);

}  // namespace kith::cli
