#include "proto/wire/bencode.hpp"

#include <gtest/gtest.h>
#include <string>

#include "proto/crypto/random.hpp"
#include "proto/ids.hpp"

namespace kith::bencode {
namespace {

Result<Document> parse_text(std::string_view text, ParseLimits limits = {}) {
  return parse(as_bytes(text), limits);
}

/// Writes a parsed value again, through every Writer call.
void write(Writer& out, Value value) {
  switch (value.kind()) {
    case Kind::kInteger:
      out.integer(*value.integer());
      return;
    case Kind::kString:
      out.string(*value.string());
      return;
    case Kind::kList:
      out.list();
      for (const Value item : value) write(out, item);
      out.end();
      return;
    case Kind::kDict:
      out.dict();
      for (auto it = value.begin(); it != value.end(); ++it) {
        out.key(as_text(*(*it).string()));
        write(out, *++it);
      }
      out.end();
  }
}

std::string rewritten(const Document& document) {
  Buffer out;
  {
    Writer writer(out);
    write(writer, document.root());
  }
  return std::string(as_text(out));
}

TEST(BencodeParse, AcceptsCanonicalDocumentsAndWritesThemBack) {
  for (const char* text :
       {"i0e", "i1e", "i-1e", "i9223372036854775807e", "i-9223372036854775808e", "0:", "4:spam",
        "10:0123456789", "le", "de", "l0:e", "li1ei2ee", "d0:i1ee", "d1:ai1e1:bi2ee",
        "d1:a0:2:aa0:1:b0:e", "d1:ad1:bl1:ci-5eeee", "lllleeee", "ldedelee"}) {
    const auto document = parse_text(text);
    ASSERT_TRUE(document) << text << ": " << to_string(document.error());
    EXPECT_EQ(rewritten(*document), text);
    EXPECT_EQ(as_text(document->root().raw()), text);
  }
}

TEST(BencodeParse, RefusesWhatIsNotCanonical) {
  for (const char* text : {"",
                           "i",
                           "ie",
                           "i-e",
                           "i-0e",
                           "i00e",
                           "i01e",
                           "i-01e",
                           "i+1e",
                           "i 1e",
                           "i1",
                           "i1.5e",
                           "i9223372036854775808e",
                           "i-9223372036854775809e",
                           "i99999999999999999999999999e",
                           "1",
                           "1:",
                           ":",
                           "-1:a",
                           "01:a",
                           "00:",
                           "4:abc",
                           "99999999999:a",
                           "4294967295:a",
                           "4294967296:a",
                           "l",
                           "d",
                           "li1e",
                           "d1:a",
                           "d1:ai1e",
                           "d1:ae",
                           "di1e1:ae",
                           "dlei1ee",
                           "d1:bi1e1:ai1ee",
                           "d1:ai1e1:ai1ee",
                           "d2:aai1e1:ai1ee",
                           "e",
                           "x",
                           "i1ei1e",
                           "i1e ",
                           " i1e",
                           "lee",
                           "4:spam4:spam"}) {
    const auto document = parse_text(text);
    ASSERT_FALSE(document) << text;
    EXPECT_EQ(document.error().code, Errc::kMalformed) << text;
    EXPECT_EQ(document.error().blame, Blame::kPeer) << text;
  }
}

TEST(BencodeParse, EveryPrefixOfADocumentIsRefused) {
  const std::string text = "d1:ai-12e1:bl4:spami3ee1:cd0:0:ee";
  ASSERT_TRUE(parse_text(text));
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_FALSE(parse_text(std::string_view(text).substr(0, size))) << size;
  }
}

TEST(BencodeParse, LimitsDepth) {
  for (const std::size_t depth : {1U, 2U, 10U}) {
    const auto nested = [](std::size_t n) { return std::string(n, 'l') + std::string(n, 'e'); };
    EXPECT_TRUE(parse_text(nested(depth), {.depth = depth}));
    const auto deeper = parse_text(nested(depth + 1), {.depth = depth});
    ASSERT_FALSE(deeper);
    EXPECT_EQ(deeper.error().code, Errc::kLimit);
  }
  // A bomb is refused without recursion, however long.
  EXPECT_FALSE(parse_text(std::string(1'000'000, 'l')));
}

TEST(BencodeParse, LimitsValues) {
  // The list itself is a value, keys count too.
  EXPECT_TRUE(parse_text("li1ei2ee", {.tokens = 3}));
  const auto over = parse_text("li1ei2ei3ee", {.tokens = 3});
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().code, Errc::kLimit);
  EXPECT_TRUE(parse_text("d1:ai1ee", {.tokens = 3}));
  EXPECT_FALSE(parse_text("d1:ai1ee", {.tokens = 2}));
}

