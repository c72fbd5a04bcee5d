// Computes the activation functions in double precision. This file is compiled separately from the library's kernels, with
// -ffast-math, so that the compiler vectorises the loops.
#include <cmath>
#include <cstddef>

#include "reference.hpp"

namespace {

// Limits the argument to +-700, because beyond +-700, the vector function exp of libmvec calls the slow scalar function. e^-700
// and e^700 are outside the range of float32 as well.
double exp_within(double x) { return std::exp(std::fmax(-700.0, std::fmin(700.0, x))); }

}  // namespace

void exp_reference(const float* x, double* y, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) y[i] = exp_within(x[i]);
}
void silu_reference(const float* x, double* y, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) y[i] = x[i] / (1.0 + exp_within(-static_cast<double>(x[i])));
}
void softplus_reference(const float* x, double* y, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    const double v = x[i];
    y[i] = (v > 0 ? v : 0) + std::log1p(exp_within(-std::fabs(v)));
  }
}
void relu_reference(const float* x, double* y, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) y[i] = x[i] > 0 ? x[i] : 0;
}
void sigmoid_reference(const float* x, double* y, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) y[i] = 1.0 / (1.0 + exp_within(-static_cast<double>(x[i])));
}
void tanh_reference(const float* x, double* y, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) y[i] = std::tanh(static_cast<double>(x[i]));
}
void gelu_erf_reference(const float* x, double* y, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    const double v = x[i];
    y[i] = 0.5 * v * std::erfc(-v / std::sqrt(2.0));
  }
}
void gelu_tanh_reference(const float* x, double* y, std::size_t n) {
  const double twice = 2.0 * std::sqrt(2.0 / std::acos(-1.0));
  for (std::size_t i = 0; i < n; ++i) {
    const double v = x[i];
    y[i] = v / (1.0 + exp_within(-twice * (v + 0.044715 * v * v * v)));  // (1 + tanh(u)) / 2 = 1 / (1 + e^-2u)
  }
}

namespace {
constexpr double radians = 6.283185307179586476925 / 4294967296.0;  // one unit of the angle, 2^-32 turns, in radians
}
void sine_reference(const std::uint32_t* turns, double* y, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) y[i] = std::sin(radians * static_cast<std::int32_t>(turns[i]));
}
void cosine_reference(const std::uint32_t* turns, double* y, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) y[i] = std::cos(radians * static_cast<std::int32_t>(turns[i]));
}
