// The Noise Protocol Framework, revision 34: CipherState, SymmetricState and HandshakeState, named
// and cut as in its section 5, for the suite 25519_ChaChaPoly_SHA256 and the patterns NN, XX, XK,
// IK, KK, the deferred XX1, XK1, IK1, KK1, and any psk modifiers (section 9).
//
// A message can be written and read in two halves: first its tokens, then its payload. Between them
// handshake_hash() covers everything that was sent so far, and a payload can sign it.
//
// Invariants: a CipherState never uses a nonce twice; a HandshakeState that met an error, or is
// used out of order, stays unusable; every X25519 result of zero is refused.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "proto/crypto/hash.hpp"
#include "proto/crypto/keys.hpp"
#include "proto/result.hpp"
#include "proto/rng.hpp"

namespace kith::noise {

inline constexpr std::size_t kTag = 16;
using Hash = std::array<std::uint8_t, 32>;

/// Section 5.1: a key and a counter.
class CipherState {
 public:
  /// Without a key it passes text through unchanged.
  CipherState() = default;
  explicit CipherState(const Secret& key) : key_(key), has_key_(true) {}
  CipherState(CipherState&&) = default;
  CipherState& operator=(CipherState&&) = default;
  // A copy would use the same nonces.
  CipherState(const CipherState&) = delete;
  CipherState& operator=(const CipherState&) = delete;

  [[nodiscard]] bool has_key() const { return has_key_; }
  /// Messages that were sealed or opened with this state.
  [[nodiscard]] std::uint64_t nonce() const { return nonce_; }
  /// The present key: what other keys of the connection are derived from, before any rekey().
  [[nodiscard]] const Secret& key() const { return key_; }

  /// Appends the ciphertext (plaintext + 16 bytes, or the plaintext where there is no key).
  void encrypt_with_ad(Bytes ad, Bytes plaintext, Buffer& out);
  /// Appends the plaintext. Error kVerification, blame network: then nothing is appended and the
  /// counter stays.
  [[nodiscard]] Result<void> decrypt_with_ad(Bytes ad, Bytes ciphertext, Buffer& out);
  /// The same in place: the plaintext is the front of `ciphertext`. After an error the bytes are
  /// undefined.
  [[nodiscard]] Result<MutableBytes> decrypt_in_place(Bytes ad, MutableBytes ciphertext);
  /// Section 4.2: the key becomes ENCRYPT(k, 2^64 − 1, "", zeros); the counter goes on.
  void rekey();

 private:
  Secret key_;
  std::uint64_t nonce_ = 0;
  bool has_key_ = false;
};

/// Section 5.2: a chaining key, a transcript hash and a CipherState.
class SymmetricState {
 public:
  explicit SymmetricState(std::string_view protocol_name);

  /// MixKey: the chaining key takes `input` up; a new cipher key, its counter at 0.
  void mix_key(Bytes input);
  /// MixHash: the transcript hash takes `data` up.
  void mix_hash(Bytes data);
  /// MixKeyAndHash: both, for a psk.
  void mix_key_and_hash(Bytes input);
  [[nodiscard]] const Hash& handshake_hash() const { return hash_; }
  [[nodiscard]] bool has_key() const { return cipher_.has_key(); }
  /// Appends the ciphertext, under the transcript so far, and mixes it into that.
  void encrypt_and_hash(Bytes plaintext, Buffer& out);
  /// The reverse; appends the plaintext. Error kVerification: nothing is appended or mixed.
  [[nodiscard]] Result<void> decrypt_and_hash(Bytes ciphertext, Buffer& out);

  struct Pair {
    CipherState initiator_to_responder;
    CipherState responder_to_initiator;
  };
  /// Split: the ciphers of the two directions, both with counter 0.
  [[nodiscard]] Pair split() const;