TEST(BencodeParse, CanBeLenientAboutTheOrderOfKeys) {
  const ParseLimits lenient{.allow_unsorted_keys = true};
  const auto document = parse_text("d1:bi1e1:ai2ee", lenient);
  ASSERT_TRUE(document);
  EXPECT_EQ(document->root().find_integer("a"), 2);
  EXPECT_EQ(document->root().find_integer("b"), 1);
  EXPECT_FALSE(parse_text("d1:ai1e1:ai2ee", lenient));
}

TEST(BencodeValue, FindsByKeyAndKind) {
  const auto document = parse_text("d1:ai7e1:b4:spam1:cli1ee1:dd1:xi2eee");
  ASSERT_TRUE(document);
  const Value root = document->root();
  EXPECT_EQ(root.size(), 4U);
  EXPECT_EQ(root.find_integer("a"), 7);
  EXPECT_EQ(as_text(*root.find_string("b")), "spam");
  EXPECT_EQ(root.find_list("c")->size(), 1U);
  EXPECT_EQ(root.find_dict("d")->find_integer("x"), 2);
  EXPECT_EQ(as_text(root.find_dict("d")->raw()), "d1:xi2ee");
  EXPECT_FALSE(root.find("x")) << "keys of an inner dictionary are not seen";
  EXPECT_FALSE(root.find("spam")) << "values are not keys";
  for (const char* key : {"b", "c", "d", "e"}) EXPECT_FALSE(root.find_integer(key)) << key;
  for (const char* key : {"a", "c", "d", "e"}) EXPECT_FALSE(root.find_string(key)) << key;
  for (const char* key : {"a", "b", "d", "e"}) EXPECT_FALSE(root.find_list(key)) << key;
  for (const char* key : {"a", "b", "c", "e"}) EXPECT_FALSE(root.find_dict(key)) << key;
}

TEST(BencodeValue, AccessorsOfTheWrongKindReturnNothing) {
  const auto integer = parse_text("i1e");
  EXPECT_FALSE(integer->root().string());
  EXPECT_FALSE(integer->root().find("a"));
  EXPECT_EQ(integer->root().size(), 0U);
  EXPECT_TRUE(integer->root().begin() == integer->root().end());
  const auto string = parse_text("3:abc");
  EXPECT_FALSE(string->root().integer());
  EXPECT_EQ(string->root().size(), 0U);
  EXPECT_TRUE(string->root().begin() == string->root().end());
  const auto list = parse_text("l1:ai1ee");
  EXPECT_FALSE(list->root().find("a")) << "a list has no keys";
}

TEST(BencodeValue, UnsignedIntegersMustFit) {
  const auto document = parse_text("d1:ai-1e1:bi255e1:ci256e1:di4294967296e1:zi0ee");
  const Value root = document->root();
  EXPECT_FALSE(root.find_unsigned<std::uint64_t>("a"));
  EXPECT_EQ(root.find_unsigned<std::uint8_t>("b"), 255);
  EXPECT_FALSE(root.find_unsigned<std::uint8_t>("c"));
  EXPECT_EQ(root.find_unsigned<std::uint16_t>("c"), 256);
  EXPECT_FALSE(root.find_unsigned<std::uint32_t>("d"));
  EXPECT_EQ(root.find_unsigned<std::uint64_t>("d"), 4294967296U);
  EXPECT_EQ(root.find_unsigned<std::uint32_t>("z"), 0U);
}

