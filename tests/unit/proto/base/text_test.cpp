#include "proto/text.hpp"

#include <gtest/gtest.h>

#include "proto/crypto/random.hpp"

namespace kith {
namespace {

using namespace std::string_literals;

std::string base32(std::string_view text) { return to_base32(as_bytes(text)); }

TEST(Base32, HasTheVectorsOfRfc4648) {
  // Section 10, in lower case and without padding.
  EXPECT_EQ(base32(""), "");
  EXPECT_EQ(base32("f"), "my");
  EXPECT_EQ(base32("fo"), "mzxq");
  EXPECT_EQ(base32("foo"), "mzxw6");
  EXPECT_EQ(base32("foob"), "mzxw6yq");
  EXPECT_EQ(base32("fooba"), "mzxw6ytb");
  EXPECT_EQ(base32("foobar"), "mzxw6ytboi");
}

TEST(Base32, RoundTrips) {
  SeededRng rng(1);
  for (std::size_t size = 0; size < 100; ++size) {
    Buffer bytes(size);
    rng.fill(bytes);
    const std::string text = to_base32(bytes);
    EXPECT_EQ(text.size(), (size * 8 + 4) / 5);
    EXPECT_EQ(from_base32(text), bytes) << size;
  }
  EXPECT_EQ(from_base32(to_base32(Buffer(77, 0xff))), Buffer(77, 0xff));
}

TEST(Base32, RefusesForeignCharacters) {
  for (const char* bad : {"MY", "m1", "m8", "m9", "m0", "my======", "m y", "m-", "\xc3\xa9"}) {
    EXPECT_FALSE(from_base32(bad)) << bad;
  }
}

TEST(Base32, HasOneTextPerByteString) {
  for (const char* impossible : {"a", "aaa", "aaaaaa"}) EXPECT_FALSE(from_base32(impossible));
  EXPECT_TRUE(from_base32("ma"));
  for (const char* surplus_bits : {"mb", "mc", "md", "mf"}) {
    EXPECT_FALSE(from_base32(surplus_bits)) << surplus_bits;
  }
  EXPECT_FALSE(from_base32("mzxr")) << "one surplus bit of four";
  EXPECT_FALSE(from_base32("mzxw7")) << "one surplus bit of one";
  // Every text that decodes is the one that its bytes encode to.
  SeededRng rng(2);
  for (int i = 0; i < 5000; ++i) {
    std::string text;
    for (std::uint64_t n = rng.uniform(9); n > 0; --n) {
      text.push_back("abcdefghijklmnopqrstuvwxyz234567"[rng.uniform(32)]);
    }
    const auto bytes = from_base32(text);
    if (bytes) {
      EXPECT_EQ(to_base32(*bytes), text);
    }
  }
}

TEST(Utf8, AcceptsWellFormedText) {
  for (const std::string& text :
       {""s, "a"s, "\0"s, "\x7f"s, "\xc2\x80"s, "\xdf\xbf"s, "\xe0\xa0\x80"s, "\xed\x9f\xbf"s,
        "\xee\x80\x80"s, "\xef\xbf\xbf"s, "\xf0\x90\x80\x80"s, "\xf4\x8f\xbf\xbf"s,
        "z\xc3\xa9z"s}) {
    EXPECT_TRUE(is_utf8(text)) << escape(text);
  }
}

TEST(Utf8, RefusesEverythingElse) {
  for (const std::string& text : {"\x80"s,
                                  "\xbf"s,
                                  "\xc0\x80"s,
                                  "\xc1\xbf"s,
                                  "\xc2"s,
                                  "\xc2\x7f"s,
                                  "\xc2\xc0"s,
                                  "\xe0\x9f\xbf"s,
                                  "\xe0\xa0"s,
                                  "\xed\xa0\x80"s,
                                  "\xed\xbf\xbf"s,
                                  "\xf0\x8f\xbf\xbf"s,
                                  "\xf0\x90\x80"s,
                                  "\xf4\x90\x80\x80"s,
                                  "\xf5\x80\x80\x80"s,
                                  "\xf8\x88\x80\x80\x80"s,
                                  "\xfe"s,
                                  "\xff"s,
                                  "a\xc3"s,
                                  "\xe2\x82z"s}) {
    EXPECT_FALSE(is_utf8(text)) << escape(text);
  }
}

TEST(Utf8, CountsExactlyTheUnicodeScalars) {
  // Of all sequences of two bytes, and of three that begin with E0 or ED, the right number passes.
  int two = 0;
  for (int a = 0x80; a < 256; ++a) {
    for (int b = 0; b < 256; ++b)
      two += is_utf8(std::string{static_cast<char>(a), static_cast<char>(b)});
  }
  EXPECT_EQ(two, 0x800 - 0x80);
  int three = 0;
  for (int a = 0xe0; a < 0xf0; ++a) {
    for (int b = 0x80; b < 0xc0; ++b) {
      for (int c = 0x80; c < 0xc0; ++c) {
        three +=
            is_utf8(std::string{static_cast<char>(a), static_cast<char>(b), static_cast<char>(c)});
      }
    }
  }
  EXPECT_EQ(three, 0x10000 - 0x800 - 0x800);
}

TEST(Escape, LeavesPlainTextAlone) {
  EXPECT_EQ(escape("a b/c.d-é-日本"), "a b/c.d-é-日本");
  EXPECT_EQ(escape(""), "");
}

TEST(Escape, MakesEverythingElseVisible) {
  EXPECT_EQ(escape("a\\b"), "a\\\\b");
  EXPECT_EQ(escape("\n\t\x1b[31m\x7f"), "\\x0a\\x09\\x1b[31m\\x7f");
  EXPECT_EQ(escape("\0"s), "\\x00");
  EXPECT_EQ(escape("\xff"
                   "a\xc3"),
            "\\xffa\\xc3");
  EXPECT_EQ(escape("\xc2\x9b"), "\\xc2\\x9b") << "C1";
  EXPECT_EQ(escape("\xe2\x80\xae"), "\\xe2\\x80\\xae") << "right-to-left override";
  EXPECT_EQ(escape("\xe2\x81\xa6"), "\\xe2\\x81\\xa6") << "isolate";
  EXPECT_EQ(escape("\xe2\x80\xa8"), "\\xe2\\x80\\xa8") << "line separator";
  EXPECT_EQ(escape("\xef\xbb\xbf"), "\\xef\\xbb\\xbf") << "byte order mark";
}

TEST(Escape, IsReversibleAndAlwaysPrintable) {
  SeededRng rng(3);
  for (int i = 0; i < 2000; ++i) {
    Buffer bytes(rng.uniform(12));
    rng.fill(bytes);
    const std::string shown = escape(as_text(bytes));
    EXPECT_TRUE(is_utf8(shown));
    EXPECT_EQ(shown.find('\n'), std::string::npos);
    std::string back;
    for (std::size_t at = 0; at < shown.size();) {
      if (shown[at] != '\\') {
        back.push_back(shown[at++]);
      } else if (shown[at + 1] == '\\') {
        back.push_back('\\');
        at += 2;
      } else {
        back += as_text(*from_hex(shown.substr(at + 2, 2)));
        at += 4;
      }
    }
    EXPECT_EQ(back, as_text(bytes));
  }
}

}  // namespace
}  // namespace kith
