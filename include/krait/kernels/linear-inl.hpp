// Computes linear layers, y = W x + bias. The weights W [N, K] are stored in panels of 64 neighbouring outputs, [N /
// 64][K][64], where the last panel may be 16, 32 or 48 outputs wide. A SIMD vector covers neighbouring outputs, and each input
// is broadcast to all lanes. Each output is therefore summed by fused multiply-adds in ascending order of k, whatever the
// target and the number of tokens, and the weights are read sequentially. bf16 and f16 weights are widened exactly to float32.
// int8 weights are multiplied by the functions that int8-inl.hpp includes.
#if defined(KRAIT_KERNELS_LINEAR_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_KERNELS_LINEAR_INL_HPP
#undef KRAIT_KERNELS_LINEAR_INL_HPP
#else
#define KRAIT_KERNELS_LINEAR_INL_HPP
#endif

#include "krait/kernels/linear_tile-inl.hpp"

KRAIT_BEGIN_TARGET

// Returns the number of vectors of outputs in a tile: the largest number that divides the number of vectors in the panel and
// whose accumulators fit in the registers. A tile of one token may use nearly all registers as accumulators; a tile of several
// tokens leaves registers for the weights and the broadcast inputs.
inline constexpr std::size_t tile_vectors(std::size_t tokens, std::size_t width, std::size_t accumulators) {
  const std::size_t most_of_few = tokens == 1 ? 8 : tokens == 2 ? 5 : 4;
  const std::size_t most = (few_registers ? most_of_few : tokens == 1 ? 16 : 24 / tokens) / accumulators;
  std::size_t vectors = width / lanes;
  while (vectors > std::max<std::size_t>(most, 1) || width % (vectors * lanes) != 0) --vectors;
  return vectors;
}

// Returns a Prefetcher for the weights that follow w in memory. They take as many bytes as w, which has `width` outputs and K
// columns. Each of the `tiles` tiles that multiply by w prefetches an equal share of them.
template <class W>
HWY_INLINE Prefetcher prefetch_next_panel(W w, std::size_t width, std::size_t K, std::size_t tiles) {
  const auto* from = reinterpret_cast<const char*>(w.values);
  const auto* next = reinterpret_cast<const char*>(w.panel(width, K).values);
  return {next, ceil_div(static_cast<std::size_t>(next - from), std::max<std::size_t>(tiles * W::rounds(K), 1))};
}

// Returns the number of tokens in a tile: `most`, or one fewer if the tile would otherwise be one vector wide. A tile of one
// vector has too few independent sums to hide the latency of FMA. For example, if d_model is 128, x_proj has five vectors of
// outputs on AVX2; with one-vector tiles, a prefill takes 1.03 times as long. int8 tiles have several accumulators for each
// vector, and therefore enough sums at any width.
inline constexpr std::size_t tokens_in_tile(std::size_t most, std::size_t outputs, std::size_t accumulators) {
  const bool wider_with_fewer = most > 2 && tile_vectors(most, outputs, 1) == 1 && tile_vectors(most - 1, outputs, 1) > 1;
  return accumulators == 1 && wider_with_fewer ? most - 1 : most;
}

// Computes y[t] = W x[t] + bias for n tokens and `outputs` neighbouring outputs of one panel, which is `width` outputs wide.
// `outputs` is a multiple of the number of lanes. Tiles of at most `most_tokens` tokens come first; smaller tiles process the
// remaining tokens. `resume` is passed on to linear_tile.
template <std::size_t most_tokens, std::size_t outputs, class W, class X, class... Resume>
HWY_INLINE void linear_tiles(W w, std::size_t width, std::size_t K, const float* bias, X x, TokenSpan<float> y, std::size_t n,
                             Resume... resume) {
  constexpr std::size_t tokens = tokens_in_tile(most_tokens, outputs, W::accumulators);
  constexpr std::size_t vectors = tile_vectors(tokens, outputs, W::accumulators);
  [[maybe_unused]] Prefetcher prefetcher{};
  if constexpr (tokens > 1) prefetcher = prefetch_next_panel(w, width, K, n / tokens * (outputs / (vectors * lanes)));
  std::size_t t = 0;
  for (; t + tokens <= n; t += tokens)
    for (std::size_t o = 0; o < outputs; o += vectors * lanes)
      linear_tile<tokens, vectors>(w.outputs_from(o), width, K, bias ? bias + o : nullptr, x.from(t),
                                   {y[t] + o, y.stride}, &prefetcher, resume...);
  if constexpr (tokens > 1) {
    if (t < n) linear_tiles<tokens / 2, outputs>(w, width, K, bias, x.from(t), y.from(t), n - t, resume...);
  }
}

