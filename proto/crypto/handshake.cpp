#include "proto/crypto/handshake.hpp"

#include <algorithm>
#include <utility>

#include "proto/assert.hpp"

namespace kith {
namespace {

constexpr std::string_view kProtocolName = "Noise_XXpsk0_25519_ChaChaPoly_SHA256";
constexpr std::string_view kPrologue = "kith/1";
constexpr std::size_t kLengthBytes = 2;

// Reserves the length in front of a message that begins at out[at], and sets it when it is written.
void begin_message(Buffer& out) { out.resize(out.size() + kLengthBytes); }
void end_message(Buffer& out, std::size_t at) {
  const std::size_t size = out.size() - at - kLengthBytes;
  KITH_ASSERT(size <= limits::kHandshakeMessageMax);
  store_be(MutableBytes(out).subspan(at), static_cast<std::uint16_t>(size));
}

}  // namespace

PeerHandshake PeerHandshake::initiator(const Dial& dial) {
  PeerHandshake out(State::kStart, noise::Role::kInitiator, dial.own_static);
  out.dial_ = dial;
  out.expected_ = dial.to;
  return out;
}

PeerHandshake PeerHandshake::responder(const DhKeys& own_static) {
  return PeerHandshake(State::kAwaitFirst, noise::Role::kResponder, own_static);
}

noise::HandshakeState PeerHandshake::make_noise(const Secret& psk) const {
  noise::HandshakeConfig config;
  config.protocol_name = kProtocolName;
  config.role = role_;
  config.prologue = as_bytes(kPrologue);
  config.own_static = own_static_;
  config.psks = {psk};
  return noise::HandshakeState(config);
}

bool PeerHandshake::awaits_message() const {
  return state_ == State::kAwaitFirst || state_ == State::kAwaitSecond ||
         state_ == State::kAwaitThird;
}

std::size_t PeerHandshake::feed(Bytes bytes) {
  if (state_ == State::kSilent || state_ == State::kFailed) return bytes.size();
  if (!awaits_message()) return 0;
  std::size_t taken = 0;
  const auto take_until = [&](std::size_t size) {
    const std::size_t n = std::min(size - message_.size(), bytes.size() - taken);
    append(message_, bytes.subspan(taken, n));
    taken += n;
    return message_.size() == size;
  };
  if (message_.size() < kLengthBytes && !take_until(kLengthBytes)) return taken;
  const std::size_t size = load_be<std::uint16_t>(message_);
  if (size > limits::kHandshakeMessageMax) {
    fail(network_error(Errc::kLimit, "handshake message too long"));
    return bytes.size();
  }
  if (take_until(kLengthBytes + size)) complete_message();
  return taken;
}

void PeerHandshake::complete_message() {
  if (state_ == State::kAwaitFirst) {
    state_ = State::kFirstComplete;
    return;
  }
  if (auto read = read_peer(); !read) return fail(read.error());
  message_.clear();
  state_ = state_ == State::kAwaitSecond ? State::kPeerKnown : State::kDone;
}

// Whoever failed before it proved to hold a psk learns nothing, not even that it failed.
void PeerHandshake::fail(Error error) {
  state_ = state_ == State::kAwaitFirst ? State::kSilent : State::kFailed;
  error_ = std::move(error);
  message_.clear();
}

void PeerHandshake::start(UnixMillis now, Rng& rng, Buffer& out) {
  KITH_ASSERT(state_ == State::kStart);
  noise_ = make_noise(dial_->psk);
  const std::size_t at = out.size();
  begin_message(out);
  const bool tokens = noise_->write_tokens(rng, out).has_value();
  const FirstMessage first{dial_->signer.pub, now, dial_->to};
  const Buffer payload = first.encode(dial_->signer, noise_->handshake_hash());
  const bool sealed = noise_->write_payload(payload, out).has_value();
  KITH_ASSERT(tokens && sealed);  // psk and e cannot fail
  end_message(out, at);
  dial_.reset();
  state_ = State::kAwaitSecond;
}

std::optional<FirstMessage> PeerHandshake::open_first(noise::HandshakeState& noise,
                                                      Bytes message) const {
  if (!noise.read_tokens(message)) return std::nullopt;
  const noise::Hash h = noise.handshake_hash();
  Buffer payload;
  if (!noise.read_payload(message, payload)) return std::nullopt;
  const auto first = FirstMessage::decode(payload, h);
  if (!first) return std::nullopt;
  return *first;
}

std::optional<OpenedFirst> PeerHandshake::try_psks(std::span<const PskCandidate> candidates) {
  KITH_ASSERT(state_ == State::kFirstComplete);
  const Bytes message = Bytes(message_).subspan(kLengthBytes);
  for (const auto& candidate : candidates.first(std::min(candidates.size(), limits::kPsksTried))) {
    noise::HandshakeState noise = make_noise(candidate.psk);
    const auto first = open_first(noise, message);
    if (!first) continue;
    noise_ = std::move(noise);
    message_.clear();
    expected_ = DeviceId::from(first->key.view());
    state_ = State::kFirstOpened;
    return OpenedFirst{candidate.tag, *first, *noise_->remote_ephemeral()};
  }
  stay_silent();
  return std::nullopt;
}

void PeerHandshake::accept(const HandshakePayload& own, FirstKey key, Rng& rng, Buffer& out) {
  KITH_ASSERT(state_ == State::kFirstOpened);
  if (key == FirstKey::kInvite) expected_.reset();
  const std::size_t at = out.size();
  begin_message(out);
  if (!noise_->write_message(rng, own.encode(), out)) {
    out.resize(at);
    return stay_silent();
  }
  end_message(out, at);
  state_ = State::kAwaitThird;
}

void PeerHandshake::stay_silent() {
  KITH_ASSERT(role_ == noise::Role::kResponder && state_ != State::kDone);
  state_ = State::kSilent;
  noise_.reset();
  message_.clear();
}

Result<void> PeerHandshake::read_peer() {
  Buffer payload;
  KITH_CHECK(noise_->read_message(Bytes(message_).subspan(kLengthBytes), payload));
  KITH_TRY(peer_, HandshakePayload::decode(payload));
  return check_peer();
}

Result<void> PeerHandshake::check_peer() const {
  if (noise_->remote_static() != peer_.binding.noise) {
    return peer_error(Errc::kVerification, "static key is not the one of the device binding");
  }
  if (expected_ && *expected_ != peer_.binding.device) {
    return peer_error(Errc::kVerification, "another device than expected");
  }
  return {};
}

void PeerHandshake::finish(const HandshakePayload& own, Rng& rng, Buffer& out) {
  KITH_ASSERT(state_ == State::kPeerKnown);
  const std::size_t at = out.size();
  begin_message(out);
  if (auto written = noise_->write_message(rng, own.encode(), out); !written) {
    out.resize(at);
    return fail(written.error());
  }
  end_message(out, at);
  state_ = State::kDone;
}

SecureChannel PeerHandshake::split() {
  KITH_ASSERT(state_ == State::kDone);
  auto pair = noise_->split();
  if (role_ == noise::Role::kInitiator) {
    return SecureChannel(std::move(pair.initiator_to_responder),
                         std::move(pair.responder_to_initiator), noise_->handshake_hash());
  }
  return SecureChannel(std::move(pair.responder_to_initiator),
                       std::move(pair.initiator_to_responder), noise_->handshake_hash());
}

}  // namespace kith
