// What every part of the engine is handed with each call: the time, and where outputs go.
#pragma once

#include "node/engine/outbox.hpp"
#include "proto/time.hpp"
#include "transfer/outbox.hpp"

namespace kith::node {

struct Turn {
  Now now;
  Outbox& out;
  transfer::Outbox& transfer;  // drained by the engine before the call returns to the driver

  void log(LogLevel level, std::string text) { out.log.push_back({level, std::move(text)}); }
  void save(CatalogBody body) { out.catalog.push_back({std::move(body), {}, false}); }
  void save_full(CatalogBody body) { out.catalog.push_back({std::move(body), {}, true}); }
  void done(RequestId request, Done done) { out.replies.push_back({request, std::move(done)}); }
  void fail(RequestId request, Error error) { out.replies.push_back({request, std::move(error)}); }
  void progress(RequestId request, Progress progress) {
    out.replies.push_back({request, std::move(progress)});
  }
  void event(std::string kind, std::string what, std::string subject) {
    out.events.push_back({std::move(kind), std::move(what), std::move(subject)});
  }
};

}  // namespace kith::node
