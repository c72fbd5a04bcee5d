// The kinds of weight tensor: how a checkpoint shapes them, and how they rest in memory.
#ifndef KRAIT_LAYOUT_PARAMS_HPP
#define KRAIT_LAYOUT_PARAMS_HPP

#include <array>
#include <cfloat>
#include <cstddef>
#include <limits>
#include <numbers>

#include "krait/layout/panels.hpp"

namespace krait {

// A linear layer's weight [d_out, d_in], in panels of 64 outputs.
template <RowLayout order, std::size_t d_in, Storage storage = Storage::f32>
struct Matrix : Panels<order, d_in, panel_width, storage> {
  static constexpr std::array shape{order.rows(), d_in};
};

// One value for each channel or output: a bias, a norm's weight, D. In the row order of the matrix it belongs to.
template <RowLayout order>
struct Vector : Panels<order, 1, strip_width> {
  static constexpr std::array shape{order.rows()};
};

// A depthwise convolution's weight [channels, 1, d_conv], oldest tap first.
template <std::size_t channels, std::size_t d_conv>
struct Taps : Strips<channels, d_conv> {
  static constexpr std::array<std::size_t, 3> shape{channels, 1, d_conv};
};

// A_log [d_inner, d_state]. What rests here is A log2(e) = -exp(A_log) log2(e), which is what a step multiplies delta
// with; set() takes A_log and get() gives an A_log back that sets to the very same bits. Out of float32's range the
// stored value saturates: at -FLT_MAX for A_log above 88 (infinity included: the state is forgotten at once), at -0 for
// A_log below -104 (it is kept for ever).
template <std::size_t d_inner, std::size_t d_state>
struct DecayRates : Strips<d_inner, d_state> {
  static constexpr std::array shape{d_inner, d_state};

  KRAIT_INLINE static float stored(float A_log) {
    constexpr float nan = std::numeric_limits<float>::quiet_NaN();  // one that passes through exp2_decay
    const double rate = __builtin_exp(static_cast<double>(A_log)) * std::numbers::log2e;
    return rate < static_cast<double>(FLT_MAX) ? -static_cast<float>(rate) : rate >= static_cast<double>(FLT_MAX) ? -FLT_MAX : nan;
  }
  KRAIT_INLINE static float recovered(float rate) {
    const float guess = static_cast<float>(__builtin_log(-static_cast<double>(rate) / std::numbers::log2e));
    float below = guess, above = guess;
    for (int ulps = 0; ulps < 4; ++ulps) {
      if (stored(below) == rate) return below;
      if (stored(above) == rate) return above;
      below = __builtin_nextafterf(below, -FLT_MAX);
      above = __builtin_nextafterf(above, FLT_MAX);
    }
    return guess;
  }
  KRAIT_INLINE void set(std::size_t row, std::size_t col, float A_log) { Strips<d_inner, d_state>::set(row, col, stored(A_log)); }
  KRAIT_INLINE float get(std::size_t row, std::size_t col) const { return recovered(Strips<d_inner, d_state>::get(row, col)); }
};

}  // namespace krait

#endif
