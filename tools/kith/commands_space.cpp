#include <memory>

#include "tools/kith/ask.hpp"
#include "tools/kith/commands.hpp"
#include "tools/kith/print.hpp"
#include "tools/kith/units.hpp"

namespace kith::cli {
namespace {

using node::Json;

Result<Json> quota_arguments(const std::string& size) {
  Json out = Json::object();
  if (!size.empty()) {
    KITH_TRY(out["bytes"], parse_size(size));
  }
  return Result<Json>(boost::system::in_place_value, std::move(out));
}

int quota(Context& context, const std::string& size) {
  auto arguments = quota_arguments(size);
  if (!arguments) return context.out.fail(arguments.error());
  return ask_and_print(context, Question{"quota", std::move(*arguments)}, print_quota);
}

int collect_garbage(Context& context, bool dry_run) {
  Json arguments = Json::object();
  arguments["dry_run"] = dry_run;
  return ask_and_print(context, Question{"gc", std::move(arguments)}, print_garbage);
}

}  // namespace

void add_space_commands(const Commands& commands) {
  const auto size = std::make_shared<std::string>();
  CLI::App* command =
      commands.add(commands.app, "quota", "Show or set what fetched copies may take",
                   [size](Context& context) { return quota(context, *size); });
  command->add_option("SIZE", *size, "As 500GB, 20GiB; none lifts it");

  const auto dry_run = std::make_shared<bool>(false);
  command =
      commands.add(commands.app, "gc", "Free what nothing needs any more",
                   [dry_run](Context& context) { return collect_garbage(context, *dry_run); });
  command->add_flag("--dry-run", *dry_run, "Only say what would be freed");
}

}  // namespace kith::cli
