// Computes the gradients of RMSNorm and LayerNorm.
#if defined(KRAIT_KERNELS_NORM_BACKWARD_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_KERNELS_NORM_BACKWARD_INL_HPP
#undef KRAIT_KERNELS_NORM_BACKWARD_INL_HPP
#else
#define KRAIT_KERNELS_NORM_BACKWARD_INL_HPP
#endif

#include "krait/kernels/norm-inl.hpp"

KRAIT_BEGIN_TARGET

// Returns the sum of one term for each i = 0, ..., n - 1, in the order of sum_in_strips. accumulate(sum, load, i) returns `sum`
// plus the terms of as many indices, from i on, as a vector has lanes; load(from + i) loads the elements of an array for these
// indices.
template <class Accumulate>
HWY_INLINE float sum_of_terms(std::size_t n, Accumulate accumulate) {
  alignas(64) float partial[strip_width] = {};
  std::size_t i = 0;
  for (std::size_t v = 0; v < strip_width; v += lanes) {
    V sum = zero_start();
    for (i = v; i - v + strip_width <= n; i += strip_width)
      sum = accumulate(sum, [](const float* from) KRAIT_LAMBDA { return load_unaligned(from); }, i);
    store_vector(sum, partial + v);
  }
  i = n / strip_width * strip_width;
  for (std::size_t p = 0; i + p < n; ++p)
    partial[p] = hn::GetLane(accumulate(hn::Set(OneTag{}, partial[p]),
                                        [](const float* from) KRAIT_LAMBDA { return hn::Set(OneTag{}, *from); }, i + p));
  return add_partial_sums(partial);
}

// Computes the gradients of RMSNorm or LayerNorm of one token of n channels from the gradient dy of its output. With x' = x
// (RMSNorm) or x - mean(x) (LayerNorm), s = 1 / sqrt(mean(x'^2) + eps), xhat = s x' and g = dy weight:
//   dweight += dy xhat;  dbias += dy;  dx = s (g - xhat mean(g xhat)), for LayerNorm minus s mean(g)
// A null weight means 1. Null dweight, dbias and dx are not computed. dx may be dy. If `accumulate` is true, the gradient is
// added to dx.
template <NormKind kind>
HWY_INLINE void norm_backward(const float* x, const float* weight, float eps, const float* dy, float* dx, float* dweight,
                              float* dbias, std::size_t n, bool accumulate) {
  const float count = static_cast<float>(n);
  float mean = 0.0f, s;
  if constexpr (kind == NormKind::rms) {
    s = inverse_rms(x, eps, n);
  } else {
    mean = div(sum_in_strips(x, n, [](auto sum, auto in) KRAIT_LAMBDA { return add(sum, in); }), count);
    const float squares = sum_in_strips(x, n, [mean](auto sum, auto in) KRAIT_LAMBDA {
      const auto difference = sub(in, hn::Set(hn::DFromV<decltype(in)>{}, mean));
      return mul_add(difference, difference, sum);
    });
    s = div(1.0f, square_root(opaque(div(squares, count) + eps)));
  }
  const auto normalised = [=](auto in) KRAIT_LAMBDA {
    const hn::DFromV<decltype(in)> tag;
    if constexpr (kind == NormKind::rms) return mul(in, hn::Set(tag, s));
    else return mul(sub(in, hn::Set(tag, mean)), hn::Set(tag, s));
  };
  const auto weighted_gradient = [=](auto load, std::size_t i) KRAIT_LAMBDA {
    const auto out = load(dy + i);
    return weight ? mul(out, load(weight + i)) : out;
  };
  if (dweight)
    for_each_vector(n, [&](std::size_t i, auto load, auto store) KRAIT_LAMBDA {
      store(mul_add(load(dy + i), normalised(load(x + i)), load(dweight + i)), dweight + i);
    });
  if (dbias) add_row(dbias, dy, dbias, n);
  if (!dx) return;
  const float along = div(sum_of_terms(n, [&](auto sum, auto load, std::size_t i) KRAIT_LAMBDA {
    return mul_add(weighted_gradient(load, i), normalised(load(x + i)), sum);
  }), count);
  float mean_gradient = 0.0f;
  if constexpr (kind == NormKind::layer)
    mean_gradient = div(sum_of_terms(n, [&](auto sum, auto load, std::size_t i) KRAIT_LAMBDA {
      return add(sum, weighted_gradient(load, i));
    }), count);
  for_each_vector(n, [&](std::size_t i, auto load, auto store) KRAIT_LAMBDA {
    V g = weighted_gradient(load, i);
    if constexpr (kind == NormKind::layer) g = sub(g, hn::Set(Tag{}, mean_gradient));
    g = mul(mul_add(neg(normalised(load(x + i))), hn::Set(Tag{}, along), g), hn::Set(Tag{}, s));
    store(accumulate ? add(load(dx + i), g) : g, dx + i);
  });
}

KRAIT_END_TARGET

#endif
