// What every command gets: the options that all of them have, the signals, and where to speak.
#pragma once

#include <string>
#include <vector>

#include "tools/kith/output.hpp"
#include "tools/kith/signals.hpp"

namespace kith::cli {

/// Options of a node, from the command line; empty ones leave it to HOME/config.json.
struct NodeFlags {
  std::string listen;
  std::string advertise;
  std::vector<std::string> bootstrap;
  std::string limit;
};

struct Context {
  std::string home;  // absolute
  NodeFlags node;
  Output& out;
  Signals& signals;
};

}  // namespace kith::cli
