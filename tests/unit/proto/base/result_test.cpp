#include "proto/result.hpp"

#include <cerrno>
#include <gtest/gtest.h>
#include <memory>

namespace kith {
namespace {

Result<int> half(int value) {
  if (value % 2 != 0) return peer_error(Errc::kMalformed, "odd");
  return value / 2;
}
Result<void> check_even(int value) {
  KITH_TRY(const int unused, half(value));
  (void)unused;
  return {};
}
Result<int> quarter(int value) {
  KITH_CHECK(check_even(value));
  KITH_TRY(const int first, half(value));
  KITH_TRY(const int second, half(first));
  return second;
}

TEST(Result, MacrosPassValuesAndErrorsOn) {
  EXPECT_EQ(quarter(8).value(), 2);
  EXPECT_EQ(quarter(7).error().what, "odd");
  EXPECT_EQ(quarter(6).error().what, "odd");
  EXPECT_EQ(quarter(6).error().blame, Blame::kPeer);
}

Result<std::unique_ptr<int>> boxed(int value) {
  KITH_TRY(const int h, half(value));
  return std::make_unique<int>(h);
}

TEST(Result, MacrosMoveWhatCannotBeCopied) {
  const auto twice = [](int value) -> Result<int> {
    KITH_TRY(const std::unique_ptr<int> box, boxed(value));
    return *box * 2;
  };
  EXPECT_EQ(*twice(4), 4);
  EXPECT_FALSE(twice(3));
}

TEST(Error, BlamesWhomItIsMadeFor) {
  EXPECT_EQ(local_error(Errc::kIo, "x").blame, Blame::kLocal);
  EXPECT_EQ(peer_error(Errc::kIo, "x").blame, Blame::kPeer);
  EXPECT_EQ(network_error(Errc::kIo, "x").blame, Blame::kNetwork);
  EXPECT_EQ(Error().code, Errc::kInternal);
}

TEST(Error, MapsErrnos) {
  EXPECT_EQ(os_error(ENOSPC, "write").code, Errc::kNoSpace);
  EXPECT_EQ(os_error(EDQUOT, "write").code, Errc::kNoSpace);
  EXPECT_EQ(os_error(ENOENT, "open").code, Errc::kNotFound);
  EXPECT_EQ(os_error(EEXIST, "open").code, Errc::kExists);
  EXPECT_EQ(os_error(EACCES, "open").code, Errc::kRefused);
  EXPECT_EQ(os_error(EPERM, "open").code, Errc::kRefused);
  EXPECT_EQ(os_error(EIO, "read").code, Errc::kIo);
  const Error error = os_error(ENOENT, "open", "/a");
  EXPECT_EQ(error.what.rfind("open: ", 0), 0u);
  EXPECT_GT(error.what.size(), std::string("open: ").size());
  EXPECT_EQ(error.subject, "/a");
  EXPECT_EQ(error.blame, Blame::kLocal);
}

TEST(Error, OfTheSystemSaysWhatToDoWhereThatIsKnown) {
  EXPECT_NE(os_error(ENOSPC, "write").hint.find("make room"), std::string::npos);
  EXPECT_NE(os_error(EDQUOT, "write").hint.find("make some"), std::string::npos);
  EXPECT_NE(os_error(EACCES, "open").hint.find("owner and the mode"), std::string::npos);
  EXPECT_EQ(os_error(EPERM, "open").hint, os_error(EACCES, "open").hint);
  EXPECT_NE(os_error(EROFS, "open").hint.find("mount"), std::string::npos);
  EXPECT_EQ(os_error(EIO, "read").hint, "");
}

TEST(Error, IsOneLine) {
  EXPECT_EQ(to_string(local_error(Errc::kIo, "what")), "what");
  EXPECT_EQ(to_string(local_error(Errc::kIo, "what", "subject")), "what: subject");
  EXPECT_EQ(to_string(local_error(Errc::kIo, "what", "subject", "hint")), "what: subject (hint)");
  EXPECT_EQ(to_string(local_error(Errc::kIo, "what", "", "hint")), "what (hint)");
}

TEST(ResultDeathTest, ValueOfAnErrorAborts) {
  EXPECT_DEATH((void)half(1).value(), "unchecked result: odd");
}

}  // namespace
}  // namespace kith
