// Computes linear layers with int8 weights on targets without vectors: Highway's SCALAR (one lane) and EMU128 (four emulated
// lanes).
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
KRAIT_BEGIN_TARGET

#ifdef __ARM_FEATURE_MVE
// Returns the sum over k of q[k] w[k][o] for four neighbouring outputs o, computed with Helium instructions. It is not inlined,
// because inlining would make the stack frame of a step 84 bytes larger. It returns a vector, which stays in a register; an
// array would be returned in memory.
HWY_NOINLINE inline int32x4_t sum_products_mve(const std::int16_t* w, std::size_t group_stride, const std::int16_t* q,
                                               const std::int16_t* q_end) {
  std::int32_t a = 0, b = 0, c = 0, d = 0;
  for (; q != q_end; w += group_stride, q += int8_group) {
    const int16x8_t in = vld1q_s16(q), ab = vld1q_s16(w), cd = vld1q_s16(w + int8_group);
    a = vmladavaq_s16(a, vmovlbq_s8(vreinterpretq_s8_s16(ab)), in);
    b = vmladavaq_s16(b, vrshrq_n_s16(ab, 8), in);
    c = vmladavaq_s16(c, vmovlbq_s8(vreinterpretq_s8_s16(cd)), in);
    d = vmladavaq_s16(d, vrshrq_n_s16(cd, 8), in);
  }
  return int32x4_t{a, b, c, d};
}
HWY_INLINE std::array<std::int32_t, 4> sum_products(const std::int16_t* w, std::size_t group_stride, const std::int16_t* q,
                                                    const std::int16_t* q_end) {
  std::array<std::int32_t, 4> sums;
  vst1q_s32(sums.data(), sum_products_mve(w, group_stride, q, q_end));
  return sums;
}
#else
// Returns the sum over k of q[k] w[k][o] for four neighbouring outputs o, computed with scalar instructions.
HWY_INLINE std::array<std::int32_t, 4> sum_products(const std::int16_t* HWY_RESTRICT w, std::size_t group_stride,
                                                    const std::int16_t* HWY_RESTRICT q, const std::int16_t* q_end) {
  // The sums are unsigned because they may overflow: a token with NaN or infinite inputs has arbitrary quantised inputs.
  std::uint32_t a = 0, b = 0, c = 0, d = 0;
  for (; q != q_end; w += group_stride, q += int8_group) {
    KRAIT_UNROLL
    for (std::size_t i = 0; i < int8_group; ++i) {
      const std::int16_t ab = w[i], cd = w[int8_group + i];
      a += static_cast<std::uint32_t>(first_of_pair(ab) * q[i]);
      b += static_cast<std::uint32_t>(second_of_pair(ab) * q[i]);
      c += static_cast<std::uint32_t>(first_of_pair(cd) * q[i]);
      d += static_cast<std::uint32_t>(second_of_pair(cd) * q[i]);
      // The empty asm statement keeps gcc from loading the weights of all eight columns first and spilling them to the stack.
      asm("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d) : : "memory");
    }
  }
  return {static_cast<std::int32_t>(a), static_cast<std::int32_t>(b), static_cast<std::int32_t>(c),
          static_cast<std::int32_t>(d)};
}
#endif

// Computes one tile of a linear layer with int8 weights, `tokens` tokens x `vectors` vectors of outputs, four outputs at a
// time.
//   y[t][o] = (q[t][0] w[o][0] + q[t][1] w[o][1] + ...) * (scale[o] * step[t]) + bias[o]
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

KRAIT_END_TARGET

#endif
#endif
