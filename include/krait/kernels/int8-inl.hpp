// Linear layers with int8 weights: inputs become 16-bit whole numbers, sums are whole numbers and so exact in any order,
// which leaves every core free to use what it is good at. y = sum * (scale of the output * step of the inputs) + bias.
#if defined(KRAIT_KERNELS_INT8_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_KERNELS_INT8_INL_HPP
#undef KRAIT_KERNELS_INT8_INL_HPP
#else
#define KRAIT_KERNELS_INT8_INL_HPP
#endif

#include <array>
#include <limits>

#include "krait/core/tensor.hpp"
#include "krait/kernels/linear-inl.hpp"

#if defined(__ARM_FEATURE_MVE)
#include <arm_mve.h>
#endif

HWY_BEFORE_NAMESPACE();
namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD {

#undef KRAIT_AVX512_VNNI  // of another target
#if defined(__AVX512VNNI__) && HWY_TARGET <= HWY_AVX3 && HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
#define KRAIT_AVX512_VNNI 1
#endif

// [K / 8][width / 2][8]: pairs of neighbouring outputs in groups of eight columns, see Panels.
template <>
struct Weights<Storage::int8> {
  static constexpr std::size_t accumulators = lanes == 1 ? 1 : 4;
#ifdef KRAIT_AVX512_VNNI
  static constexpr std::size_t most_tokens = 3;  // each has two rows of bytes and their sums
#else
  static constexpr std::size_t most_tokens = tile_tokens;
#endif
  const std::int16_t* values;
  const float* scales;
  static constexpr std::size_t rounds(std::size_t K) { return ceil_div(K, int8_group); }
  static constexpr std::size_t padded_cols(std::size_t K) { return rounds(K) * int8_group; }
  // From one group of columns to the next.
  static constexpr std::size_t group_stride(std::size_t width) { return width / 2 * int8_group; }
  // Of an even output.
  Weights panel(std::size_t output, std::size_t K) const {
    return {values + output / 2 * padded_cols(K), scales + output};
  }
  Weights outputs_from(std::size_t output) const { return {values + output / 2 * int8_group, scales + output}; }
  float get(std::size_t output, std::size_t k, std::size_t width) const {
    const std::int16_t pair = values[k / int8_group * group_stride(width) + output / 2 * int8_group + k % int8_group];
    return scales[output] * static_cast<float>(of_pair(pair, output));
  }
};

// A run of rows of 16-bit inputs; one of row t's stands for its number times scales[t].step.
struct Quantised {
  Rows<const std::int16_t> inputs;
  const InputScale* scales;
  Quantised from(std::size_t t) const { return {inputs.from(t), scales + t}; }
};

// The largest input: 16 bits of which both bytes are signed numbers, and K products with 127 must fit in 31 bits.
constexpr std::int32_t largest_input(std::size_t K) {
  const auto fits = static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()) / (127 * K);
  return static_cast<std::int32_t>(std::min<std::size_t>(fits, 127 * 256 + 127));
}

