// Computes the derivatives of the activation functions of activation-inl.hpp, and the gradients of element-wise products.
#if defined(KRAIT_KERNELS_SLOPE_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_KERNELS_SLOPE_INL_HPP
#undef KRAIT_KERNELS_SLOPE_INL_HPP
#else
#define KRAIT_KERNELS_SLOPE_INL_HPP
#endif

#include "krait/kernels/activation-inl.hpp"

KRAIT_BEGIN_TARGET

// Returns the derivative of SiLU at x, s (1 + x (1 - s)). The argument s is sigmoid(x).
template <class A>
HWY_INLINE A silu_slope(const A& x, const A& s) {
  const auto one = constant<A>(1.0f);
  return mul(s, mul_add(x, sub(one, s), one));
}

// Returns the derivative of GELU at x, Phi(x) + x phi(x), where Phi is the cumulative normal distribution and phi is its
// density, e^(-x^2 / 2) / sqrt(2 pi). Phi(x) is computed as GELU(x) / x. For |x| below 2^-10, where x may be 0, Phi(x) is
// computed as 1/2 + x / sqrt(2 pi), with an error of 7e-11.
HWY_INLINE V gelu_erf_slope(V x) {
  const V half = constant<V>(0.5f), density = constant<V>(0.398942280f);
  const V bell = mul(density, exp_negative(mul(mul(x, x), constant<V>(-0.5f))));
  const auto tiny = hn::Lt(abs(x), constant<V>(0x1p-10f));
  const V Phi = hn::IfThenElse(tiny, mul_add(x, density, half), div(gelu_erf(x), hn::IfThenElse(tiny, half, x)));
  return mul_add(x, bell, Phi);
}

// Returns the derivative of gelu_tanh, which is x sigmoid(v), where v = x (a + b x^2), a is gelu_tanh_linear and b is
// gelu_tanh_cubic. With s = sigmoid(v), the derivative is s + x s (1 - s) (a + 3 b x^2).
HWY_INLINE V gelu_tanh_slope(V x) {
  const V one = constant<V>(1.0f), linear = constant<V>(gelu_tanh_linear);
  const V limited = neg(clamp_below(constant<V>(-gelu_tanh_limit), neg(clamp_below(constant<V>(-gelu_tanh_limit), x))));
  const V square = mul(limited, limited);
  const V s = sigmoid(mul(limited, mul_add(square, constant<V>(gelu_tanh_cubic), linear)));
  const V inner = mul_add(square, constant<V>(3.0f * gelu_tanh_cubic), linear);
  return mul_add(mul(limited, inner), mul(s, sub(one, s)), s);
}

// Returns the derivative of `function` at x. The derivative of ReLU at 0 is 0.
template <ActivationFunction function>
HWY_INLINE V slope(V x) {
  const V one = constant<V>(1.0f);
  if constexpr (function == ActivationFunction::relu) {
    return hn::IfThenElse(hn::Lt(constant<V>(0.0f), x), one, hn::Zero(Tag{}));
  } else if constexpr (function == ActivationFunction::silu) {
    return silu_slope(x, sigmoid(x));
  } else if constexpr (function == ActivationFunction::gelu_erf) {
    return gelu_erf_slope(x);
  } else if constexpr (function == ActivationFunction::gelu_tanh) {
    return gelu_tanh_slope(x);
  } else if constexpr (function == ActivationFunction::tanh) {
    const V y = tanh(x);
    return mul_add(neg(y), y, one);
  } else {
    const V s = sigmoid(x);
    return mul(s, sub(one, s));
  }
}

// Computes dx = dy * function'(x) element by element, for n floats. dx may be dy.
template <ActivationFunction function>
HWY_INLINE void activation_backward(const float* x, const float* dy, float* dx, std::size_t n) {
  for_each_vector(n, [&](std::size_t i, auto load, auto store) KRAIT_LAMBDA {
    store(mul(load(dy + i), slope<function>(load(x + i))), dx + i);
  });
}

// Computes the gradients dy and dz from dgated, the gradient of gated = y * SiLU(z), for one token's channels, a multiple of
// 16: dy = dgated * SiLU(z), and dz = dgated * y * SiLU'(z). dy may be dgated.
HWY_INLINE void gate_backward(const float* y, const float* z, const float* dgated, float* dy, float* dz, std::size_t channels) {
  for (std::size_t c = 0; c < channels; c += lanes) {
    const V gate = load_vector(z + c), out = load_vector(dgated + c), s = sigmoid(gate);
    store_vector(mul(mul(out, load_vector(y + c)), silu_slope(gate, s)), dz + c);
    store_vector(mul(out, mul(gate, s)), dy + c);
  }
}

KRAIT_END_TARGET

#endif