// Computes the same outputs as linear_tiles. If there are more tokens than fit in one tile, the columns are divided into
// blocks: all tiles multiply by the columns of one block, whose weights stay in the first-level cache, before they multiply by
// the next block. Between blocks, the sums are kept in y. On a Zen 3, 16 tokens of a layer with 768 inputs, read from memory,
// take 0.82 times as long as without blocks.
template <std::size_t most_tokens, std::size_t outputs, class W, class X>
HWY_INLINE void linear_blocks(W w, std::size_t width, std::size_t K, const float* bias, X x, TokenSpan<float> y,
                              std::size_t n) {
  if constexpr (most_tokens > 1 && requires { W::columns_of_block(width); }) {
    if (n > most_tokens) {
      const std::size_t block = W::columns_of_block(width);
      for (std::size_t k = 0; k < K; k += block)
        linear_tiles<most_tokens, outputs>(w.columns_from(k, width), width, std::min(block, K - k), bias, x.from_channel(k), y,
                                           n, k > 0);
      return;
    }
  }
  linear_tiles<most_tokens, outputs>(w, width, K, bias, x, y, n);
}
template <std::size_t most_tokens, std::size_t outputs, class W, class X>
HWY_NOINLINE void linear_blocks_once(W w, std::size_t width, std::size_t K, const float* bias, X x, TokenSpan<float> y,
                                     std::size_t n) {
  linear_blocks<most_tokens, outputs>(w, width, K, bias, x, y, n);
}

// Computes the same outputs as linear_blocks. With several tokens per tile, it calls one function that is not inlined and that
// all layers share: the program examples/generate is then 0.88 times as large, and compiles in 0.63 times the time. int8 panels
// are inlined, because they are then computed 1.13 times as fast on a Zen 5. If the outputs are divided among threads, int8
// panels are not inlined: the caller then computes panels of several widths, and g++ would keep the sums of all of them in
// memory.
template <std::size_t most_tokens, std::size_t outputs, bool divided, class W, class X>
HWY_INLINE void linear_panel(W w, std::size_t width, std::size_t K, const float* bias, X x, TokenSpan<float> y, std::size_t n) {
  constexpr bool shared = most_tokens > 1 && (divided || !std::is_same_v<W, Weights<Storage::int8>>);
  if constexpr (shared) linear_blocks_once<most_tokens, outputs>(w, width, K, bias, x, y, n);
  else linear_blocks<most_tokens, outputs>(w, width, K, bias, x, y, n);
}

// Computes y[t] = W x[t] + bias for n tokens and the last panel of W, which has 16, 32, 48 or 64 outputs (`width`). The switch
// makes the width a template argument.
template <std::size_t tokens, bool divided, class W, class X>
HWY_INLINE void linear_last_panel(W w, std::size_t width, std::size_t K, const float* bias, X x, TokenSpan<float> y,
                                  std::size_t n) {
  static_assert(panel_width == 4 * strip_width,
                "krait: panel_width must be 64, because the kernels compute panels of at most 4 strips of 16 outputs");
  switch (width / strip_width) {
    case 1: return linear_panel<tokens, 1 * strip_width, divided>(w, 1 * strip_width, K, bias, x, y, n);
    case 2: return linear_panel<tokens, 2 * strip_width, divided>(w, 2 * strip_width, K, bias, x, y, n);
    case 3: return linear_panel<tokens, 3 * strip_width, divided>(w, 3 * strip_width, K, bias, x, y, n);
    default: return linear_panel<tokens, 4 * strip_width, divided>(w, 4 * strip_width, K, bias, x, y, n);
  }
}

// Computes y[t] = W x[t] + bias on scalar targets, for n tokens and the first `here` outputs that w points to. Tiles have 16
// outputs; the remaining outputs are computed in tiles of 4, and if fewer than 4 remain, in a local array, from which they are
// copied to y. The template argument `outputs` is the total number of outputs of the caller; a tile size that this number does
// not require is not compiled.
template <std::size_t outputs, class W, class X>
HWY_INLINE void linear_some_outputs(W w, std::size_t width, std::size_t K, const float* bias, X x, TokenSpan<float> y,
                                    std::size_t here, std::size_t n) {
  for (std::size_t t = 0; t < n; ++t) {
    std::size_t o = 0;
    const auto tile = [&](auto vectors, float* to) KRAIT_LAMBDA {
      linear_tile<1, vectors>(w.outputs_from(o), width, K, bias ? bias + o : nullptr, x.from(t), {to, 0});
    };
    const std::integral_constant<std::size_t, strip_width> strip;
    const std::integral_constant<std::size_t, 4> four;
    if constexpr (outputs >= strip)
      for (; o + strip <= here; o += strip) tile(strip, y[t] + o);
    if constexpr (outputs % strip >= four)
      for (; o + four <= here; o += four) tile(four, y[t] + o);
    if constexpr (outputs % four != 0) {
      if (o == here) continue;
      float last[four];
      tile(four, last);
      copy_floats(last, y[t] + o, here - o);
    }
  }
}

