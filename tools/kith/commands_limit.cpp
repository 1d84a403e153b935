#include <memory>

#include "tools/kith/ask.hpp"
#include "tools/kith/commands.hpp"
#include "tools/kith/fields.hpp"
#include "tools/kith/print.hpp"
#include "tools/kith/units.hpp"

namespace kith::cli {
namespace {

using node::Json;

struct LimitOptions {
  std::string rate;
  std::string swarm;
  std::string peer;
  std::string lan_exempt;
  bool up = false;
  bool down = false;
};

Result<Json> limit_arguments(const LimitOptions& options) {
  Json out = Json::object();
  const bool about = options.up || options.down || !options.swarm.empty() || !options.peer.empty();
  if (options.rate.empty() && about) {
    return local_error(Errc::kUsage, "a RATE is missing", {}, "as 10MB/s; none lifts the limit");
  }
  if (!options.rate.empty()) {
    KITH_TRY(const std::uint64_t rate, parse_rate(options.rate));
    if (options.up || !options.down) out["up"] = rate;
    if (options.down || !options.up) out["down"] = rate;
  }
  if (!options.swarm.empty()) out["swarm"] = options.swarm;
  if (!options.peer.empty()) out["device"] = options.peer;
  if (!options.lan_exempt.empty()) out["lan_exempt"] = options.lan_exempt;
  return Result<Json>(boost::system::in_place_value, std::move(out));
}

/// Setting this much in `direction` changes nothing where the limit of the settings is lower.
bool is_above(const Json& setting, const Json& arguments, const char* direction) {
  if (!arguments.contains(direction)) return false;
  const std::uint64_t wanted = number(arguments, direction), holds = number(setting, direction);
  return holds > 0 && (wanted == 0 || wanted > holds);
}

/// Which limit still holds though another was lifted or raised, and how to lift that.
void say_what_still_holds(Output& out, const Json& arguments, const Json& done) {
  for (const Json& limit : items(done, "limits")) {
    if (!flag(limit, "setting")) continue;
    if (!is_above(limit, arguments, "up") && !is_above(limit, arguments, "down")) continue;
    out.note("the limit of the settings, or of --limit, still holds: " +
             format_rate(number(limit, "up")) +
             " in each direction; kith config limit none lifts it");
  }
}

int limit(Context& context, const LimitOptions& options) {
  const auto arguments = limit_arguments(options);
  if (!arguments) return context.out.fail(arguments.error());
  const Answer answer = ask(context, Question{"limits", *arguments});
  if (answer.exit != 0 || context.out.options().json) return answer.exit;
  print_limits(context.out, answer.done);
  say_what_still_holds(context.out, *arguments, answer.done);
  return 0;
}

}  // namespace

void add_limit_command(const Commands& commands) {
  const auto options = std::make_shared<LimitOptions>();
  CLI::App* command =
      commands.add(commands.app, "limit", "Show or set how fast this device sends and receives",
                   [options](Context& context) { return limit(context, *options); });
  command->add_option("RATE", options->rate, "As 200MB/s, 10MiB/s, 800k; none lifts it");
  command->add_flag("--up", options->up, "Only what it sends");
  command->add_flag("--down", options->down, "Only what it receives");
  command->add_option("--swarm", options->swarm, "Only with this swarm")->option_text("SWARM");
  command->add_option("--peer", options->peer, "Only with this device, by name or id")
      ->option_text("DEVICE");
  command
      ->add_option("--lan-exempt", options->lan_exempt,
                   "Whether devices on the local network are free of limits that name no device")
      ->option_text("yes|no");
}

}  // namespace kith::cli
