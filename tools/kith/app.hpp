// The command line as a whole: its grammar, and running what it says.
#pragma once

namespace kith::cli {

/// Parses and runs; returns the exit code of the process.
[[nodiscard]] int run(int argc, char** argv);

}  // namespace kith::cli
