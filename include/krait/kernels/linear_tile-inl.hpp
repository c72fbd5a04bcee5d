// Computes a register tile of a linear layer: several tokens x several vectors of outputs (linear-inl.hpp).
#if defined(KRAIT_KERNELS_LINEAR_TILE_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_KERNELS_LINEAR_TILE_INL_HPP
#undef KRAIT_KERNELS_LINEAR_TILE_INL_HPP
#else
#define KRAIT_KERNELS_LINEAR_TILE_INL_HPP
#endif

#include <hwy/cache_control.h>

#include "krait/core/half.hpp"
#include "krait/kernels/arm/cortex_m-inl.hpp"
#include "krait/kernels/simd-inl.hpp"
#include "krait/layout/token_span.hpp"

KRAIT_BEGIN_TARGET

// The number of tokens in a register tile. A tile keeps one accumulator in a SIMD register for each token and each vector of
// outputs, so the number of tokens is limited by the number of registers.
inline constexpr std::size_t tile_tokens = lanes == 1 ? 1 : few_registers ? 3 : 4;

// Returns one weight as float32. A weight is stored as a float32, as the bits of an f16, or in a word that contains the bf16
// weights of two neighbouring columns, the even column in the lower half; `column` selects one of the two.
inline float stored_column(float value, std::size_t) { return value; }
inline float stored_column(std::uint16_t value, std::size_t) { return from_f16(value); }
inline float stored_column(std::uint32_t pair, std::size_t column) {
  return from_bf16(static_cast<std::uint16_t>(pair >> 16 * column));
}

// The bytes of weights in a block: the function linear_blocks divides a panel into blocks of columns. Two blocks fit in a
// first-level cache.
inline constexpr std::size_t block_bytes = std::size_t{16} * 1024;

// Weights<storage> points to the weights of an output and of the outputs that follow it in the same panel. A panel is an array
// [K / columns][width] of stored elements, each of which contains the weights of `columns` columns. Callers pass the panel's
// width along, because Weights does not contain it.
template <Storage storage>
struct Weights {
  using Stored = std::conditional_t<storage == Storage::f32, float,
                                    std::conditional_t<storage == Storage::f16, std::uint16_t, std::uint32_t>>;
  static constexpr std::size_t columns = storage == Storage::bf16 ? 2 : 1;  // columns (inputs) in one stored element
  static constexpr std::size_t rounds(std::size_t K) { return ceil_div(K, columns); }  // iterations over K columns
  // Returns the number of columns in a block of linear_blocks, for a panel that is `width` outputs wide.
  static constexpr std::size_t columns_of_block(std::size_t width) { return block_bytes / (width * sizeof(Stored)) * columns; }
  static constexpr std::size_t accumulators = 1;  // accumulator registers for one token and one vector of outputs
  // The largest number of tokens in a tile. On targets with 16 SIMD registers, a bf16 tile has two tokens, because it
  // broadcasts two inputs of each token at a time.
  static constexpr std::size_t most_tokens = columns > 1 && few_registers ? 2 : tile_tokens;
  const Stored* values;
  Weights panel(std::size_t output, std::size_t K) const { return {values + output * rounds(K)}; }
  Weights outputs_from(std::size_t output) const { return {values + output}; }
  // Returns the weights starting at `column`, which must be even because bf16 weights are stored in pairs of columns. The panel
  // is `width` outputs wide.
  Weights columns_from(std::size_t column, std::size_t width) const { return {values + column / columns * width}; }
  float get(std::size_t output, std::size_t k, std::size_t width) const {
    return stored_column(values[k / columns * width + output], k % columns);
  }
};

// widened(from, use) loads the weights of one vector of outputs, converts them to float32 and calls use(column, weights) for
// each column that a stored element contains: column 0, and for bf16 also column 1.
template <class Use>
HWY_INLINE void widened(const float* from, Use use) {
  use(0, load_vector(from));
}
template <class Use>
HWY_INLINE void widened(const std::uint16_t* from, Use use) {
#if HWY_TARGET == HWY_SCALAR
// Every Cortex-M FPU can convert half precision to float32, but for single-precision FPUs gcc does not set the bit of __ARM_FP
// that indicates it.
#if defined(__arm__) && ((__ARM_FP & 2) || ((__ARM_FP & 4) && __ARM_ARCH_PROFILE == 'M'))
  float wide;
  asm("vcvtb.f32.f16 %0, %1" : "=t"(wide) : "t"(static_cast<std::uint32_t>(*from)));
  use(0, V(wide));
#else
  use(0, V(from_f16(*from)));
#endif
#else
  const hn::Rebind<hwy::float16_t, Tag> half_tag;
  use(0, hn::PromoteTo(Tag{}, hn::Load(half_tag, reinterpret_cast<const hwy::float16_t*>(from))));
#endif
}
template <class Use>
HWY_INLINE void widened(const std::uint32_t* from, Use use) {
  const hn::RebindToUnsigned<Tag> word_tag;
  const auto words = hn::Load(word_tag, from);
  use(0, hn::BitCast(Tag{}, hn::ShiftLeft<16>(words)));
  use(1, hn::BitCast(Tag{}, hn::And(words, hn::Set(word_tag, 0xFFFF0000u))));
}