// True if a step with weights of type W computes two panels of outputs at once. This is the case for bf16 and f16 weights if a
// panel consists of at most four vectors: the four accumulators of one panel do not hide the latency of the multiply-adds and
// of the conversion to float32; the eight of two panels do. On a Zen 4, this makes in_proj with bf16 weights and d_model 128
// 1.12 times as fast, and a step with f16 weights 1.03 times as fast.
template <class W>
inline constexpr bool two_panels = (std::is_same_v<W, Weights<Storage::bf16>> || std::is_same_v<W, Weights<Storage::f16>>) &&
                                   panel_width / lanes <= 4;
// The largest number of columns K for which two panels are computed at once. Models with more columns are usually read from
// main memory, where one sequential stream of weights is faster than two (1.07 times as fast in a step of mamba-130m).
inline constexpr std::size_t longest_of_two_panels = 256;

// Computes some outputs of y[t] = W x[t] + bias for n tokens, where W is [N, K] and N includes padding: for each i in `part`,
// writes output number first + i to y[t][i]. Together, the parts of a caller cover the outputs from `first` to first + outputs
// - 1. N, `first` and the bounds of `part` are multiples of 16, except that part.end may be `outputs`. If W ends with padding
// rows that `outputs` does not count (at most 15), their outputs are not written. x and y must not overlap. `divided` is true
// if several threads may compute parts.
template <std::size_t tokens, std::size_t outputs, bool divided, class W, class X>
HWY_INLINE void linear_rows(W w, std::size_t N, std::size_t K, const float* bias, X x, TokenSpan<float> y, std::size_t first,
                            std::size_t n, Range part) {
  const std::size_t end = first + outputs, stop = first + part.end;
  std::size_t o = first + part.begin;
  const auto width = [&]() KRAIT_LAMBDA { return std::min(panel_width, N - o / panel_width * panel_width); };
  const auto from = [&]() KRAIT_LAMBDA { return w.panel(o / panel_width * panel_width, K).outputs_from(o % panel_width); };
  const auto bias_here = [&]() KRAIT_LAMBDA { return bias ? bias + o : nullptr; };
  const auto y_here = [&]() KRAIT_LAMBDA { return TokenSpan<float>{y.data + (o - first), y.stride}; };
  if constexpr (lanes == 1) {
    for (std::size_t next; o < stop; o = next) {
      next = std::min(o / panel_width * panel_width + width(), stop);
      linear_some_outputs<outputs>(from(), width(), K, bias_here(), x, y_here(), next - o, n);
    }
  } else {
    const auto strips_until = [&](std::size_t last) KRAIT_LAMBDA {
      for (; o < last; o += strip_width)
        linear_panel<tokens, strip_width, divided>(from(), width(), K, bias_here(), x, y_here(), n);
    };
    if (o % panel_width != 0) strips_until(std::min(ceil_div(o, panel_width) * panel_width, stop));
    if constexpr (tokens == 1 && two_panels<W>) {
      for (; K <= longest_of_two_panels && o + 2 * panel_width <= stop; o += 2 * panel_width)
        for (std::size_t t = 0; t < n; ++t)
          linear_tile<1, 2 * panel_width / lanes, 2>(from(), panel_width, K, bias_here(), x.from(t), y_here().from(t));
    }
    for (; o + panel_width <= stop; o += panel_width)
      linear_panel<tokens, panel_width, divided>(from(), panel_width, K, bias_here(), x, y_here(), n);
    if (o == stop) return;
    if (stop < end) return strips_until(stop);
    if (end == N) return linear_last_panel<tokens, divided>(from(), N - o, K, bias_here(), x, y_here(), n);
    if constexpr (outputs % strip_width == 0) {
      strips_until(end);
    } else if constexpr (outputs % lanes == 0) {
      linear_panel<tokens, outputs % panel_width, divided>(from(), width(), K, bias_here(), x, y_here(), n);
    } else {
      alignas(64) float padded_row[panel_width];
      for (std::size_t t = 0; t < n; ++t) {
        linear_last_panel<1, divided>(from(), N - o, K, bias_here(), x.from(t), {padded_row, 0}, 1);
        copy_floats(padded_row, y_here()[t], end - o);
      }
    }
  }
}

// Copies row `row` of a weight matrix [N, K], which is stored in panels, to out [K] as float32. Embedding reads the vector of a
// token with this function.
template <class W>
HWY_INLINE void gather_row(W w, std::size_t N, std::size_t K, std::size_t row, float* HWY_RESTRICT out) {
  const std::size_t panel = row / panel_width * panel_width;
  const std::size_t width = N - panel < panel_width ? N - panel : panel_width;
  const W from = w.panel(panel, K);
  for (std::size_t k = 0; k < K; ++k) out[k] = from.get(row - panel, k, width);
}

// Computes y = x + row `row` of a weight matrix that is stored in panels of `width` rows, for K floats. y may be x.
template <std::size_t width, class W>
HWY_INLINE void add_stored_row(W w, std::size_t K, std::size_t row, const float* x, float* y) {
  const W from = w.panel(row / width * width, K);
  for (std::size_t k = 0; k < K; ++k) y[k] = x[k] + opaque(from.get(row % width, k, width));
}

KRAIT_END_TARGET

#endif
