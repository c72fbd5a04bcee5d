// Computes losses with their gradients, and the steps of optimisers, for arrays of floats.
#if defined(KRAIT_KERNELS_TRAINING_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_KERNELS_TRAINING_INL_HPP
#undef KRAIT_KERNELS_TRAINING_INL_HPP
#else
#define KRAIT_KERNELS_TRAINING_INL_HPP
#endif

#include "krait/kernels/norm_backward-inl.hpp"
#include "krait/kernels/activation-inl.hpp"

KRAIT_BEGIN_TARGET

// Returns the natural logarithm of x, a normal number of at least 1. With x = 2^e m and 1 <= m < 2, log(x) = e ln 2 + log(1 +
// (m - 1)).
HWY_INLINE float logarithm(float x) {
  const auto bits = __builtin_bit_cast(std::uint32_t, x);
  const auto exponent = static_cast<float>(static_cast<int>(bits >> 23) - 127);
  const float mantissa = __builtin_bit_cast(float, (bits & 0x7FFFFFu) | 0x3F800000u);
  const OneTag one;
  const auto rest = hn::Set(one, opaque(mantissa - 1.0f));
  constexpr float ln2 = 0.693147181f;
  return hn::GetLane(add_log1p(rest, mul(hn::Set(one, exponent), hn::Set(one, ln2))));
}

// Returns the cross-entropy in nats of one token's n logits, and writes its gradient, multiplied by `scale`, to dlogits, which
// may be logits. The wanted distribution is 1 - smoothing for `target`, plus smoothing / n for every token. `most` is the
// largest logit, w = e^(logit - most), and sums are computed by sum_in_strips:
//   loss = log(sum of w) - (1 - smoothing) (logit of target - most) - smoothing mean(logit - most)
//   dlogit = (w / (sum of w) - wanted) scale
HWY_INLINE float cross_entropy_row(const float* logits, std::size_t n, std::size_t target, float smoothing, float scale,
                                   float* dlogits) {
  float most = logits[0];
  for (std::size_t i = 1; i < n; ++i) most = logits[i] > most ? logits[i] : most;
  const float hit = opaque(logits[target] - most);
  float total_below = 0.0f;
  if (smoothing > 0.0f)
    total_below = sum_in_strips(logits, n, [most](auto sum, auto in) KRAIT_LAMBDA {
      return add(sum, sub(in, hn::Set(hn::DFromV<decltype(in)>{}, most)));
    });
  for_each_vector(n, [&](std::size_t i, auto load, auto store) KRAIT_LAMBDA {
    store(exp_negative(sub(load(logits + i), hn::Set(Tag{}, most))), dlogits + i);
  });
  const float total = sum_in_strips(dlogits, n, [](auto sum, auto in) KRAIT_LAMBDA { return add(sum, in); });
  const float everywhere = div(smoothing, static_cast<float>(n)), at_target = opaque(1.0f - smoothing);
  const V sums = hn::Set(Tag{}, total), wanted = hn::Set(Tag{}, everywhere), scales = hn::Set(Tag{}, scale);
  const float target_share = div(dlogits[target], total);
  for_each_vector(n, [&](std::size_t i, auto load, auto store) KRAIT_LAMBDA {
    store(mul(sub(div(load(dlogits + i), sums), wanted), scales), dlogits + i);
  });
  dlogits[target] = opaque(opaque(opaque(target_share - everywhere) - at_target) * scale);
  return opaque(opaque(logarithm(total) - opaque(at_target * hit)) - opaque(everywhere * total_below));
}

// Returns the sum of (y - target)^2 over n floats, added in the order of sum_in_strips. Writes the gradient (y - target) *
// scale to dy, which may be y.
HWY_INLINE float squared_error_row(const float* y, const float* target, std::size_t n, float scale, float* dy) {
  const float sum = sum_of_terms(n, [&](auto sum, auto load, std::size_t i) KRAIT_LAMBDA {
    const auto difference = sub(load(y + i), load(target + i));
    return mul_add(difference, difference, sum);
  });
  for_each_vector(n, [&](std::size_t i, auto load, auto store) KRAIT_LAMBDA {
    store(mul(sub(load(y + i), load(target + i)), hn::Set(Tag{}, scale)), dy + i);
  });
  return sum;
}

// Returns the correctly rounded square root of every lane.
HWY_INLINE V square_roots(V x) {
  alignas(64) float all[lanes];
  store_vector(x, all);
  KRAIT_UNROLL
  for (std::size_t i = 0; i < lanes; ++i) all[i] = square_root(all[i]);
  return load_vector(all);
}

