// Generates the same random numbers as JAX with jax_threefry_partitionable on, by threefry2x32 in counter mode (Salmon et al.
// 2011, "Parallel random numbers: as easy as 1, 2, 3"). The same key gives the same numbers on every target.
#ifndef KRAIT_CORE_RANDOM_HPP
#define KRAIT_CORE_RANDOM_HPP

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "krait/core/opaque.hpp"
#include "krait/core/platform.hpp"

namespace krait {

// Key selects a stream of random numbers. It contains the same two 32-bit words as a key of jax.random.
struct Key {
  std::uint32_t high = 0;
  std::uint32_t low = 0;
  KRAIT_INLINE constexpr Key() = default;
  // Both words are required, so that `.seed = 1` does not compile: krait::key(1) is meant.
  KRAIT_INLINE constexpr Key(std::uint32_t high_word, std::uint32_t low_word) : high(high_word), low(low_word) {}
  KRAIT_INLINE bool operator==(const Key&) const = default;
};

}  // namespace krait

namespace krait::inline KRAIT_BUILD {

// Returns the key of a seed, which equals jax.random.PRNGKey(seed).
constexpr Key key(std::uint64_t seed) noexcept {
  return {static_cast<std::uint32_t>(seed >> 32), static_cast<std::uint32_t>(seed)};
}

// Returns the 64 bits that threefry2x32 with 20 rounds gives for a 64-bit counter and a key.
constexpr Key threefry(Key k, std::uint64_t counter) noexcept {
  const std::array<std::uint32_t, 3> ks{k.high, k.low, k.high ^ k.low ^ 0x1BD11BDAu};
  constexpr std::array<int, 8> rotations{13, 15, 26, 6, 17, 29, 16, 24};
  auto x0 = static_cast<std::uint32_t>(counter >> 32) + ks[0];
  auto x1 = static_cast<std::uint32_t>(counter) + ks[1];
  for (std::uint32_t group = 0; group < 5; ++group) {
    for (std::uint32_t round = 0; round < 4; ++round) {
      x0 += x1;
      x1 = std::rotl(x1, rotations[group % 2 * 4 + round]) ^ x0;
    }
    x0 += ks[(group + 1) % 3];
    x1 += ks[(group + 2) % 3] + group + 1;
  }
  return {x0, x1};
}

// Returns the i-th key derived from k, which equals jax.random.split(k, n)[i] for any n > i.
constexpr Key split(Key k, std::uint64_t i) noexcept { return threefry(k, i); }

// Returns the i-th 32-bit random number of the stream that the key k selects.
constexpr std::uint32_t random_bits(Key k, std::uint64_t i) noexcept {
  const Key both = threefry(k, i);
  return both.high ^ both.low;
}

// Returns the i-th uniform random number in [lo, hi). Its bits equal those of jax.random.uniform(k, shape, minval=lo,
// maxval=hi)[i]. On boards without fused multiply-add, this is guaranteed only if hi - lo is a power of two, because their C
// library's fmaf may round twice.
inline float uniform(Key k, std::uint64_t i, float lo = 0.0f, float hi = 1.0f) noexcept {
  const float unit = __builtin_bit_cast(float, (random_bits(k, i) >> 9) | 0x3F800000u) - 1.0f;
  const float scaled = __builtin_fmaf(unit, hi - lo, lo);
  return scaled > lo ? scaled : lo;
}

// Returns the i-th standard normal random number, sqrt(2) erfinv(u) with u uniform in (-1, 1). Its relative difference from
// jax.random.normal is at most 1e-6. erfinv is the single-precision polynomial of M. Giles, "Approximating the erfinv function"
// (2010).
inline float normal(Key k, std::uint64_t i) noexcept {
  const float u = uniform(k, i, -0x1.fffffep-1f, 1.0f);
  float w = -__builtin_log1pf(-u * u);
  const bool central = w < 5.0f;
  w = central ? w - 2.5f : __builtin_sqrtf(w) - 3.0f;
  constexpr std::array<float, 9> center{2.81022636e-08f, 3.43273939e-07f, -3.5233877e-06f, -4.39150654e-06f, 0.00021858087f,
                                        -0.00125372503f, -0.00417768164f, 0.246640727f, 1.50140941f};
  constexpr std::array<float, 9> tail{-0.000200214257f, 0.000100950558f, 0.00134934322f, -0.00367342844f, 0.00573950773f,
                                      -0.0076224613f, 0.00943887047f, 1.00167406f, 2.83297682f};
  const auto& c = central ? center : tail;
  float p = c[0];
  for (std::size_t j = 1; j < c.size(); ++j) p = __builtin_fmaf(p, w, c[j]);
  return 1.41421354f * opaque(p * u);
}

}  // namespace krait::inline KRAIT_BUILD

#endif
