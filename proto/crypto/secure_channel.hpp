// What follows a handshake on a connection: control records. Pure bytes in, bytes out.
//
//   record = u16 big-endian n ‖ n bytes of Noise transport message (AEAD with a 16-byte tag)
//   its plaintext is one frame: u8 type ‖ body, 1 to limits::kFrameMax bytes
//
// After every limits::kRekeyEvery-th record of a direction both ends rekey that direction; the
// Noise counter goes on. Bulk sections have keys of their own, derived from each direction's first
// Noise key (proto/crypto/bulk.hpp), and stand between records in the byte stream: open_frame()
// takes exactly one record, and the caller knows from the frame whether a section comes next.
//
// After a record that did not open, the channel opens nothing more: what follows is not
// trustworthy, and the connection closes. The network is to blame, not the peer.
#pragma once

#include <cstdint>
#include <optional>

#include "proto/bytes.hpp"
#include "proto/crypto/bulk.hpp"
#include "proto/crypto/noise.hpp"
#include "proto/limits.hpp"
#include "proto/result.hpp"

namespace kith {

/// Bytes that a record takes beyond its frame.
inline constexpr std::size_t kRecordOverhead = 2 + noise::kTag;

class SecureChannel {
 public:
  /// The ciphers of Split(), not used before, and h at the end of the handshake.
  SecureChannel(noise::CipherState send, noise::CipherState receive, const noise::Hash& hash);

  /// Appends the record of one frame (type and body, 1 to limits::kFrameMax bytes; else asserts).
  /// `frame` must not lie in `out`.
  void seal_frame(Bytes frame, Buffer& out);

  /// One opened frame. `frame` lies inside the bytes that were given; `consumed` of them, from the
  /// first, were the record.
  struct Opened {
    Bytes frame;
    std::size_t consumed;
  };
  /// Opens, in place, the record that `bytes` begins with. Nothing if more bytes are needed: then
  /// `bytes` is as it was, and record_size() says how many. Errors: kMalformed or kVerification,
  /// blame network; then the channel is broken(), and the content of `bytes` is undefined.
  [[nodiscard]] Result<std::optional<Opened>> open_frame(MutableBytes bytes);

  /// Size of the whole record that `bytes` begins with; nothing before its first two bytes came.
  [[nodiscard]] static std::optional<std::size_t> record_size(Bytes bytes);

  /// True once a record did not open.
  [[nodiscard]] bool broken() const { return broken_; }
  /// h of the handshake: what binds a signature to this connection (Noise section 11.2).
  [[nodiscard]] const noise::Hash& handshake_hash() const { return hash_; }
  /// Keys of the sections of each direction; constant, whatever is rekeyed.
  [[nodiscard]] const BulkKey& send_bulk_key() const { return send_bulk_; }
  [[nodiscard]] const BulkKey& receive_bulk_key() const { return receive_bulk_; }

  /// Wire bytes of each direction: records that were sealed or opened here, and sections that the
  /// caller adds. Their sum says when a connection needs a new handshake
  /// (limits::kConnectionBytesMax).
  [[nodiscard]] std::uint64_t bytes_sent() const { return bytes_sent_; }
  [[nodiscard]] std::uint64_t bytes_received() const { return bytes_received_; }
  void add_section_sent(std::uint64_t wire_bytes) { bytes_sent_ += wire_bytes; }
  void add_section_received(std::uint64_t wire_bytes) { bytes_received_ += wire_bytes; }

 private:
  [[nodiscard]] Error broke(Errc code, const char* what);

  noise::CipherState send_;
  noise::CipherState receive_;
  noise::Hash hash_;
  BulkKey send_bulk_;
  BulkKey receive_bulk_;
  std::uint64_t bytes_sent_ = 0;
  std::uint64_t bytes_received_ = 0;
  bool broken_ = false;
};

}  // namespace kith
