#include "storage/path_policy.hpp"

#include "proto/text.hpp"
#include "tests/unit/storage/support.hpp"

namespace kith::storage::test {
namespace {

TEST(PathPolicy, Splits) {
  EXPECT_EQ(split("a/b/c").parent, "a/b");
  EXPECT_EQ(split("a/b/c").name, "c");
  EXPECT_EQ(split("c").parent, "");
  EXPECT_EQ(split("c").name, "c");
  const struct {
    const char *path, *parent, *name;
  } cases[] = {{"/a/b", "/a", "b"}, {"/a", "/", "a"},      {"/", "/", ""},   {"///", "/", ""},
               {"a", ".", "a"},     {"/a/b//", "/a", "b"}, {"a/b", "a", "b"}};
  for (const auto& c : cases) {
    EXPECT_EQ(split_native(c.path).parent, c.parent) << c.path;
    EXPECT_EQ(split_native(c.path).name, c.name) << c.path;
  }
  EXPECT_EQ(join_native("/a", "b"), "/a/b");
  EXPECT_EQ(join_native("/", "b"), "/b");
}

TEST(PathPolicy, StagingNamesFitAndStayText) {
  ShareId share;
  share.bytes.fill(0xab);
  EXPECT_EQ(staging_name("tree", share), ".tree.kith-abababab");
  EXPECT_EQ(staging_name("tree", share, "12ef"), ".tree.kith-abababab-12ef");
  EXPECT_EQ(staging_name(std::string(300, 'x'), share, "12ef").size(), 255U);
  EXPECT_EQ(staging_name(std::string(241, 'x'), share).size(), 255U);
  EXPECT_EQ(staging_name(std::string(242, 'x'), share).size(), 255U);
  for (std::size_t prefix = 230; prefix < 245; ++prefix) {
    const std::string name = staging_name(std::string(prefix, 'x') + "ééééé", share);
    EXPECT_LE(name.size(), 255U);
    EXPECT_TRUE(is_utf8(name));
  }
}

TEST(PathPolicy, FinalNames) {
  EXPECT_OK(check_final_name("name", 255));
  EXPECT_ERROR(check_final_name("", 255), Errc::kRefused);
  EXPECT_ERROR(check_final_name("a/b", 255), Errc::kRefused);
  EXPECT_ERROR(check_final_name("..", 255), Errc::kRefused);
  EXPECT_OK(check_final_name(std::string(143, 'x'), 143));
  EXPECT_ERROR(check_final_name(std::string(144, 'x'), 143), Errc::kUnsupported);
}

}  // namespace
}  // namespace kith::storage::test