 private:
  Secret chaining_key_;
  Hash hash_{};
  CipherState cipher_;
};

enum class Token : std::uint8_t { kE, kS, kEe, kEs, kSe, kSs, kPsk };

/// What one handshake does: per message its tokens, the initiator's first.
struct Pattern {
  static constexpr std::size_t kMessagesMax = 3;
  static constexpr std::size_t kTokensMax = 6;
  struct Message {
    std::array<Token, kTokensMax> tokens{};
    std::size_t count = 0;
    constexpr void push_back(Token token) { tokens[count++] = token; }
    constexpr void push_front(Token token) {
      for (std::size_t i = count++; i > 0; --i) tokens[i] = tokens[i - 1];
      tokens[0] = token;
    }
  };
  bool initiator_known = false;  // "-> s" before the first message
  bool responder_known = false;  // "<- s"
  std::array<Message, kMessagesMax> messages{};
  std::size_t message_count = 0;
  std::size_t psk_count = 0;
};
/// The pattern in a full protocol name such as "Noise_XXpsk0_25519_ChaChaPoly_SHA256", or
/// "…XXpsk0+psk2…"; nothing if it is not one of ours.
[[nodiscard]] std::optional<Pattern> find_pattern(std::string_view protocol_name);

enum class Role : std::uint8_t { kInitiator, kResponder };

/// Arguments of Initialize(), section 5.3. Keys that the pattern does not use stay empty.
struct HandshakeConfig {
  std::string_view protocol_name;  // one that find_pattern() knows; anything else asserts
  Role role = Role::kInitiator;
  Bytes prologue;
  std::optional<DhKeys> own_static;
  std::optional<DhPublic> remote_static;
  std::vector<Secret> psks;  // in the order of the modifiers
};

/// Section 5.3. Calls go in turn: the initiator writes, the responder writes, and so on. A call out
/// of turn, or after an error, is kConflict (blame local) and ends the handshake.
class HandshakeState {
 public:
  explicit HandshakeState(const HandshakeConfig& config);

  /// Appends the tokens of the next message. Errors: a remote key of low order (blame peer).
  [[nodiscard]] Result<void> write_tokens(Rng& rng, Buffer& out);
  /// Appends the payload, after write_tokens().
  [[nodiscard]] Result<void> write_payload(Bytes payload, Buffer& out);
  /// Takes the tokens off the front of `message`. Errors: kMalformed (too short, blame peer),
  /// kVerification.
  [[nodiscard]] Result<void> read_tokens(Bytes& message);
  /// Appends the payload in `rest`: all that read_tokens() left.
  [[nodiscard]] Result<void> read_payload(Bytes rest, Buffer& payload);

  /// Both halves at once.
  [[nodiscard]] Result<void> write_message(Rng& rng, Bytes payload, Buffer& out);
  [[nodiscard]] Result<void> read_message(Bytes message, Buffer& payload);

  /// h of all that was processed so far; after the last message, the channel binding
  /// (section 11.2).
  [[nodiscard]] const Hash& handshake_hash() const { return symmetric_.handshake_hash(); }
  /// Nothing until the message that carries it was read; or as the configuration gave it.
  [[nodiscard]] const std::optional<DhPublic>& remote_static() const { return remote_static_; }
  [[nodiscard]] const std::optional<DhPublic>& remote_ephemeral() const {
    return remote_ephemeral_;
  }
  /// Every message was written or read.
  [[nodiscard]] bool done() const { return phase_ == Phase::kDone; }
  /// The two transport ciphers; only when done(), only once.
  [[nodiscard]] SymmetricState::Pair split();

  /// For test vectors only: a fixed ephemeral key destroys every secrecy of the handshake.
  void dangerously_fix_ephemeral_for_tests(const Secret& secret) { fixed_ephemeral_ = secret; }

 private:
  enum class Phase : std::uint8_t { kTokens, kPayload, kDone, kSplit, kFailed };

  [[nodiscard]] bool my_turn() const;
  [[nodiscard]] const Pattern::Message& message() const { return pattern_.messages[index_]; }
  [[nodiscard]] Result<void> expect(bool writing, Phase phase);
  [[nodiscard]] Error fail(Error error);
  void end_message();

  [[nodiscard]] Result<void> write_token(Token token, Rng& rng, Buffer& out);
  [[nodiscard]] Result<void> read_token(Token token, Bytes& message);
  void write_e(Rng& rng, Buffer& out);
  [[nodiscard]] Result<void> write_s(Buffer& out);
  [[nodiscard]] Result<void> read_e(Bytes& message);
  [[nodiscard]] Result<void> read_s(Bytes& message);
  void mix_ephemeral(const DhPublic& key);
  [[nodiscard]] Result<void> mix_dh(Token token);
  [[nodiscard]] Result<void> mix_pair(const std::optional<DhKeys>& own,
                                      const std::optional<DhPublic>& remote);
  void mix_psk();

  Pattern pattern_;
  Role role_;
  SymmetricState symmetric_;
  std::optional<DhKeys> own_static_;
  std::optional<DhKeys> own_ephemeral_;
  std::optional<DhPublic> remote_static_;
  std::optional<DhPublic> remote_ephemeral_;
  std::vector<Secret> psks_;
  std::optional<Secret> fixed_ephemeral_;
  std::size_t index_ = 0;  // of the present message
  std::size_t next_psk_ = 0;
  Phase phase_ = Phase::kTokens;
};

}  // namespace kith::noise
