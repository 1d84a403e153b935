#include "node/engine/limits.hpp"

#include <algorithm>

#include "node/engine/engine.hpp"
#include "proto/limits.hpp"
#include "proto/wire/bencode.hpp"

namespace kith::node {
namespace {

using transfer::LimitRule;
using transfer::LimitRules;

constexpr std::size_t kPrefixMin = 8;

// Of two limits; 0 is none.
std::uint64_t lower(std::uint64_t a, std::uint64_t b) {
  return a == 0 || b == 0 ? std::max(a, b) : std::min(a, b);
}

bool is_about_all(const LimitRule& rule) { return !rule.swarm && !rule.device; }

std::optional<LimitRule> decode_rule(const bencode::Value& value) {
  const auto up = value.find_unsigned<std::uint64_t>("u");
  const auto down = value.find_unsigned<std::uint64_t>("n");
  if (!up || !down) return std::nullopt;
  return LimitRule{value.find_fixed<SwarmId>("s"), value.find_fixed<DeviceId>("d"), *up, *down};
}

Error damaged() { return local_error(Errc::kMalformed, "the limits in the catalog are damaged"); }

}  // namespace

std::string encode_limits(const LimitRules& limits) {
  Buffer out;
  bencode::Writer writer(out);
  writer.dict().key("l").list();
  for (const LimitRule& rule : limits.rules) {
    writer.dict();
    if (rule.device) writer.string("d", rule.device->view());
    writer.integer("n", static_cast<std::int64_t>(rule.down));
    if (rule.swarm) writer.string("s", rule.swarm->view());
    writer.integer("u", static_cast<std::int64_t>(rule.up)).end();
  }
  writer.end().integer("x", limits.lan_exempt ? 1 : 0).end();
  return std::string(out.begin(), out.end());
}

Result<LimitRules> decode_limits(std::string_view text) {
  LimitRules out;
  bencode::ParseLimits bounds;
  bounds.tokens = limits::kLimitRules * 16;
  const auto document = bencode::parse(as_bytes(text), bounds);
  if (!document) return damaged();
  const auto list = document->root().find_list("l");
  const auto exempt = document->root().find_integer("x");
  if (!list || !exempt) return damaged();
  for (const bencode::Value value : *list) {
    const auto rule = decode_rule(value);
    if (!rule) return damaged();
    out.rules.push_back(*rule);
  }
  out.lan_exempt = *exempt != 0;
  return out;
}

// --- the engine's part ---

void Engine::restore_limits(Turn& turn, const std::string& saved) {
  if (!saved.empty()) {
    auto limits = decode_limits(saved);
    if (!limits) return turn.log(LogLevel::kError, to_string(limits.error()));
    limits_ = std::move(*limits);
  }
  apply_limits(turn);
}

// Those of the user, and that of the settings: the lower one counts.
void Engine::apply_limits(Turn& turn) {
  LimitRules effective = limits_;
  auto all = std::ranges::find_if(effective.rules, is_about_all);
  if (all == effective.rules.end()) all = effective.rules.insert(all, LimitRule());
  all->up = lower(all->up, config_.limit);
  all->down = lower(all->down, config_.limit);
  transfer_.set_limits(turn.now.mono, effective, turn.transfer);
}

void Engine::on_command(Turn& turn, RequestId request, const SetLimit& command) {
  config_.limit = command.bytes_per_second;
  apply_limits(turn);
  turn.done(request, Ok{});
}

void Engine::on_command(Turn& turn, RequestId request, const ChangeLimit& command) {
  const bool changes = command.up || command.down || command.lan_exempt;
  if (changes) {
    if (const auto done = change_limit(command); !done) return turn.fail(request, done.error());
    turn.save_full(PutSetting{kLimitsSetting, encode_limits(limits_)});
    apply_limits(turn);
  }
  turn.done(request, limits_view());
}

Result<void> Engine::change_limit(const ChangeLimit& command) {
  LimitRule about;
  if (!command.swarm.empty()) {
    KITH_TRY(const Swarm* swarm, swarms_.resolve(command.swarm));
    about.swarm = swarm->id;
  }
  if (!command.device.empty()) {
    KITH_TRY(about.device, find_device(about.swarm, command.device));
    const bool limits = command.up.value_or(0) > 0 || command.down.value_or(0) > 0;
    if (limits && about.device == device()) {
      return local_error(Errc::kUsage, "a limit with this very device, which sends itself nothing",
                         command.device,
                         "'kith swarm members' shows the others; without --peer it is for all");
    }
  }
  auto rule = std::ranges::find_if(limits_.rules, [&](const LimitRule& other) {
    return other.swarm == about.swarm && other.device == about.device;
  });
  if (rule == limits_.rules.end()) {
    if (limits_.rules.size() >= limits::kLimitRules) {
      return local_error(Errc::kLimit, "there are too many limits already", {},
                         "'kith limit' shows them; 'kith limit none …' lifts one");
    }
    rule = limits_.rules.insert(rule, about);
  }
  rule->up = command.up.value_or(rule->up);
  rule->down = command.down.value_or(rule->down);
  if (rule->up == 0 && rule->down == 0) limits_.rules.erase(rule);
  limits_.lan_exempt = command.lan_exempt.value_or(limits_.lan_exempt);
  return {};
}

// By its name, its id or the beginning of that, among the members of one swarm or of all.
Result<DeviceId> Engine::find_device(const std::optional<SwarmId>& of, const std::string& text) {
  std::set<DeviceId> fits;
  for (const auto& [id, swarm] : swarms_.all()) {
    if ((of && *of != id) || swarm->roster.empty()) continue;
    for (const auto& [device, member] : swarm->roster.state().members) {
      const bool by_id = text.size() >= kPrefixMin && device.hex().starts_with(text);
      if (by_id || swarm->name_of(device) == text) fits.insert(device);
    }
  }
  if (fits.size() == 1) return *fits.begin();
  if (fits.empty()) {
    return local_error(Errc::kNotFound, "there is no such device", text,
                       "'kith swarm members' shows them");
  }
  return local_error(Errc::kUsage, "several devices fit", text, "name one by its id");
}

LimitsAnswer Engine::limits_view() {
  LimitsAnswer out;
  out.lan_exempt = limits_.lan_exempt;
  if (config_.limit > 0) {
    LimitView view;
    view.up = view.down = config_.limit;
    view.setting = true;
    out.limits.push_back(view);
  }
  for (const LimitRule& rule : limits_.rules) {
    LimitView view;
    view.up = rule.up;
    view.down = rule.down;
    if (rule.swarm) {
      view.swarm = rule.swarm->hex();
      if (const Swarm* swarm = swarms_.find(*rule.swarm)) view.swarm_name = swarm->name;
    }
    if (rule.device) {
      view.device = rule.device->hex();
      for (const auto& [id, swarm] : swarms_.all()) {
        if (view.device_name.empty()) view.device_name = swarm->name_of(*rule.device);
      }
    }
    out.limits.push_back(std::move(view));
  }
  return out;
}

}  // namespace kith::node
