#include <memory>

#include "proto/text.hpp"
#include "tools/kith/ask.hpp"
#include "tools/kith/client.hpp"
#include "tools/kith/commands.hpp"
#include "tools/kith/home.hpp"
#include "tools/kith/node_access.hpp"
#include "tools/kith/resolve.hpp"
#include "tools/kith/settings.hpp"

namespace kith::cli {
namespace {

using node::Json;

struct ConfigOptions {
  std::string key;
  std::string value;
  bool has_value = false;
};

int show_all(Context& context, const Settings& settings) {
  Json done = node::done_line();
  done["config"] = settings.json();
  context.out.json_line(node::dump_line(done));
  for (const std::string_view key : Settings::keys()) {
    const auto value = settings.get(key);
    context.out.line(std::string(key) + " = " + (value ? escape(*value) : std::string()));
  }
  return 0;
}

Json one_setting(const Settings& settings, const std::string& key) {
  Json done = node::done_line();
  done["key"] = key;
  const auto at = settings.json().find(key);
  done["value"] = at == settings.json().end() ? Json() : *at;
  return done;
}

int show_one(Context& context, const Settings& settings, const std::string& key) {
  const auto value = settings.get(key);
  if (!value) return context.out.fail(value.error());
  context.out.json_line(node::dump_line(one_setting(settings, key)));
  context.out.result(*value);
  return 0;
}

/// What a running node can take up at once; false if it must be started anew for it.
bool tell(const Context& context, const Settings& settings, const std::string& key) {
  const auto access = reach_running_node(context);
  if (!access) return access.error().code == Errc::kClosed;  // nobody to tell
  Json arguments = Json::object();
  const bool is_scrub = key.starts_with("scrub");
  if (key == "limit") arguments["bytes_per_second"] = settings.limit();
  if (is_scrub) {
    arguments["bytes_per_second"] = settings.scrub_rate();
    arguments["every_ms"] = settings.scrub_every().count();
  }
  if (key != "limit" && !is_scrub) return false;
  bool done = false;
  const auto on_line = [&](std::string_view line) {
    done = line.find("\"event\":\"done\"") != std::string_view::npos;
  };
  (void)call(access->connection, is_scrub ? "scrub" : "limit", arguments.dump(),
             context.signals.fd(), on_line);
  return done;
}

Result<Settings> change(const Context& context, const ConfigOptions& options) {
  KITH_CHECK(make_home(context.home));
  KITH_TRY(const auto lock, lock_settings(context.home));
  KITH_TRY(Settings settings, Settings::load(context.home));
  KITH_CHECK(settings.set(options.key, options.value));
  KITH_CHECK(settings.save(context.home));
  return settings;
}

int set_one(Context& context, const ConfigOptions& options) {
  const auto settings = change(context, options);
  if (!settings) return context.out.fail(settings.error());
  const bool effective = tell(context, *settings, options.key);
  context.out.json_line(node::dump_line(one_setting(*settings, options.key)));
  if (!effective) context.out.note("takes effect when the node starts next: kith stop, kith start");
  return 0;
}

int config(Context& context, const ConfigOptions& options) {
  if (options.has_value) return set_one(context, options);
  const auto settings = Settings::load(context.home);
  if (!settings) return context.out.fail(settings.error());
  return options.key.empty() ? show_all(context, *settings)
                             : show_one(context, *settings, options.key);
}

}  // namespace

void add_config_command(const Commands& commands) {
  const auto options = std::make_shared<ConfigOptions>();
  CLI::App* command =
      commands.add(commands.app, "config", "Show or change the settings of this home",
                   [options](Context& context) { return config(context, *options); });
  command->add_option("KEY", options->key,
                      "listen, advertise, bootstrap, limit, min_free, device_name, lan, scrub, "
                      "scrub_rate, scrub_every");
  command
      ->add_option_function<std::string>(
          "VALUE",
          [options](const std::string& value) {
            options->value = value;
            options->has_value = true;
          },
          "Its new value; \"\" for the default")
      ->take_last();
}

}  // namespace kith::cli
