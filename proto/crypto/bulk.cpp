#include "proto/crypto/bulk.hpp"

#include <algorithm>
#include <openssl/evp.h>

#include "proto/assert.hpp"
#include "proto/crypto/evp.hpp"
#include "proto/limits.hpp"

namespace kith {
namespace {

constexpr std::uint64_t kRecordsPerSection = 1 << 16;

// One section on this thread's context: the key is set once, each record sets its nonce only.
class SectionCipher {
 public:
  SectionCipher(const BulkKey& key, Section section, std::size_t length, bool seal)
      : context_(evp::chacha20_poly1305()), section_(section) {
    store_be<std::uint64_t>(ad_, section);
    store_be<std::uint32_t>(MutableBytes(ad_).subspan(8), static_cast<std::uint32_t>(length));
    KITH_ASSERT(EVP_CipherInit_ex2(context_, nullptr, key.view().data(), nullptr, seal ? 1 : 0,
                                   nullptr) == 1);
  }

  // slab: `size` bytes of plaintext; the tag goes behind them.
  void seal(std::size_t record, MutableBytes slab, std::size_t size) {
    begin(record);
    transform(slab.first(size));
    KITH_ASSERT(finish());
    KITH_ASSERT(
        EVP_CIPHER_CTX_ctrl(context_, EVP_CTRL_AEAD_GET_TAG, kTagBytes, slab.data() + size) == 1);
  }

  // slab: `size` bytes of ciphertext and the tag. False if the tag is wrong.
  [[nodiscard]] bool open(std::size_t record, MutableBytes slab, std::size_t size) {
    begin(record);
    KITH_ASSERT(
        EVP_CIPHER_CTX_ctrl(context_, EVP_CTRL_AEAD_SET_TAG, kTagBytes, slab.data() + size) == 1);
    transform(slab.first(size));
    return finish();
  }

 private:
  void begin(std::size_t record) {
    const std::uint64_t number = section_ * kRecordsPerSection + record;
    std::array<std::uint8_t, 12> nonce{};
    for (std::size_t i = 0; i < 8; ++i) nonce[4 + i] = static_cast<std::uint8_t>(number >> (8 * i));
    KITH_ASSERT(EVP_CipherInit_ex2(context_, nullptr, nullptr, nonce.data(), -1, nullptr) == 1);
    int written = 0;
    KITH_ASSERT(EVP_CipherUpdate(context_, nullptr, &written, ad_.data(),
                                 static_cast<int>(ad_.size())) == 1);
  }

  void transform(MutableBytes data) {
    int written = 0;
    KITH_ASSERT(EVP_CipherUpdate(context_, data.data(), &written, data.data(),
                                 static_cast<int>(data.size())) == 1);
  }

  [[nodiscard]] bool finish() {
    std::uint8_t none[16];
    int written = 0;
    return EVP_CipherFinal_ex(context_, none, &written) == 1;
  }

  EVP_CIPHER_CTX* context_;
  Section section_;
  std::array<std::uint8_t, 12> ad_{};
};

}  // namespace

BulkKey bulk_key(const Secret& first_noise_key) { return kdf(first_noise_key, "kith/1 bulk"); }

void seal_section(const BulkKey& key, Section section, SlabChain& chain) {
  KITH_ASSERT(section < limits::kSectionsMax && chain.slab_count() <= kRecordsPerSection);
  SectionCipher cipher(key, section, chain.size(), true);
  for (std::size_t i = 0; i < chain.slab_count(); ++i) {
    cipher.seal(i, chain.raw(i), chain.slab_size(i));
  }
}

Result<void> open_section(const BulkKey& key, Section section, SlabChain& chain,
                          std::size_t first_slab, std::size_t length) {
  const std::size_t records = slabs_for(length);
  KITH_ASSERT(first_slab + records <= chain.slab_count() && records <= kRecordsPerSection);
  if (section >= limits::kSectionsMax)
    return peer_error(Errc::kMalformed, "section number out of range");
  SectionCipher cipher(key, section, length, false);
  for (std::size_t i = 0; i < records; ++i) {
    const std::size_t size = std::min(kRecordBytes, length - i * kRecordBytes);
    if (!cipher.open(i, chain.raw(first_slab + i), size)) {
      return network_error(Errc::kVerification, "bulk record does not open");
    }
  }
  return {};
}

}  // namespace kith
