// Computes RMSNorm (arXiv 1910.07467), LayerNorm, and element-wise sums, quotients and maxima of arrays of floats.
#if defined(KRAIT_KERNELS_NORM_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_KERNELS_NORM_INL_HPP
#undef KRAIT_KERNELS_NORM_INL_HPP
#else
#define KRAIT_KERNELS_NORM_INL_HPP
#endif

#include "krait/kernels/simd-inl.hpp"

KRAIT_BEGIN_TARGET

// Returns the correctly rounded square root of x. Arm, RISC-V and x86 with AVX use inline assembly, because compilers may
// otherwise add a call of libm's sqrtf for negative numbers, and clang on x86 uses an estimate with
// -funsafe-math-optimizations.
HWY_INLINE float square_root(float x) {
#if defined(__arm__) && defined(__ARM_FP)
  float root;
  asm("vsqrt.f32 %0, %1" : "=t"(root) : "t"(x));
  return root;
#elif defined(__riscv_flen)
  float root;
  asm("fsqrt.s %0, %1" : "=f"(root) : "f"(x));
  return root;
#elif HWY_ARCH_X86 && (HWY_TARGET <= HWY_AVX2 || defined(__AVX__))
  float root;
  asm("vsqrtss %1, %1, %0" : "=x"(root) : "x"(x));
  return root;
#else
  return opaque(hn::GetLane(hn::Sqrt(hn::Set(OneTag{}, x))));
#endif
}

