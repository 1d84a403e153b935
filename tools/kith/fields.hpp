// Reading the members of a node's answer for people to see. A node of another version may leave one
// out: then there is nothing to show, which is no error.
#pragma once

#include <cstdint>
#include <string>

#include "node/api/json.hpp"
#include "proto/text.hpp"

namespace kith::cli {

/// The text as it is.
[[nodiscard]] inline std::string raw(const node::Json& json, const char* key) {
  const auto at = json.find(key);
  return at != json.end() && at->is_string() ? at->get<std::string>() : std::string();
}
/// The text, fit for a terminal.
[[nodiscard]] inline std::string text(const node::Json& json, const char* key) {
  return escape(raw(json, key));
}
[[nodiscard]] inline std::uint64_t number(const node::Json& json, const char* key) {
  const auto at = json.find(key);
  return at != json.end() && at->is_number_unsigned() ? at->get<std::uint64_t>() : 0;
}
[[nodiscard]] inline bool flag(const node::Json& json, const char* key) {
  const auto at = json.find(key);
  return at != json.end() && at->is_boolean() && at->get<bool>();
}
/// The list; an empty one if it is missing.
[[nodiscard]] inline const node::Json& items(const node::Json& json, const char* key) {
  static const node::Json kEmpty = node::Json::array();
  const auto at = json.find(key);
  return at != json.end() && at->is_array() ? *at : kEmpty;
}
/// The object; an empty one if it is missing.
[[nodiscard]] inline const node::Json& object(const node::Json& json, const char* key) {
  static const node::Json kEmpty = node::Json::object();
  const auto at = json.find(key);
  return at != json.end() && at->is_object() ? *at : kEmpty;
}
/// The first characters of an id, enough to type.
[[nodiscard]] inline std::string short_id(const node::Json& json, const char* key) {
  return text(json, key).substr(0, 8);
}

}  // namespace kith::cli
