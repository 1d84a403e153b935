#include "tools/kith/settings.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "node/api/unique_fd.hpp"
#include "node/runtime.hpp"
#include "proto/limits.hpp"
#include "proto/text.hpp"
#include "tools/kith/resolve.hpp"
#include "tools/kith/units.hpp"

namespace kith::cli {
namespace {

using node::Json;
using node::UniqueFd;

constexpr std::size_t kFileMax = 64 * 1024;
constexpr std::size_t kBootstrapMax = 64;
// As fast as a disk may ever be, and the most that the API takes.
constexpr std::uint64_t kUnlimited = std::uint64_t{1} << 40;

std::string file_path(const std::string& home) { return home + "/config.json"; }

// --- one pair of functions per kind of value: from a word of the command line, and back ---

using ToJson = Result<void> (*)(std::string_view word, Json& out);

Result<void> address(std::string_view word, Json& out) {
  KITH_CHECK(check_address(word));
  out = std::string(word);
  return {};
}

Result<void> peer_address(std::string_view word, Json& out) {
  KITH_CHECK(check_peer_address(word));
  out = std::string(word);
  return {};
}

Result<void> addresses(std::string_view words, Json& out) {
  out = Json::array();
  while (!words.empty()) {
    const std::size_t comma = std::min(words.find(','), words.size());
    KITH_CHECK(check_peer_address(words.substr(0, comma)));
    out.push_back(std::string(words.substr(0, comma)));
    words.remove_prefix(std::min(comma + 1, words.size()));
  }
  if (out.size() > kBootstrapMax) return local_error(Errc::kUsage, "too many addresses");
  return {};
}

Result<void> rate(std::string_view word, Json& out) {
  KITH_TRY(out, parse_rate(word));
  return {};
}

Result<void> size(std::string_view word, Json& out) {
  KITH_TRY(out, parse_size(word));
  return {};
}

Result<void> device_name(std::string_view word, Json& out) {
  const bool control = std::any_of(word.begin(), word.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
  if (word.size() > limits::kDeviceNameMax || control || !is_utf8(word)) {
    return local_error(Errc::kUsage, "not a device's name", escape(word),
                       "at most 64 bytes of UTF-8 without control characters");
  }
  out = std::string(word);
  return {};
}

Result<void> on_or_off(std::string_view word, Json& out) {
  if (word != "true" && word != "false") {
    return local_error(Errc::kUsage, "neither true nor false", std::string(word));
  }
  out = word == "true";
  return {};
}

constexpr std::chrono::seconds kScrubLeast = std::chrono::minutes(1);
constexpr std::chrono::seconds kScrubMost = std::chrono::hours(24 * 366 * 10);

Result<void> scrub_span(std::string_view word, Json& out) {
  KITH_CHECK(parse_span(word, kScrubLeast, kScrubMost));
  out = std::string(word);
  return {};
}

struct Key {
  std::string_view name;
  Json::value_t type;
  ToJson to_json;
};
constexpr std::array kKeys{
    Key{"listen", Json::value_t::string, address},
    Key{"advertise", Json::value_t::string, peer_address},
    Key{"bootstrap", Json::value_t::array, addresses},
    Key{"limit", Json::value_t::number_unsigned, rate},
    Key{"min_free", Json::value_t::number_unsigned, size},
    Key{"device_name", Json::value_t::string, device_name},
    Key{"lan", Json::value_t::boolean, on_or_off},
    Key{"scrub", Json::value_t::boolean, on_or_off},
    Key{"scrub_rate", Json::value_t::number_unsigned, rate},
    Key{"scrub_every", Json::value_t::string, scrub_span},
};

const Key* find_key(std::string_view name) {
  const auto at =
      std::find_if(kKeys.begin(), kKeys.end(), [&](const Key& key) { return key.name == name; });
  return at == kKeys.end() ? nullptr : &*at;
}

Error unknown_key(std::string_view name) {
  std::string known;
  for (const Key& key : kKeys) known += (known.empty() ? "" : ", ") + std::string(key.name);
  return local_error(Errc::kUsage, "no such setting", std::string(name), "there are " + known);
}

std::string to_word(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "true" : "false";
  if (value.is_number_unsigned()) return std::to_string(value.get<std::uint64_t>());
  std::string out;
  for (const Json& item : value) out += (out.empty() ? "" : ",") + item.get<std::string>();
  return out;
}

bool is_list_of_texts(const Json& value) {
  return std::all_of(value.begin(), value.end(), [](const Json& item) { return item.is_string(); });
}

Error malformed(std::string what, std::string subject) {
  return local_error(Errc::kMalformed, "config.json: " + std::move(what), std::move(subject),
                     "correct the file, or remove it");
}

}  // namespace

Result<Settings> Settings::parse(std::string_view text) {
  Settings settings;
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return malformed("not a JSON object", {});
  for (const auto& [name, value] : json.items()) {
    const Key* key = find_key(name);
    if (key == nullptr) return malformed("no such setting", name);
    const bool list = value.is_array() && is_list_of_texts(value);
    if (value.type() != key->type || (value.is_array() && !list)) {
      return malformed("not a value of this setting", name);
    }
    if (auto set = settings.set(name, to_word(value)); !set) {
      return malformed(set.error().what, name);
    }
  }
  return settings;
}

Result<Settings> Settings::load(const std::string& home) {
  const std::string path = file_path(home);
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd && errno == ENOENT) return Settings();
  if (!fd) return os_error(errno, "cannot open the settings", path);
  std::string text(kFileMax + 1, '\0');
  const ssize_t size = ::read(fd.get(), text.data(), text.size());
  if (size < 0) return os_error(errno, "cannot read the settings", path);
  text.resize(static_cast<std::size_t>(size));
  if (text.size() > kFileMax) return malformed("longer than 64 KiB", path);
  return parse(text);
}

std::vector<std::string_view> Settings::keys() {
  std::vector<std::string_view> out;
  for (const Key& key : kKeys) out.push_back(key.name);
  return out;
}

Result<std::string> Settings::get(std::string_view key) const {
  if (find_key(key) == nullptr) return unknown_key(key);
  const auto at = json_.find(key);
  return at == json_.end() ? std::string() : to_word(*at);
}

Result<void> Settings::set(std::string_view key, std::string_view value) {
  const Key* known = find_key(key);
  if (known == nullptr) return unknown_key(key);
  if (value.empty()) {
    json_.erase(std::string(key));
    return {};
  }
  Json json;
  KITH_CHECK(known->to_json(value, json));
  json_[std::string(key)] = std::move(json);
  return {};
}

Result<void> Settings::save(const std::string& home) const {
  const std::string path = file_path(home);
  const std::string fresh = path + ".new";
  const std::string text = json_.dump(2) + "\n";
  UniqueFd fd(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return os_error(errno, "cannot write the settings", fresh);
  const ssize_t written = ::write(fd.get(), text.data(), text.size());
  if (written != static_cast<ssize_t>(text.size())) {
    return os_error(written < 0 ? errno : ENOSPC, "cannot write the settings", fresh);
  }
  if (::fsync(fd.get()) != 0 || ::rename(fresh.c_str(), path.c_str()) != 0) {
    return os_error(errno, "cannot write the settings", path);
  }
  return {};
}

std::string Settings::text(std::string_view key) const {
  const auto at = json_.find(key);
  return at == json_.end() ? std::string() : at->get<std::string>();
}

std::vector<std::string> Settings::bootstrap() const {
  const auto at = json_.find("bootstrap");
  return at == json_.end() ? std::vector<std::string>() : at->get<std::vector<std::string>>();
}

std::uint64_t Settings::limit() const {
  const auto at = json_.find("limit");
  return at == json_.end() ? 0 : at->get<std::uint64_t>();
}

std::optional<std::uint64_t> Settings::min_free() const {
  const auto at = json_.find("min_free");
  return at == json_.end() ? std::nullopt : std::optional(at->get<std::uint64_t>());
}

bool Settings::lan() const {
  const auto at = json_.find("lan");
  return at == json_.end() || at->get<bool>();
}

std::uint64_t Settings::scrub_rate() const {
  const auto on = json_.find("scrub");
  if (on != json_.end() && !on->get<bool>()) return 0;
  const auto at = json_.find("scrub_rate");
  if (at == json_.end()) return node::RuntimeOptions().scrub.rate;
  const auto set = at->get<std::uint64_t>();
  return set == 0 ? kUnlimited : set;
}

std::chrono::milliseconds Settings::scrub_every() const {
  const auto span = parse_span(text("scrub_every"), kScrubLeast, kScrubMost);
  return span ? *span : node::RuntimeOptions().scrub.every;
}

Result<UniqueFd> lock_settings(const std::string& home) {
  UniqueFd fd(::open(home.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return os_error(errno, "cannot open the home", home);
  if (::flock(fd.get(), LOCK_EX) != 0) return os_error(errno, "cannot lock the settings", home);
  return fd;
}

}  // namespace kith::cli
