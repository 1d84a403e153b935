#include "proto/content/link.hpp"

#include <gtest/gtest.h>

#include "proto/crypto/hash.hpp"
#include "proto/crypto/random.hpp"
#include "proto/text.hpp"

namespace kith {
namespace {

constexpr std::size_t kTextSize = 11 + 124;  // prefix and base32 of 77 bytes

Link random_link(Rng& rng) {
  Link link;
  rng.fill(link.swarm_prefix);
  link.share = rng.random<ShareId>();
  link.key = rng.random<ChunkKey>();
  return link;
}

// The text of arbitrary bytes with a right checksum.
std::string seal(Buffer bytes) {
  const auto hash = blake2b_256(bytes);
  append(bytes, Bytes(hash).first(4));
  return "kith:share/" + to_base32(bytes);
}

std::string error_of(std::string_view text) {
  const auto link = Link::parse(text);
  return link ? "" : link.error().what;
}

TEST(Link, RoundTrips) {
  SeededRng rng(7);
  for (int i = 0; i < 200; ++i) {
    const Link link = random_link(rng);
    const std::string text = link.to_string();
    EXPECT_EQ(text.size(), kTextSize);
    const auto back = Link::parse(text);
    ASSERT_TRUE(back);
    EXPECT_EQ(*back, link);
  }
}

TEST(Link, HasTheDocumentedBytes) {
  SeededRng rng(8);
  const Link link = random_link(rng);
  const auto bytes = from_base32(std::string_view(link.to_string()).substr(11));
  ASSERT_TRUE(bytes);
  ASSERT_EQ(bytes->size(), 77u);
  EXPECT_EQ(bytes->front(), 1);
  EXPECT_TRUE(equal(Bytes(*bytes).subspan(1, 8), link.swarm_prefix));
  EXPECT_TRUE(equal(Bytes(*bytes).subspan(9, 32), link.share.view()));
  EXPECT_TRUE(equal(Bytes(*bytes).subspan(41, 32), link.key.view()));
}

TEST(Link, IgnoresSurroundingWhiteSpaceOnly) {
  SeededRng rng(9);
  const Link link = random_link(rng);
  const std::string text = link.to_string();
  EXPECT_EQ(*Link::parse(" \t\r\n" + text + "\n\n"), link);
  EXPECT_FALSE(Link::parse(text.substr(0, 40) + "\n" + text.substr(40)));
}

TEST(Link, NamesThePartThatIsWrong) {
  SeededRng rng(10);
  const std::string text = random_link(rng).to_string();
  EXPECT_EQ(error_of(""), "link: does not begin with kith:share/");
  EXPECT_EQ(error_of("   "), "link: does not begin with kith:share/");
  EXPECT_EQ(error_of("kith:invite/" + text.substr(11)), "link: does not begin with kith:share/");
  EXPECT_EQ(error_of("KITH:SHARE/" + text.substr(11)), "link: does not begin with kith:share/");
  for (const char foreign : {'0', '1', '8', 'A', '=', '/', '\xc3'}) {
    std::string bad = text;
    bad[50] = foreign;
    EXPECT_EQ(error_of(bad), "link: has a character that links do not have");
  }
  EXPECT_EQ(error_of("kith:share/"), "link: has the wrong length");
  EXPECT_EQ(error_of(text.substr(0, text.size() - 1)), "link: has the wrong length");
  EXPECT_EQ(error_of(text + "a"), "link: has the wrong length");
  EXPECT_EQ(error_of(text + std::string(100'000, 'a')), "link: has the wrong length");
  Buffer longer(78, 1);
  EXPECT_EQ(error_of(seal(longer)), "link: has the wrong length");
  Buffer other(73, 2);
  EXPECT_EQ(error_of(seal(other)), "link: has a version that is not known");
  EXPECT_EQ(Link::parse(seal(other)).error().code, Errc::kUnsupported);
  EXPECT_EQ(error_of(seal(Buffer(150, 9))), "link: has a version that is not known");
  EXPECT_EQ(Link::parse(text + "a").error().blame, Blame::kLocal);
}

TEST(Link, FindsEveryChangedCharacter) {
  SeededRng rng(11);
  const std::string text = random_link(rng).to_string();
  for (std::size_t i = 11; i < text.size(); ++i) {
    std::string bad = text;
    bad[i] = bad[i] == 'a' ? 'b' : 'a';
    const std::string what = error_of(bad);
    // The last character has one bit of content; others set bits behind the end.
    const bool last = i + 1 == text.size();
    EXPECT_TRUE(what == "link: has a wrong checksum" ||
                (last && what == "link: has the wrong length"))
        << i << what;
  }
}

TEST(Link, ErrorsDoNotRepeatTheSecret) {
  SeededRng rng(12);
  std::string text = random_link(rng).to_string();
  text[30] = text[30] == 'a' ? 'b' : 'a';
  const auto link = Link::parse(text);
  ASSERT_FALSE(link);
  EXPECT_EQ(to_string(link.error()).find(text.substr(60, 20)), std::string::npos);
}

}  // namespace
}  // namespace kith
