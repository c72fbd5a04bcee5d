// Computes the recurrence of Mamba-2 over tokens (arXiv 2405.21060), and the step sizes and decays of its heads.
#if defined(KRAIT_KERNELS_HEAD_SCAN_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_KERNELS_HEAD_SCAN_INL_HPP
#undef KRAIT_KERNELS_HEAD_SCAN_INL_HPP
#else
#define KRAIT_KERNELS_HEAD_SCAN_INL_HPP
#endif

#include "krait/kernels/activation-inl.hpp"
#include "krait/layout/token_span.hpp"

KRAIT_BEGIN_TARGET

#ifdef KRAIT_CORTEX_M_FPU
// Computes update_states for four channels and one token by the assembly loop of arm/cortex_m_heads-inl.hpp.
template <std::size_t terms>
HWY_INLINE void update_four_channels(V decay, const V (&v)[terms][4], const float* const (&k)[terms], V (&y)[4], const float* q,
                                     float* h, std::size_t d_state) {
  float values[1 + 4 * terms], sums[4];
  values[0] = decay.raw;
  for (std::size_t i = 0; i < 4 * terms; ++i) values[1 + i] = v[i / 4][i % 4].raw;
  for (std::size_t i = 0; i < 4; ++i) sums[i] = y[i].raw;
  update_states_of_four<terms>({h, {k[0], k[terms - 1]}, q, d_state, values, sums});
  for (std::size_t i = 0; i < 4; ++i) y[i].raw = sums[i];
}
#endif

// Updates the states h of m SIMD vectors of channels of one head, and computes their outputs y. For each of `count` tokens, one
// after the other, and n in ascending order:
//   h[n] = decay h[n] + v[0] k[0][n] + v[1] k[1][n] + ...      decay h[n] is rounded; then multiply-adds, from left to right
//   y[r] = y[r] + q[r][0] h[0] + q[r][1] h[1] + ...            multiply-adds, from left to right
// k is [terms][d_state] and q [outputs][d_state], the same for all channels. v [terms] and y [outputs] have an element for each
// channel. For Mamba-2, v[0] is delta x, k[0] is B, and q[0] is C. h is [d_state][16] for each 16 channels. Each element of h
// is loaded once before the first token and stored once after the last token. The arguments are arrays, not members of a
// struct, because compilers for aarch64 do not inline the constructor of such a struct.
template <std::size_t terms, std::size_t outputs, std::size_t m, std::size_t count>
HWY_INLINE void update_states(const V (&decay)[count], const V (&v)[count][terms][m], const float* const (&k)[count][terms],
                              V (&y)[count][outputs][m], const float* const (&q)[count][outputs], float* HWY_RESTRICT h,
                              std::size_t d_state) {
#ifdef KRAIT_CORTEX_M_FPU
  if constexpr (terms <= 2 && outputs == 1 && m == 4 && count == 1)
    return update_four_channels(decay[0], v[0], k[0], y[0][0], q[0][0], h, d_state);
#endif
  // Returns the distance in floats from the state of the first vector of channels to the state of vector i, for the same n. h
  // is an array [channels / 16][d_state][16].
  const auto offset = [d_state](std::size_t i) {
    return i * lanes / strip_width * strip_width * d_state + i * lanes % strip_width;
  };
  for (std::size_t n = 0; n < d_state; ++n, h += strip_width) {
    V h_n[m];
    KRAIT_UNROLL
    for (std::size_t i = 0; i < m; ++i) h_n[i] = load_vector(h + offset(i));
    KRAIT_UNROLL
    for (std::size_t t = 0; t < count; ++t) {
      KRAIT_UNROLL
      for (std::size_t i = 0; i < m; ++i) h_n[i] = mul(decay[t], h_n[i]);
      KRAIT_UNROLL
      for (std::size_t j = 0; j < terms; ++j) {
        const V k_n = constant<V>(k[t][j][n]);
        KRAIT_UNROLL
        for (std::size_t i = 0; i < m; ++i) h_n[i] = mul_add(v[t][j][i], k_n, h_n[i]);
      }
      KRAIT_UNROLL
      for (std::size_t r = 0; r < outputs; ++r) {
        const V q_n = constant<V>(q[t][r][n]);
        KRAIT_UNROLL
        for (std::size_t i = 0; i < m; ++i) y[t][r][i] = mul_add(q_n, h_n[i], y[t][r][i]);
      }
    }
    KRAIT_UNROLL
    for (std::size_t i = 0; i < m; ++i) store_vector(h_n[i], h + offset(i));
  }
}

