#include "node/api/args.hpp"

#include <utility>

#include "proto/text.hpp"

namespace kith::node {
namespace {

constexpr const char* kShorten = "shorten it";

std::string too_long(std::size_t max) { return "longer than " + std::to_string(max) + " bytes"; }

}  // namespace

Args::Args(const Json& object) : object_(object) {
  if (!object.is_object()) fail(local_error(Errc::kUsage, "the arguments are not a JSON object"));
}

const Json* Args::find(std::string_view key) {
  known_.emplace(key);
  if (failed_) return nullptr;
  const auto at = object_.find(key);
  return at == object_.end() ? nullptr : &*at;
}

std::string Args::text(std::string_view key, std::size_t max) {
  const Json* value = find(key);
  if (value == nullptr) return {};
  if (!value->is_string()) {
    fail(key, "not a text");
    return {};
  }
  const auto& text = value->get_ref<const std::string&>();
  if (text.size() > max) fail(key, too_long(max), kShorten);
  if (text.find('\0') != std::string::npos) fail(key, "contains a NUL byte");
  if (!is_utf8(text)) fail(key, "not UTF-8");
  return failed_ ? std::string() : text;
}

std::string Args::required_text(std::string_view key, std::size_t max) {
  std::string out = text(key, max);
  if (out.empty()) fail(key, object_.contains(key) ? "an empty text" : "is missing");
  return out;
}

bool Args::flag(std::string_view key) {
  const Json* value = find(key);
  if (value == nullptr) return false;
  if (!value->is_boolean()) {
    fail(key, "neither true nor false");
    return false;
  }
  return value->get<bool>();
}

std::uint64_t Args::number(std::string_view key, std::uint64_t min, std::uint64_t max,
                           std::uint64_t fallback) {
  const Json* value = find(key);
  if (value == nullptr) return fallback;
  const bool whole = value->is_number_unsigned() ||
                     (value->is_number_integer() && value->get<std::int64_t>() >= 0);
  const std::uint64_t out = whole ? value->get<std::uint64_t>() : 0;
  if (!whole || out < min || out > max) {
    fail(key, "not a whole number from " + std::to_string(min) + " to " + std::to_string(max));
    return fallback;
  }
  return out;
}

std::vector<std::string> Args::texts(std::string_view key, std::size_t count, std::size_t max) {
  const Json* value = find(key);
  if (value == nullptr) return {};
  if (!value->is_array()) {
    fail(key, "not a list");
    return {};
  }
  if (value->size() > count) {
    fail(key, "given more than " + std::to_string(count) + " times", "say it with fewer of them");
    return {};
  }
  std::vector<std::string> out;
  for (const Json& item : *value) out.push_back(one_of(key, item, max));
  return failed_ ? std::vector<std::string>() : out;
}

std::string Args::one_of(std::string_view key, const Json& item, std::size_t max) {
  if (!item.is_string()) {
    fail(key, "one of them is not a text");
    return {};
  }
  const auto& text = item.get_ref<const std::string&>();
  if (text.size() > max) fail(key, "one of them is " + too_long(max), kShorten);
  if (!is_utf8(text)) fail(key, "one of them is not UTF-8");
  return text;
}

void Args::fail(std::string_view key, std::string what, std::string hint) {
  fail(local_error(Errc::kUsage, std::move(what), std::string(key), std::move(hint)));
}

void Args::fail(Error error) {
  if (failed_) return;
  failed_ = true;
  error_ = std::move(error);
}

Result<void> Args::finish() const {
  if (failed_) return error_;
  for (const auto& item : object_.items()) {
    if (known_.count(item.key()) == 0) {
      return local_error(Errc::kUsage, "an argument that this command does not have", item.key());
    }
  }
  return {};
}

}  // namespace kith::node
