// Canonical bencode: the one encoding of all structured data (KRPC, roster operations, manifest
// pages, bodies of control frames). Source: BEP 3, with the strictness of BEP 44.
//
// The parser is iterative and view-only: it makes one flat array of tokens that point into the
// input and copies nothing. It refuses everything that the writer would not make: leading zeros,
// "-0", integers beyond int64, unsorted or repeated keys, lengths past the end, bytes after the
// end. So a document that parses encodes to the same bytes.
//
// Grammar: value = integer | string | list | dict;  integer = "i" [-] digits "e";
//          string = digits ":" bytes;  list = "l" value* "e";  dict = "d" (string value)* "e".
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "proto/bytes.hpp"
#include "proto/limits.hpp"
#include "proto/result.hpp"

namespace kith::bencode {

enum class Kind : std::uint8_t { kInteger, kString, kList, kDict };

struct ParseLimits {
  std::size_t depth = limits::kBencodeDepth;
  std::size_t tokens = limits::kKrpcTokens;
  /// BEP 5 peers send unsorted dictionaries now and then. Repeated keys are refused all the same
  /// where they are neighbours; find() returns the first.
  bool allow_unsorted_keys = false;
};

class Document;

/// One value of a Document. Valid as long as the Document and the bytes it was parsed from.
/// Accessors of the wrong kind return nothing: peers choose the kinds, so that is never a bug.
class Value {
 public:
  [[nodiscard]] Kind kind() const;
  /// The content; nothing for another kind.
  [[nodiscard]] std::optional<std::int64_t> integer() const;
  [[nodiscard]] std::optional<Bytes> string() const;
  /// Exactly this value's encoding.
  [[nodiscard]] Bytes raw() const;

  /// Elements of a list, or pairs of a dict.
  [[nodiscard]] std::size_t size() const;
  /// The value under `key`; nothing if absent or not a dict. Linear in the number of keys.
  [[nodiscard]] std::optional<Value> find(std::string_view key) const;
  /// find() for one kind: nothing if it is of another.
  [[nodiscard]] std::optional<std::int64_t> find_integer(std::string_view key) const;
  [[nodiscard]] std::optional<Bytes> find_string(std::string_view key) const;
  [[nodiscard]] std::optional<Value> find_list(std::string_view key) const;
  [[nodiscard]] std::optional<Value> find_dict(std::string_view key) const;
  /// A non-negative integer that fits T.
  template <class T>
  [[nodiscard]] std::optional<T> find_unsigned(std::string_view key) const {
    const auto value = find_integer(key);
    if (!value || *value < 0 ||
        static_cast<std::uint64_t>(*value) > static_cast<std::uint64_t>(T(-1))) {
      return std::nullopt;
    }
    return static_cast<T>(*value);
  }
  /// A string of exactly the bytes of a FixedBytes type.
  template <class Fixed>
  [[nodiscard]] std::optional<Fixed> find_fixed(std::string_view key) const {
    const auto bytes = find_string(key);
    return bytes ? Fixed::from(*bytes) : std::nullopt;
  }

  /// Forward iteration over the elements of a list, or the keys and values of a dict in turn.
  class Iterator {
   public:
    Value operator*() const;
    Iterator& operator++();
    bool operator==(const Iterator& other) const { return token_ == other.token_; }

   private:
    friend class Value;
    Iterator(const Document* document, std::uint32_t token) : document_(document), token_(token) {}
    const Document* document_;
    std::uint32_t token_;
  };
  /// Empty for integers and strings.
  [[nodiscard]] Iterator begin() const;
  [[nodiscard]] Iterator end() const;

 private:
  friend class Document;
  Value(const Document* document, std::uint32_t token) : document_(document), token_(token) {}
  const Document* document_;
  std::uint32_t token_;
};

class Document {
 public:
  /// The one value that the input is.
  [[nodiscard]] Value root() const { return {this, 0}; }

 private:
  friend class Value;
  friend class Parser;
  // One per value. `next` is the token after this value and all it contains; `data` and `size` are
  // the content of a string; `start` and `stop` bound the encoding.
  struct Token {
    Kind kind;
    std::uint32_t next = 0;
    std::uint32_t start = 0;
    std::uint32_t stop = 0;
    std::uint32_t data = 0;
    std::uint32_t size = 0;  // string: bytes; list: elements; dict: pairs
    std::int64_t integer = 0;
  };
  Bytes input_;
  std::vector<Token> tokens_;
};

/// Parses one value that fills `input` completely. Errors: kMalformed or kLimit, blame peer.
[[nodiscard]] Result<Document> parse(Bytes input, ParseLimits limits = {});

/// Appends canonical bencode to a buffer. The caller writes dict keys in ascending order; anything
/// else is a bug of ours and asserts.
class Writer {
 public:
  explicit Writer(Buffer& out) : out_(out) {}
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  /// Begins a dict, or a list, which end() ends.
  Writer& dict();
  Writer& list();
  /// Ends the innermost dict or list.
  Writer& end();
  /// Of the innermost dict, above its last one; a value must follow.
  Writer& key(std::string_view key);
  Writer& integer(std::int64_t value);
  Writer& string(Bytes value);
  Writer& string(std::string_view value) { return string(as_bytes(value)); }
  /// A value that is encoded already.
  Writer& raw(Bytes encoded);

  // key and value in one
  Writer& integer(std::string_view k, std::int64_t value) { return key(k).integer(value); }
  Writer& string(std::string_view k, Bytes value) { return key(k).string(value); }
  Writer& string(std::string_view k, std::string_view value) { return key(k).string(value); }

 private:
  struct Level {
    bool is_dict;
    std::string last_key;
    bool value_expected = false;
    bool any = false;
  };
  void begin_value();
  Buffer& out_;
  std::vector<Level> levels_;
};

}  // namespace kith::bencode