// The factors of a step of AdamW, which are the same for all weights.
struct AdamStep {
  float beta1, beta2, eps;
  float first_scale, second_scale;  // 1 / (1 - beta1^t) and 1 / (1 - beta2^t) for step t
  float rate;                       // the learning rate
  float kept;                       // 1 - rate * weight decay: the factor of the weights
};

// Makes a step of AdamW (arXiv 1711.05101) for n weights w with the gradients g. m and v are the moments. n is a multiple of
// 16, and all arrays are aligned:
//   m = fma(beta1, m, (1 - beta1) g);  v = fma(beta2, v, ((1 - beta2) g) g)
//   step = first_scale m / (sqrt(second_scale v) + eps);  w = fma(-rate, step, kept * w)
// If `as_logarithm` is true, w is -e^A_log times a constant, and the step changes A_log: w = w e^(-rate step), but at least
// -FLT_MAX.
template <bool as_logarithm>
HWY_INLINE void adam_step(const AdamStep& s, float* w, const float* g, float* m, float* v, std::size_t n) {
  const auto set = [](float value) KRAIT_LAMBDA { return hn::Set(Tag{}, value); };
  const float rest1 = opaque(1.0f - s.beta1), rest2 = opaque(1.0f - s.beta2);
  for (std::size_t i = 0; i < n; i += lanes) {
    const V gradient = load_vector(g + i);
    const V first = mul_add(set(s.beta1), load_vector(m + i), mul(set(rest1), gradient));
    const V second = mul_add(set(s.beta2), load_vector(v + i), mul(mul(set(rest2), gradient), gradient));
    store_vector(first, m + i);
    store_vector(second, v + i);
    const V step = div(mul(set(s.first_scale), first), add(square_roots(mul(set(s.second_scale), second)), set(s.eps)));
    if constexpr (as_logarithm) {
      const V change = clamp_below(set(-exp_limit), neg(clamp_below(set(-exp_limit), mul(set(s.rate), step))));
      store_vector(clamp_below(set(-3.40282347e+38f), mul(load_vector(w + i), exp_within_limit(change))), w + i);
    } else {
      store_vector(mul_add(set(-s.rate), step, mul(set(s.kept), load_vector(w + i))), w + i);
    }
  }
}

// The coefficients of Muon's Newton-Schulz iteration.
inline constexpr float muon_a = 3.4445f, muon_b = -4.7750f, muon_c = 2.0315f;

// Updates Muon's mean of the gradients, and computes the direction of its step, for n floats, a multiple of 16:
//   mean = mean + (1 - momentum) (gradient - mean);  direction = gradient + momentum (mean - gradient)
HWY_INLINE void muon_mean(float* mean, const float* gradient, float* direction, float momentum, std::size_t n) {
  const V beta = hn::Set(Tag{}, momentum), rest = hn::Set(Tag{}, opaque(1.0f - momentum));
  for (std::size_t i = 0; i < n; i += lanes) {
    const V g = load_vector(gradient + i), old = load_vector(mean + i), m = mul_add(rest, sub(g, old), old);
    store_vector(m, mean + i);
    store_vector(mul_add(beta, sub(m, g), g), direction + i);
  }
}
// Makes a step of Muon for n weights w, a multiple of 16: w = fma(-rate, step, kept * w), where kept = 1 - rate * weight_decay.
HWY_INLINE void muon_step(float* w, const float* step, float kept, float rate, std::size_t n) {
  for (std::size_t i = 0; i < n; i += lanes)
    store_vector(mul_add(hn::Set(Tag{}, -rate), load_vector(step + i), mul(hn::Set(Tag{}, kept), load_vector(w + i))), w + i);
}

// add_floats computes a = a + b and scale_floats computes a = a * factor, element by element, for n floats, a multiple of 16.
// The arrays are aligned.
HWY_INLINE void add_floats(float* a, const float* b, std::size_t n) {
  for (std::size_t i = 0; i < n; i += lanes) store_vector(add(load_vector(a + i), load_vector(b + i)), a + i);
}
HWY_INLINE void scale_floats(float* a, float factor, std::size_t n) {
  for (std::size_t i = 0; i < n; i += lanes) store_vector(mul(load_vector(a + i), hn::Set(Tag{}, factor)), a + i);
}

KRAIT_END_TARGET

#endif
