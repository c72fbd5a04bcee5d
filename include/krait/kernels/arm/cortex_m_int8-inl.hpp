// Computes linear layers with int8 weights on Cortex-M4, M7 and M33, by the DSP instructions SMLALD and SMLAD.
#if defined(KRAIT_KERNELS_ARM_CORTEX_M_INT8_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_KERNELS_ARM_CORTEX_M_INT8_INL_HPP
#undef KRAIT_KERNELS_ARM_CORTEX_M_INT8_INL_HPP
#else
#define KRAIT_KERNELS_ARM_CORTEX_M_INT8_INL_HPP
#endif

#include "krait/kernels/target-inl.hpp"

#ifdef KRAIT_CORTEX_M_DSP
KRAIT_BEGIN_TARGET

// Zeros that multiply_int8 loads into the six core registers that hold its sums.
inline constexpr float six_zeros[6] = {};

// The arguments of multiply_int8, which computes 4 * quads neighbouring outputs of one token. `start` points to the biases of
// these outputs, or to zeros. The assembly loads the members in the order of their declaration.
struct Int8Tile {
  // Begin selects the number of columns that the first iteration of multiply_int8's loop processes: two groups of eight
  // columns (as all other iterations do), one group, or half a group.
  enum class Begin : std::uint32_t { with_two, with_one, with_half };
  const std::int16_t *q, *w;
  const float *scales, *start;
  float* y;
  std::size_t quads;
  const float* zeros;
  Begin begin;
  float step;
  std::size_t stride;  // distance in bytes from the weights of one group of columns to those of the next
  const std::int16_t* q_end;

  // Constructs the arguments from int8 weights w, stored as in Weights<Storage::int8>, and one token's K quantised inputs q. An
  // iteration processes two groups of eight columns; if the number of groups is odd, the first iteration processes one. If K <=
  // 4, the only iteration executes the code for the second half of a group, which reads weights at w + 4. w is therefore moved
  // back by four elements.
  Int8Tile(const std::int16_t* w, std::size_t group_stride, std::size_t K, const std::int16_t* q, float step,
           const float* scales, const float* start, float* y, std::size_t quads)
      : q(q), w(K <= 4 ? w - 4 : w), scales(scales), start(start), y(y), quads(quads), zeros(six_zeros),
        begin(K <= 4 ? Begin::with_half : (K + 7) / 8 % 2 == 1 ? Begin::with_one : Begin::with_two),
        step(step), stride(group_stride * sizeof(*w)), q_end(q + (K <= 4 ? 4 : (K + 7) / 8 * 8)) {}
};

// Computes y[o] = (q[0] w[o][0] + q[1] w[o][1] + ...) * (scale[o] * step) + start[o] for the outputs of a tile. The 16-bit
// integers of w are pairs 256 * second + first of the weights of two neighbouring outputs. For two columns at a time, SMLALD
// adds the products of inputs and whole pairs to a 64-bit sum, SXTB16 extracts the first weights, and SMLAD adds the products
// of inputs and first weights to a 32-bit sum, which is the sum of the first output. The difference of the two sums is 256
// times the sum of the second output. This takes three instructions for four products; widening every weight would take four.
HWY_NOINLINE inline void multiply_int8(const Int8Tile& tile) {
  // The loop uses all core registers. For outputs 0 and 1, r0 (low) and r1 (high) hold the 64-bit sum of inputs times pairs,
  // and r2 holds the 32-bit sum of inputs times weights of output 0. For outputs 2 and 3, r3, r4 and r5 hold these sums. r6 and
  // r8 hold inputs, r9 and r10 weights, r11 the pointer q, r12 the pointer w, r7 the stride, and lr the end of q. s12 to s18
  // hold members of the tile, s19 the address of the code where the first iteration starts, and s20 the step. r7 is saved in
  // s21, because it may be the frame pointer.
#define KRAIT_PAIR(low, high, first)                                                                       \
  "smlald " low ", " high ", r9, r6\n sxtb16 r9, r9\n smlad " first ", r9, r6, " first "\n"                \
  "smlald " low ", " high ", r10, r8\n sxtb16 r10, r10\n smlad " first ", r10, r8, " first "\n"
#define KRAIT_HALF_GROUP(pair0, pair1)                                       \
  "ldrd r6, r8, [r11], #8\n"                                                 \
  "ldrd r9, r10, [r12, #" pair0 "]\n" KRAIT_PAIR("r0", "r1", "r2")           \
  "ldrd r9, r10, [r12, #" pair1 "]\n" KRAIT_PAIR("r3", "r4", "r5")
#define KRAIT_SECOND(low, high, first)                                                \
  "subs " low ", " low ", " first "\n sbc " high ", " high ", " first ", asr #31\n" \
  "lsr " low ", " low ", #8\n orr " low ", " low ", " high ", lsl #24\n"
  register const Int8Tile* at asm("r0") = &tile;
  // The code is aligned to 4 bytes, because the instruction adr computes addresses relative to its own address, rounded down to
  // a multiple of 4.
  asm volatile(".syntax unified\n.p2align 2\n"
               "vmov s21, r7\n"
               "vldmia %[at]!, {s12-s18}\n ldmia %[at], {r1, r2, r7, lr}\n vmov s20, r2\n"
               "adr.w r3, 1f\n cmp r1, #1\n it eq\n adreq.w r3, 2f\n it hi\n adrhi.w r3, 3f\n vmov s19, r3\n"
               "0:\n"
               "vmov r11, r12, s12, s13\n add r9, r12, #32\n vmov s13, r9\n"
               "vmov r9, r10, s18, s19\n ldmia r9, {r0-r5}\n mov pc, r10\n"
               "1:\n" KRAIT_HALF_GROUP("0", "16") KRAIT_HALF_GROUP("8", "24") "add r12, r12, r7\n"
               "2:\n" KRAIT_HALF_GROUP("0", "16")
               "3:\n" KRAIT_HALF_GROUP("8", "24") "add r12, r12, r7\n"
               "cmp r11, lr\n bne 1b\n"
               KRAIT_SECOND("r0", "r1", "r2") "vmov s0, s1, r2, r0\n"
               KRAIT_SECOND("r3", "r4", "r5") "vmov s2, s3, r5, r3\n"
               "vmov r6, r8, s14, s15\n vldmia r6!, {s4-s7}\n vldmia r8!, {s8-s11}\n vmov s14, s15, r6, r8\n"
               "vmul.f32 s4, s4, s20\n vmul.f32 s5, s5, s20\n vmul.f32 s6, s6, s20\n vmul.f32 s7, s7, s20\n"
               "vcvt.f32.s32 s0, s0\n vcvt.f32.s32 s1, s1\n vcvt.f32.s32 s2, s2\n vcvt.f32.s32 s3, s3\n"
               "vfma.f32 s8, s0, s4\n vfma.f32 s9, s1, s5\n vfma.f32 s10, s2, s6\n vfma.f32 s11, s3, s7\n"
               "vmov r9, r10, s16, s17\n vstmia r9!, {s8-s11}\n subs r10, r10, #1\n vmov s16, s17, r9, r10\n bne 0b\n"
               "vmov r7, s21\n"
               : [at] "+r"(at)
               :
               : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", KRAIT_FLOATS_0_TO_15,
                 "s16", "s17", "s18", "s19", "s20", "s21", "cc", "memory");
#undef KRAIT_PAIR
#undef KRAIT_HALF_GROUP
#undef KRAIT_SECOND
}

KRAIT_END_TARGET

#endif
#endif
