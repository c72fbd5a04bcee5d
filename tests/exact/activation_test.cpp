// Usage: activation_test [STEP [TARGET]] Compares exp, the activation functions, and the sine and cosine of Mamba-3 with double
// precision, for every STEP-th float32 and every STEP-th angle of 2^-32 turns (default: every one). Prints the largest errors.
// Fails if an error exceeds the bound that the comment of the function states, or if the program is not compiled for Highway's
// TARGET.
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string_view>
#include <vector>

#include "krait.hpp"
#include "reference.hpp"

namespace kernels = krait::HWY_NAMESPACE;
namespace hn = hwy::HWY_NAMESPACE;

namespace {

struct Case {
  const char* name;
  void (*ours)(const float* x, float* y, std::size_t n);
  void (*reference)(const float* x, double* y, std::size_t n);
  bool negative_only;
  bool nan_goes_through;
  double relative_bound;  // the largest relative error that is accepted for x >= cut
  double absolute_bound;  // the largest absolute error that is accepted for x < cut
  double cut = -87.3;
  double at_infinity = std::numeric_limits<double>::infinity();  // the results for +infinity and, approximately, for -infinity
  double at_minus_infinity = 0;
};

template <class F>
void apply(const float* x, float* y, std::size_t n, F f) {
  const kernels::Tag tag;
  for (std::size_t i = 0; i < n; i += kernels::lanes) hn::StoreU(f(hn::LoadU(tag, x + i)), tag, y + i);
}
void exp_ours(const float* x, float* y, std::size_t n) {
  apply(x, y, n, [](kernels::V v) { return kernels::exp_negative(v); });
}
void silu_ours(const float* x, float* y, std::size_t n) {
  apply(x, y, n, [](kernels::V v) { return kernels::silu(v); });
}
void precise_softplus_ours(const float* x, float* y, std::size_t n) {
  apply(x, y, n, [](kernels::V v) { return kernels::precise_softplus(v); });
}
void softplus_ours(const float* x, float* y, std::size_t n) {
  apply(x, y, n, [](kernels::V v) { return kernels::softplus(v); });
}
template <krait::ActivationFunction function>
void layer_ours(const float* x, float* y, std::size_t n) {
  kernels::activation_row<function>(x, y, n);
}

// Half of the smallest denormal. If a result is denormal, rounding alone causes an error of up to this size, which is not
// counted.
constexpr double no_error = 0x1p-150;

// all_finite and any_worse are loops that compilers vectorise. Only if a batch of floats contains a larger error than before,
// or a non-finite input, does the test look at each float of the batch.
bool all_finite(const float* x, std::size_t n) {
  std::uint32_t other = 0;
  for (std::size_t i = 0; i < n; ++i) other |= std::fabs(x[i]) <= std::numeric_limits<float>::max() ? 0 : 1;
  return other == 0;
}
bool any_worse(const float* x, const float* y, const double* want, std::size_t n, float cut, double relative, double absolute) {
  std::uint64_t any = 0;  // has the width of a double, because the loop is otherwise not vectorised
  for (std::size_t i = 0; i < n; ++i) {
    const double error = std::fabs(static_cast<double>(y[i]) - want[i]);
    const double least = relative * std::fabs(want[i]);
    const double allowed = x[i] >= cut ? (least > no_error ? least : no_error) : absolute;
    any |= error <= allowed ? 0 : 1;
  }
  return any != 0;
}

bool sweep(const Case& c, std::uint64_t step) {
  constexpr std::size_t n = 4096;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const float cut = static_cast<float>(c.cut);
  std::vector<float> x(n), y(n);
  std::vector<double> want(n);
  double worst_relative = 0, worst_absolute = 0;
  float at_relative = 0, at_absolute = 0;
  std::uint64_t checked = 0, lost = 0;
  const std::uint64_t start = c.negative_only ? 0x80000000u : 0, end = std::uint64_t{1} << 32;
  for (std::uint64_t bits = start; bits < end;) {
    for (std::size_t i = 0; i < n; ++i, bits += step)
      x[i] = std::bit_cast<float>(static_cast<std::uint32_t>(bits < end ? bits : end - 1));
    c.ours(x.data(), y.data(), n);
    checked += n;
    if (!all_finite(x.data(), n)) {
      for (std::size_t i = 0; i < n; ++i) {
        if (std::isfinite(x[i])) continue;
        // The result for NaN must be NaN, and the results for infinities must be the limits of the function.
        const bool good = std::isnan(x[i]) ? !c.nan_goes_through || std::isnan(y[i])
                          : x[i] > 0       ? static_cast<double>(y[i]) == c.at_infinity
                                           : std::fabs(static_cast<double>(y[i]) - c.at_minus_infinity) <= c.absolute_bound;
        if (!good) ++lost;
        x[i] = -1e30f, y[i] = static_cast<float>(c.at_minus_infinity);  // excludes the element from the errors below
      }
    }
    c.reference(x.data(), want.data(), n);
    if (!any_worse(x.data(), y.data(), want.data(), n, cut, worst_relative, worst_absolute)) continue;
    for (std::size_t i = 0; i < n; ++i) {
      const double error = std::fabs(static_cast<double>(y[i]) - want[i]);
      if (x[i] >= cut) {
        if (error <= worst_relative * std::fabs(want[i]) || error <= no_error) continue;
        worst_relative = std::isnan(error) ? infinity : want[i] == 0 ? error : error / std::fabs(want[i]);
        at_relative = x[i];
      } else if (!(error <= worst_absolute)) {
        worst_absolute = std::isnan(error) ? infinity : error, at_absolute = x[i];
      }
    }
  }
  const bool good = worst_relative <= c.relative_bound && worst_absolute <= c.absolute_bound && lost == 0;
  std::printf("%-12s %10llu floats: relative error %.3g at %.9g (bound %.3g); below %g absolute %.3g at %.9g (bound %.3g)%s\n",
              c.name, static_cast<unsigned long long>(checked), worst_relative, at_relative, c.relative_bound, c.cut,
              worst_absolute, at_absolute, c.absolute_bound, good ? "" : "  FAILED");
  if (lost != 0) std::printf("%s: %llu wrong results for NaN or infinity\n", c.name, static_cast<unsigned long long>(lost));
  return good;
}

// Compares the sine and cosine of every STEP-th angle of 2^-32 turns with double precision.
bool sweep_angles(std::uint64_t step, double bound) {
  constexpr std::size_t n = 4096;
  const kernels::Tag tag;
  const kernels::IntTag int_tag;
  std::vector<std::uint32_t> turns(n);
  std::vector<float> sine(n), cosine(n);
  std::vector<double> want_sine(n), want_cosine(n);
  double worst = 0;
  for (std::uint64_t at = 0; at < std::uint64_t{1} << 32;) {
    for (std::size_t i = 0; i < n; ++i, at += step) turns[i] = static_cast<std::uint32_t>(at);
    for (std::size_t i = 0; i < n; i += kernels::lanes) {
      kernels::V s, c;
      kernels::sine_cosine(hn::LoadU(int_tag, reinterpret_cast<const std::int32_t*>(&turns[i])), s, c);
      hn::StoreU(s, tag, &sine[i]);
      hn::StoreU(c, tag, &cosine[i]);
    }
    sine_reference(turns.data(), want_sine.data(), n);
    cosine_reference(turns.data(), want_cosine.data(), n);
    double most = 0;
    for (std::size_t i = 0; i < n; ++i)
      most = std::max({most, std::fabs(sine[i] - want_sine[i]), std::fabs(cosine[i] - want_cosine[i])});
    if (!(most <= worst)) worst = most;
  }
  const bool good = worst <= bound;
  std::printf("%-12s every %llu. angle: absolute error %.3g (bound %.3g)%s\n", "sine, cosine",
              static_cast<unsigned long long>(step), worst, bound, good ? "" : "  FAILED");
  return good;
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t step = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1;
  if (step == 0) return std::fprintf(stderr, "activation_test: STEP must be a whole number of at least 1, not '%s'\n", argv[1]), 2;
  std::printf("target %s\n", krait::target_name());
  const std::string_view wanted = argc > 2 ? argv[2] : "";
  if (!wanted.empty() && wanted != krait::target_name()) return std::printf("wanted %s\n", argv[2]), 1;
  constexpr bool fma = krait::has_fma;
  bool good = sweep({"exp", exp_ours, exp_reference, true, false, fma ? 1.9e-7 : 3e-6, 1.3e-38}, step);
  good &= sweep({"SiLU", silu_ours, silu_reference, false, true, fma ? 2.4e-7 : 3e-6, 1.1e-36}, step);
  good &= sweep({"softplus", softplus_ours, softplus_reference, false, true, fma ? 2.8e-7 : 3e-6, 1.3e-38}, step);
  good &= sweep({"softplus (2)", precise_softplus_ours, softplus_reference, false, true, fma ? 2.0e-7 : 3e-6, 1.3e-38}, step);
  good &= sweep_angles(step, fma ? 1.2e-7 : 2e-7);
  using enum krait::ActivationFunction;
  good &= sweep({"ReLU", layer_ours<relu>, relu_reference, false, true, 0, 0}, step);
  good &= sweep({"sigmoid", layer_ours<sigmoid>, sigmoid_reference, false, true, fma ? 2.5e-7 : 3e-6, 1.3e-38, -87.3, 1}, step);
  good &= sweep({"tanh", layer_ours<tanh>, tanh_reference, false, true, fma ? 2.6e-7 : 3e-6, 3e-8, -9.1, 1, -1}, step);
  good &= sweep({"GELU", layer_ours<gelu_erf>, gelu_erf_reference, false, true, fma ? 5e-7 : 8e-6, 1.3e-38, -13.1}, step);
  good &= sweep({"GELU (tanh)", layer_ours<gelu_tanh>, gelu_tanh_reference, false, true, fma ? 3.0e-7 : 3e-6, 6e-8, -1}, step);
  return good ? 0 : 1;
}
