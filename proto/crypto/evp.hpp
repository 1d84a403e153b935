// OpenSSL EVP contexts for bulk ciphers, internal to proto/crypto. Fetching an algorithm and making
// a context are slow in OpenSSL 3 compared with a record, so each algorithm is fetched once per
// process and each thread keeps one context per algorithm for its lifetime. A context keeps its
// last key until it gets another or its thread ends.
#pragma once

// OpenSSL's EVP_CIPHER_CTX; named here so that this header includes nothing of OpenSSL.
struct evp_cipher_ctx_st;

namespace kith::evp {

/// This thread's ChaCha20 context. The caller gives key and IV (u32 counter ‖ 12-byte nonce,
/// counter little-endian) before every use.
[[nodiscard]] evp_cipher_ctx_st* chacha20();
/// This thread's ChaCha20-Poly1305 context. The caller gives direction, key and IV before every
/// use.
[[nodiscard]] evp_cipher_ctx_st* chacha20_poly1305();

}  // namespace kith::evp
