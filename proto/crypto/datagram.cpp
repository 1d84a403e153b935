#include "proto/crypto/datagram.hpp"

#include <sodium.h>

#include "proto/assert.hpp"
#include "proto/crypto/replay.hpp"

namespace kith {
namespace {

static_assert(kDatagramNonce == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES);
static_assert(kTagBytes == crypto_aead_xchacha20poly1305_ietf_ABYTES);

}  // namespace

DatagramId datagram_id(const NodeId& node) {
  return *DatagramId::from(node.view().first(DatagramId::kSize));
}

bool may_be_sealed(Bytes datagram) {
  return datagram.size() > kDatagramOverhead &&
         datagram.size() <= kDatagramOverhead + limits::kKrpcMax && datagram[0] != 'd';
}

void seal_datagram(const Secret& key, const DatagramAddress& address, UnixMillis now, Bytes krpc,
                   Rng& rng, Buffer& out) {
  KITH_ASSERT(!krpc.empty() && krpc.size() <= limits::kKrpcMax);
  const std::size_t at = out.size();
  out.resize(at + kDatagramOverhead + krpc.size());
  const MutableBytes nonce = MutableBytes(out).subspan(at, kDatagramNonce);
  const MutableBytes text = MutableBytes(out).subspan(at + kDatagramNonce);
  do {
    rng.fill(nonce);
  } while (nonce[0] == 'd');
  std::memcpy(text.data(), address.from.bytes.data(), DatagramId::kSize);
  std::memcpy(text.data() + 8, address.to.bytes.data(), DatagramId::kSize);
  store_be(text.subspan(16), static_cast<std::uint64_t>(count(now)));
  std::memcpy(text.data() + kDatagramHeader, krpc.data(), krpc.size());
  crypto_aead_xchacha20poly1305_ietf_encrypt(text.data(), nullptr, text.data(),
                                             kDatagramHeader + krpc.size(), nullptr, 0, nullptr,
                                             nonce.data(), key.view().data());
}

// The texts of these errors are short enough not to be allocated: strangers can cause them.
Result<OpenedDatagram> open_datagram(const Secret& key, const DatagramId& self, Bytes datagram,
                                     UnixMillis now, Buffer& scratch) {
  if (!may_be_sealed(datagram)) return network_error(Errc::kMalformed, "not sealed");
  const Bytes nonce = datagram.first(kDatagramNonce);
  const Bytes sealed = datagram.subspan(kDatagramNonce);
  scratch.resize(sealed.size() - kTagBytes);
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(scratch.data(), nullptr, nullptr, sealed.data(),
                                                 sealed.size(), nullptr, 0, nonce.data(),
                                                 key.view().data()) != 0) {
    return network_error(Errc::kVerification, "does not open");
  }
  const Bytes text = scratch;
  OpenedDatagram out{*DatagramId::from(text.first(8)), *DatagramId::from(text.subspan(8, 8)), nonce,
                     text.subspan(kDatagramHeader)};
  if (out.from == self) return peer_error(Errc::kRefused, "own from");
  if (out.to != self && !out.to.is_zero()) return peer_error(Errc::kRefused, "another's to");
  const UnixMillis sent{static_cast<std::int64_t>(load_be<std::uint64_t>(text.subspan(16)))};
  if (!is_fresh(sent, now)) return peer_error(Errc::kTimeout, "stale");
  return out;
}

}  // namespace kith
