// What every part of the engine is handed with each call: the time, and where outputs go.
#pragma once

#include <optional>
#include <vector>

#include "node/engine/outbox.hpp"
#include "proto/time.hpp"
#include "transfer/outbox.hpp"

namespace kith::node {

/// The answer to a command, held back until it is true after a power cut, too. If it cannot be
/// made so, the command fails, and the swarm that was `begun` by it is forgotten.
struct Promise {
  RequestId request{};
  Done done;
  std::optional<SwarmId> begun;
};

struct Turn {
  Now now;
  Outbox& out;
  transfer::Outbox& transfer;  // drained by the engine before the call returns to the driver
  /// Good ends of commands that count only once all that this turn writes with `full` is committed.
  std::vector<Promise> promises{};

  void log(LogLevel level, std::string text) { out.log.push_back({level, std::move(text)}); }
  /// To the catalog; save_full(): so that it survives a power cut.
  void save(CatalogBody body) { out.catalog.push_back({std::move(body), {}, false}); }
  void save_full(CatalogBody body) { out.catalog.push_back({std::move(body), {}, true}); }
  /// The last reply to a command; done_when_saved: once this turn's writes are committed.
  void done(RequestId request, Done done) { out.replies.push_back({request, std::move(done)}); }
  void done_when_saved(RequestId request, Done done, std::optional<SwarmId> begun = {}) {
    promises.push_back({request, std::move(done), begun});
  }
  void fail(RequestId request, Error error) { out.replies.push_back({request, std::move(error)}); }
  void progress(RequestId request, Progress progress) {
    out.replies.push_back({request, std::move(progress)});
  }
  /// For the stream of events: see NodeEvent.
  void event(std::string kind, std::string what, std::string subject) {
    out.events.push_back({std::move(kind), std::move(what), std::move(subject)});
  }
};

}  // namespace kith::node
