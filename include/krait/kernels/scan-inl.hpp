// Computes the selective scan, Mamba's recurrence over tokens (arXiv 2312.00752, equation 2), including its discretisation.
#if defined(KRAIT_KERNELS_SCAN_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_KERNELS_SCAN_INL_HPP
#undef KRAIT_KERNELS_SCAN_INL_HPP
#else
#define KRAIT_KERNELS_SCAN_INL_HPP
#endif

#include "krait/kernels/activation-inl.hpp"
#include "krait/kernels/linear-inl.hpp"

KRAIT_BEGIN_TARGET

// The arguments of selective_scan: pointers to the weights, the state, the inputs and the output of a run of tokens.
struct Scan {
  const float* A2;                        // decay rates A log2(e), [channels / 16][d_state][16]
  const float* D;                         // weight of the skip connection, [channels]
  float* h;                               // state, [channels / 16][d_state][16]; the scan updates it
  TokenSpan<const float> delta, B, C, x;  // inputs of the scan for each token; selective_scan documents their shapes
  TokenSpan<float> y;                     // output of the scan for each token, [channels]; may be x
  std::size_t d_state;
  std::size_t tokens;
};

// Runs the selective scan over all tokens for k vectors of neighbouring channels, starting with channel c. The template
// argument per_channel selects whether every channel has its own B and C (SelectiveStateSpace) or all channels share them
// (Mamba).
template <bool per_channel, std::size_t k>
HWY_INLINE void scan_channels(const Scan& s, std::size_t c) {
  const std::size_t d_state = s.d_state;
  // Returns the offset of a channel's element n = 0 in an array [channels / 16][d_state][16].
  const auto offset = [d_state](std::size_t channel) {
    return channel / strip_width * strip_width * d_state + channel % strip_width;
  };
  // Loads element n of the k vectors of channels from an array [channels / 16][d_state][16].
  const auto load_state = [&](const float* from, std::size_t n) KRAIT_LAMBDA {
    return several<k>([&](std::size_t v) KRAIT_LAMBDA {
      return load_vector(from + offset(c + v * lanes) + n * strip_width);
    });
  };
  const auto store_state = [&](const auto& vectors, float* to, std::size_t n) KRAIT_LAMBDA {
    KRAIT_UNROLL
    for (std::size_t v = 0; v < k; ++v) store_vector(nth(vectors, v), to + offset(c + v * lanes) + n * strip_width);
  };
  const float* HWY_RESTRICT A2 = s.A2;
  float* HWY_RESTRICT h = s.h;
  for (std::size_t t = 0; t < s.tokens; ++t) {
    const float* HWY_RESTRICT B = s.B[t];
    const float* HWY_RESTRICT C = s.C[t];
    const auto x = load<k>(s.x[t] + c);
    const auto delta = load<k>(s.delta[t] + c);
    const auto delta_x = mul(delta, x);
    auto y = mul(load<k>(s.D + c), x);
    // Recurrence, with n ascending. A2 = A log2(e), so that 2^(delta A2) is e^(delta A):
    //   h[n] = 2^(delta A2[n]) h[n] + (delta x) B[n];   y = D x + C[0] h[0] + C[1] h[1] + ...
    for (std::size_t n = 0; n < d_state; ++n) {
      const auto decay = exp2_decay(mul(delta, load_state(A2, n)));
      const auto matrix = [&](const float* row) KRAIT_LAMBDA {
        if constexpr (per_channel) return load_state(row, n);
        else return hn::Set(Tag{}, row[n]);
      };
      const auto h_n = mul_add(decay, load_state(h, n), mul(delta_x, matrix(B)));
      store_state(h_n, h, n);
      y = mul_add(matrix(C), h_n, y);
    }
    store(y, s.y[t] + c);
  }
}

#ifdef KRAIT_CORTEX_M_FPU
// The coefficients of exp2_polynomial, highest power first, in the order in which scan_four_channels loads them. Without
// Helium, scan_four_channels loads coefficients in pairs, one for each of two polynomials. The first coefficient is loaded
// alone, and is in the table once; every other coefficient is in the table twice.
#ifdef KRAIT_CORTEX_M_HELIUM
inline constexpr float decay_table[6] = {exp2_c5, exp2_c4, exp2_c3, exp2_c2, exp2_c1, exp2_c0};
#else
inline constexpr float decay_table[11] = {exp2_c5, exp2_c4, exp2_c4, exp2_c3, exp2_c3, exp2_c2,
                                           exp2_c2, exp2_c1, exp2_c1, exp2_c0, exp2_c0};
#endif
// Runs selective_scan on Cortex-M cores with an FPU, four channels at a time. All channels share B and C.
HWY_INLINE void scan_in_fours(const Scan& s, std::size_t channels) {
  for (std::size_t t = 0; t < s.tokens; ++t) {
    ScanOfFour four{s.A2, s.h, s.B[t], s.C[t], s.d_state, decay_table, s.delta[t], s.x[t], s.D, s.y[t]};
    for (std::size_t c = 4; c <= channels; c += 4) {
      scan_four_channels(four);
      const std::size_t to_next = c % strip_width == 0 ? 4 + (s.d_state - 1) * strip_width : 4;
      four.A2 += to_next, four.h += to_next;
    }
  }
}
#endif

// Computes the selective scan of a run of tokens and updates the state h. For each token and each channel c, with n ascending:
//   h[c][n] = 2^(delta[c] A2[c][n]) h[c][n] + (delta[c] x[c]) B[n]
//   y[c]    = D[c] x[c] + C[0] h[c][0] + C[1] h[c][1] + ...     summed from left to right, by multiply-adds
// Shapes, where the number of channels is padded to a multiple of 16:
//   A2 = A log2(e), and h          [channels / 16][d_state][16]
//   D                              [channels]
//   delta, x and y of each token   [channels]; y may be x
//   B and C of each token          [d_state], or [channels / 16][d_state][16] if per_channel is true
template <bool per_channel>
HWY_INLINE void selective_scan(const Scan& s, std::size_t channels) {
#ifdef KRAIT_CORTEX_M_FPU
  if constexpr (!per_channel) return scan_in_fours(s, channels);
#endif
  for_each_group(channels, [&s](auto k, std::size_t c) KRAIT_LAMBDA { scan_channels<per_channel, k>(s, c); });
}

KRAIT_END_TARGET

#endif