// Returns the sum of the n lanes of v: lanes p and p + n / 2 are added for each p below n / 2, then lanes p and p + n / 4 for
// each p below n / 4, and so on.
template <class D>
HWY_INLINE float sum_of_lanes(D, hn::Vec<D> v) {
#if HWY_TARGET != HWY_SCALAR
  if constexpr (hn::MaxLanes(D{}) > 1) {
    const hn::Half<D> half;
    return sum_of_lanes(half, add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  }
#endif
  return hn::GetLane(v);
}

// Returns the sum of the 16 floats in `sum`, in a fixed order: elements p and p + 8 are added for each p below 8, then elements
// p and p + 4 for each p below 4, then p and p + 2, and finally elements 0 and 1.
HWY_INLINE float add_partial_sums(V (&sum)[strip_width / lanes]) {
  KRAIT_UNROLL
  for (std::size_t half = strip_width / lanes / 2; half > 0; half /= 2) {
    KRAIT_UNROLL
    for (std::size_t p = 0; p < half; ++p) sum[p] = add(sum[p], sum[p + half]);
  }
  return sum_of_lanes(Tag{}, sum[0]);
}
// The same for an aligned array of 16 floats.
HWY_INLINE float add_partial_sums(const float* partial) {
  V sum[strip_width / lanes];
  KRAIT_UNROLL
  for (std::size_t v = 0; v < strip_width / lanes; ++v) sum[v] = load_vector(partial + v * lanes);
  return add_partial_sums(sum);
}

// Returns the sum of n terms, one for each float x[i]. accumulate(sum, x[i]) adds the term of x[i] to `sum`, for example
// x[i]^2. The order of the additions is the same for every vector width: partial sum p, for p = 0 to 15, accumulates the terms
// of x[p], x[p + 16], x[p + 32], ...; then add_partial_sums adds the 16 partial sums.
template <class Accumulate>
HWY_INLINE float sum_in_strips(const float* x, std::size_t n, Accumulate accumulate) {
  constexpr std::size_t vectors = strip_width / lanes;
  V sum[vectors];
  KRAIT_UNROLL
  for (std::size_t v = 0; v < vectors; ++v) sum[v] = zero_start();
  std::size_t i = 0;
  for (; i + strip_width <= n; i += strip_width) {
    KRAIT_UNROLL
    for (std::size_t v = 0; v < vectors; ++v) sum[v] = accumulate(sum[v], load_unaligned(x + i + v * lanes));
  }
  KRAIT_UNROLL
  for (std::size_t v = 0; v < vectors; ++v, i += lanes) {
    if (i + lanes <= n) {
      sum[v] = accumulate(sum[v], load_unaligned(x + i));
    } else if (lanes > 1 && i < n) {
      sum[v] = hn::IfThenElse(hn::FirstN(Tag{}, n - i), accumulate(sum[v], load_first(Tag{}, x + i, n - i)), sum[v]);
    }
  }
  return add_partial_sums(sum);
}

// Returns x[0]^2 + ... + x[n - 1]^2.
HWY_INLINE float sum_of_squares(const float* x, std::size_t n) {
  return sum_in_strips(x, n, [](auto sum, auto in) KRAIT_LAMBDA { return mul_add(in, in, sum); });
}

// Returns 1 / sqrt(mean(x^2) + eps) of n floats.
HWY_INLINE float inverse_rms(const float* x, float eps, std::size_t n) {
  const float mean = div(sum_of_squares(x, n), static_cast<float>(n));
  return div(1.0f, square_root(opaque(mean + eps)));
}

// Returns v * weight + bias for one vector of neighbouring channels, starting with channel i. `load` loads weights and biases.
// A null bias means no bias.
template <class Load>
HWY_INLINE V weighted(V v, const float* weight, const float* bias, std::size_t i, Load load) {
  const V w = load(weight + i);
  return bias ? mul_add(v, w, load(bias + i)) : mul(v, w);
}

// Computes RMSNorm of one token of n channels: y = x / sqrt(mean(x^2) + eps) * weight + bias. A null bias means no bias. y may
// be x, and must not overlap weight or bias.
HWY_INLINE void rms_norm_row(const float* x, const float* HWY_RESTRICT weight, const float* bias, float eps, float* y,
                             std::size_t n) {
  const V scale = hn::Set(Tag{}, inverse_rms(x, eps, n));
  for_each_vector(n, [&](std::size_t i, auto load, auto store) KRAIT_LAMBDA {
    const V scaled = mul(load(x + i), scale);
    store(weighted(scaled, weight, bias, i, load), y + i);
  });
}

// Normalises the n channels of one token in place, by an RMSNorm that has no weight: x = x / sqrt(mean(x^2) + eps).
HWY_INLINE void rms_norm_in_place(float* x, float eps, std::size_t n) {
  const V scale = hn::Set(Tag{}, inverse_rms(x, eps, n));
  for_each_vector(n, [&](std::size_t i, auto load, auto store) KRAIT_LAMBDA { store(mul(load(x + i), scale), x + i); });
}

// Computes LayerNorm (arXiv 1607.06450) of one token of n channels: y = (x - mean) / sqrt(variance + eps) * weight + bias,
// where variance is the mean of (x - mean)^2. A null bias means no bias. y may be x, and must not overlap weight or bias.
HWY_INLINE void layer_norm_row(const float* x, const float* HWY_RESTRICT weight, const float* bias, float eps, float* y,
                               std::size_t n) {
  const float count = static_cast<float>(n);
  const float mean = div(sum_in_strips(x, n, [](auto sum, auto in) KRAIT_LAMBDA { return add(sum, in); }), count);
  const float squares = sum_in_strips(x, n, [mean](auto sum, auto in) KRAIT_LAMBDA {
    const auto difference = sub(in, hn::Set(hn::DFromV<decltype(in)>{}, mean));
    return mul_add(difference, difference, sum);
  });
  const V means = hn::Set(Tag{}, mean);
  const V scale = hn::Set(Tag{}, div(1.0f, square_root(opaque(div(squares, count) + eps))));
  for_each_vector(n, [&](std::size_t i, auto load, auto store) KRAIT_LAMBDA {
    const V scaled = mul(sub(load(x + i), means), scale);
    store(weighted(scaled, weight, bias, i, load), y + i);
  });
}

// Computes RMSNorm or LayerNorm of one token of n channels.
template <NormKind kind>
HWY_INLINE void norm_row(const float* x, const float* HWY_RESTRICT weight, const float* bias, float eps, float* y,
                         std::size_t n) {
  if constexpr (kind == NormKind::rms) rms_norm_row(x, weight, bias, eps, y, n);
  else layer_norm_row(x, weight, bias, eps, y, n);
}

// Converts a maximum to the form in which the state of MaxPool stores it, or back: exclusive-ors the bits of a float with the
// bits of -infinity. A fresh state of zeros therefore contains maxima of -infinity.
HWY_INLINE V max_stored(V v) {
  return hn::Xor(v, hn::BitCast(Tag{}, hn::Set(hn::RebindToUnsigned<Tag>{}, 0xFF800000u)));
}

// Computes largest = max(largest, x) for n channels. `largest` is the state of MaxPool, encoded by max_stored. The maximum is
// NaN if either value is NaN.
HWY_INLINE void max_row(const float* x, float* largest, std::size_t n) {
  for_each_vector(n, [&](std::size_t i, auto load, auto store) KRAIT_LAMBDA {
    const V old = max_stored(load(largest + i));
    const V larger = clamp_below(old, load(x + i));
    store(max_stored(hn::IfThenElse(hn::Eq(old, old), larger, old)), largest + i);
  });
}

// Writes the maxima of n channels to y. `largest` is the state of MaxPool, encoded by max_stored.
HWY_INLINE void max_values(const float* largest, float* y, std::size_t n) {
  for_each_vector(n, [&](std::size_t i, auto load, auto store) KRAIT_LAMBDA { store(max_stored(load(largest + i)), y + i); });
}

// Computes y = a + b element by element, for n floats. y may be a or b.
HWY_INLINE void add_row(const float* a, const float* b, float* y, std::size_t n) {
  for_each_vector(n, [&](std::size_t i, auto load, auto store) KRAIT_LAMBDA {
    store(add(load(a + i), load(b + i)), y + i);
  });
}

// Computes y = a / divisor element by element, for n floats. y may be a.
HWY_INLINE void divide_row(const float* a, float divisor, float* y, std::size_t n) {
  const V by = hn::Set(Tag{}, divisor);
  for_each_vector(n, [&](std::size_t i, auto load, auto store) KRAIT_LAMBDA { store(div(load(a + i), by), y + i); });
}

KRAIT_END_TARGET

#endif
