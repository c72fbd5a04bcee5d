// Products with int8 weights where vectors have one lane, or four emulated ones.
#if defined(KRAIT_KERNELS_INT8_SCALAR_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_KERNELS_INT8_SCALAR_INL_HPP
#undef KRAIT_KERNELS_INT8_SCALAR_INL_HPP
#else
#define KRAIT_KERNELS_INT8_SCALAR_INL_HPP
#endif

#include "krait/kernels/int8_inputs-inl.hpp"

#if defined(__ARM_FEATURE_MVE)
#include <arm_mve.h>
#endif

#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128
HWY_BEFORE_NAMESPACE();
namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD {

// The sums over k of q[k] w[k][o] for four neighbouring outputs.
#ifdef __ARM_FEATURE_MVE
// A call of its own: a step's frame is 84 bytes larger with it inlined.
HWY_NOINLINE inline std::array<std::int32_t, 4> sum_products(const std::int16_t* w, std::size_t group_stride,
                                                             const std::int16_t* q, const std::int16_t* q_end) {
  std::int32_t a = 0, b = 0, c = 0, d = 0;
  for (; q != q_end; w += group_stride, q += int8_group) {
    const int16x8_t in = vld1q_s16(q), ab = vld1q_s16(w), cd = vld1q_s16(w + int8_group);
    a = vmladavaq_s16(a, vmovlbq_s8(vreinterpretq_s8_s16(ab)), in);
    b = vmladavaq_s16(b, vrshrq_n_s16(ab, 8), in);
    c = vmladavaq_s16(c, vmovlbq_s8(vreinterpretq_s8_s16(cd)), in);
    d = vmladavaq_s16(d, vrshrq_n_s16(cd, 8), in);
  }
  return {a, b, c, d};
}
#else
HWY_INLINE std::array<std::int32_t, 4> sum_products(const std::int16_t* HWY_RESTRICT w, std::size_t group_stride,
                                                    const std::int16_t* HWY_RESTRICT q, const std::int16_t* q_end) {
  std::uint32_t a = 0, b = 0, c = 0, d = 0;  // unsigned, since the inputs of a row that is not finite may be anything
  for (; q != q_end; w += group_stride, q += int8_group) {
    KRAIT_UNROLL
    for (std::size_t i = 0; i < int8_group; ++i) {
      const std::int16_t ab = w[i], cd = w[int8_group + i];
      a += static_cast<std::uint32_t>(first_of_pair(ab) * q[i]);
      b += static_cast<std::uint32_t>(second_of_pair(ab) * q[i]);
      c += static_cast<std::uint32_t>(first_of_pair(cd) * q[i]);
      d += static_cast<std::uint32_t>(second_of_pair(cd) * q[i]);
      asm("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d) : : "memory");  // or gcc loads all columns first, and spills
    }
  }
  return {static_cast<std::int32_t>(a), static_cast<std::int32_t>(b), static_cast<std::int32_t>(c),
          static_cast<std::int32_t>(d)};
}
#endif

template <std::size_t tokens, std::size_t vectors>
HWY_INLINE void linear_tile(Weights<Storage::int8> weights, std::size_t width, std::size_t K, const float* bias,
                            Quantised x, TokenSpan<float> y, [[maybe_unused]] Prefetcher* prefetcher = nullptr) {
#ifdef KRAIT_CORTEX_M_DSP
  if constexpr (vectors % 4 == 0)
    return multiply_int8(Int8Tile(weights.values, weights.group_stride(width), K, x.inputs[0], x.scales[0].step, weights.scales,
                                  bias ? bias : no_bias, y[0], vectors / 4));
#endif
  for (std::size_t o = 0; o < vectors * lanes; o += 4) {
    for (std::size_t t = 0; t < tokens; ++t) {
      const Weights<Storage::int8> from = weights.outputs_from(o);
      const std::int16_t* q = x.inputs[t];
      const auto sums = sum_products(from.values, from.group_stride(width), q, q + from.padded_cols(K));
      for (std::size_t i = 0; i < 4; i += lanes)
        store_outputs(hn::LoadU(hn::RebindToSigned<Tag>{}, sums.data() + i), from.scales + i, x.scales[t].step,
                      bias ? bias + o + i : nullptr, y[t] + o + i);
    }
  }
}

}  // namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD
HWY_AFTER_NAMESPACE();

#endif
#endif
