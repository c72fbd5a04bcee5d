// Computes the gradients of linear layers, y = W x + bias, whose weights are float32 in panels (linear-inl.hpp). Every sum is
// one chain of fused multiply-adds in a fixed order, so all targets give the same bits.
#if defined(KRAIT_KERNELS_LINEAR_BACKWARD_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_KERNELS_LINEAR_BACKWARD_INL_HPP
#undef KRAIT_KERNELS_LINEAR_BACKWARD_INL_HPP
#else
#define KRAIT_KERNELS_LINEAR_BACKWARD_INL_HPP
#endif

#include "krait/kernels/linear-inl.hpp"

KRAIT_BEGIN_TARGET

// Copies columns k to k + width - 1 of W [N, K] to `columns`, [N][width]: the panel of a linear layer whose weight is W
// transposed. N includes padding and is a multiple of 16. Columns from K on become zeros.
HWY_INLINE void transpose_columns(const float* HWY_RESTRICT w, std::size_t N, std::size_t K, std::size_t k, std::size_t width,
                                  float* HWY_RESTRICT columns) {
  for (std::size_t panel = 0; panel < N; panel += panel_width) {
    const std::size_t wide = std::min(panel_width, N - panel);
    for (std::size_t j = 0; j < width; ++j) {
      const float* from = w + panel * K + (k + j) * wide;
      float* to = columns + panel * width + j;
      for (std::size_t row = 0; row < wide; ++row) to[row * width] = k + j < K ? from[row] : 0.0f;
    }
  }
}

// Computes x[t][j] = W[0][j] y[t][0] + W[1][j] y[t][1] + ... for n tokens and the `width` columns j of a panel that
// transpose_columns wrote. The chain takes the outputs in the order in which they are stored, and starts from 0 or, if
// `accumulate` is true, from x[t][j].
template <std::size_t tokens, std::size_t width>
HWY_INLINE void multiply_transposed(const float* columns, std::size_t N, TokenSpan<const float> y, TokenSpan<float> x,
                                    std::size_t n, bool accumulate) {
  const Weights<Storage::f32> w{columns};
  if constexpr (lanes == 1) {
    for (std::size_t t = 0; t < n; ++t)
      for (std::size_t j = 0; j < width; j += strip_width)
        linear_tile<1, strip_width>(w.outputs_from(j), width, N, accumulate ? x[t] + j : nullptr, y.from(t), {x[t] + j, 0});
  } else {
    const std::size_t block = Weights<Storage::f32>::columns_of_block(width);
    for (std::size_t row = 0; row < N; row += block)
      linear_tiles<tokens, width>(w.columns_from(row, width), width, std::min(block, N - row), nullptr, y.from_channel(row), x,
                                  n, accumulate || row > 0);
  }
}

// Computes the gradient of the inputs x from the gradient of the outputs y, x[t] = W^T y[t], for n tokens, as
// multiply_transposed does. W is [N, K] in panels; N includes padding. y has N floats for each token, in the order in which the
// rows of W are stored. x has K floats for each token, padded to a multiple of 16; the padding becomes 0. `columns` is memory
// for N * min(64, K, rounded up to a multiple of 16) floats.
HWY_NOINLINE inline void linear_input_gradient(const float* w, std::size_t N, std::size_t K, TokenSpan<const float> y,
                                               TokenSpan<float> x, std::size_t n, bool accumulate, float* columns) {
  constexpr std::size_t tokens = tile_tokens;
  for (std::size_t k = 0; k < K; k += panel_width) {
    const std::size_t width = std::min(panel_width, padded(K - k));
    transpose_columns(w, N, K, k, width, columns);
    const TokenSpan<float> to = x.from_channel(k);
    switch (width / strip_width) {
      case 1: multiply_transposed<tokens, 1 * strip_width>(columns, N, y, to, n, accumulate); break;
      case 2: multiply_transposed<tokens, 2 * strip_width>(columns, N, y, to, n, accumulate); break;
      case 3: multiply_transposed<tokens, 3 * strip_width>(columns, N, y, to, n, accumulate); break;
      default: multiply_transposed<tokens, 4 * strip_width>(columns, N, y, to, n, accumulate); break;
    }
  }
}

