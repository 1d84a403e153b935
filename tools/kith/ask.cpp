#include "tools/kith/ask.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <string_view>
#include <utility>

#include "node/api/routes.hpp"
#include "tools/kith/background.hpp"
#include "tools/kith/client.hpp"
#include "tools/kith/fields.hpp"

namespace kith::cli {
namespace {

using node::Json;

constexpr int kRepetitions = 20;

/// How the command line calls an argument of the API. No command: any.
struct Word {
  std::string_view command, key, word;
};
constexpr std::array kWords{Word{"fetch", "name", "--as"},
                            Word{"fetch", "directory", "--output"},
                            Word{"fetch", "part", "--path"},
                            Word{"read", "share", "LINK"},
                            Word{"swarm-create", "name", "NAME"},
                            Word{"", "chunking", "--chunking"},
                            Word{"", "device", "--peer"},
                            Word{"", "device_name", "--name"},
                            Word{"", "exclude", "--exclude"},
                            Word{"", "invite", "INVITE"},
                            Word{"", "lan_exempt", "--lan-exempt"},
                            Word{"", "link", "LINK"},
                            Word{"", "name", "--name"},
                            Word{"", "path", "PATH"},
                            Word{"", "reuse", "--reuse"},
                            Word{"", "role", "--role"},
                            Word{"", "share", "ID"},
                            Word{"", "swarm", "--swarm"},
                            Word{"", "uses", "--uses"}};

/// What the API says of an argument, as who typed it knows it.
Error in_words(const Question& question, Error error) {
  if (error.code != Errc::kUsage) return error;
  const auto at = std::ranges::find_if(kWords, [&](const Word& word) {
    return error.subject == word.key && (word.command.empty() || word.command == question.command);
  });
  if (at != kWords.end()) error.subject = at->word;
  return error;
}

/// What became of one attempt.
struct Attempt {
  Json last;              // the last line, if it came
  std::string last_text;  // as it came
  CallEnd end = CallEnd::kLost;
};

void on_line(Output& out, Attempt& attempt, std::string_view text) {
  Json line = Json::parse(text, nullptr, false);
  const std::string event = line.is_object() ? raw(line, "event") : std::string();
  if (event == "done" || event == "error") {
    attempt.last = std::move(line);
    attempt.last_text = text;
    return;
  }
  out.json_line(text);
  if (event == "progress") out.progress(line);
  if (event == "bad-entry") out.note(cli::text(line, "path") + ": " + cli::text(line, "what"));
}

Result<Attempt> attempt(Context& context, const Question& question, const NodeAccess& access) {
  Attempt out;
  const std::string arguments =
      question.arguments.dump(-1, ' ', false, Json::error_handler_t::replace);
  KITH_TRY(out.end,
           call(
               access.connection, question.command, arguments, context.signals.fd(),
               [&](std::string_view line) { on_line(context.out, out, line); }, question.on_data));
  return out;
}

/// The node ended before it answered, or said that it is about to end.
bool node_ended(const Attempt& attempt) {
  return attempt.end == CallEnd::kLost || raw(attempt.last, "code") == "closed";
}

Answer failed(Context& context, const Question& question, const Error& error) {
  Answer out;
  const bool signal = error.code == Errc::kCancelled;
  out.exit = signal ? interrupted(context, question.hint_if_interrupted) : context.out.fail(error);
  return out;
}

Answer finished(Context& context, const Question& question, Attempt attempt, NodeAccess access) {
  if (attempt.end == CallEnd::kSignal) {
    access.connection.reset();
    return failed(context, question, local_error(Errc::kCancelled, {}));
  }
  if (!attempt.last.is_object()) {
    return failed(context, question,
                  local_error(Errc::kClosed, "the node ended before it answered", context.home,
                              "kith start begins one"));
  }
  context.out.json_line(attempt.last_text);
  Answer out;
  if (raw(attempt.last, "event") == "error") {
    out.exit = context.out.fail(attempt.last);
    return out;
  }
  out.done = std::move(attempt.last);
  out.own = std::move(access.own);
  return out;
}

}  // namespace

Answer ask(Context& context, const Question& question) {
  const auto valid = node::parse_request(question.command, question.arguments);
  if (!valid) return failed(context, question, in_words(question, valid.error()));
  bool started = false;
  if (question.in_background) {
    const auto ready = ensure_background(context);
    if (!ready) return failed(context, question, ready.error());
    started = *ready;
  }
  for (int repetition = 0;; ++repetition) {
    const bool running = question.needs_running_node || question.of_own_node;
    auto access = running ? reach_running_node(context) : reach_node(context);
    if (!access) return failed(context, question, access.error());
    const bool heard = access->own || started || question.of_own_node;  // of the options
    if (const auto none = check_no_node_option(context.node); !heard && !none) {
      return failed(context, question, none.error());
    }
    auto result = attempt(context, question, *access);
    if (!result) return failed(context, question, result.error());
    const bool again = node_ended(*result) && !access->own && !question.of_own_node &&
                       question.repeatable && access->kind == HolderKind::kCommand &&
                       repetition < kRepetitions;
    if (!again) return finished(context, question, std::move(*result), std::move(*access));
    if (question.on_repeat) question.on_repeat();
    context.out.detail("the command that ran the node has ended: going on without it");
  }
}

int ask_and_print(Context& context, const Question& question, Print print, Verdict verdict) {
  const Answer answer = ask(context, question);
  if (answer.exit != 0) return answer.exit;
  if (!context.out.options().json) print(context.out, answer.done);
  return verdict == nullptr ? 0 : verdict(answer.done);
}

int interrupted(Context& context, const char* hint) {
  (void)context.signals.take();
  const int code = exit_code_of_signal(context.signals.taken().value_or(SIGINT));
  const std::string name = code == 130 ? "interrupted" : "terminated";
  Json line;
  line["v"] = 1;
  line["event"] = "error";
  line["code"] = name;
  line["exit"] = code;
  line["what"] = name;
  line["subject"] = "";
  line["hint"] = hint;
  context.out.json_line(node::dump_line(line));
  return context.out.fail(line);
}

int finish_output(Context& context) {
  const auto written = context.out.flush();
  if (written) return 0;
  return context.out.was_interrupted() ? interrupted(context) : context.out.fail(written.error());
}

}  // namespace kith::cli