// Replaces one token's dt by delta = softplus(dt + dt_bias), limited to the range from `least` to `most` unless no_limit is
// true. Also computes decay = e^(delta A) = 2^(delta A2), where A2 = A log2(e). All arrays are [heads], padded to a multiple of
// 16.
template <bool no_limit>
HWY_INLINE void step_sizes_row(float* dt, const float* dt_bias, const float* A2, float least, float most, float* decay,
                               std::size_t heads) {
  for (std::size_t i = 0; i < padded(heads); i += lanes)
    store_vector(add(load_vector(dt + i), load_vector(dt_bias + i)), dt + i);
  softplus_row(dt, padded(heads));
  for (std::size_t i = 0; i < padded(heads); i += lanes) {
    V delta = load_vector(dt + i);
    if constexpr (!no_limit) {
      delta = neg(clamp_below(constant<V>(-most), neg(clamp_below(constant<V>(least), delta))));
      store_vector(delta, dt + i);
    }
    store_vector(exp2_decay(mul(delta, load_vector(A2 + i))), decay + i);
  }
}

// The arguments of head_scan: pointers to the weight D, the state, the inputs and the outputs of a run of tokens.
struct HeadScan {
  const float* D;                       // weight of the skip connection, [heads], or [d_inner] if D_has_hdim
  float* h;                             // state, [heads][headdim / 16, rounded up][d_state][16]; the scan updates it
  TokenSpan<const float> decay, delta;  // for each token: [heads], the results of step_sizes_row
  TokenSpan<const float> B, C;          // for each token: [ngroups][d_state]
  TokenSpan<float> x;                   // for each token: [heads][headdim], overwritten by y
  std::size_t headdim, heads_per_group, d_state, tokens;
};

// The work of one call of head_scan_tile: some neighbouring channels of head number `head`, from token first_token on. h and x
// point to the state and the input of the first of these channels, and x starts with token first_token. D points to the weight
// of this channel, or to the weight of the head if all channels of a head have the same D.
struct HeadScanTile {
  std::size_t first_token, head;
  const float* D;
  float* h;
  TokenSpan<float> x;
};

// Computes the recurrence of head_scan for `count` tokens and m SIMD vectors of channels. `tile` contains
// the index of the first token, and pointers to the data of the first channel.
template <bool D_has_hdim, std::size_t m, std::size_t count>
HWY_INLINE void head_scan_tile(const HeadScan& s, const HeadScanTile& tile) {
  const std::size_t of_group = tile.head / s.heads_per_group * s.d_state;
  V decay[count], delta_x[count][1][m], y[count][1][m];
  const float *B[count][1], *C[count][1];
  KRAIT_UNROLL
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t t = tile.first_token + i;
    decay[i] = constant<V>(s.decay[t][tile.head]);
    B[i][0] = s.B[t] + of_group;
    C[i][0] = s.C[t] + of_group;
    const V delta = constant<V>(s.delta[t][tile.head]);
    KRAIT_UNROLL
    for (std::size_t j = 0; j < m; ++j) {
      const V x = load_unaligned(tile.x[i] + j * lanes);
      delta_x[i][0][j] = mul(delta, x);
      y[i][0][j] = mul(D_has_hdim ? load_unaligned(tile.D + j * lanes) : constant<V>(*tile.D), x);
    }
  }
  update_states(decay, delta_x, B, y, C, tile.h, s.d_state);
  KRAIT_UNROLL
  for (std::size_t i = 0; i < count; ++i) {
    KRAIT_UNROLL
    for (std::size_t j = 0; j < m; ++j) store_unaligned(y[i][0][j], tile.x[i] + j * lanes);
  }
}