// q[i] = round(x[i] / step) for K floats, zeros behind them up to a whole block; the answer is the step, the largest
// magnitude over largest_input(K). Magnitudes below 2^-100 count as 2^-100. If one is not finite the step is not
// either, and so every output becomes NaN or infinite.
HWY_INLINE InputScale quantise_row(const float* HWY_RESTRICT x, std::size_t K, std::int16_t* HWY_RESTRICT q) {
  const Tag tag;
  const hn::RebindToSigned<Tag> int_tag;
  [[maybe_unused]] const hn::Rebind<std::int16_t, Tag> short_tag;
  // As whole numbers magnitudes have the same order, with NaN above infinity.
  auto largest = hn::BitCast(int_tag, hn::Set(tag, 0x1p-100f));
  std::size_t done = 0;
#ifdef KRAIT_CORTEX_M_FPU
  done = K / 4 * 4;
  if (done > 0) largest.raw = static_cast<std::int32_t>(largest_magnitude(static_cast<std::uint32_t>(largest.raw), x, done));
#endif
  for_each_vector(K - done, [&](std::size_t i, auto load, auto) KRAIT_LAMBDA {
    largest = hn::Max(largest, hn::BitCast(int_tag, hn::Abs(load(x + done + i))));
  });
  const float magnitude = hn::GetLane(hn::BitCast(tag, hn::MaxOfLanes(int_tag, largest)));
  const auto most = static_cast<float>(largest_input(K));
  const V inverse = hn::Set(tag, div(most, magnitude));
  const auto shift = hn::BitCast(int_tag, hn::Set(tag, whole_shift));
#ifdef KRAIT_CORTEX_M_FPU
  if (done > 0) round_in_fours(x, inverse.raw, whole_shift, q, done);
#endif
  [[maybe_unused]] auto sum = hn::Zero(int_tag);
  for_each_vector(K - done, [&](std::size_t from, auto load, auto) KRAIT_LAMBDA {
    const std::size_t i = done + from;
    const V whole = round_shifted(mul(load(x + i), inverse));
#ifdef KRAIT_AVX512_VNNI
    // The lower bytes of all inputs, then the upper ones, both signed.
    const hn::Rebind<std::int8_t, Tag> byte_tag;
    const auto number = hn::Sub(hn::BitCast(int_tag, whole), shift);
    const auto low = hn::ShiftRight<24>(hn::ShiftLeft<24>(number));
    sum = hn::Add(sum, number);
    auto* bytes = reinterpret_cast<std::int8_t*>(q);
    hn::Store(hn::DemoteTo(byte_tag, low), byte_tag, bytes + i);
    hn::Store(hn::DemoteTo(byte_tag, hn::ShiftRight<8>(hn::Sub(number, low))), byte_tag, bytes + padded(K) + i);
#elif HWY_TARGET == HWY_SCALAR
    q[i] = static_cast<std::int16_t>(hn::BitCast(int_tag, whole).raw - shift.raw);
#else
    hn::Store(hn::DemoteTo(short_tag, hn::Sub(hn::BitCast(int_tag, whole), shift)), short_tag, q + i);
#endif
  });
  if constexpr (lanes < block_width)
    for (std::size_t i = ceil_div(K, lanes) * lanes; i < padded(K); ++i) q[i] = 0;
#ifdef KRAIT_AVX512_VNNI
  return {div(magnitude, most), hn::GetLane(hn::SumOfLanes(int_tag, sum))};
#else
  return {div(magnitude, most), 0};
#endif
}

// A vector of outputs from their sums: y = sum * (scale * step) + bias.
HWY_INLINE void store_outputs(hn::Vec<hn::RebindToSigned<Tag>> sums, const float* scales, float step, const float* bias,
                              float* y) {
  const Tag tag;
  const V start = bias ? load_vector(bias) : zero_start();
  store_unaligned(mul_add_one(hn::ConvertTo(tag, sums), mul(load_vector(scales), hn::Set(tag, step)), start), y);
}

