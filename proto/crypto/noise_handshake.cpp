#include "proto/assert.hpp"
#include "proto/crypto/noise.hpp"

namespace kith::noise {
namespace {

Pattern known_pattern(std::string_view protocol_name) {
  const auto pattern = find_pattern(protocol_name);
  KITH_ASSERT(pattern.has_value());
  return *pattern;
}

}  // namespace

HandshakeState::HandshakeState(const HandshakeConfig& config)
    : pattern_(known_pattern(config.protocol_name)),
      role_(config.role),
      symmetric_(config.protocol_name),
      own_static_(config.own_static),
      remote_static_(config.remote_static),
      psks_(config.psks) {
  KITH_ASSERT(psks_.size() == pattern_.psk_count);
  const bool initiator = role_ == Role::kInitiator;
  symmetric_.mix_hash(config.prologue);
  if (pattern_.initiator_known) {
    KITH_ASSERT(initiator ? own_static_.has_value() : remote_static_.has_value());
    symmetric_.mix_hash(initiator ? own_static_->pub.view() : remote_static_->view());
  }
  if (pattern_.responder_known) {
    KITH_ASSERT(initiator ? remote_static_.has_value() : own_static_.has_value());
    symmetric_.mix_hash(initiator ? remote_static_->view() : own_static_->pub.view());
  }
}

bool HandshakeState::my_turn() const { return (index_ % 2 == 0) == (role_ == Role::kInitiator); }

Error HandshakeState::fail(Error error) {
  phase_ = Phase::kFailed;
  return error;
}

Result<void> HandshakeState::expect(bool writing, Phase phase) {
  if (phase_ == phase && my_turn() == writing) return {};
  return fail(local_error(Errc::kConflict, "handshake out of order"));
}

void HandshakeState::end_message() {
  ++index_;
  phase_ = index_ == pattern_.message_count ? Phase::kDone : Phase::kTokens;
}

Result<void> HandshakeState::write_tokens(Rng& rng, Buffer& out) {
  KITH_CHECK(expect(true, Phase::kTokens));
  for (std::size_t i = 0; i < message().count; ++i) {
    if (auto done = write_token(message().tokens[i], rng, out); !done) return fail(done.error());
  }
  phase_ = Phase::kPayload;
  return {};
}

Result<void> HandshakeState::write_payload(Bytes payload, Buffer& out) {
  KITH_CHECK(expect(true, Phase::kPayload));
  symmetric_.encrypt_and_hash(payload, out);
  end_message();
  return {};
}

Result<void> HandshakeState::read_tokens(Bytes& message_bytes) {
  KITH_CHECK(expect(false, Phase::kTokens));
  for (std::size_t i = 0; i < message().count; ++i) {
    if (auto done = read_token(message().tokens[i], message_bytes); !done) {
      return fail(done.error());
    }
  }
  phase_ = Phase::kPayload;
  return {};
}

Result<void> HandshakeState::read_payload(Bytes rest, Buffer& payload) {
  KITH_CHECK(expect(false, Phase::kPayload));
  if (auto opened = symmetric_.decrypt_and_hash(rest, payload); !opened) {
    return fail(opened.error());
  }
  end_message();
  return {};
}

Result<void> HandshakeState::write_message(Rng& rng, Bytes payload, Buffer& out) {
  KITH_CHECK(write_tokens(rng, out));
  return write_payload(payload, out);
}

Result<void> HandshakeState::read_message(Bytes message_bytes, Buffer& payload) {
  KITH_CHECK(read_tokens(message_bytes));
  return read_payload(message_bytes, payload);
}

SymmetricState::Pair HandshakeState::split() {
  KITH_ASSERT(phase_ == Phase::kDone);
  phase_ = Phase::kSplit;
  return symmetric_.split();
}

Result<void> HandshakeState::write_token(Token token, Rng& rng, Buffer& out) {
  switch (token) {
    case Token::kE:
      write_e(rng, out);
      return {};
    case Token::kS:
      return write_s(out);
    case Token::kPsk:
      mix_psk();
      return {};
    case Token::kEe:
    case Token::kEs:
    case Token::kSe:
    case Token::kSs:
      return mix_dh(token);
  }
  return {};
}

Result<void> HandshakeState::read_token(Token token, Bytes& message_bytes) {
  switch (token) {
    case Token::kE:
      return read_e(message_bytes);
    case Token::kS:
      return read_s(message_bytes);
    case Token::kPsk:
      mix_psk();
      return {};
    case Token::kEe:
    case Token::kEs:
    case Token::kSe:
    case Token::kSs:
      return mix_dh(token);
  }
  return {};
}

void HandshakeState::write_e(Rng& rng, Buffer& out) {
  own_ephemeral_ = DhKeys::from_secret(fixed_ephemeral_ ? *fixed_ephemeral_ : rng.random<Secret>());
  append(out, own_ephemeral_->pub.view());
  mix_ephemeral(own_ephemeral_->pub);
}

Result<void> HandshakeState::read_e(Bytes& message_bytes) {
  if (message_bytes.size() < DhPublic::kSize) {
    return peer_error(Errc::kMalformed, "handshake message too short");
  }
  remote_ephemeral_ = DhPublic::from(message_bytes.first(DhPublic::kSize));
  message_bytes = message_bytes.subspan(DhPublic::kSize);
  mix_ephemeral(*remote_ephemeral_);
  return {};
}

// With a psk in the pattern the ephemeral key also enters the key, so that each message's key is
// fresh although the psk is not (section 9.2).
void HandshakeState::mix_ephemeral(const DhPublic& key) {
  symmetric_.mix_hash(key.view());
  if (pattern_.psk_count > 0) symmetric_.mix_key(key.view());
}

Result<void> HandshakeState::write_s(Buffer& out) {
  KITH_ASSERT(own_static_.has_value());
  symmetric_.encrypt_and_hash(own_static_->pub.view(), out);
  return {};
}

Result<void> HandshakeState::read_s(Bytes& message_bytes) {
  const std::size_t size = DhPublic::kSize + (symmetric_.has_key() ? kTag : 0);
  if (message_bytes.size() < size) {
    return peer_error(Errc::kMalformed, "handshake message too short");
  }
  Buffer opened;
  KITH_CHECK(symmetric_.decrypt_and_hash(message_bytes.first(size), opened));
  remote_static_ = DhPublic::from(opened);
  message_bytes = message_bytes.subspan(size);
  return {};
}

Result<void> HandshakeState::mix_dh(Token token) {
  const bool initiator = role_ == Role::kInitiator;
  switch (token) {
    case Token::kEe:
      return mix_pair(own_ephemeral_, remote_ephemeral_);
    case Token::kSs:
      return mix_pair(own_static_, remote_static_);
    case Token::kEs:
      return initiator ? mix_pair(own_ephemeral_, remote_static_)
                       : mix_pair(own_static_, remote_ephemeral_);
    default:
      return initiator ? mix_pair(own_static_, remote_ephemeral_)
                       : mix_pair(own_ephemeral_, remote_static_);
  }
}

Result<void> HandshakeState::mix_pair(const std::optional<DhKeys>& own,
                                      const std::optional<DhPublic>& remote) {
  KITH_ASSERT(own.has_value() && remote.has_value());
  KITH_TRY(const Secret shared, dh(*own, *remote));
  symmetric_.mix_key(shared.view());
  return {};
}

void HandshakeState::mix_psk() { symmetric_.mix_key_and_hash(psks_[next_psk_++].view()); }

}  // namespace kith::noise
