// What a command says, and where: results alone on stdout, everything else on stderr. With --json,
// stdout gets the node's lines as they came and nothing else. Names are escaped before a person
// sees them.
#pragma once

#include <string>
#include <string_view>
#include <unistd.h>

#include "node/api/json.hpp"
#include "proto/result.hpp"
#include "tools/kith/sink.hpp"

namespace kith::cli {

struct OutputOptions {
  bool json = false;
  bool quiet = false;  // errors and results only
  bool verbose = false;
  bool color = false;     // of stderr and stdout, where they are terminals
  bool bar = false;       // stderr is a terminal
  bool terminal = false;  // stdout is one
};
/// From the flags, NO_COLOR, and what the descriptors are.
[[nodiscard]] OutputOptions output_options(bool json, bool quiet, bool verbose, bool no_color);

enum class Color { kNone, kGood, kWarning, kBad, kFaint };

class Output {
 public:
  explicit Output(const OutputOptions& options) : options_(options) {}
  [[nodiscard]] const OutputOptions& options() const { return options_; }
  /// From now on a signal ends waiting for a reader who does not read; see was_interrupted().
  void heed(const Signals& signals);

  /// The result of a command, alone on stdout: a path, a link. Raw for a pipe, escaped on a
  /// terminal.
  void result(std::string_view text);
  /// A line of a table or a list on stdout; `text` is escaped already.
  void line(std::string_view text);
  /// A line of JSON, with its newline, as it came. Nothing without --json.
  void json_line(std::string_view line);
  /// stdout gets content from now on: lines of JSON go to stderr.
  void keep_stdout_for_content() { content_ = true; }
  /// Content, as it is, on stdout. False: it could not be written, flush() says why.
  [[nodiscard]] bool content(std::string_view bytes);
  /// Whoever read stdout went away.
  [[nodiscard]] bool reader_is_gone() const;
  /// A signal came while stdout took nothing, or before its reader went away: the rest is lost.
  [[nodiscard]] bool was_interrupted() const;
  /// Nobody reads stdout any more: what is said there from now on goes nowhere.
  void leave_stdout();
  /// A remark for people, on stderr; not with -q.
  void note(std::string_view text);
  /// A remark for people who want to know more: with -v only.
  void detail(std::string_view text);
  /// Shows or replaces the progress bar, if there is one; with -v and no terminal, a line.
  void progress(const node::Json& progress);
  /// An error, last: on stderr, or as a line of JSON (on stderr, too, where stdout takes nothing).
  /// Returns its exit code.
  int fail(const Error& error);
  /// The same for an error line that a node sent. With --json it was passed on already.
  int fail(const node::Json& error_line);
  /// `text` between the codes of a color, where colors are wanted.
  [[nodiscard]] std::string colored(std::string_view text, Color color) const;
  /// Fails if something could not be written to stdout: a full disk, a reader that went away.
  [[nodiscard]] Result<void> flush();

 private:
  void clear_bar();
  void write(std::string_view text);
  void flush_stdout();
  void say(std::string_view text);
  OutputOptions options_;
  bool bar_shown_ = false;
  bool content_ = false;
  Sink stdout_{STDOUT_FILENO};
  Sink stderr_{STDERR_FILENO};
  std::string pending_;  // for stdout: a table is one write
  std::string last_phase_;
};

}  // namespace kith::cli
