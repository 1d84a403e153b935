// The commands, in groups. Each function declares the commands of one group; parsing a command line
// leaves the chosen command's action in `chosen`.
#pragma once

#include <CLI/App.hpp>
#include <functional>

#include "tools/kith/context.hpp"

namespace kith::cli {

/// Does the command; returns the exit code. What it has to say has been said.
using Action = std::function<int(Context&)>;

/// The command whose stdout takes content, and nothing else.
inline constexpr const char* kCat = "cat";

struct Commands {
  CLI::App& app;
  Action& chosen;
  /// Options of a node that the chosen command was given.
  NodeFlags& node;

  /// Declares one command and what it does.
  CLI::App* add(CLI::App& parent, const char* name, const char* summary, Action action) const;
  /// Declares a word that stands before several commands.
  [[nodiscard]] CLI::App* add_group(const char* name, const char* summary) const;
};

void add_node_commands(const Commands& commands);   // start, stop, status, doctor, node, peers
void add_swarm_commands(const Commands& commands);  // swarm …, join
void add_share_commands(const Commands& commands);  // share, unshare, moved, verify
void add_fetch_commands(const Commands& commands);  // fetch, cancel, list, show
void add_cat_command(const Commands& commands);     // cat
void add_limit_command(const Commands& commands);   // limit
void add_space_commands(const Commands& commands);  // quota, gc
void add_config_command(const Commands& commands);  // config

/// --limit, for commands that may run a node.
void add_limit_option(CLI::App& command, NodeFlags& flags);
/// A text of an invite or a link: `word`, or standard input (at most 64 KiB) where it is "-".
[[nodiscard]] Result<std::string> text_or_stdin(const std::string& word);

}  // namespace kith::cli
