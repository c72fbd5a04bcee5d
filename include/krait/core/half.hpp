// The two 16-bit floating-point formats, as bits: exact to float32, and rounded to nearest (ties to even) from it. And
// tests for NaN and infinity.
#ifndef KRAIT_CORE_HALF_HPP
#define KRAIT_CORE_HALF_HPP

#include <cstdint>

#include "krait/core/platform.hpp"

namespace krait::inline KRAIT_BUILD {

// Whether the bits of a float32 are a NaN, or an infinity. With -ffast-math a compiler may assume that no float is either,
// and so removes std::isnan(x) and x != x. It assumes nothing about integers: where the answer matters, do not make a float
// of the bits before these functions have tested them.
constexpr bool bits_are_nan(std::uint32_t bits) { return (bits & 0x7FFFFFFFu) > 0x7F800000u; }
constexpr bool bits_are_infinite(std::uint32_t bits) { return (bits & 0x7FFFFFFFu) == 0x7F800000u; }

// The smallest magnitude, as the bits of a float32, that to_bf16 and to_f16 round to infinity.
inline constexpr std::uint32_t bf16_infinite_from = 0x7F7F8000u, f16_infinite_from = 0x477FF000u;

constexpr std::uint32_t bits_from_bf16(std::uint16_t bits) { return std::uint32_t{bits} << 16; }
constexpr float from_bf16(std::uint16_t bits) { return __builtin_bit_cast(float, bits_from_bf16(bits)); }

// NaN stays NaN.
constexpr std::uint16_t to_bf16(float value) {
  const auto bits = __builtin_bit_cast(std::uint32_t, value);
  if (bits_are_nan(bits)) return static_cast<std::uint16_t>(bits >> 16 | 0x40u);
  return static_cast<std::uint16_t>((bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16);
}

// The bits of the float32 with the value of an f16.
constexpr std::uint32_t bits_from_f16(std::uint16_t bits) {
  const std::uint32_t sign = (bits & 0x8000u) << 16, exponent = bits >> 10 & 31u, mantissa = bits & 0x3FFu;
  if (exponent == 31) return sign | 0x7F800000u | mantissa << 13;
  if (exponent > 0) return sign | (exponent + 112) << 23 | mantissa << 13;
  return sign | __builtin_bit_cast(std::uint32_t, static_cast<float>(mantissa) * 0x1p-24f);
}
constexpr float from_f16(std::uint16_t bits) { return __builtin_bit_cast(float, bits_from_f16(bits)); }

// NaN stays NaN; from 65520 on the nearest is infinity.
constexpr std::uint16_t to_f16(float value) {
  const auto bits = __builtin_bit_cast(std::uint32_t, value);
  const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000u);
  const std::uint32_t magnitude = bits & 0x7FFFFFFFu;
  const auto with_sign = [sign](std::uint32_t half) { return static_cast<std::uint16_t>(sign | half); };
  if (bits_are_nan(bits)) return with_sign(0x7E00u);
  if (magnitude >= f16_infinite_from) return with_sign(0x7C00u);
  if (magnitude < 0x38800000u) {  // below 2^-14: adding 1/2 leaves multiples of 2^-24 in the mantissa, rounded
    const float shifted = __builtin_bit_cast(float, magnitude) + 0.5f;
    return with_sign(__builtin_bit_cast(std::uint32_t, shifted) - __builtin_bit_cast(std::uint32_t, 0.5f));
  }
  return with_sign((magnitude - 0x38000000u + 0xFFFu + (magnitude >> 13 & 1u)) >> 13);
}

}  // namespace krait::inline KRAIT_BUILD

#endif
