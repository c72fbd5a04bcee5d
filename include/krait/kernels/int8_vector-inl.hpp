// Computes linear layers with int8 weights on targets with vectors, by multiply-accumulates of 16-bit integers.
#if defined(KRAIT_KERNELS_INT8_VECTOR_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_KERNELS_INT8_VECTOR_INL_HPP
#undef KRAIT_KERNELS_INT8_VECTOR_INL_HPP
#else
#define KRAIT_KERNELS_INT8_VECTOR_INL_HPP
#endif

#include "krait/kernels/int8_inputs-inl.hpp"

#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128 && !defined(KRAIT_AVX512_VNNI)
KRAIT_BEGIN_TARGET

// Computes one register tile of a linear layer with int8 weights: `tokens` tokens x `vectors` vectors of outputs.
//   y[t][o] = (q[t][0] w[o][0] + q[t][1] w[o][1] + ...) * (scale[o] * step[t]) + bias[o]
// The int8 weights of two neighbouring outputs in one column are stored as a pair, a 16-bit integer. A vector of pairs contains
// eight columns of lanes / 2 outputs. Shifts separate the first and the second weight of each pair, and the multiply-accumulate
// instruction adds the products of two neighbouring columns to a 32-bit lane.
template <std::size_t tokens, std::size_t vectors>
HWY_INLINE void linear_tile(Weights<Storage::int8> weights, std::size_t width, std::size_t K, const float* bias,
                            Quantised x, TokenSpan<float> y, [[maybe_unused]] Prefetcher* prefetcher = nullptr) {
  const hn::RebindToSigned<Tag> int_tag;
  const hn::Repartition<std::int16_t, decltype(int_tag)> short_tag;
  using Sum = hn::Vec<decltype(int_tag)>;
  using Shorts = hn::Vec<decltype(short_tag)>;
  // sum[t][part] accumulates products with the first weights of pairs if `part` is even, and with the second weights if it is
  // odd. hn::ReorderWidenMulAccumulate adds some of the products to `more` instead; which ones depends on the target.
  constexpr std::size_t parts = 4 * vectors;
  Sum sum[tokens][parts], more[tokens][parts];
  KRAIT_UNROLL
  for (std::size_t t = 0; t < tokens; ++t) {
    KRAIT_UNROLL
    for (std::size_t part = 0; part < parts; ++part) sum[t][part] = more[t][part] = hn::Zero(int_tag);
  }
  const Shorts half = hn::Set(short_tag, std::int16_t{128});
  const std::int16_t* HWY_RESTRICT w = weights.values;
  for (std::size_t k = 0; k < K; k += int8_group, w += weights.group_stride(width)) {
    if constexpr (tokens > 1) prefetcher->fetch();
    Shorts in[tokens];
    KRAIT_UNROLL
    for (std::size_t t = 0; t < tokens; ++t) in[t] = hn::LoadDup128(short_tag, x.inputs[t] + k);
    KRAIT_UNROLL
    for (std::size_t part = 0; part < parts; part += 2) {
      const Shorts pairs = hn::Load(short_tag, w + part * lanes);
      const Shorts firsts = hn::ShiftRight<8>(hn::ShiftLeft<8>(pairs)), seconds = hn::MulFixedPoint15(pairs, half);
      KRAIT_UNROLL
      for (std::size_t t = 0; t < tokens; ++t) {
        sum[t][part] = hn::ReorderWidenMulAccumulate(int_tag, firsts, in[t], sum[t][part], more[t][part]);
        sum[t][part + 1] = hn::ReorderWidenMulAccumulate(int_tag, seconds, in[t], sum[t][part + 1], more[t][part + 1]);
      }
    }
  }
  // Adds neighbouring lanes of two vectors. The lower half of the result contains the sums of `low`, and the upper half the
  // sums of `high`.
  const auto halve = [int_tag](Sum low, Sum high) KRAIT_LAMBDA {
    return hn::Add(hn::ConcatEven(int_tag, high, low), hn::ConcatOdd(int_tag, high, low));
  };
  const auto neighbours = [](Sum all) KRAIT_LAMBDA { return hn::Add(all, hn::Shuffle2301(all)); };
  KRAIT_UNROLL
  for (std::size_t t = 0; t < tokens; ++t) {
    KRAIT_UNROLL
    for (std::size_t v = 0; v < vectors; ++v) {
      Sum part[4];
      KRAIT_UNROLL
      for (std::size_t i = 0; i < 4; ++i) part[i] = hn::Add(sum[t][4 * v + i], more[t][4 * v + i]);
      const Sum total = hn::OddEven(neighbours(halve(part[1], part[3])), neighbours(halve(part[0], part[2])));
      store_outputs(total, weights.scales + v * lanes, x.scales[t].step, bias ? bias + v * lanes : nullptr, y[t] + v * lanes);
    }
  }
}

KRAIT_END_TARGET

#endif
#endif
