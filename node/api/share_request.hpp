// Sharing a path, between the API and whoever runs imports. It is not a command of the engine: the
// tree is read first, by threads that may block; the engine only names the swarm and takes up the
// result.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "node/engine/command.hpp"

namespace kith::node {

struct ShareRequest {
  SwarmSelector swarm;
  std::string path;                  // absolute
  std::string name;                  // empty: the path's last component
  std::vector<std::string> exclude;  // glob patterns over paths relative to `path`
  bool skip_bad = false;             // leave out what cannot be shared, instead of refusing
  bool fixed_chunks = false;         // --chunking fixed
  bool private_share = false;        // a convergence secret of its own
};

struct ShareProgress {
  std::string phase;  // hashing
  std::uint64_t files = 0;
  std::uint64_t bytes_done = 0;
  std::uint64_t bytes_total = 0;  // 0 while it is not known
  std::uint64_t rate = 0;         // bytes per second, over the last seconds
};
/// One entry that cannot be shared, and why. Any number of them come before the final answer.
struct BadEntry {
  std::string path;  // absolute, escaped
  std::string what;
};
/// Final.
struct ShareDone {
  ShareView share;
  std::vector<BadEntry> skipped;    // with skip_bad; the first of them
  std::uint64_t skipped_count = 0;  // all of them
  std::uint64_t links_outside = 0;  // symlinks that leave the tree, carried as they are
  std::uint64_t bytes_read = 0;     // of content; the rest was known to be as before
};

/// Progress and BadEntry are not final; ShareDone and Error are.
using ShareUpdate = std::variant<ShareProgress, BadEntry, ShareDone, Error>;

}  // namespace kith::node
