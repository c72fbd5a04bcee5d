// Computes the gradients of the causal depthwise convolution and of the SiLU that follows it.
#if defined(KRAIT_KERNELS_CONV1D_BACKWARD_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_KERNELS_CONV1D_BACKWARD_INL_HPP
#undef KRAIT_KERNELS_CONV1D_BACKWARD_INL_HPP
#else
#define KRAIT_KERNELS_CONV1D_BACKWARD_INL_HPP
#endif

#include "krait/kernels/conv1d-inl.hpp"
#include "krait/kernels/slope-inl.hpp"

KRAIT_BEGIN_TARGET

// The arguments of conv1d_backward. A null pointer means that there is no such array, and that a gradient is not computed.
struct Conv1dBackward {
  const float* weight;         // [channels / 16][d_conv][16]
  const float* bias;           // [channels]
  const float* window;         // [channels / 16][d_conv - 1][16]: the d_conv - 1 inputs before x[0], oldest first
  TokenSpan<const float> x;    // the inputs, [tokens][channels]
  TokenSpan<float> dy;         // the gradient of the outputs; overwritten by that of the sums before the activation
  TokenSpan<float> dx;         // receives the gradient of the inputs; may be null
  float* dweight;              // the gradient of weight is added to it
  float* dbias;                // the gradient of bias is added to it
  float* dwindow;              // on entry, the gradient of the window after the last token; on return, that of `window`
};

// Computes the gradients of y[t] = after(v[t]), where v[t] = bias + weight[0] x[t - d_conv + 1] + ... + weight[d_conv - 1]
// x[t], for n tokens and `channels` channels, a multiple of 16. Each sum is one chain for each channel:
//   dv[t]      = dy[t] after'(v[t])
//   dx[t]      = weight[d_conv - 1] dv[t] + weight[d_conv - 2] dv[t + 1] + ..., starting from 0 or the gradient of the window
//   dweight[j] = dweight[j] + dv[0] x[j - d_conv + 1] + dv[1] x[j - d_conv + 2] + ...
//   dbias      = dbias + dv[0] + dv[1] + ...
template <bool silu_after>
HWY_INLINE void conv1d_backward(const Conv1dBackward& a, std::size_t d_conv, std::size_t channels, std::size_t n) {
  for (std::size_t c = 0; c < channels; c += lanes) {
    const std::size_t strip = c / strip_width * strip_width, lane = c % strip_width, kept = d_conv - 1;
    const auto tap = [&](std::size_t j) KRAIT_LAMBDA {
      return load_vector(a.weight + strip * d_conv + j * strip_width + lane);
    };
    // Returns the input at position i: input i - kept of the call, or, if i < kept, element i of the window.
    const auto input = [&](std::size_t i) KRAIT_LAMBDA {
      return load_vector(i < kept ? a.window + strip * kept + i * strip_width + lane : a.x[i - kept] + c);
    };
    if constexpr (silu_after) {
      const V start = a.bias ? load_vector(a.bias + c) : zero_start();
      for (std::size_t t = 0; t < n; ++t) {
        V v = start;
        for (std::size_t j = 0; j < d_conv; ++j) v = mul_add(tap(j), input(t + j), v);
        store_vector(mul(load_vector(a.dy[t] + c), silu_slope(v, sigmoid(v))), a.dy[t] + c);
      }
    }
    if (a.dbias) {
      V sum = load_vector(a.dbias + c);
      for (std::size_t t = 0; t < n; ++t) sum = add(sum, load_vector(a.dy[t] + c));
      store_vector(sum, a.dbias + c);
    }
    if (a.dweight) {
      for (std::size_t j = 0; j < d_conv; ++j) {
        float* const to = a.dweight + strip * d_conv + j * strip_width + lane;
        V sum = load_vector(to);
        for (std::size_t t = 0; t < n; ++t) sum = mul_add(load_vector(a.dy[t] + c), input(t + j), sum);
        store_vector(sum, to);
      }
    }
    // Returns the gradient of the input at position i, which is an input of the outputs from max(i - kept, 0) on.
    const auto input_gradient = [&](std::size_t i) KRAIT_LAMBDA {
      // Positions count the `kept` inputs before the first token and then the tokens, so the window after the last token has
      // the positions n to n + kept - 1.
      V sum = a.dwindow && i >= n ? load_vector(a.dwindow + strip * kept + (i - n) * strip_width + lane) : zero_start();
      for (std::size_t t = i < kept ? 0 : i - kept; t <= i && t < n; ++t)
        sum = mul_add(tap(i - t), load_vector(a.dy[t] + c), sum);
      return sum;
    };
    if (a.dx.data)
      for (std::size_t t = 0; t < n; ++t) store_vector(input_gradient(t + kept), a.dx[t] + c);
    // Element i of the window depends on element i - n of the gradient of the last window, so the first element comes last.
    if (a.dwindow)
      for (std::size_t i = kept; i-- > 0;) store_vector(input_gradient(i), a.dwindow + strip * kept + i * strip_width + lane);
  }
}

KRAIT_END_TARGET

#endif