TEST(BencodeValue, FixedBytesMustHaveTheirSize) {
  const std::string text = "d1:a19:" + std::string(19, 'x') + "1:b20:" + std::string(20, 'y') +
                           "1:c21:" + std::string(21, 'z') + "e";
  const auto document = parse_text(text);
  ASSERT_TRUE(document);
  EXPECT_FALSE(document->root().find_fixed<NodeId>("a"));
  EXPECT_TRUE(document->root().find_fixed<NodeId>("b"));
  EXPECT_FALSE(document->root().find_fixed<NodeId>("c"));
}

TEST(BencodeWriter, WritesWhatTheParserReads) {
  Buffer out;
  {
    Writer w(out);
    w.dict().integer("a", -3).string("b", "x").key("c").list().raw(as_bytes("i1e")).end();
    w.key("d").dict().end().end();
  }
  EXPECT_EQ(as_text(out), "d1:ai-3e1:b1:x1:cli1ee1:ddee");
}

TEST(BencodeWriterDeath, AssertsOnMisuse) {
  const auto unsorted = [] {
    Buffer out;
    Writer w(out);
    w.dict().integer("b", 1).integer("a", 1);
  };
  const auto repeated = [] {
    Buffer out;
    Writer w(out);
    w.dict().integer("a", 1).integer("a", 1);
  };
  const auto no_key = [] {
    Buffer out;
    Writer w(out);
    w.dict().integer(1);
  };
  const auto no_value = [] {
    Buffer out;
    Writer w(out);
    w.dict().key("a").end();
  };
  const auto open = [] {
    Buffer out;
    Writer w(out);
    w.list();
  };
  EXPECT_DEATH(unsorted(), "last_key");
  EXPECT_DEATH(repeated(), "last_key");
  EXPECT_DEATH(no_key(), "value_expected");
  EXPECT_DEATH(no_value(), "value_expected");
  EXPECT_DEATH(open(), "levels_");
}

/// Random documents round trip; damaged ones either fail or round trip to themselves.
class BencodeProperty : public ::testing::Test {
 protected:
  void grow(Writer& out, std::size_t depth) {
    switch (rng_.uniform(depth >= 6 ? 2 : 4)) {
      case 0:
        out.integer(static_cast<std::int64_t>(rng_.next_u64() >> rng_.uniform(64)));
        return;
      case 1:
        out.string(Bytes(random_bytes(rng_.uniform(12))));
        return;
      case 2:
        out.list();
        for (std::uint64_t n = rng_.uniform(4); n > 0; --n) grow(out, depth + 1);
        out.end();
        return;
      default:
        out.dict();
        std::string key;
        for (std::uint64_t n = rng_.uniform(4); n > 0; --n) {
          key += static_cast<char>('a' + rng_.uniform(26));  // longer, so greater than before
          out.key(key);
          grow(out, depth + 1);
        }
        out.end();
    }
  }
  Buffer random_bytes(std::uint64_t size) {
    Buffer bytes(size);
    rng_.fill(bytes);
    return bytes;
  }
  static constexpr std::uint64_t kSeed = 20261123;
  SeededRng rng_{kSeed};
};

TEST_F(BencodeProperty, ParseThenWriteIsTheIdentity) {
  const ParseLimits wide{.depth = 100, .tokens = 100'000};
  for (int round = 0; round < 2'000; ++round) {
    Buffer out;
    {
      Writer writer(out);
      grow(writer, 0);
    }
    const auto document = parse(out, wide);
    ASSERT_TRUE(document) << "seed " << kSeed << " round " << round;
    ASSERT_EQ(rewritten(*document), as_text(out)) << "seed " << kSeed << " round " << round;
    Buffer damaged = out;
    damaged[rng_.uniform(damaged.size())] = static_cast<std::uint8_t>(rng_.next_u64());
    if (const auto other = parse(damaged, wide)) {
      ASSERT_EQ(rewritten(*other), as_text(damaged)) << "seed " << kSeed << " round " << round;
    }
  }
}

}  // namespace
}  // namespace kith::bencode
