// The exact functions in double, apart from the kernels: compiled with -ffast-math, so that they run as vectors.
#include <cmath>
#include <cstddef>

#include "reference.hpp"

void exp_reference(const float* x, double* y, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) y[i] = std::exp(static_cast<double>(x[i]));
}
void silu_reference(const float* x, double* y, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) y[i] = x[i] / (1.0 + std::exp(-static_cast<double>(x[i])));
}
void softplus_reference(const float* x, double* y, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    const double v = x[i];
    y[i] = (v > 0 ? v : 0) + std::log1p(std::exp(-std::fabs(v)));
  }
}
