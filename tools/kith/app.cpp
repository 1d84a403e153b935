#include "tools/kith/app.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <string>
#include <string_view>
#include <unistd.h>

#include "tools/kith/ask.hpp"
#include "tools/kith/commands.hpp"
#include "tools/kith/home.hpp"

namespace kith::cli {
namespace {

constexpr std::size_t kStdinMax = 64 * 1024;
constexpr const char* kEverywhere =
    "Everywhere: --home DIR, --json, -q, -v, --no-color, --version, --help";

struct Common {
  std::string home;
  bool json = false;
  bool quiet = false;
  bool verbose = false;
  bool no_color = false;
};

/// A standard descriptor that is closed would be given to the next file that is opened, and what is
/// meant for people would go there. /dev/null takes its place, opened the wrong way, so that using
/// it is the error that it was.
void occupy_standard_descriptors() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    (void)!::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

void declare_common(CLI::App& app, Common& common) {
  app.set_version_flag("--version", "kith " KITH_VERSION, "Print the version");
  app.add_option("--home", common.home,
                 "The device's home (default: $KITH_HOME, $XDG_DATA_HOME/kith, "
                 "~/.local/share/kith)")
      ->option_text("DIR");
  app.add_flag("--json", common.json, "One JSON object per line on standard output");
  app.add_flag("-q,--quiet", common.quiet, "Results and errors only");
  app.add_flag("-v,--verbose", common.verbose, "Say more");
  app.add_flag("--no-color", common.no_color, "No colors (NO_COLOR does the same)");
}

/// An option that is given must say something: an empty value, of a variable that is not set for
/// instance, would be taken for none.
void refuse_empty_values(CLI::App& app) {
  const CLI::Validator says_something(
      [](std::string& value) { return std::string(value.empty() ? "an empty value" : ""); }, "");
  for (CLI::Option* option : app.get_options()) {
    if (option->nonpositional() && option->get_expected_max() > 0) option->check(says_something);
  }
  for (CLI::App* command : app.get_subcommands({})) refuse_empty_values(*command);
}

/// Is --json asked for? Needed where the command line does not parse.
bool wants_json(int argc, char** argv) {
  const auto is = [](const char* wanted) {
    return [wanted](const char* word) { return std::string_view(word) == wanted; };
  };
  char** const end = std::find_if(argv, argv + argc, is("--"));
  return std::any_of(argv, end, is("--json"));
}

std::string one_line(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '.')) text.pop_back();
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

/// Where a command is missing although words were given, the first of them is what is wrong.
int wrong_usage(const CLI::App& app, const CLI::ParseError& error, Output& out) {
  std::string command = "kith";
  const CLI::App* at = &app;
  while (!at->get_subcommands().empty()) {
    at = at->get_subcommands().front();
    command += ' ' + at->get_name();
  }
  const std::string hint = command + " --help explains it";
  const auto unknown = app.remaining(true);
  const bool group = !at->get_subcommands({}).empty();
  if (!group || unknown.empty()) {
    return out.fail(local_error(Errc::kUsage, one_line(error.what()), command, hint));
  }
  const bool option = unknown.front().rfind('-', 0) == 0;
  return out.fail(local_error(Errc::kUsage, option ? "no such option" : "no such command",
                              command + ' ' + unknown.front(), hint));
}

int act(Context& context, const Action& action) {
  const int code = action(context);
  if (code == 0) return finish_output(context);
  (void)context.out.flush();
  return code;
}

int run_parsed(const Common& common, const NodeFlags& node, const Action& action, Output& out) {
  auto home = find_home(common.home);
  if (!home) return out.fail(home.error());
  Signals signals;
  out.heed(signals);
  Context context{std::move(*home), node, out, signals};
  return act(context, action);
}

/// stdout is kept for content already where the command line does not parse.
Output output_of(const CLI::App& app, const OutputOptions& options) {
  Output out(options);
  if (app.got_subcommand(kCat)) out.keep_stdout_for_content();
  return out;
}

}  // namespace

CLI::App* Commands::add(CLI::App& parent, const char* name, const char* summary,
                        Action action) const {
  CLI::App* command = parent.add_subcommand(name, summary);
  command->footer(kEverywhere);
  command->parse_complete_callback(
      [&chosen = chosen, action = std::move(action)] { chosen = action; });
  return command;
}

CLI::App* Commands::add_group(const char* name, const char* summary) const {
  CLI::App* group = app.add_subcommand(name, summary);
  group->footer(kEverywhere);
  group->require_subcommand(1);
  return group;
}

void add_limit_option(CLI::App& command, NodeFlags& flags) {
  command
      .add_option("--limit", flags.limit,
                  "Bytes per second, each direction, as 200MB/s, 10MiB/s, 800k; of a node that "
                  "this command starts")
      ->option_text("RATE");
}

Result<std::string> text_or_stdin(const std::string& word) {
  if (word != "-") return word;
  std::string out;
  std::array<char, 4096> bytes;
  for (;;) {
    const ssize_t size = ::read(STDIN_FILENO, bytes.data(), bytes.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return os_error(errno, "cannot read standard input");
    if (size == 0) return out;
    out.append(bytes.data(), static_cast<std::size_t>(size));
    if (out.size() > kStdinMax) {
      return local_error(Errc::kUsage, "more than 64 KiB on standard input");
    }
  }
}

int run(int argc, char** argv) {
  occupy_standard_descriptors();
  CLI::App app("Share files directly between machines that trust each other.", "kith");
  Common common;
  NodeFlags node;
  Action chosen;
  app.fallthrough();
  app.require_subcommand(1);
  declare_common(app, common);
  const Commands commands{app, chosen, node};
  add_node_commands(commands);
  add_swarm_commands(commands);
  add_share_commands(commands);
  add_fetch_commands(commands);
  add_cat_command(commands);
  add_limit_command(commands);
  add_space_commands(commands);
  add_config_command(commands);
  refuse_empty_values(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    Output out = output_of(app, output_options(wants_json(argc, argv), false, false, false));
    return wrong_usage(app, error, out);
  }
  Output out =
      output_of(app, output_options(common.json, common.quiet, common.verbose, common.no_color));
  return run_parsed(common, node, chosen, out);
}

}  // namespace kith::cli
