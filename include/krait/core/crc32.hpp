// Computes the CRC-32 that zlib, PNG and Ethernet use. Boost.CRC is not used, because its tables are function-local statics
// with guards, which firmware must not contain. Tests compare the results with those of Boost.CRC.
#ifndef KRAIT_CORE_CRC32_HPP
#define KRAIT_CORE_CRC32_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "krait/core/platform.hpp"

namespace krait {

namespace detail {
// The number of bits that crc32 processes per table lookup. On 32-bit targets, it is 4, so that the table takes only 64 bytes
// of flash. On 64-bit targets, it is 8: a table of 1 KiB makes the CRC several times as fast.
inline constexpr unsigned crc_bits = sizeof(void*) > 4 ? 8 : 4;

// Returns the lookup table of the CRC-32. Element i is the remainder of i, a number of crc_bits bits.
consteval std::array<std::uint32_t, 1u << crc_bits> crc_table() {
  std::array<std::uint32_t, 1u << crc_bits> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t remainder = i;
    for (unsigned bit = 0; bit < crc_bits; ++bit) remainder = remainder >> 1 ^ (remainder % 2 == 1 ? 0xEDB88320u : 0u);
    table[i] = remainder;
  }
  return table;
}
inline constexpr std::array crc_remainders = crc_table();
}  // namespace detail
}  // namespace krait

namespace krait::inline KRAIT_BUILD {

// crc32(bytes) returns the CRC-32 of `bytes`. crc32(bytes, before) continues a CRC: `before` is the CRC-32 of earlier data, and
// the result is the CRC-32 of the earlier data followed by `bytes`.
constexpr std::uint32_t crc32(std::span<const std::byte> bytes, std::uint32_t before = 0) noexcept {
  std::uint32_t remainder = ~before;
  for (const std::byte byte : bytes) {
    remainder ^= std::to_integer<std::uint32_t>(byte);
    for (unsigned bit = 0; bit < 8; bit += detail::crc_bits)
      remainder = remainder >> detail::crc_bits ^ detail::crc_remainders[remainder % detail::crc_remainders.size()];
  }
  return ~remainder;
}

}  // namespace krait::inline KRAIT_BUILD

#endif
