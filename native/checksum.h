// The Internet checksum's sum (RFC 1071), vectorised.
#pragma once

#include <cstddef>
#include <cstdint>

namespace portside {

/**
 * Sum of the big-endian 16-bit words of `data`, folded to 16 bits; an odd last octet is padded with
 * a zero octet. Not complemented.
 */
uint32_t sum16(const uint8_t* data, size_t len);

/** An unfolded sum as 16 bits; 0 only for 0. */
uint32_t fold16(uint64_t unfolded);

/** Which variant `sum16` uses on this machine: "avx2", "sse2" or "portable". */
const char* sumVariant();

}  // namespace portside
