// Computes the gradients of the recurrence of Mamba-2, and of the step sizes and decays of its heads.
#if defined(KRAIT_KERNELS_HEAD_SCAN_BACKWARD_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_KERNELS_HEAD_SCAN_BACKWARD_INL_HPP
#undef KRAIT_KERNELS_HEAD_SCAN_BACKWARD_INL_HPP
#else
#define KRAIT_KERNELS_HEAD_SCAN_BACKWARD_INL_HPP
#endif

#include "krait/kernels/head_scan-inl.hpp"
#include "krait/kernels/norm-inl.hpp"

KRAIT_BEGIN_TARGET

// The arguments of head_scan_backward. Shapes are those of HeadScan; gradients have the shapes of what they are gradients of.
struct HeadScanBackward {
  const float* D;
  const float* h;                              // the state before the first token
  TokenSpan<const float> decay, delta, B, C, x;
  TokenSpan<const float> dy;                   // the gradient of the outputs
  TokenSpan<float> dx, dB, dC;                 // receive the gradients of the inputs
  TokenSpan<float> along_x, along_h;           // receive sums for each head, the inputs of step_sizes_backward
  float* dD;                                   // the gradient of D is added to it; may be null
  float* dh;                                   // on entry, the gradient of the state after the last token; on return, of h
  float* states;                               // memory for [tokens + 1][d_state][16]
  float* sums;                                 // memory for the 16 partial sums of each element of dB and dC,
                                               // [tokens][2 d_state][16]
  std::size_t headdim, heads, heads_per_group, d_state, tokens;
};

// The work of one call of head_scan_strip_backward: up to 16 neighbouring channels of head number `head`. x, dy and dx have 16
// channels for each token, and D has 16 elements; unused channels are 0. The other arrays have 16 partial sums each.
struct HeadScanStrip {
  std::size_t head;
  const float *D, *h;
  float* dh;
  TokenSpan<const float> x, dy;
  TokenSpan<float> dx, along_x, along_h;
  float* dD;
};

// Computes the gradients of head_scan for a strip of channels and a few tokens; in the second loop, tokens are descending:
//   g = dh + C dy, the gradient of h[t]; then dh = decay g
//   dC = sum over c of dy h[t];  dB = sum over c of g (delta x);  dx = fma(sum of g B, delta, dy D)
//   along_x = sum over c of (sum of g B) x;  along_h = sum over c of (sum of g h[t - 1]);  dD = sum over c or t of dy x
// The sums over the states take them in ascending order and start from 0. The sums over the channels are in 16 chains.
HWY_INLINE void head_scan_strip_backward(const HeadScanBackward& s, const HeadScanStrip& strip) {
  const std::size_t d_state = s.d_state, row = d_state * strip_width, group = strip.head / s.heads_per_group * d_state;
  for (std::size_t lane = 0; lane < strip_width; lane += lanes) {
    for (std::size_t n = 0; n < d_state; ++n)
      store_vector(load_vector(strip.h + n * strip_width + lane), s.states + n * strip_width + lane);
    for (std::size_t t = 0; t < s.tokens; ++t) {
      const V delta_x = mul(hn::Set(Tag{}, s.delta[t][strip.head]), load_vector(strip.x[t] + lane));
      const V decay = hn::Set(Tag{}, s.decay[t][strip.head]);
      const float* B = s.B[t] + group;
      for (std::size_t n = 0; n < d_state; ++n) {
        float* const h = s.states + t * row + n * strip_width + lane;
        store_vector(mul_add(delta_x, hn::Set(Tag{}, B[n]), mul(decay, load_vector(h))), h + row);
      }
    }
    V dD = load_vector(strip.dD + lane);
    for (std::size_t t = s.tokens; t-- > 0;) {
      const V x = load_vector(strip.x[t] + lane), dy = load_vector(strip.dy[t] + lane);
      const V decay = hn::Set(Tag{}, s.decay[t][strip.head]), delta = hn::Set(Tag{}, s.delta[t][strip.head]);
      const V delta_x = mul(delta, x);
      const float *B = s.B[t] + group, *C = s.C[t] + group;
      V along_B = zero_start(), along_h = zero_start();
      for (std::size_t n = 0; n < d_state; ++n) {
        const std::size_t at = n * strip_width + lane;
        const float* const h = s.states + t * row + at;
        float* const sums = s.sums + 2 * t * row + at;  // of dB, then of dC
        const V g = mul_add(hn::Set(Tag{}, C[n]), dy, load_vector(strip.dh + at));
        store_vector(mul_add(g, delta_x, load_vector(sums)), sums);
        store_vector(mul_add(dy, load_vector(h + row), load_vector(sums + row)), sums + row);
        along_B = mul_add(g, hn::Set(Tag{}, B[n]), along_B);
        along_h = mul_add(g, load_vector(h), along_h);
        store_vector(mul(decay, g), strip.dh + at);
      }
      store_vector(mul_add(along_B, delta, mul(dy, load_vector(strip.D + lane))), strip.dx[t] + lane);
      store_vector(mul_add(along_B, x, load_vector(strip.along_x[t] + lane)), strip.along_x[t] + lane);
      store_vector(add(along_h, load_vector(strip.along_h[t] + lane)), strip.along_h[t] + lane);
      dD = mul_add(dy, x, dD);
    }
    store_vector(dD, strip.dD + lane);
  }
}

