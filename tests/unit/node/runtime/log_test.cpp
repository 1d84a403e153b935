#include "node/runtime/log.hpp"

#include <algorithm>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>

#include "tests/unit/storage/support.hpp"

namespace kith::node {
namespace {

TEST(Log, ATextIsOneLineWhateverIsInIt) {
  const storage::test::TempDir dir;
  const std::string path = dir.path() + "/log";
  {
    const auto log = Log::open(path, 3);
    ASSERT_OK(log);
    log->write(LogLevel::kInfo, "withdrawn: a\n2026-01-01 error forged\x1b[31m: é");
  }
  std::ifstream file(path);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
  EXPECT_NE(text.find(R"(withdrawn: a\x0a2026-01-01 error forged\x1b[31m: é)"), std::string::npos)
      << text;
}

}  // namespace
}  // namespace kith::node
