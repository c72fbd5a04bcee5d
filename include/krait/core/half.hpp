// Converts between float32 and the two 16-bit formats, bf16 and IEEE half precision (f16), which are passed as their bits in a
// std::uint16_t. Conversions to float32 are exact; conversions from float32 round to nearest, ties to even. Also tests float32
// bits for NaN and infinity.
#ifndef KRAIT_CORE_HALF_HPP
#define KRAIT_CORE_HALF_HPP

#include <cstdint>

#include "krait/core/platform.hpp"

namespace krait::inline KRAIT_BUILD {

// bits_are_nan and bits_are_infinite return whether the bits of a float32 are a NaN or an infinity. With -ffast-math, a
// compiler may assume that no float is NaN or infinite, and remove checks such as std::isnan(x) and x != x. It does not assume
// this about integers, so test bits with these functions before they are converted to a float.
constexpr bool bits_are_nan(std::uint32_t bits) { return (bits & 0x7FFFFFFFu) > 0x7F800000u; }
constexpr bool bits_are_infinite(std::uint32_t bits) { return (bits & 0x7FFFFFFFu) == 0x7F800000u; }

// The smallest magnitudes that to_bf16 and to_f16 round to infinity, as the bits of a float32.
inline constexpr std::uint32_t bf16_infinite_from = 0x7F7F8000u, f16_infinite_from = 0x477FF000u;

// bits_from_bf16 and from_bf16 convert a bf16 to float32. bits_from_bf16 returns the bits of the float32, and from_bf16 a
// float.
constexpr std::uint32_t bits_from_bf16(std::uint16_t bits) { return std::uint32_t{bits} << 16; }
constexpr float from_bf16(std::uint16_t bits) { return __builtin_bit_cast(float, bits_from_bf16(bits)); }

// Returns the bits of the bf16 that is nearest to a float32. A NaN is converted to a NaN.
constexpr std::uint16_t to_bf16(float value) {
  const auto bits = __builtin_bit_cast(std::uint32_t, value);
  if (bits_are_nan(bits)) return static_cast<std::uint16_t>(bits >> 16 | 0x40u);
  return static_cast<std::uint16_t>((bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16);
}

// bits_from_f16 and from_f16 convert an f16 to float32. bits_from_f16 returns the bits of the float32, and from_f16 a float.
constexpr std::uint32_t bits_from_f16(std::uint16_t bits) {
  const std::uint32_t sign = (bits & 0x8000u) << 16, exponent = bits >> 10 & 31u, mantissa = bits & 0x3FFu;
  if (exponent == 31) return sign | 0x7F800000u | mantissa << 13;
  if (exponent > 0) return sign | (exponent + 112) << 23 | mantissa << 13;
  return sign | __builtin_bit_cast(std::uint32_t, static_cast<float>(mantissa) * 0x1p-24f);
}
constexpr float from_f16(std::uint16_t bits) { return __builtin_bit_cast(float, bits_from_f16(bits)); }

// Returns the bits of the f16 that is nearest to a float32. Magnitudes of 65520 and above become infinity. A NaN is converted
// to a NaN.
constexpr std::uint16_t to_f16(float value) {
  const auto bits = __builtin_bit_cast(std::uint32_t, value);
  const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000u);
  const std::uint32_t magnitude = bits & 0x7FFFFFFFu;
  const auto with_sign = [sign](std::uint32_t half) { return static_cast<std::uint16_t>(sign | half); };
  if (bits_are_nan(bits)) return with_sign(0x7E00u);
  if (magnitude >= f16_infinite_from) return with_sign(0x7C00u);
  // Magnitudes below 2^-14 become denormal f16 numbers, multiples of 2^-24. Adding 1/2 rounds to such a multiple, because
  // neighbouring float32 numbers in [1/2, 1) differ by 2^-24.
  if (magnitude < 0x38800000u) {
    const float shifted = __builtin_bit_cast(float, magnitude) + 0.5f;
    return with_sign(__builtin_bit_cast(std::uint32_t, shifted) - __builtin_bit_cast(std::uint32_t, 0.5f));
  }
  return with_sign((magnitude - 0x38000000u + 0xFFFu + (magnitude >> 13 & 1u)) >> 13);
}

}  // namespace krait::inline KRAIT_BUILD

#endif