// Computes the gradients of head_scan for at most most_tokens tokens: of x, B, C, D and the state before the first token, and
// the sums along_x and along_h. Chain p of a sum over the channels takes channels p, p + 16 and so on of each head, heads in
// ascending order; add_partial_sums adds the chains. If a head has one D, its gradient is such a sum, too, in which each strip
// of channels takes the tokens in descending order; otherwise dD is one chain over the tokens, in descending order.
template <bool D_has_hdim, std::size_t most_tokens>
HWY_NOINLINE void head_scan_backward(const HeadScanBackward& s) {
  const std::size_t row = s.d_state * strip_width, strips = ceil_div(s.headdim, strip_width);
  alignas(64) float x[most_tokens][strip_width], dy[most_tokens][strip_width], dx[most_tokens][strip_width];
  alignas(64) float along_x[most_tokens][strip_width], along_h[most_tokens][strip_width];
  alignas(64) float D[strip_width], dD[strip_width];
  const auto span = [](auto& rows) KRAIT_LAMBDA { return TokenSpan<float>{rows[0], strip_width}; };
  for (std::size_t head = 0; head < s.heads; ++head) {
    const std::size_t in_group = head % s.heads_per_group;
    if (in_group == 0) std::memset(s.sums, 0, s.tokens * 2 * row * sizeof(float));
    std::memset(along_x, 0, sizeof(along_x));
    std::memset(along_h, 0, sizeof(along_h));
    std::memset(dD, 0, sizeof(dD));
    for (std::size_t i = 0; i < strips; ++i) {
      const std::size_t channel = head * s.headdim + i * strip_width, first = (head * strips + i) * row;
      const std::size_t left = std::min(strip_width, s.headdim - i * strip_width);
      for (std::size_t t = 0; t < s.tokens; ++t) {
        copy_padded(s.x[t] + channel, x[t], left);
        copy_padded(s.dy[t] + channel, dy[t], left);
      }
      if constexpr (D_has_hdim) {
        copy_padded(s.D + channel, D, left);
        if (s.dD) copy_padded(s.dD + channel, dD, left);
      } else {
        for (float& d : D) d = s.D[head];
      }
      head_scan_strip_backward(s, {head, D, s.h + first, s.dh + first, span(x).as_const(), span(dy).as_const(), span(dx),
                                   span(along_x), span(along_h), dD});
      for (std::size_t t = 0; t < s.tokens; ++t) copy_floats(dx[t], s.dx[t] + channel, left);
      if constexpr (D_has_hdim)
        if (s.dD) copy_floats(dD, s.dD + channel, left);
    }
    if constexpr (!D_has_hdim)
      if (s.dD) s.dD[head] = opaque(s.dD[head] + add_partial_sums(dD));
    for (std::size_t t = 0; t < s.tokens; ++t) {
      s.along_x[t][head] = add_partial_sums(along_x[t]);
      s.along_h[t][head] = add_partial_sums(along_h[t]);
    }
    if (in_group + 1 == s.heads_per_group) {
      const std::size_t group = head / s.heads_per_group * s.d_state;
      for (std::size_t t = 0; t < s.tokens; ++t)
        for (std::size_t n = 0; n < s.d_state; ++n) {
          s.dB[t][group + n] = add_partial_sums(s.sums + 2 * t * row + n * strip_width);
          s.dC[t][group + n] = add_partial_sums(s.sums + (2 * t + 1) * row + n * strip_width);
        }
    }
  }
}

// Computes the gradients of dt and A_log for one token: the backward pass of step_sizes_row. along_x and along_h are the sums
// of head_scan_backward: for each head, the gradients of delta, as a factor of x, and of the decay. With A = ln 2 A2 and
// v = decay along_h:
//   ddelta = fma(v, A, along_x);  ddt = ddelta sigmoid(dt + dt_bias), or 0 where a limit applies
//   dA_log = fma(v delta, A, dA_log)
// All arrays are [heads], padded to a multiple of 16. dA_log may be null. ddt may be along_x.
template <bool no_limit>
HWY_INLINE void step_sizes_backward(const float* dt, const float* dt_bias, const float* A2, float least, float most,
                                    const float* delta, const float* decay, const float* along_x, const float* along_h,
                                    float* ddt, float* dA_log, std::size_t heads) {
  for (std::size_t i = 0; i < padded(heads); i += lanes) {
    const V raw = add(load_vector(dt + i), load_vector(dt_bias + i)), v = mul(load_vector(decay + i), load_vector(along_h + i));
    const V A = mul(load_vector(A2 + i), hn::Set(Tag{}, 0.693147181f));
    V slope = sigmoid(raw);
    if constexpr (!no_limit) {
      const V free = softplus(raw), zero = hn::Zero(Tag{});
      slope = hn::IfThenElse(hn::Lt(free, hn::Set(Tag{}, least)), zero, slope);
      slope = hn::IfThenElse(hn::Lt(hn::Set(Tag{}, most), free), zero, slope);
    }
    if (dA_log) store_vector(mul_add(mul(v, load_vector(delta + i)), A, load_vector(dA_log + i)), dA_log + i);
    store_vector(mul(mul_add(v, A, load_vector(along_x + i)), slope), ddt + i);
  }
}

KRAIT_END_TARGET

#endif
