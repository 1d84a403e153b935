#include <memory>
#include <poll.h>

#include "tools/kith/ask.hpp"
#include "tools/kith/background.hpp"
#include "tools/kith/client.hpp"
#include "tools/kith/commands.hpp"
#include "tools/kith/fields.hpp"
#include "tools/kith/print.hpp"

namespace kith::cli {
namespace {

using node::Json;

constexpr int kLockPauseMs = 20;
constexpr int kLockTries = 250;  // 5 s, as long as any command waits for a node
constexpr int kNodesSeen = 10;   // its holder writes its kind just after it has the lock

void add_node_options(CLI::App& command, NodeFlags& flags) {
  command
      .add_option("--listen", flags.listen,
                  "Where to listen, UDP and TCP (default: all addresses, 5484 or the port of the "
                  "last run)")
      ->option_text("HOST:PORT");
  command.add_option("--advertise", flags.advertise, "How others reach this device, for invites")
      ->option_text("HOST:PORT");
  command.add_option("--bootstrap", flags.bootstrap, "A device to ask first; may be repeated")
      ->option_text("HOST:PORT")
      ->allow_extra_args(false);
  add_limit_option(command, flags);
}

int say_error(Context& context, const Error& error) {
  return error.code == Errc::kCancelled ? interrupted(context) : context.out.fail(error);
}

void say_running(Context& context, const Json& status, const char* how) {
  std::string listen;
  for (const Json& address : items(status, "listen")) {
    if (address.is_string()) listen += (listen.empty() ? "" : ", ") + address.get<std::string>();
  }
  context.out.note("node " + short_id(status, "device") + " " + how + ", process " +
                   std::to_string(number(status, "pid")) + ", listens on " + escape(listen));
}

/// The answer of `start` and of a node's first line: its status under another event.
Json with_event(const Json& status, const char* event) {
  Json out;
  out["v"] = 1;
  out["event"] = event;
  for (const auto& [key, value] : status.items()) {
    if (key != "v" && key != "event") out[key] = value;
  }
  return out;
}

int start(Context& context) {
  const auto started = start_background(context);
  if (!started) return say_error(context, started.error());
  Json done = with_event(started->status, "done");
  done["already"] = started->already;
  context.out.json_line(node::dump_line(done));
  say_running(context, started->status, started->already ? "was running" : "started");
  return 0;
}

int stop(Context& context) {
  const auto holder = lock_holder(context.home);
  auto access = reach_running_node(context);
  if (!access) return say_error(context, access.error());
  std::string last;
  const auto end = call(access->connection, "stop", "{}", context.signals.fd(),
                        [&](std::string_view line) { last = line; });
  if (!end) return context.out.fail(end.error());
  const auto ended = wait_for_end(context, holder ? holder->pid : 0);
  if (!ended) return say_error(context, ended.error());
  context.out.json_line(node::dump_line(node::done_line()));
  context.out.note("the node has ended");
  return 0;
}

/// Takes the lock for as long as the node lives. A command that runs its own node is waited for, a
/// while; one node is not started beside another.
Result<node::UniqueFd> lock_for_node(const Context& context) {
  Holder holder;
  int nodes_seen = 0;
  for (int i = 0; i < kLockTries && nodes_seen < kNodesSeen; ++i) {
    KITH_TRY(auto lock, try_lock(context.home, HolderKind::kNode));
    if (lock) return std::move(*lock);
    holder = lock_holder(context.home).value_or(Holder{0, HolderKind::kCommand});
    nodes_seen = holder.kind == HolderKind::kNode ? nodes_seen + 1 : 0;
    pollfd wait{context.signals.fd(), POLLIN, 0};
    if (::poll(&wait, 1, kLockPauseMs) > 0) return local_error(Errc::kCancelled, "interrupted");
  }
  return local_error(Errc::kConflict, "a node of this home runs already",
                     "process " + std::to_string(holder.pid), "kith stop ends it");
}

Result<std::unique_ptr<OwnNode>> begin(const Context& context, bool background) {
  KITH_CHECK(make_home(context.home));
  KITH_TRY(auto lock, lock_for_node(context));
  KITH_TRY(auto options, runtime_options(context));
  options.log_to_stderr = !background;
  if (context.out.options().quiet) options.log_level = 0;
  return start_node(std::move(lock), std::move(options));
}

/// The first line of a node: its status, as the API gives it.
void say_ready(Context& context) {
  const auto access = reach_running_node(context);
  if (!access) return;
  (void)call(access->connection, "status", "{}", context.signals.fd(), [&](std::string_view line) {
    const Json status = Json::parse(line, nullptr, false);
    if (!status.is_object()) return;
    context.out.json_line(node::dump_line(with_event(status, "ready")));
    say_running(context, status, "runs");
  });
}

int run_node(Context& context, bool background) {
  auto own = begin(context, background);
  if (!own) return say_error(context, own.error());
  say_ready(context);
  if (background) context.out.leave_stdout();  // only the first line is read
  (void)(*own)->wait(context.signals);         // a signal is how a node is told to end: no failure
  own->reset();
  context.out.json_line(node::dump_line(node::done_line()));
  return 0;
}

}  // namespace

void add_node_commands(const Commands& commands) {
  const auto add = [&](const char* name, const char* summary, Action action) {
    return commands.add(commands.app, name, summary, std::move(action));
  };
  add_node_options(*add("start", "Start a node in the background", start), commands.node);
  add("stop", "End the node, and wait until it has ended", stop);
  add("status", "What the running node does", [](Context& context) {
    Question question{"status"};
    question.needs_running_node = true;
    question.repeatable = false;
    return ask_and_print(context, question, print_status);
  });
  add("doctor", "What is in the way of connections", [](Context& context) {
    return ask_and_print(context, {"doctor"}, print_doctor, doctor_verdict);
  });
  add("peers", "Known devices: how they are reached, or why not",
      [](Context& context) { return ask_and_print(context, {"peers"}, print_peers); });
  const auto background = std::make_shared<bool>(false);
  CLI::App* node = add("node", "Run the node in the foreground, until Ctrl-C",
                       [background](Context& context) { return run_node(context, *background); });
  add_node_options(*node, commands.node);
  node->add_flag("--background", *background)->group("");  // for `kith start`
}

}  // namespace kith::cli