// Prefetches the next panel of weights. Each call of fetch() prefetches one address into the first-level cache, the address one
// block later into the second-level cache, and advances by `step` bytes. Tiles of several tokens call fetch() once in each
// iteration over the columns, because the first tile of the next panel would otherwise wait for memory. The second prefetch
// keeps more reads of memory in flight: on a Zen 5, 16 streams of a model with the shape of mamba-130m take 0.96 times as long.
// A tile of one token reads weights without pauses, and runs faster without a Prefetcher. On targets other than x86, where
// prefetching has not been measured, fetch() does nothing.
struct Prefetcher {
  const char* at;    // the address to prefetch next
  std::size_t step;  // bytes by which each call of fetch() advances
  HWY_INLINE void fetch() {
    if constexpr (HWY_ARCH_X86) {
      hwy::Prefetch(at);
      constexpr int read = 0, second_level = 2;
      __builtin_prefetch(at + block_bytes, read, second_level);
      at += step;
    }
  }
};

#ifdef KRAIT_CORTEX_M_FPU
// A bias of zeros, which the assembly loops for Cortex-M read if a layer has no bias.
inline constexpr float no_bias[strip_width] = {};
#endif

// Computes one register tile of a linear layer, `tokens` tokens x `vectors` vectors of neighbouring outputs:
//   y[t][o] = bias[o] + x[t][0] w[0][o] + x[t][1] w[1][o] + ...     summed from left to right, by multiply-adds
// If `panels` is above 1, the outputs cover this number of whole panels. A null bias means zero. If `resume` is true, the sums
// start from y, which contains the sums over the preceding columns, instead of from the bias. If tokens > 1, prefetcher must
// not be null.
template <std::size_t tokens, std::size_t vectors, std::size_t panels = 1, Storage storage>
HWY_INLINE void linear_tile(Weights<storage> weights, std::size_t width, std::size_t K, const float* bias,
                            TokenSpan<const float> x, TokenSpan<float> y, [[maybe_unused]] Prefetcher* prefetcher = nullptr,
                            bool resume = false) {
  const Tag tag;
  constexpr std::size_t columns = Weights<storage>::columns;
#ifdef KRAIT_CORTEX_M_FPU
  if constexpr (storage == Storage::f32 && (vectors == 4 || vectors == 16))
    return multiply_add(std::integral_constant<std::size_t, vectors>{}, bias ? bias : no_bias, x[0], weights.values,
                        width - vectors, K, y[0]);
#endif
  V sum[tokens][vectors];
  KRAIT_UNROLL
  for (std::size_t v = 0; v < vectors; ++v) {
    const V start = bias ? load_vector(bias + v * lanes) : zero_start();
    KRAIT_UNROLL
    for (std::size_t t = 0; t < tokens; ++t) sum[t][v] = resume ? load_unaligned(y[t] + v * lanes) : start;
  }
  const auto* w = weights.values;
  const std::size_t to_next_panel = static_cast<std::size_t>(weights.panel(width, K).values - w);
  // Multiplies and accumulates `count` columns of the weight matrix, starting with column k. For bf16, which stores columns in
  // pairs, count is 2, or 1 for the last column of an odd K.
  const auto multiply_in = [&](std::size_t k, auto count) KRAIT_LAMBDA {
    V in[2][tokens];
    KRAIT_UNROLL
    for (std::size_t t = 0; t < tokens; ++t) {
      in[0][t] = hn::Set(tag, x[t][k]);
      if constexpr (count > 1) in[1][t] = hn::Set(tag, x[t][k + 1]);
    }
    KRAIT_UNROLL
    for (std::size_t v = 0; v < vectors; ++v) {
      constexpr std::size_t in_panel = vectors / panels;
      widened(w + v / in_panel * to_next_panel + v % in_panel * lanes, [&](std::size_t column, V weight) KRAIT_LAMBDA {
        if (column >= count) return;
        if constexpr (tokens > 1) weight = in_register(weight);
        KRAIT_UNROLL
        for (std::size_t t = 0; t < tokens; ++t) sum[t][v] = mul_add_one(in[column][t], weight, sum[t][v]);
      });
    }
    w += width;
    if constexpr (tokens > 1) prefetcher->fetch();
  };
  std::size_t k = 0;
  for (; k + columns <= K; k += columns) multiply_in(k, std::integral_constant<std::size_t, columns>{});
  if constexpr (columns > 1) {
    if (k < K) multiply_in(k, std::integral_constant<std::size_t, 1>{});
  }
  KRAIT_UNROLL
  for (std::size_t t = 0; t < tokens; ++t) {
    KRAIT_UNROLL
    for (std::size_t v = 0; v < vectors; ++v) store_unaligned(sum[t][v], y[t] + v * lanes);
  }
}

KRAIT_END_TARGET

#endif
