// CRC-32 as zlib, PNG and Ethernet have it. Boost.CRC's tables are function-local statics behind guards, which firmware
// must not have; the tests hold this to Boost's answers.
#ifndef KRAIT_CORE_CRC32_HPP
#define KRAIT_CORE_CRC32_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "krait/core/platform.hpp"

namespace krait {

namespace detail {
// Bits looked up at a time. A table of 64 bytes is right for firmware, one of 1 KiB several times as fast.
inline constexpr unsigned crc_bits = sizeof(void*) > 4 ? 8 : 4;

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

// crc32(bytes, before): that of `bytes` behind what `before` is the CRC-32 of.
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
