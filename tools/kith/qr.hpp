// A text as a QR code on stderr, drawn with half blocks.
#pragma once

#include <string>

#include "tools/kith/output.hpp"

namespace kith::cli {

void print_qr(Output& out, const std::string& text);

}  // namespace kith::cli
