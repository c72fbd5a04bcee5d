// Computes the recurrence of Mamba-2 over tokens (arXiv 2405.21060), and the step sizes and decays of its heads.
#if defined(KRAIT_KERNELS_HEAD_SCAN_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_KERNELS_HEAD_SCAN_INL_HPP
#undef KRAIT_KERNELS_HEAD_SCAN_INL_HPP
#else
#define KRAIT_KERNELS_HEAD_SCAN_INL_HPP
#endif

#include "krait/kernels/activation-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD {

// Replaces dt of one token by delta = softplus(dt + dt_bias), limited to [least, most], and computes decay = 2^(delta A2).
// All arrays are [heads], padded to a multiple of 16. With no_limit, `least` and `most` are not used.
template <bool no_limit>
HWY_INLINE void step_sizes_row(float* dt, const float* dt_bias, const float* A2, float least, float most, float* decay,
                               std::size_t heads) {
  for (std::size_t i = 0; i < padded(heads); i += lanes) store_vector(add(load_vector(dt + i), load_vector(dt_bias + i)), dt + i);
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

// The arguments of head_scan: pointers to the weight, the state, the inputs and the outputs of a run of tokens.
struct HeadScan {
  const float* D;                       // weight of the skip connection, [heads], or [d_inner] if D_has_hdim
  float* h;                             // state, [heads][headdim / 16, rounded up][d_state][16]; the scan updates it
  TokenSpan<const float> decay, delta;  // for each token: [heads]
  TokenSpan<const float> B, C;          // for each token: [ngroups][d_state]
  TokenSpan<float> x;                   // for each token: [heads][headdim], overwritten by y
  std::size_t headdim, heads_per_group, d_state, tokens;
};

// The part of a HeadScan that head_scan_tile computes: `count` tokens, of each of which it reads `x` and writes `y`, and k
// vectors of neighbouring channels of one head. h is the state of the first channel, and D its weight.
struct HeadScanTile {
  std::size_t first_token, head;
  const float* D;
  float* h;
  TokenSpan<float> x;
};

// Computes k vectors of channels for `count` tokens. Every element of the state is loaded and stored once for all tokens.
template <bool D_has_hdim, std::size_t k, std::size_t count>
HWY_INLINE void head_scan_tile(const HeadScan& s, const HeadScanTile& tile) {
  const std::size_t first_state = tile.head / s.heads_per_group * s.d_state;
  // Returns the offset of vector v of channels from the first vector, in an array [strips][d_state][16].
  const auto offset = [&s](std::size_t v) {
    return v * lanes / strip_width * strip_width * s.d_state + v * lanes % strip_width;
  };
  const auto load_channels = [](const float* from) KRAIT_LAMBDA {
    return several<k>([from](std::size_t v) KRAIT_LAMBDA { return load_unaligned(from + v * lanes); });
  };
  V decay[count];
  decltype(load_channels(tile.D)) delta_x[count], y[count];
  const float *B[count], *C[count];
  KRAIT_UNROLL
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t t = tile.first_token + i;
    B[i] = s.B[t] + first_state;
    C[i] = s.C[t] + first_state;
    decay[i] = hn::Set(Tag{}, s.decay[t][tile.head]);
    const auto x = load_channels(tile.x[i]);
    delta_x[i] = mul(hn::Set(Tag{}, s.delta[t][tile.head]), x);
    if constexpr (D_has_hdim) y[i] = mul(load_channels(tile.D), x);
    else y[i] = mul(hn::Set(Tag{}, *tile.D), x);
  }
  float* HWY_RESTRICT h = tile.h;
  for (std::size_t n = 0; n < s.d_state; ++n, h += strip_width) {
    auto h_n = several<k>([&](std::size_t v) KRAIT_LAMBDA { return load_vector(h + offset(v)); });
    KRAIT_UNROLL
    for (std::size_t i = 0; i < count; ++i) {
      h_n = mul_add(decay[i], h_n, mul(delta_x[i], hn::Set(Tag{}, B[i][n])));
      y[i] = mul_add(hn::Set(Tag{}, C[i][n]), h_n, y[i]);
    }
    KRAIT_UNROLL
    for (std::size_t v = 0; v < k; ++v) store_vector(nth(h_n, v), h + offset(v));
  }
  KRAIT_UNROLL
  for (std::size_t i = 0; i < count; ++i) {
    KRAIT_UNROLL
    for (std::size_t v = 0; v < k; ++v) store_unaligned(nth(y[i], v), tile.x[i] + v * lanes);
  }
}

// The number of tokens and of vectors that a tile has. A scalar target has too few registers for several tokens.
inline constexpr std::size_t head_scan_tokens = lanes == 1 ? 1 : 2;
inline constexpr std::size_t head_scan_vectors = few_registers || lanes == strip_width ? 2 : 4;

// Computes `count` tokens for k vectors of the channels c, c + 1, ... of one head, of which only the first `left` exist.
template <bool D_has_hdim, std::size_t k, std::size_t count>
HWY_INLINE void head_scan_channels(const HeadScan& s, HeadScanTile tile, std::size_t left) {
  if (left >= k * lanes) return head_scan_tile<D_has_hdim, k, count>(s, tile);
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

// Computes the recurrence of Mamba-2 for a run of tokens and updates the state h. For each token, each head j and each of its
// channels c, with n ascending:
//   h[c][n] = decay[j] h[c][n] + (delta[j] x[c]) B[n]
//   y[c]    = D x[c] + C[0] h[c][0] + C[1] h[c][1] + ...     one chain of multiply-adds
// Computes the channels `part` of an array in which the channels of each head are padded to a multiple of 16; its bounds are
// multiples of 16.
template <bool D_has_hdim>
HWY_INLINE void head_scan(const HeadScan& s, Range part) {
  const std::size_t of_head = padded(s.headdim);
  const auto all_tokens = [&](auto k, std::size_t head, std::size_t c) KRAIT_LAMBDA {
    const std::size_t channel = head * s.headdim + c, left = s.headdim - c;
    HeadScanTile tile{0, head, s.D + (D_has_hdim ? channel : head),
                      s.h + (head * of_head + c) / strip_width * strip_width * s.d_state + c % strip_width, s.x.from_channel(channel)};
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
    if (c >= s.headdim) {  // only padding is left of the head; a strip is computed in several steps on some targets
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

}  // namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD
HWY_AFTER_NAMESPACE();

#endif
