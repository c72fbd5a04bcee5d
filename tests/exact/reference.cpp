// exp, SiLU and softplus in double precision. This file is compiled with -ffast-math, apart from the library's kernels, so that
// the compiler vectorises the loops.
#include <cmath>
#include <cstddef>

#include "reference.hpp"

namespace {

// Limits the argument to +-700: beyond it, libmvec's vector exp calls the slow scalar one. e^-700 and e^700 are outside the
// range of float32 as well.
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
