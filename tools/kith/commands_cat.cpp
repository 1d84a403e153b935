// kith cat: a file of a share on standard output, in order, while it comes.
#include <algorithm>
#include <limits>
#include <memory>

#include "tools/kith/ask.hpp"
#include "tools/kith/commands.hpp"
#include "tools/kith/fields.hpp"
#include "tools/kith/units.hpp"

namespace kith::cli {
namespace {

// Of one question: small enough to begin at once, large enough for the way there to cost nothing.
constexpr std::uint64_t kPortion = 4 * 1024 * 1024;
constexpr std::uint64_t kFirstPortion = 64 * 1024;

struct CatOptions {
  std::string share;
  std::string path;
  std::string offset;
  std::string length;
};

struct Range {
  std::uint64_t offset = 0;
  std::uint64_t length = std::numeric_limits<std::uint64_t>::max();
};

Result<Range> range_of(const CatOptions& options) {
  Range out;
  if (!options.offset.empty()) {
    KITH_TRY(out.offset, parse_size(options.offset));
  }
  if (!options.length.empty()) {
    KITH_TRY(const std::uint64_t length, parse_size(options.length));
    // Elsewhere 0 is no limit, as is the word for it; here it is nothing at all.
    const bool digit = options.length.front() >= '0' && options.length.front() <= '9';
    if (length > 0 || digit) out.length = length;
  }
  return out;
}

/// Asks for one portion after the other; the node reads ahead meanwhile.
int stream(Context& context, node::Json arguments, Range range) {
  // A node that was started for the first question goes on for the others.
  std::unique_ptr<OwnNode> own;
  bool writes = true;
  std::uint64_t portion = kFirstPortion;
  for (;;) {
    Question question{"read", arguments};
    question.arguments["offset"] = range.offset;
    question.arguments["length"] = std::min(range.length, portion);
    std::uint64_t got = 0, skip = 0;
    // The node was another command's and ended: what came of the portion comes again.
    question.on_repeat = [&] { skip = got; };
    question.on_data = [&](std::string_view bytes) {
      const std::size_t known = std::min<std::uint64_t>(skip, bytes.size());
      skip -= known;
      bytes.remove_prefix(known);
      got += bytes.size();
      writes = writes && context.out.content(bytes);
    };
    question.of_own_node = own != nullptr;
    Answer answer = ask(context, question);
    // Whoever read it has seen enough: nothing to complain about.
    if (context.out.reader_is_gone() && !context.signals.taken()) return 1;
    if (answer.exit != 0) return answer.exit;
    if (!writes) return finish_output(context);
    if (answer.own) own = std::move(answer.own);
    range.offset += got;
    range.length -= got;
    if (got == 0 || range.length == 0 || range.offset >= number(answer.done, "size")) return 0;
    portion = kPortion;
  }
}

int cat(Context& context, const CatOptions& options) {
  const auto range = range_of(options);
  if (!range) return context.out.fail(range.error());
  const auto share = text_or_stdin(options.share);
  if (!share) return context.out.fail(share.error());
  node::Json arguments = node::Json::object();
  arguments["share"] = *share;
  if (!options.path.empty()) arguments["path"] = options.path;
  return stream(context, std::move(arguments), *range);
}

}  // namespace

void add_cat_command(const Commands& commands) {
  const auto options = std::make_shared<CatOptions>();
  CLI::App* command = commands.add(commands.app, kCat, "Write a file of a share to standard output",
                                   [options](Context& context) { return cat(context, *options); });
  command
      ->add_option("LINK", options->share,
                   "kith:share/…, or - for standard input; of a share that is here, its id")
      ->required();
  command->add_option("PATH", options->path, "Of the file in the share, from its top");
  command->add_option("--offset", options->offset, "Begin behind so many bytes, as 10MiB")
      ->option_text("SIZE");
  command->add_option("--length", options->length, "At most so many bytes")->option_text("SIZE");
  add_limit_option(*command, commands.node);
}

}  // namespace kith::cli
