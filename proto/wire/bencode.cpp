#include "proto/wire/bencode.hpp"

#include <algorithm>
#include <charconv>

#include "proto/assert.hpp"

namespace kith::bencode {

/// Walks the input once. `open_` holds the tokens of the containers that are not closed yet.
class Parser {
 public:
  Parser(Bytes input, ParseLimits limits) : input_(input), limits_(limits) {
    document_.input_ = input;
  }

  Result<Document> run() {
    if (input_.size() > UINT32_MAX / 2) return peer_error(Errc::kLimit, "document is too large");
    do {
      KITH_CHECK(step());
    } while (!open_.empty());
    if (at_ != input_.size()) return malformed("bytes after the end");
    return std::move(document_);
  }

 private:
  struct Open {
    std::uint32_t token;
    bool key_expected;
    std::uint32_t last_key = 0;  // token of the previous key; 0 (never a key) for none
  };
  using Token = Document::Token;

  static Error malformed(const char* what) {
    return peer_error(Errc::kMalformed, std::string("bencode: ") + what);
  }

  Result<void> step() {
    if (at_ >= input_.size()) return malformed("ends in the middle");
    const std::uint8_t c = input_[at_];
    if (c == 'e') return close();
    if (document_.tokens_.size() >= limits_.tokens) {
      return peer_error(Errc::kLimit, "bencode: too many values");
    }
    const bool is_key = !open_.empty() && open_.back().key_expected;
    if (is_key && (c < '0' || c > '9')) return malformed("a key is not a string");
    if (!is_key) count_in_parent();
    if (c == 'i') return integer();
    if (c == 'l' || c == 'd') return open(c == 'd' ? Kind::kDict : Kind::kList);
    if (c < '0' || c > '9') return malformed("not a value");
    KITH_CHECK(string());
    return is_key ? key_done() : value_done();
  }

  void count_in_parent() {
    if (!open_.empty()) ++document_.tokens_[open_.back().token].size;
  }

  Token& push(Kind kind) {
    Token& token = document_.tokens_.emplace_back();
    token.kind = kind;
    token.start = static_cast<std::uint32_t>(at_);
    return token;
  }

  // Ends the newest token, which contains no other, at the present position.
  void seal(Token& token) {
    token.stop = static_cast<std::uint32_t>(at_);
    token.next = static_cast<std::uint32_t>(document_.tokens_.size());
  }

  Result<void> integer() {
    Token& token = push(Kind::kInteger);
    const char* begin = reinterpret_cast<const char*>(input_.data()) + at_ + 1;
    const char* limit = reinterpret_cast<const char*>(input_.data()) + input_.size();
    const auto [end, error] = std::from_chars(begin, limit, token.integer);
    if (error == std::errc::result_out_of_range) return malformed("integer does not fit 64 bits");
    if (error != std::errc() || end == limit || *end != 'e') return malformed("bad integer");
    const char* digits = *begin == '-' ? begin + 1 : begin;
    const bool leading_zero = *digits == '0' && (end - digits > 1 || digits != begin);
    if (leading_zero) return malformed("integer with a leading zero or negative zero");
    at_ += static_cast<std::size_t>(end - begin) + 2;
    seal(token);
    return value_done();
  }

  Result<void> string() {
    Token& token = push(Kind::kString);
    const char* begin = reinterpret_cast<const char*>(input_.data()) + at_;
    const char* limit = reinterpret_cast<const char*>(input_.data()) + input_.size();
    std::uint32_t size = 0;
    const auto [end, error] = std::from_chars(begin, limit, size);
    if (error != std::errc() || end == limit || *end != ':') return malformed("bad string length");
    if (*begin == '0' && end - begin > 1) return malformed("string length with a leading zero");
    at_ += static_cast<std::size_t>(end - begin) + 1;
    if (size > input_.size() - at_) return malformed("string runs past the end");
    token.data = static_cast<std::uint32_t>(at_);
    token.size = size;
    at_ += size;
    seal(token);
    return {};
  }

  Result<void> open(Kind kind) {
    if (open_.size() >= limits_.depth) return peer_error(Errc::kLimit, "bencode: too deep");
    open_.push_back({static_cast<std::uint32_t>(document_.tokens_.size()), kind == Kind::kDict});
    push(kind);
    ++at_;
    return {};
  }

  Result<void> close() {
    if (open_.empty()) return malformed("'e' without a beginning");
    const Open top = open_.back();
    Token& token = document_.tokens_[top.token];
    if (token.kind == Kind::kDict && !top.key_expected) return malformed("a key without a value");
    open_.pop_back();
    ++at_;
    seal(token);
    return value_done();
  }