#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128

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
                            Quantised x, Rows<float> y, [[maybe_unused]] Ahead* ahead = nullptr) {
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

#elif defined(KRAIT_AVX512_VNNI)

// VPDPBUSD adds four products of an unsigned byte, a weight + 128, with a signed one, a lower or an upper byte of an input:
//   sum = 256 (upper . (w + 128)) + lower . (w + 128) - 128 (the inputs' sum)
// A vector holds the eight columns of eight outputs, once the bytes of pairs stand apart; adding 128 + 256 * 128 to a pair
// makes its bytes the two weights + 128. Highway 1.0.3 does not have the instruction.
template <std::size_t tokens, std::size_t vectors>
HWY_INLINE void linear_tile(Weights<Storage::int8> weights, std::size_t width, std::size_t K, const float* bias,
                            Quantised x, Rows<float> y, [[maybe_unused]] Ahead* ahead = nullptr) {
  const hn::RebindToSigned<Tag> int_tag;
  const hn::Repartition<std::int8_t, decltype(int_tag)> byte_tag;
  const hn::Repartition<std::int16_t, decltype(int_tag)> short_tag;
  using Sum = hn::Vec<decltype(int_tag)>;
  using Bytes = hn::Vec<decltype(byte_tag)>;
  constexpr std::size_t parts = 2 * vectors;
  const auto add_products = [](Sum& sum, Bytes unsigned_bytes, Bytes signed_bytes) KRAIT_LAMBDA {
    // Not the intrinsic: gcc copies its sums to and fro.
    asm("vpdpbusd %2, %1, %0" : "+v"(sum.raw) : "v"(unsigned_bytes.raw), "v"(signed_bytes.raw));
  };
  Sum lower[tokens][parts], upper[tokens][parts];
  KRAIT_UNROLL
  for (std::size_t t = 0; t < tokens; ++t) {
    KRAIT_UNROLL
    for (std::size_t part = 0; part < parts; ++part) lower[t][part] = upper[t][part] = hn::Zero(int_tag);
  }
  const auto to_unsigned = hn::Set(short_tag, std::int16_t{128 - 256 * 128});
  alignas(16) static constexpr std::int8_t first_then_second[16] = {0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15};
  const Bytes apart = hn::LoadDup128(byte_tag, first_then_second);
  const std::int16_t* HWY_RESTRICT w = weights.values;
  for (std::size_t k = 0; k < K; k += int8_group, w += weights.group_stride(width)) {
    if constexpr (tokens > 1) ahead->fetch();
    Bytes low[tokens], high[tokens];
    KRAIT_UNROLL
    for (std::size_t t = 0; t < tokens; ++t) {
      const auto eight = [&](std::size_t at) KRAIT_LAMBDA {
        std::int64_t bytes;
        std::memcpy(&bytes, reinterpret_cast<const std::int8_t*>(x.inputs[t]) + at, sizeof(bytes));
        return hn::BitCast(byte_tag, hn::Set(hn::Repartition<std::int64_t, decltype(byte_tag)>{}, bytes));
      };
      low[t] = eight(k), high[t] = eight(padded(K) + k);
    }
    KRAIT_UNROLL
    for (std::size_t part = 0; part < parts; ++part) {
      const auto pairs = hn::Add(hn::Load(short_tag, w + part * 2 * lanes), to_unsigned);
      const Bytes weight = hn::TableLookupBytes(hn::BitCast(byte_tag, pairs), apart);
      KRAIT_UNROLL
      for (std::size_t t = 0; t < tokens; ++t) {
        add_products(lower[t][part], weight, low[t]);
        add_products(upper[t][part], weight, high[t]);
      }
    }
  }
  KRAIT_UNROLL
  for (std::size_t t = 0; t < tokens; ++t) {
    const auto whole = [](Sum up, Sum low) KRAIT_LAMBDA { return hn::Add(hn::ShiftLeft<8>(up), low); };
    const Sum excess = hn::ShiftLeft<7>(hn::Set(int_tag, x.scales[t].sum));
    KRAIT_UNROLL
    for (std::size_t v = 0; v < vectors; ++v) {
      const Sum a = whole(upper[t][2 * v], lower[t][2 * v]);
      const Sum b = whole(upper[t][2 * v + 1], lower[t][2 * v + 1]);
      const Sum total = hn::Sub(hn::Add(hn::ConcatEven(int_tag, b, a), hn::ConcatOdd(int_tag, b, a)), excess);
      store_outputs(total, weights.scales + v * lanes, x.scales[t].step, bias ? bias + v * lanes : nullptr, y[t] + v * lanes);
    }
  }
}

#else

// A vector of pairs holds the eight columns of lanes / 2 outputs; products of neighbours are added on the way.
template <std::size_t tokens, std::size_t vectors>
HWY_INLINE void linear_tile(Weights<Storage::int8> weights, std::size_t width, std::size_t K, const float* bias,
                            Quantised x, Rows<float> y, [[maybe_unused]] Ahead* ahead = nullptr) {
  const hn::RebindToSigned<Tag> int_tag;
  const hn::Repartition<std::int16_t, decltype(int_tag)> short_tag;
  using Sum = hn::Vec<decltype(int_tag)>;
  using Shorts = hn::Vec<decltype(short_tag)>;
  constexpr std::size_t parts = 4 * vectors;  // firsts, seconds, firsts, seconds, ...
  Sum sum[tokens][parts], more[tokens][parts];  // Highway may add to either, as suits the target
  KRAIT_UNROLL
  for (std::size_t t = 0; t < tokens; ++t) {
    KRAIT_UNROLL
    for (std::size_t part = 0; part < parts; ++part) sum[t][part] = more[t][part] = hn::Zero(int_tag);
  }
  const Shorts half = hn::Set(short_tag, std::int16_t{128});
  const std::int16_t* HWY_RESTRICT w = weights.values;
  for (std::size_t k = 0; k < K; k += int8_group, w += weights.group_stride(width)) {
    if constexpr (tokens > 1) ahead->fetch();
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
  // The sums of neighbours, those of `low` first.
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

#endif

}  // namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD
HWY_AFTER_NAMESPACE();

#endif