// A tile consists of at most head_scan_tokens tokens and head_scan_vectors vectors of channels. Scalar targets have too few
// registers for two tokens.
inline constexpr std::size_t head_scan_tokens = lanes == 1 ? 1 : 2;
inline constexpr std::size_t head_scan_vectors = few_registers || lanes == strip_width ? 2 : 4;

// Calls head_scan_tile for `count` tokens and k vectors of channels. `left` is the number of channels from the tile's first
// channel to the end of the head. If the head ends within the tile, head_scan_tile works on copies of x and D that are padded
// with zeros, so that it neither reads nor writes channels of the next head.
template <bool D_has_hdim, std::size_t k, std::size_t count>
HWY_INLINE void head_scan_channels(const HeadScan& s, HeadScanTile tile, std::size_t left) {
  if (s.headdim % strip_width == 0 || left >= k * lanes) return head_scan_tile<D_has_hdim, k, count>(s, tile);
  alignas(64) float x[count * k * lanes] = {}, D[k * lanes] = {};
  const TokenSpan<float> outer = tile.x;
  tile.x = {x, k * lanes};
  for (std::size_t i = 0; i < count; ++i) copy_floats(outer[i], tile.x[i], left);
  if constexpr (D_has_hdim) {
    copy_floats(tile.D, D, left);
    tile.D = D;
  }
  head_scan_tile<D_has_hdim, k, count>(s, tile);
  for (std::size_t i = 0; i < count; ++i) copy_floats(tile.x[i], outer[i], left);
}

// Computes the recurrence of Mamba-2 for a run of tokens, updates the state h and overwrites x with y. For each token, each
// head j and each channel c of this head, with n ascending:
//   h[c][n] = decay[j] h[c][n] + (delta[j] x[c]) B[n]        the first product is rounded
//   y[c]    = D x[c] + C[0] h[c][0] + C[1] h[c][1] + ...     multiply-adds from left to right; D is D[j], or D[c] if D_has_hdim
// The heads of a group share the group's B and C. Computes only the channels in `part`, whose bounds are multiples of 16. The
// bounds count the channels of all heads one after the other, with each head padded to a multiple of 16 channels.
template <bool D_has_hdim>
HWY_INLINE void head_scan(const HeadScan& s, Range part) {
  const std::size_t of_head = padded(s.headdim);
  const auto all_tokens = [&](auto k, std::size_t head, std::size_t c) KRAIT_LAMBDA {
    const std::size_t channel = head * s.headdim + c, left = s.headdim - c;
    HeadScanTile tile{0, head, s.D + (D_has_hdim ? channel : head),
                      s.h + (head * of_head + c) / strip_width * strip_width * s.d_state + c % strip_width,
                      s.x.from_channel(channel)};
    for (; tile.first_token + head_scan_tokens <= s.tokens; tile.first_token += head_scan_tokens) {
      head_scan_channels<D_has_hdim, k, head_scan_tokens>(s, tile, left);
      tile.x = tile.x.from(head_scan_tokens);
    }
    if constexpr (head_scan_tokens > 1) {
      for (; tile.first_token < s.tokens; ++tile.first_token) {
        head_scan_channels<D_has_hdim, k, 1>(s, tile, left);
        tile.x = tile.x.from(1);
      }
    }
  };
  constexpr std::size_t wide = head_scan_vectors * lanes;
  for (std::size_t at = part.begin; at < part.end;) {
    const std::size_t head = at / of_head, c = at % of_head;
    if (c >= s.headdim) {  // the rest of this strip of 16 channels is padding of the head
      at = at / strip_width * strip_width + strip_width;
    } else if (wide <= strip_width || (c + wide <= of_head && at + wide <= part.end)) {
      all_tokens(std::integral_constant<std::size_t, head_scan_vectors>{}, head, c);
      at += wide;
    } else {
      all_tokens(std::integral_constant<std::size_t, strip_width / lanes>{}, head, c);
      at += strip_width;
    }
  }
}

KRAIT_END_TARGET

#endif
