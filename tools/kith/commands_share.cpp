#include <memory>

#include "tools/kith/ask.hpp"
#include "tools/kith/commands.hpp"
#include "tools/kith/home.hpp"
#include "tools/kith/print.hpp"
#include "tools/kith/serve.hpp"

namespace kith::cli {
namespace {

using node::Json;

struct ShareOptions {
  std::string path;
  std::string swarm;
  std::string name;
  std::vector<std::string> exclude;
  std::string chunking;
  bool skip_bad = false;
  bool is_private = false;
  bool detach = false;
};

int share(Context& context, const ShareOptions& options) {
  auto path = named_path(options.path);
  if (!path) return context.out.fail(path.error());
  Question question{"share"};
  Json& arguments = question.arguments;
  arguments["path"] = std::move(*path);
  if (!options.swarm.empty()) arguments["swarm"] = options.swarm;
  if (!options.name.empty()) arguments["name"] = options.name;
  if (!options.exclude.empty()) arguments["exclude"] = options.exclude;
  if (!options.chunking.empty()) arguments["chunking"] = options.chunking;
  if (options.skip_bad) arguments["skip_bad"] = true;
  if (options.is_private) arguments["private"] = true;
  question.in_background = options.detach;
  return ask_and_serve(context, question, print_shared);
}

void add_share(const Commands& commands) {
  const auto options = std::make_shared<ShareOptions>();
  CLI::App* command =
      commands.add(commands.app, "share", "Share a file or a tree; prints its link",
                   [options](Context& context) { return share(context, *options); });
  command->add_option("PATH", options->path, "A file or a directory")->required();
  command->add_option("--swarm", options->swarm, "With whom; not needed where there is only one")
      ->option_text("SWARM");
  command->add_option("--name", options->name, "Its name, if not that of the path")
      ->option_text("NAME");
  command->add_option("--exclude", options->exclude, "Leave out what matches; may be repeated")
      ->option_text("GLOB")
      ->allow_extra_args(false);
  command->add_flag("--skip-bad", options->skip_bad, "Leave out what cannot be shared");
  command->add_option("--chunking", options->chunking, "cdc (default) or fixed")
      ->option_text("MODE");
  command->add_flag("--private", options->is_private, "Keys that do not depend on the content");
  command->add_flag("--detach", options->detach, "Leave serving to a node in the background");
  add_limit_option(*command, commands.node);
}

void print_unshared(Output& out, const Json&) { out.note("no longer shared; no file was touched"); }
void print_moved(Output& out, const Json&) { out.note("shared from its new place"); }

void add_unshare(const Commands& commands) {
  const auto share = std::make_shared<std::string>();
  CLI::App* command = commands.add(commands.app, "unshare", "Stop sharing; the files stay",
                                   [share](Context& context) {
                                     Question question{"unshare"};
                                     question.arguments["share"] = *share;
                                     return ask_and_print(context, question, print_unshared);
                                   });
  command->add_option("ID", *share, "A link, an id or the first 8 characters of one")->required();
}

void add_moved(const Commands& commands) {
  const auto share = std::make_shared<std::string>();
  const auto place = std::make_shared<std::string>();
  CLI::App* command = commands.add(commands.app, "moved", "Say where a shared file or tree is now",
                                   [share, place](Context& context) {
                                     auto path = named_path(*place);
                                     if (!path) return context.out.fail(path.error());
                                     Question question{"moved"};
                                     question.arguments["share"] = *share;
                                     question.arguments["path"] = std::move(*path);
                                     return ask_and_print(context, question, print_moved);
                                   });
  command->add_option("ID", *share, "A link, an id or the first 8 characters of one")->required();
  command->add_option("PATH", *place, "Where it is now")->required();
}

void add_verify(const Commands& commands) {
  const auto share = std::make_shared<std::string>();
  CLI::App* command =
      commands.add(commands.app, "verify", "Hash what is on disk again", [share](Context& context) {
        Question question{"verify"};
        if (!share->empty()) question.arguments["share"] = *share;
        return ask_and_print(context, question, print_verified, verify_verdict);
      });
  command->add_option("ID", *share,
                      "A link, an id or the first 8 characters of one; all if missing");
}

}  // namespace

void add_share_commands(const Commands& commands) {
  add_share(commands);
  add_unshare(commands);
  add_moved(commands);
  add_verify(commands);
}

}  // namespace kith::cli
