#include <memory>

#include "tools/kith/ask.hpp"
#include "tools/kith/commands.hpp"
#include "tools/kith/fields.hpp"
#include "tools/kith/print.hpp"
#include "tools/kith/qr.hpp"
#include "tools/kith/serve.hpp"
#include "tools/kith/settings.hpp"
#include "tools/kith/units.hpp"

namespace kith::cli {
namespace {

using namespace std::chrono_literals;
using node::Json;

void add_swarm_option(CLI::App& command, std::string& swarm) {
  command.add_option("--swarm", swarm, "Its name or id; not needed where there is only one")
      ->option_text("SWARM");
}

Json swarm_argument(const std::string& swarm) {
  Json out = Json::object();
  if (!swarm.empty()) out["swarm"] = swarm;
  return out;
}

// --- swarm create, list, members, leave ---

void add_create(const Commands& commands, CLI::App& group) {
  const auto name = std::make_shared<std::string>();
  CLI::App* command = commands.add(group, "create", "Make a swarm; this device becomes its admin",
                                   [name](Context& context) {
                                     Question question{"swarm-create"};
                                     question.arguments["name"] = *name;
                                     question.repeatable = false;
                                     return ask_and_print(context, question, print_swarm_created);
                                   });
  command->add_option("NAME", *name, "What members call it")->required();
}

void add_about_one(const Commands& commands, CLI::App& group, const char* name,
                   const char* api_name, const char* summary, Print print) {
  const auto swarm = std::make_shared<std::string>();
  CLI::App* command =
      commands.add(group, name, summary, [swarm, api_name, print](Context& context) {
        return ask_and_print(context, {api_name, swarm_argument(*swarm)}, print);
      });
  add_swarm_option(*command, *swarm);
}

void print_left(Output& out, const Json&) { out.note("left the swarm"); }

void add_leave(const Commands& commands, CLI::App& group) {
  const auto swarm = std::make_shared<std::string>();
  const auto force = std::make_shared<bool>(false);
  CLI::App* command =
      commands.add(group, "leave", "Leave a swarm", [swarm, force](Context& context) {
        Question question{"swarm-leave", swarm_argument(*swarm)};
        if (*force) question.arguments["force"] = true;
        return ask_and_print(context, question, print_left);
      });
  add_swarm_option(*command, *swarm);
  command->add_flag("--force", *force, "Also as the only admin of others");
}

// --- swarm invite ---

struct InviteOptions {
  std::string swarm;
  std::string role;
  std::uint32_t uses = 1;
  std::string expires;
  bool qr = false;
  bool detach = false;
};

Result<Json> invite_arguments(const InviteOptions& options) {
  Json out = swarm_argument(options.swarm);
  if (!options.role.empty()) out["role"] = options.role;
  out["uses"] = options.uses;
  if (!options.expires.empty()) {
    KITH_TRY(const auto lifetime, parse_span(options.expires, 1min, 366 * 24h));
    out["lifetime_ms"] = lifetime.count();
  }
  return Result<Json>(boost::system::in_place_value, std::move(out));
}

int invite(Context& context, const InviteOptions& options) {
  auto arguments = invite_arguments(options);
  if (!arguments) return context.out.fail(arguments.error());
  Question question{"swarm-invite", std::move(*arguments)};
  question.repeatable = false;
  question.in_background = options.detach;
  return ask_and_serve(context, question, [&](Output& out, const Json& done) {
    print_invite(out, done);
    if (options.qr) print_qr(out, raw(done, "invite"));
  });
}

void add_invite(const Commands& commands, CLI::App& group) {
  const auto options = std::make_shared<InviteOptions>();
  CLI::App* command =
      commands.add(group, "invite", "Make an invite, and print it",
                   [options](Context& context) { return invite(context, *options); });
  add_swarm_option(*command, options->swarm);
  command->add_option("--role", options->role, "admin, member (default) or reader")
      ->option_text("ROLE");
  command->add_option("--uses", options->uses, "How many devices may join with it (default 1)")
      ->option_text("N");
  command->add_option("--expires", options->expires, "For how long, as 90s, 5m, 24h (default), 7d")
      ->option_text("SPAN");
  command->add_flag("--qr", options->qr, "Show it as a QR code, too");
  command->add_flag("--detach", options->detach, "Leave serving to a node in the background");
}

// --- join ---

struct JoinOptions {
  std::string invite;
  std::string name;
  std::string timeout;
};

Result<Json> join_arguments(const JoinOptions& options) {
  Json out = Json::object();
  KITH_TRY(const std::string invite, text_or_stdin(options.invite));
  out["invite"] = invite;
  if (!options.name.empty()) out["device_name"] = options.name;
  if (!options.timeout.empty()) {
    KITH_TRY(const auto patience, parse_span(options.timeout, 1s, 24h));
    out["patience_ms"] = patience.count();
  }
  return Result<Json>(boost::system::in_place_value, std::move(out));
}

int join(Context& context, const JoinOptions& options) {
  auto arguments = join_arguments(options);
  if (!arguments) return context.out.fail(arguments.error());
  return ask_and_print(context, {"join", std::move(*arguments)}, print_joined);
}

}  // namespace

void add_swarm_commands(const Commands& commands) {
  CLI::App& group = *commands.add_group("swarm", "Private groups of devices");
  add_create(commands, group);
  commands.add(group, "list", "The swarms of this device", [](Context& context) {
    return ask_and_print(context, {"swarm-list"}, print_swarms);
  });
  add_about_one(commands, group, "members", "swarm-members", "The devices of a swarm",
                print_members);
  add_invite(commands, group);
  add_leave(commands, group);

  const auto options = std::make_shared<JoinOptions>();
  CLI::App* command = commands.add(commands.app, "join", "Join a swarm by an invite",
                                   [options](Context& context) { return join(context, *options); });
  command->add_option("INVITE", options->invite, "kith:invite/…, or - for standard input")
      ->required();
  command->add_option("--name", options->name, "What members call this device")
      ->option_text("NAME");
  command->add_option("--timeout", options->timeout, "How long to try (default 30s)")
      ->option_text("SPAN");
}

}  // namespace kith::cli