// Adds the products of n tokens to the gradient of a tile of weights, `columns` inputs x `vectors` vectors of outputs:
//   gradient[k][o] += x[0][k] y[0][o] + x[1][k] y[1][o] + ...     one chain, which starts from gradient[k][o]
// The gradient is stored as the weight is: `width` floats from one input to the next.
template <std::size_t columns, std::size_t vectors>
HWY_INLINE void weight_gradient_tile(TokenSpan<const float> x, TokenSpan<const float> y, std::size_t n, float* gradient,
                                     std::size_t width) {
  V sum[columns][vectors];
  KRAIT_UNROLL
  for (std::size_t k = 0; k < columns; ++k) {
    KRAIT_UNROLL
    for (std::size_t v = 0; v < vectors; ++v) sum[k][v] = load_vector(gradient + k * width + v * lanes);
  }
  for (std::size_t t = 0; t < n; ++t) {
    V in[columns];
    KRAIT_UNROLL
    for (std::size_t k = 0; k < columns; ++k) in[k] = hn::Set(Tag{}, x[t][k]);
    KRAIT_UNROLL
    for (std::size_t v = 0; v < vectors; ++v) {
      const V out = in_register(load_vector(y[t] + v * lanes));
      KRAIT_UNROLL
      for (std::size_t k = 0; k < columns; ++k) sum[k][v] = mul_add_one(in[k], out, sum[k][v]);
    }
  }
  KRAIT_UNROLL
  for (std::size_t k = 0; k < columns; ++k) {
    KRAIT_UNROLL
    for (std::size_t v = 0; v < vectors; ++v) store_vector(sum[k][v], gradient + k * width + v * lanes);
  }
}

// The number of vectors of outputs in a weight_gradient_tile of tile_tokens inputs. It divides a strip of 16 outputs.
inline constexpr std::size_t gradient_vectors = few_registers                ? 2
                                                : strip_width / lanes < 4 ? strip_width / lanes
                                                                          : 4;

// Adds the products of n tokens to the gradient of a weight [N, K], stored in panels as the weight: gradient[o][k] += x[0][k]
// y[0][o] + x[1][k] y[1][o] + ... N includes padding. y has N floats for each token, in the order in which the rows are stored.
HWY_NOINLINE inline void linear_weight_gradient(TokenSpan<const float> x, TokenSpan<const float> y, std::size_t n,
                                                float* gradient, std::size_t N, std::size_t K) {
  constexpr std::size_t step = gradient_vectors * lanes;
  for (std::size_t panel = 0; panel < N; panel += panel_width) {
    const std::size_t width = std::min(panel_width, N - panel);
    const auto columns = [&](std::size_t k, auto count) KRAIT_LAMBDA {
      std::size_t o = 0;
      if constexpr (gradient_vectors == 1) {
        for (; o + 4 * step <= width; o += 4 * step)
          weight_gradient_tile<count, 4 * gradient_vectors>(x.from_channel(k), y.from_channel(panel + o), n,
                                                            gradient + panel * K + k * width + o, width);
      }
      if constexpr (lanes > 1) {
        for (; o + 2 * step <= width; o += 2 * step)
          weight_gradient_tile<count, 2 * gradient_vectors>(x.from_channel(k), y.from_channel(panel + o), n,
                                                            gradient + panel * K + k * width + o, width);
      }
      for (; o < width; o += step)
        weight_gradient_tile<count, gradient_vectors>(x.from_channel(k), y.from_channel(panel + o), n,
                                                      gradient + panel * K + k * width + o, width);
    };
    const std::integral_constant<std::size_t, lanes == 1 ? 4 : tile_tokens> many;
    for (std::size_t k = 0; k < K / many; ++k) columns(k * many, many);
    for (std::size_t k = K / many * many; k < K; ++k) columns(k, std::integral_constant<std::size_t, 1>{});
  }
}

// Adds n vectors of `channels` floats, a multiple of 16, to the sums: sums[c] = sums[c] + y[0][c] + y[1][c] + ..., one chain of
// additions for each channel.
HWY_INLINE void add_tokens(TokenSpan<const float> y, std::size_t n, float* sums, std::size_t channels) {
  for (std::size_t c = 0; c < channels; c += lanes) {
    V sum = load_vector(sums + c);
    for (std::size_t t = 0; t < n; ++t) sum = add(sum, load_vector(y[t] + c));
    store_vector(sum, sums + c);
  }
}

// Adds x [K] to row `row` of a float32 weight or gradient [N, K] that is stored in panels.
HWY_INLINE void add_to_row(float* w, std::size_t N, std::size_t K, std::size_t row, const float* x) {
  const std::size_t panel = row / panel_width * panel_width;
  const std::size_t width = std::min(panel_width, N - panel);
  float* to = w + panel * K + (row - panel);
  for (std::size_t k = 0; k < K; ++k) to[k * width] = opaque(to[k * width] + x[k]);
}

KRAIT_END_TARGET

#endif
