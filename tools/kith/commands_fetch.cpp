#include <filesystem>
#include <memory>

#include "tools/kith/ask.hpp"
#include "tools/kith/commands.hpp"
#include "tools/kith/home.hpp"
#include "tools/kith/print.hpp"

namespace kith::cli {
namespace {

using node::Json;

struct FetchOptions {
  std::string link;
  std::string directory = ".";
  std::string name;
  std::string reuse;
  std::vector<std::string> part;
  bool replace = false;
  bool safe_links = false;
  bool wait = false;
  bool detach = false;
};

Result<Json> fetch_arguments(const FetchOptions& options) {
  Json out = Json::object();
  KITH_TRY(const std::string link, text_or_stdin(options.link));
  KITH_TRY(const std::string directory, directory_path(options.directory));
  out["link"] = link;
  out["directory"] = directory;
  if (!options.name.empty()) out["name"] = options.name;
  if (!options.reuse.empty()) {
    KITH_TRY(const std::string reuse, absolute_path(options.reuse));
    std::error_code ignored;
    if (!std::filesystem::exists(reuse, ignored)) {
      return local_error(Errc::kNotFound, "there is nothing to take chunks from", reuse);
    }
    out["reuse"] = reuse;
  }
  if (!options.part.empty()) out["part"] = options.part;
  if (options.replace) out["replace"] = true;
  if (options.safe_links) out["safe_links"] = true;
  if (options.wait) out["wait"] = true;
  if (options.detach) out["detach"] = true;
  return Result<Json>(boost::system::in_place_value, std::move(out));
}

int fetch(Context& context, const FetchOptions& options) {
  auto arguments = fetch_arguments(options);
  if (!arguments) return context.out.fail(arguments.error());
  Question question{"fetch", std::move(*arguments)};
  question.in_background = options.detach;
  question.hint_if_interrupted = "what is verified is kept: the same command goes on from there";
  return ask_and_print(context, question, print_fetched);
}

void add_fetch(const Commands& commands) {
  const auto options = std::make_shared<FetchOptions>();
  CLI::App* command =
      commands.add(commands.app, "fetch", "Fetch a share; prints where it is",
                   [options](Context& context) { return fetch(context, *options); });
  command->add_option("LINK", options->link, "kith:share/…, or - for standard input")->required();
  command->add_option("-o,--output", options->directory, "Into which directory (default: this one)")
      ->option_text("DIR");
  command->add_option("--as", options->name, "Its name there, if not that of the share")
      ->option_text("NAME");
  command->add_option("--path", options->part, "Only what fits; may be repeated")
      ->option_text("GLOB")
      ->allow_extra_args(false);
  command->add_option("--reuse", options->reuse, "Take what is the same from this file or tree")
      ->option_text("PATH");
  command->add_flag("--replace", options->replace, "Replace what is there");
  command->add_flag("--safe-links", options->safe_links, "Leave out symlinks that leave the tree");
  command->add_flag("--wait", options->wait, "Keep trying while nobody provides it");
  command->add_flag("--detach", options->detach, "Leave it to a node in the background");
  add_limit_option(*command, commands.node);
}

void print_cancelled(Output& out, const Json&) { out.note("the fetch has ended"); }

void add_about_one(const Commands& commands, const char* name, const char* summary, Print print) {
  const auto share = std::make_shared<std::string>();
  CLI::App* command =
      commands.add(commands.app, name, summary, [share, name, print](Context& context) {
        Question question{name};
        question.arguments["share"] = *share;
        return ask_and_print(context, question, print);
      });
  command->add_option("ID", *share, "A link, an id or the first 8 characters of one")->required();
}

}  // namespace

void add_fetch_commands(const Commands& commands) {
  add_fetch(commands);
  add_about_one(commands, "cancel", "End a fetch and remove what it left", print_cancelled);
  commands.add(commands.app, "list", "What this device shares, has and fetches",
               [](Context& context) { return ask_and_print(context, {"list"}, print_shares); });
  add_about_one(commands, "show", "One share: its link, its content, whom it came from",
                print_share);
}

}  // namespace kith::cli
