#include "proto/crypto/evp.hpp"

#include <memory>
#include <openssl/evp.h>

#include "proto/assert.hpp"

namespace kith::evp {
namespace {

struct ContextDeleter {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, ContextDeleter>;

// Kept until the process ends: threads may still use it while others run their exit handlers.
const EVP_CIPHER* fetch(const char* name) {
  const EVP_CIPHER* cipher = EVP_CIPHER_fetch(nullptr, name, nullptr);
  KITH_ASSERT(cipher != nullptr);
  return cipher;
}

Context make_context(const EVP_CIPHER* cipher) {
  Context context(EVP_CIPHER_CTX_new());
  KITH_ASSERT(context != nullptr);
  KITH_ASSERT(EVP_CipherInit_ex2(context.get(), cipher, nullptr, nullptr, 1, nullptr) == 1);
  return context;
}

}  // namespace

evp_cipher_ctx_st* chacha20() {
  static const EVP_CIPHER* const cipher = fetch("ChaCha20");
  thread_local const Context context = make_context(cipher);
  return context.get();
}

evp_cipher_ctx_st* chacha20_poly1305() {
  static const EVP_CIPHER* const cipher = fetch("ChaCha20-Poly1305");
  thread_local const Context context = make_context(cipher);
  return context.get();
}

}  // namespace kith::evp
