// Defines Panels, arrays of weights and states whose elements are stored in the order in which the kernels read them.
#ifndef KRAIT_LAYOUT_PANELS_HPP
#define KRAIT_LAYOUT_PANELS_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "krait/core/half.hpp"
#include "krait/core/opaque.hpp"
#include "krait/layout/int8_pairs.hpp"
#include "krait/layout/row_layout.hpp"

namespace krait {

// PanelLayout computes where the element [row, col] of a matrix is stored. The rows, in the order `order` and padded to a
// multiple of 16, are divided into panels of `width` rows; the last panel has the rows that remain. A panel is an array [cols /
// group][width][group], where columns are padded to a multiple of `group`. Kernels read the elements sequentially: a SIMD
// vector covers neighbouring rows (outputs or channels) of one group of columns.
template <RowLayout order, std::size_t columns, std::size_t width, std::size_t group = 1>
struct PanelLayout {
  static constexpr std::size_t rows = order.rows();
  static constexpr std::size_t cols = columns;
  static constexpr std::size_t padded_rows = order.padded_rows();
  static constexpr std::size_t padded_cols = ceil_div(columns, group) * group;

  // Returns the offset, in elements, at which the matrix element [row, col] is stored.
  KRAIT_INLINE static constexpr std::size_t offset(std::size_t row, std::size_t col) {
    const std::size_t at = order.place(row);
    const std::size_t panel = at / width * width;
    const std::size_t wide = padded_rows - panel < width ? padded_rows - panel : width;
    return panel * padded_cols + (col / group * wide + (at - panel)) * group + col % group;
  }
};

// Panels<order, columns, width> is a float32 matrix that is stored in panels of `width` rows, column after column; its padding
// must be zero. Neighbouring rows are in neighbouring lanes of a SIMD vector, so no sum of a matrix-vector product crosses
// lanes.
template <RowLayout order, std::size_t columns, std::size_t width, Storage storage = Storage::f32>
struct Panels : PanelLayout<order, columns, width> {
  using PanelLayout<order, columns, width>::offset;
  alignas(64) std::array<float, order.padded_rows() * columns> values;

  KRAIT_INLINE constexpr float get(std::size_t row, std::size_t col = 0) const { return values[offset(row, col)]; }
  KRAIT_INLINE constexpr void set(std::size_t row, std::size_t col, float value) { values[offset(row, col)] = value; }
  KRAIT_INLINE constexpr float* data() { return values.data(); }
  KRAIT_INLINE constexpr const float* data() const { return values.data(); }
};

// Panels<order, columns, width, Storage::bf16> is a bf16 matrix in panels. A 32-bit word contains the elements of two
// neighbouring columns; the lower half is for the even column. A shift and a mask convert both elements to float32.
template <RowLayout order, std::size_t columns, std::size_t width>
struct Panels<order, columns, width, Storage::bf16> : PanelLayout<order, columns, width, 2> {
  using PanelLayout<order, columns, width, 2>::offset;
  alignas(64) std::array<std::uint32_t, order.padded_rows() * ceil_div(columns, 2)> values;

  KRAIT_INLINE constexpr float get(std::size_t row, std::size_t col = 0) const {
    return from_bf16(static_cast<std::uint16_t>(values[offset(row, col) / 2] >> 16 * (col % 2)));
  }
  // Stores the bf16 that is nearest to `value`, or an infinity if `value` is beyond the range of bf16.
  KRAIT_INLINE constexpr void set(std::size_t row, std::size_t col, float value) {
    std::uint32_t& word = values[offset(row, col) / 2];
    const std::size_t shift = 16 * (col % 2);
    word = (word & ~(0xFFFFu << shift)) | std::uint32_t{to_bf16(value)} << shift;
  }
  KRAIT_INLINE constexpr const std::uint32_t* data() const { return values.data(); }
};

// Panels<order, columns, width, Storage::f16> is an f16 matrix in panels: every element is an IEEE half-precision number.
template <RowLayout order, std::size_t columns, std::size_t width>
struct Panels<order, columns, width, Storage::f16> : PanelLayout<order, columns, width> {
  using PanelLayout<order, columns, width>::offset;
  alignas(64) std::array<std::uint16_t, order.padded_rows() * columns> values;

