// The exact functions in double, apart from the kernels: compiled with -ffast-math, so that they run as vectors.
#include <cmath>
#include <cstddef>

#include "reference.hpp"

namespace {

// Beyond +-700 the vector function would ask the scalar one; both results are far below, or above, every float32.
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