  Result<void> key_done() {
    Open& top = open_.back();
    const auto key = static_cast<std::uint32_t>(document_.tokens_.size() - 1);
    if (top.last_key != 0) {
      const auto before = as_text(content(top.last_key));
      const auto now = as_text(content(key));
      if (before == now) return malformed("a key stands twice");
      if (before > now && !limits_.allow_unsorted_keys) return malformed("keys are not sorted");
    }
    top.last_key = key;
    top.key_expected = false;
    return {};
  }

  Result<void> value_done() {
    if (!open_.empty() && document_.tokens_[open_.back().token].kind == Kind::kDict) {
      open_.back().key_expected = true;
    }
    return {};
  }

  Bytes content(std::uint32_t token) const {
    const Token& t = document_.tokens_[token];
    return input_.subspan(t.data, t.size);
  }

  Bytes input_;
  ParseLimits limits_;
  Document document_;
  std::vector<Open> open_;
  std::size_t at_ = 0;
};

Result<Document> parse(Bytes input, ParseLimits limits) { return Parser(input, limits).run(); }

Kind Value::kind() const { return document_->tokens_[token_].kind; }

std::optional<std::int64_t> Value::integer() const {
  if (kind() != Kind::kInteger) return std::nullopt;
  return document_->tokens_[token_].integer;
}

std::optional<Bytes> Value::string() const {
  if (kind() != Kind::kString) return std::nullopt;
  const auto& token = document_->tokens_[token_];
  return document_->input_.subspan(token.data, token.size);
}

Bytes Value::raw() const {
  const auto& token = document_->tokens_[token_];
  return document_->input_.subspan(token.start, token.stop - token.start);
}

std::size_t Value::size() const {
  const bool container = kind() == Kind::kList || kind() == Kind::kDict;
  return container ? document_->tokens_[token_].size : 0;
}

std::optional<Value> Value::find(std::string_view key) const {
  if (kind() != Kind::kDict) return std::nullopt;
  for (auto it = begin(); it != end(); ++it) {
    const bool found = as_text(*(*it).string()) == key;
    ++it;
    if (found) return *it;
  }
  return std::nullopt;
}

std::optional<std::int64_t> Value::find_integer(std::string_view key) const {
  const auto value = find(key);
  return value ? value->integer() : std::nullopt;
}

std::optional<Bytes> Value::find_string(std::string_view key) const {
  const auto value = find(key);
  return value ? value->string() : std::nullopt;
}

std::optional<Value> Value::find_list(std::string_view key) const {
  const auto value = find(key);
  return value && value->kind() == Kind::kList ? value : std::nullopt;
}

std::optional<Value> Value::find_dict(std::string_view key) const {
  const auto value = find(key);
  return value && value->kind() == Kind::kDict ? value : std::nullopt;
}

Value::Iterator Value::begin() const {
  const bool container = kind() == Kind::kList || kind() == Kind::kDict;
  return container ? Iterator(document_, token_ + 1) : end();
}

Value::Iterator Value::end() const { return {document_, document_->tokens_[token_].next}; }

Value Value::Iterator::operator*() const { return {document_, token_}; }

Value::Iterator& Value::Iterator::operator++() {
  token_ = document_->tokens_[token_].next;
  return *this;
}

Writer::~Writer() { KITH_ASSERT(levels_.empty()); }

void Writer::begin_value() {
  if (levels_.empty()) return;
  Level& level = levels_.back();
  KITH_ASSERT(!level.is_dict || level.value_expected);
  level.value_expected = false;
}

Writer& Writer::dict() {
  begin_value();
  out_.push_back('d');
  levels_.push_back({.is_dict = true, .last_key = {}});
  return *this;
}

Writer& Writer::list() {
  begin_value();
  out_.push_back('l');
  levels_.push_back({.is_dict = false, .last_key = {}});
  return *this;
}

Writer& Writer::end() {
  KITH_ASSERT(!levels_.empty() && !levels_.back().value_expected);
  levels_.pop_back();
  out_.push_back('e');
  return *this;
}

Writer& Writer::key(std::string_view key) {
  KITH_ASSERT(!levels_.empty());
  Level& level = levels_.back();
  KITH_ASSERT(level.is_dict && !level.value_expected);
  KITH_ASSERT(!level.any || level.last_key < key);
  level.any = true;
  level.last_key = key;
  level.value_expected = false;
  levels_.push_back({.is_dict = false, .last_key = {}});  // a string, but not a value of the dict
  string(key);
  levels_.pop_back();
  levels_.back().value_expected = true;
  return *this;
}

Writer& Writer::integer(std::int64_t value) {
  begin_value();
  const std::string text = "i" + std::to_string(value) + "e";
  append(out_, as_bytes(text));
  return *this;
}

Writer& Writer::string(Bytes value) {
  begin_value();
  append(out_, as_bytes(std::to_string(value.size()) + ":"));
  append(out_, value);
  return *this;
}

Writer& Writer::raw(Bytes encoded) {
  begin_value();
  append(out_, encoded);
  return *this;
}

}  // namespace kith::bencode
