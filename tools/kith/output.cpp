#include "tools/kith/output.hpp"

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "proto/text.hpp"
#include "tools/kith/fields.hpp"
#include "tools/kith/progress.hpp"

namespace kith::cli {
namespace {

constexpr std::size_t kUsualWidth = 80;
constexpr std::size_t kPendingMax = 64 * 1024;

std::size_t terminal_width() {
  winsize size{};
  const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : kUsualWidth;
}

const char* code_of(Color color) {
  switch (color) {
    case Color::kGood:
      return "\x1b[32m";
    case Color::kWarning:
      return "\x1b[33m";
    case Color::kBad:
      return "\x1b[31m";
    case Color::kFaint:
      return "\x1b[2m";
    case Color::kNone:
      break;
  }
  return "";
}

}  // namespace

OutputOptions output_options(bool json, bool quiet, bool verbose, bool no_color) {
  const char* never = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  const bool dumb = terminal == nullptr || std::string_view(terminal) == "dumb";
  OutputOptions out;
  out.json = json;
  out.quiet = quiet;
  out.verbose = verbose && !quiet;
  out.terminal = ::isatty(STDOUT_FILENO) == 1;
  out.bar = !json && !quiet && !dumb && ::isatty(STDERR_FILENO) == 1;
  const bool refused = no_color || json || dumb || (never != nullptr && *never != '\0');
  out.color = !refused && ::isatty(STDERR_FILENO) == 1;
  return out;
}

void Output::heed(const Signals& signals) {
  stdout_.heed(signals);
  stderr_.heed(signals);
}

void Output::result(std::string_view text) {
  if (options_.json) return;
  clear_bar();
  write((options_.terminal ? escape(text) : std::string(text)) + '\n');
  flush_stdout();
}

void Output::line(std::string_view text) {
  if (options_.json) return;
  write(text);
  write("\n");
}

void Output::json_line(std::string_view line) {
  if (!options_.json) return;
  if (content_) return stderr_.write(line);
  write(line);
  flush_stdout();
}

bool Output::content(std::string_view bytes) {
  flush_stdout();
  stdout_.write(bytes);
  return stdout_.error() == 0;
}

bool Output::reader_is_gone() const { return stdout_.error() == EPIPE; }

bool Output::was_interrupted() const { return stdout_.error() == EINTR; }

void Output::leave_stdout() {
  flush_stdout();
  const node::UniqueFd nothing(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  if (nothing) ::dup2(nothing.get(), STDOUT_FILENO);
  stdout_ = Sink(STDOUT_FILENO);
}

void Output::note(std::string_view text) {
  if (!options_.quiet) say(text);
}

void Output::detail(std::string_view text) {
  if (options_.verbose) say(text);
}

void Output::progress(const node::Json& progress) {
  if (options_.bar) {
    const std::string text = format_progress(progress, terminal_width());
    stderr_.write("\r\x1b[K" + text);
    bar_shown_ = true;
    return;
  }
  const std::string phase = raw(progress, "phase") + ' ' + raw(progress, "what");
  if (options_.json || phase == last_phase_) return;
  last_phase_ = phase;
  detail(format_progress(progress, kUsualWidth));
}

int Output::fail(const Error& error) {
  const node::Json line = node::to_json(error);
  json_line(node::dump_line(line));
  return fail(line);
}

int Output::fail(const node::Json& error_line) {
  const auto exit = error_line.find("exit");
  const int code = exit != error_line.end() && exit->is_number_integer() ? exit->get<int>() : 1;
  if (options_.json && (content_ || stdout_.error() == 0)) return code;
  std::string text = colored("kith: ", Color::kBad) + escape(raw(error_line, "what"));
  const std::string subject = raw(error_line, "subject");
  const std::string hint = raw(error_line, "hint");
  if (!subject.empty()) text += ": " + escape(subject);
  if (!hint.empty()) text += "\n  " + escape(hint);
  say(text);
  return code;
}

std::string Output::colored(std::string_view text, Color color) const {
  if (!options_.color || color == Color::kNone) return std::string(text);
  return code_of(color) + std::string(text) + "\x1b[0m";
}

Result<void> Output::flush() {
  clear_bar();
  flush_stdout();
  if (stdout_.error() == 0) return {};
  return os_error(stdout_.error(), "cannot write to standard output");
}

void Output::write(std::string_view text) {
  pending_ += text;
  if (pending_.size() >= kPendingMax) flush_stdout();
}

void Output::flush_stdout() {
  stdout_.write(pending_);
  pending_.clear();
}

void Output::clear_bar() {
  if (!bar_shown_) return;
  bar_shown_ = false;
  stderr_.write("\r\x1b[K");
}

void Output::say(std::string_view text) {
  clear_bar();
  std::string line(text);
  line += '\n';
  stderr_.write(line);
}

}  // namespace kith::cli
