// Commands whose answer is good only while a node runs: a link, an invite. Where a node runs
// already, or with --detach, they return at once; otherwise this process serves until it is told to
// end.
#pragma once

#include <functional>

#include "tools/kith/ask.hpp"

namespace kith::cli {

/// Being told to end while serving is no failure: 0.
[[nodiscard]] int ask_and_serve(Context& context, const Question& question,
                                const std::function<void(Output&, const node::Json&)>& print);

}  // namespace kith::cli
