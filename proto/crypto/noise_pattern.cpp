#include <algorithm>
#include <initializer_list>

#include "proto/crypto/noise.hpp"

namespace kith::noise {
namespace {

using enum Token;

struct NamedPattern {
  std::string_view name;
  Pattern pattern;
};

constexpr Pattern::Message tokens(std::initializer_list<Token> list) {
  Pattern::Message message;
  for (const Token token : list) message.push_back(token);
  return message;
}

constexpr Pattern pattern(bool initiator_known, bool responder_known,
                          std::initializer_list<Pattern::Message> list) {
  Pattern out;
  out.initiator_known = initiator_known;
  out.responder_known = responder_known;
  for (const auto& message : list) out.messages[out.message_count++] = message;
  return out;
}

// Sections 7.5 and 18.1 (the deferred ones, whose names end in 1).
constexpr std::array<NamedPattern, 9> kPatterns = {{
    {"NN", pattern(false, false, {tokens({kE}), tokens({kE, kEe})})},
    {"KK", pattern(true, true, {tokens({kE, kEs, kSs}), tokens({kE, kEe, kSe})})},
    {"KK1", pattern(true, true, {tokens({kE}), tokens({kE, kEe, kSe, kEs})})},
    {"XX", pattern(false, false, {tokens({kE}), tokens({kE, kEe, kS, kEs}), tokens({kS, kSe})})},
    {"XX1", pattern(false, false, {tokens({kE}), tokens({kE, kEe, kS}), tokens({kEs, kS, kSe})})},
    {"XK", pattern(false, true, {tokens({kE, kEs}), tokens({kE, kEe}), tokens({kS, kSe})})},
    {"XK1", pattern(false, true, {tokens({kE}), tokens({kE, kEe, kEs}), tokens({kS, kSe})})},
    {"IK", pattern(false, true, {tokens({kE, kEs, kS, kSs}), tokens({kE, kEe, kSe})})},
    {"IK1", pattern(false, true, {tokens({kE, kS}), tokens({kE, kEe, kSe, kEs})})},
}};

constexpr std::string_view kPrefix = "Noise_";
constexpr std::string_view kSuite = "_25519_ChaChaPoly_SHA256";

// Section 9.4: psk0 stands before the first message's tokens, pskN behind the N-th message's.
bool apply_psk(Pattern& pattern, char digit) {
  const auto number = static_cast<std::size_t>(digit - '0');
  if (digit < '0' || number > pattern.message_count) return false;
  Pattern::Message& message = pattern.messages[number == 0 ? 0 : number - 1];
  if (message.count == Pattern::kTokensMax) return false;
  if (number == 0) {
    message.push_front(kPsk);
  } else {
    message.push_back(kPsk);
  }
  ++pattern.psk_count;
  return true;
}

// modifiers: "", or "pskN" joined by "+" with rising N.
bool apply_modifiers(Pattern& pattern, std::string_view modifiers) {
  char last = 0;
  while (!modifiers.empty()) {
    if (!modifiers.starts_with("psk") || modifiers.size() < 4 || modifiers[3] <= last) return false;
    last = modifiers[3];
    if (!apply_psk(pattern, last)) return false;
    modifiers.remove_prefix(4);
    if (modifiers.empty()) return true;
    if (modifiers.front() != '+' || modifiers.size() == 1) return false;
    modifiers.remove_prefix(1);
  }
  return true;
}

}  // namespace

std::optional<Pattern> find_pattern(std::string_view protocol_name) {
  if (!protocol_name.starts_with(kPrefix) || !protocol_name.ends_with(kSuite)) return std::nullopt;
  if (protocol_name.size() < kPrefix.size() + kSuite.size()) return std::nullopt;
  protocol_name.remove_prefix(kPrefix.size());
  protocol_name.remove_suffix(kSuite.size());
  const std::size_t name_size = std::min(protocol_name.find("psk"), protocol_name.size());
  const auto found = std::find_if(kPatterns.begin(), kPatterns.end(), [&](const NamedPattern& p) {
    return p.name == protocol_name.substr(0, name_size);
  });
  if (found == kPatterns.end()) return std::nullopt;
  Pattern out = found->pattern;
  if (!apply_modifiers(out, protocol_name.substr(name_size))) return std::nullopt;
  return out;
}

}  // namespace kith::noise