  KRAIT_INLINE constexpr float get(std::size_t row, std::size_t col = 0) const { return from_f16(values[offset(row, col)]); }
  // Stores the f16 that is nearest to `value`, or an infinity if the magnitude of `value` is 65520 or more.
  KRAIT_INLINE constexpr void set(std::size_t row, std::size_t col, float value) { values[offset(row, col)] = to_f16(value); }
  KRAIT_INLINE constexpr const std::uint16_t* data() const { return values.data(); }
};

// Panels<order, columns, width, Storage::int8> is an int8 matrix in panels, with one float32 scale for each row: element [row,
// col] is its int8 weight times the row's scale. The int8 weights of two neighbouring rows in one column share a 16-bit
// integer, called a pair.
template <RowLayout order, std::size_t columns, std::size_t width>
struct Panels<order, columns, width, Storage::int8> : PanelLayout<order, columns, width, int8_group> {
  using Layout = PanelLayout<order, columns, width, int8_group>;
  alignas(64) std::array<std::int16_t, order.padded_rows() / 2 * Layout::padded_cols> values;
  alignas(64) std::array<float, order.padded_rows()> scales;  // one for each row, in the order in which rows are stored

  // Returns the index in `values` of the pair that contains the weight [row, col].
  KRAIT_INLINE static constexpr std::size_t offset(std::size_t row, std::size_t col) {
    return Layout::offset(row, col) / (2 * int8_group) * int8_group + col % int8_group;
  }
  KRAIT_INLINE constexpr float get(std::size_t row, std::size_t col = 0) const {
    const std::size_t place = order.place(row);
    return scales[place] * static_cast<float>(element_of_pair(values[offset(row, col)], place));
  }
  // Quantises one row, whose elements are value(col). The row's scale is its largest magnitude / 127, limited so that 127 *
  // scale is finite. Every weight is rounded to the nearest integer multiple of the scale. If all magnitudes are below 2^-120,
  // the row becomes zero, because the inverse of the scale would overflow. set_row may call `value` twice for each column.
  template <class Value>
  KRAIT_INLINE void set_row(std::size_t row, Value value) {
    float largest = 0.0f;
    for (std::size_t col = 0; col < columns; ++col) {
      const float magnitude = __builtin_fabsf(value(col));
      if (magnitude > largest) largest = magnitude;
    }
    const float inverse = largest >= 0x1p-120f ? opaque(127.0f / largest) : 0.0f;
    for (std::size_t col = 0; col < columns; ++col) {
      std::int16_t& pair = values[offset(row, col)];
      const auto whole = static_cast<int>(__builtin_nearbyintf(value(col) * inverse));
      pair = order.place(row) % 2 == 0 ? int8_pair(whole, second_of_pair(pair)) : int8_pair(first_of_pair(pair), whole);
    }
    constexpr float largest_scale = 0x1.020406p121f;
    const float scale = largest / opaque(127.0f);
    scales[order.place(row)] = inverse == 0.0f ? 0.0f : scale < largest_scale ? scale : largest_scale;
  }
  KRAIT_INLINE constexpr const std::int16_t* data() const { return values.data(); }
};

}  // namespace krait

namespace krait::inline KRAIT_BUILD {

// assign(tensor, value) sets every element of a weight tensor to value(row, col), and its padding to zero. It may call `value`
// twice for each element.
template <class T, class Value>
void assign(T& tensor, Value value) {
  std::memset(static_cast<void*>(&tensor), 0, sizeof(T));
  for (std::size_t row = 0; row < T::rows; ++row) {
    if constexpr (requires { tensor.scales; }) {
      tensor.set_row(row, [&](std::size_t col) { return value(row, col); });
    } else {
      for (std::size_t col = 0; col < T::cols; ++col) tensor.set(row, col, value(row, col));
    }
  }
}

}  // namespace krait::inline KRAIT_BUILD

namespace krait {

// Strips<channels, cols> is a float32 array [channels / 16][cols][16]: 16 neighbouring channels are stored side by side for
// each column. The recurrence and the convolution use it for weights and states.
template <std::size_t channels, std::size_t cols = 1>
using Strips = Panels<plain(channels), cols, strip_width>;

}  // namespace krait

#endif
