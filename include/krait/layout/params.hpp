// Defines the types of weight tensors, such as Matrix, Vector and Taps. Each type has the shape that the tensor has in
// checkpoints, and its own layout in memory.
#ifndef KRAIT_LAYOUT_PARAMS_HPP
#define KRAIT_LAYOUT_PARAMS_HPP

#include <array>
#include <cfloat>
#include <cstddef>
#include <limits>
#include <numbers>

#include "krait/layout/panels.hpp"

namespace krait {

// Matrix is the weight [d_out, d_in] of a linear layer, stored in panels of 64 outputs.
template <RowLayout order, std::size_t d_in, Storage storage = Storage::f32>
struct Matrix : Panels<order, d_in, panel_width, storage> {
  static constexpr std::array shape{order.rows(), d_in};
};

// RowMatrix is a weight [rows, columns] for layers that need only one row for each token, such as PositionalEmbedding. Rows are
// stored one after the other, but two neighbouring rows of int8 weights are stored together, as pairs. The number of rows is
// padded to a multiple of 16.
template <std::size_t row_count, std::size_t columns, Storage storage = Storage::f32>
struct RowMatrix : Panels<plain(row_count), columns, (storage == Storage::int8 ? 2 : 1), storage> {
  static constexpr std::array shape{row_count, columns};
  static constexpr std::size_t rows_together = storage == Storage::int8 ? 2 : 1;
};

// Vector contains one float32 for each channel or output: a bias, the weight of a norm, or D. Its elements are stored in the
// same order as the rows of the matrix whose outputs they apply to.
template <RowLayout order>
struct Vector : Panels<order, 1, strip_width> {
  static constexpr std::array shape{order.rows()};
};

// Taps is the weight [channels, 1, d_conv] of a depthwise convolution. The first tap is multiplied with the oldest input.
template <std::size_t channels, std::size_t d_conv>
struct Taps : Strips<channels, d_conv> {
  static constexpr std::array<std::size_t, 3> shape{channels, 1, d_conv};
};

// DecayRates is the parameter A_log [d_inner, d_state]. It stores A log2(e) = -exp(A_log) log2(e), because a step computes the
// decay as 2^(delta A log2(e)). set() takes A_log; get() returns an A_log for which set() stores the same bits again. If A
// log2(e) is out of the range of float32, the stored number saturates:
//   - at -FLT_MAX for A_log above about 88, including infinity; the state is forgotten after each token
//   - at -0 for A_log below about -104, including -infinity; the state never decays
template <std::size_t d_inner, std::size_t d_state>
struct DecayRates : Strips<d_inner, d_state> {
  static constexpr std::array shape{d_inner, d_state};

  // Returns -exp(A_log) log2(e), the number that is stored for A_log. For NaN, it returns a NaN with sign bit 0, because the
  // kernel function exp2_decay propagates this NaN on every target.
  KRAIT_INLINE static float stored(float A_log) {
    constexpr float nan = std::numeric_limits<float>::quiet_NaN();
    const double rate = __builtin_exp(static_cast<double>(A_log)) * std::numbers::log2e;
    constexpr double largest = static_cast<double>(FLT_MAX);
    return rate < largest ? -static_cast<float>(rate) : rate >= largest ? -FLT_MAX : nan;
  }
  // Returns an A_log for which stored(A_log) == rate. The logarithm is rounded, so the floats next to its result are tried as
  // well.
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
  KRAIT_INLINE void set(std::size_t row, std::size_t col, float A_log) {
    Strips<d_inner, d_state>::set(row, col, stored(A_log));
  }
  KRAIT_INLINE float get(std::size_t row, std::size_t col) const { return recovered(Strips<d_inner, d_state>::get(row, col)); }
};

// HeadMatrix is a parameter [heads, rank, width] with a vector of `width` floats for each head and rank. Each vector is padded
// to a multiple of 16 floats.
template <std::size_t heads, std::size_t rank, std::size_t width>
struct HeadMatrix : Panels<plain(heads * rank * padded(width)), 1, strip_width> {
  using Base = Panels<plain(heads * rank * padded(width)), 1, strip_width>;
  static constexpr std::array shape{heads, rank, width};
  static constexpr std::size_t rows = heads * rank;
  static constexpr std::size_t cols = width;
  KRAIT_INLINE constexpr float get(std::size_t row, std::size_t col) const { return Base::get(row * padded(width) + col); }
  KRAIT_INLINE constexpr void set(std::size_t row, std::size_t col, float value) {
    Base::set(row * padded(width) + col, 0, value);
  }
};

// HeadDecayRates is the parameter A_log [heads] of Mamba-2, which has one decay rate for each head. As in DecayRates, the
// stored number is -exp(A_log) log2(e).
template <std::size_t heads>
struct HeadDecayRates : DecayRates<heads, 1> {
  static constexpr std::array shape{heads};
};

namespace detail {
// True for DecayRates and HeadDecayRates, the types of the parameter A_log.
template <class T>
inline constexpr bool is_decay_rates = requires { T::recovered(0.0f); };
}  // namespace detail

}  // namespace krait

#endif
