// RFC 1071 §2: the sum may be taken in any byte order and over wider words and be put right at the
// end. So 32-bit words in machine order are added into 64-bit lanes, which cannot overflow before
// 2^32 words; folding and one swap of octets give the sum of big-endian 16-bit words.
#include "checksum.h"

#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace portside {

namespace {

uint32_t bigEndian(uint32_t s) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  return ((s & 0xff) << 8) | (s >> 8);
#else
  return s;
#endif
}

/** The rest behind the vectors, and everything where there are none. */
uint64_t sumTail(const uint8_t* p, size_t n, uint64_t s) {
  while (n >= 16) {
    uint32_t w[4];
    std::memcpy(w, p, 16);
    s += static_cast<uint64_t>(w[0]) + w[1] + w[2] + w[3];
    p += 16;
    n -= 16;
  }
  while (n >= 4) {
    uint32_t w;
    std::memcpy(&w, p, 4);
    s += w;
    p += 4;
    n -= 4;
  }
  if (n > 0) {
    uint8_t last[4] = {0, 0, 0, 0};
    std::memcpy(last, p, n);
    uint32_t w;
    std::memcpy(&w, last, 4);
    s += w;
  }
  return s;
}

uint32_t sumPortable(const uint8_t* p, size_t n) { return bigEndian(fold16(sumTail(p, n, 0))); }

#if defined(__x86_64__)
uint32_t sumSse2(const uint8_t* p, size_t n) {
  const __m128i low = _mm_set1_epi64x(0xffffffff);
  __m128i a = _mm_setzero_si128();
  __m128i b = _mm_setzero_si128();
  while (n >= 32) {
    const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i y = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 16));
    a = _mm_add_epi64(a, _mm_add_epi64(_mm_and_si128(x, low), _mm_srli_epi64(x, 32)));
    b = _mm_add_epi64(b, _mm_add_epi64(_mm_and_si128(y, low), _mm_srli_epi64(y, 32)));
    p += 32;
    n -= 32;
  }
  uint64_t lanes[2];
  _mm_storeu_si128(reinterpret_cast<__m128i*>(lanes), _mm_add_epi64(a, b));
  return bigEndian(fold16(sumTail(p, n, lanes[0] + lanes[1])));
}

__attribute__((target("avx2"))) uint32_t sumAvx2(const uint8_t* p, size_t n) {
  const __m256i low = _mm256_set1_epi64x(0xffffffff);
  __m256i a = _mm256_setzero_si256();
  __m256i b = _mm256_setzero_si256();
  while (n >= 64) {
    const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    const __m256i y = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32));
    a = _mm256_add_epi64(a, _mm256_add_epi64(_mm256_and_si256(x, low), _mm256_srli_epi64(x, 32)));
    b = _mm256_add_epi64(b, _mm256_add_epi64(_mm256_and_si256(y, low), _mm256_srli_epi64(y, 32)));
    p += 64;
    n -= 64;
  }
  uint64_t lanes[4];
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(lanes), _mm256_add_epi64(a, b));
  return bigEndian(fold16(sumTail(p, n, lanes[0] + lanes[1] + lanes[2] + lanes[3])));
}
#endif

struct Variant {
  uint32_t (*sum)(const uint8_t*, size_t);
  const char* name;
};

Variant choose() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2")) return {sumAvx2, "avx2"};
  return {sumSse2, "sse2"};
#else
  return {sumPortable, "portable"};
#endif
}

const Variant variant = choose();

}  // namespace

uint32_t fold16(uint64_t s) {
  s = (s & 0xffffffff) + (s >> 32);
  s = (s & 0xffffffff) + (s >> 32);
  uint32_t t = static_cast<uint32_t>(s);
  t = (t & 0xffff) + (t >> 16);
  t = (t & 0xffff) + (t >> 16);
  return t;
}

uint32_t sum16(const uint8_t* data, size_t len) {
#if defined(__x86_64__)
  if (len < 64) return sumPortable(data, len);
#endif
  return variant.sum(data, len);
}

const char* sumVariant() { return variant.name; }

}  // namespace portside
