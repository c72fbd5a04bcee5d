// Where numbers rest: Tensor for what users hand in and get out, Panels for weights, state and activations.
#ifndef KRAIT_CORE_TENSOR_HPP
#define KRAIT_CORE_TENSOR_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "krait/core/dims.hpp"
#include "krait/core/half.hpp"
#include "krait/core/opaque.hpp"

namespace krait {

// A row-major array with its shape in its type: Tensor<float, 5, 256> is 5 rows of Tensor<float, 256>.
template <class T, std::size_t extent, std::size_t... rest>
struct Tensor;

template <class T, std::size_t extent>
struct Tensor<T, extent> {
  static constexpr std::size_t rank = 1;
  std::array<T, extent> values;

  KRAIT_INLINE constexpr T& operator[](std::size_t i) { return values[i]; }
  KRAIT_INLINE constexpr const T& operator[](std::size_t i) const { return values[i]; }
  KRAIT_INLINE constexpr T* data() { return values.data(); }
  KRAIT_INLINE constexpr const T* data() const { return values.data(); }
  KRAIT_INLINE static constexpr std::size_t size() { return extent; }
  KRAIT_INLINE constexpr auto begin() { return values.begin(); }
  KRAIT_INLINE constexpr auto begin() const { return values.begin(); }
  KRAIT_INLINE constexpr auto end() { return values.end(); }
  KRAIT_INLINE constexpr auto end() const { return values.end(); }
  KRAIT_INLINE bool operator==(const Tensor&) const = default;
};

template <class T, std::size_t extent, std::size_t next, std::size_t... rest>
struct Tensor<T, extent, next, rest...> {
  static constexpr std::size_t rank = 2 + sizeof...(rest);
  using Row = Tensor<T, next, rest...>;
  std::array<Row, extent> values;

  KRAIT_INLINE constexpr Row& operator[](std::size_t i) { return values[i]; }
  KRAIT_INLINE constexpr const Row& operator[](std::size_t i) const { return values[i]; }
  KRAIT_INLINE constexpr Row* data() { return values.data(); }
  KRAIT_INLINE constexpr const Row* data() const { return values.data(); }
  KRAIT_INLINE static constexpr std::size_t size() { return extent; }
  KRAIT_INLINE constexpr auto begin() { return values.begin(); }
  KRAIT_INLINE constexpr auto begin() const { return values.begin(); }
  KRAIT_INLINE constexpr auto end() { return values.end(); }
  KRAIT_INLINE constexpr auto end() const { return values.end(); }
  KRAIT_INLINE bool operator==(const Tensor&) const = default;
};

// Where a weight matrix's output rows rest. First `lead` rows as they come, then `groups` groups of channels *
// per_channel rows, in each of which 16 neighbouring channels stand side by side, one block for every per_channel index.
// Each part is padded to whole blocks, so that a vector never straddles two of them.
//   plain(n)                n rows                                    Linear, x_proj, dt_proj, out_proj, head
//   groups 2, per_channel 1 x rows, then z rows                       in_proj
//   lead dt_rank, groups 2  dt rows, then B and C of every channel    SelectiveStateSpace's x_proj
struct RowOrder {
  std::size_t lead = 0;
  std::size_t groups = 0;
  std::size_t channels = 0;
  std::size_t per_channel = 1;

  KRAIT_INLINE constexpr std::size_t rows() const { return lead + groups * channels * per_channel; }
  KRAIT_INLINE constexpr std::size_t group_start(std::size_t group) const {
    return padded(lead) + group * padded(channels) * per_channel;
  }
  KRAIT_INLINE constexpr std::size_t padded_rows() const { return group_start(groups); }
  KRAIT_INLINE constexpr std::size_t place(std::size_t row) const {
    if (row < lead) return row;
    const std::size_t group = (row - lead) / (channels * per_channel);
    const std::size_t channel = (row - lead) % (channels * per_channel) / per_channel;
    const std::size_t index = (row - lead) % per_channel;
    return group_start(group) + (channel / block_width * per_channel + index) * block_width + channel % block_width;
  }
  KRAIT_INLINE bool operator==(const RowOrder&) const = default;
};

KRAIT_INLINE constexpr RowOrder plain(std::size_t rows) { return {.lead = rows}; }

// Where the element of a logical row and column rests: [rows / width][cols / group][width][group], rows padded to whole
// blocks of 16, columns to whole groups. The last panel is as narrow as its rows allow. A kernel walks it as one sequential
// stream: a vector covers neighbouring rows (outputs or channels) at one group of columns.
template <RowOrder order, std::size_t columns, std::size_t width, std::size_t group = 1>
struct PanelLayout {
  static constexpr std::size_t rows = order.rows();
  static constexpr std::size_t cols = columns;
  static constexpr std::size_t padded_rows = order.padded_rows();
  static constexpr std::size_t padded_cols = ceil_div(columns, group) * group;

  KRAIT_INLINE static constexpr std::size_t offset(std::size_t row, std::size_t col) {
    const std::size_t at = order.place(row);
    const std::size_t panel = at / width * width;
    const std::size_t wide = padded_rows - panel < width ? padded_rows - panel : width;
    return panel * padded_cols + (col / group * wide + (at - panel)) * group + col % group;
  }
};

// A matrix in panels, the padding zero: float32 one column after the other, so that no sum ever crosses lanes.
template <RowOrder order, std::size_t columns, std::size_t width, Storage storage = Storage::f32>
struct Panels : PanelLayout<order, columns, width> {
  using PanelLayout<order, columns, width>::offset;
  alignas(64) std::array<float, order.padded_rows() * columns> values;

  KRAIT_INLINE constexpr float get(std::size_t row, std::size_t col = 0) const { return values[offset(row, col)]; }
  KRAIT_INLINE constexpr void set(std::size_t row, std::size_t col, float value) { values[offset(row, col)] = value; }
  KRAIT_INLINE constexpr float* data() { return values.data(); }
  KRAIT_INLINE constexpr const float* data() const { return values.data(); }
};

// bf16 in words of two neighbouring columns, the first in the lower half: a shift and a mask make float32 of both.
template <RowOrder order, std::size_t columns, std::size_t width>
struct Panels<order, columns, width, Storage::bf16> : PanelLayout<order, columns, width, 2> {
  using PanelLayout<order, columns, width, 2>::offset;
  alignas(64) std::array<std::uint32_t, order.padded_rows() * ceil_div(columns, 2)> values;

  KRAIT_INLINE constexpr float get(std::size_t row, std::size_t col = 0) const {
    return from_bf16(static_cast<std::uint16_t>(values[offset(row, col) / 2] >> 16 * (col % 2)));
  }
  // Stores the nearest bf16; beyond its range that is an infinity.
  KRAIT_INLINE constexpr void set(std::size_t row, std::size_t col, float value) {
    std::uint32_t& word = values[offset(row, col) / 2];
    const std::size_t shift = 16 * (col % 2);
    word = (word & ~(0xFFFFu << shift)) | std::uint32_t{to_bf16(value)} << shift;
  }
  KRAIT_INLINE constexpr const std::uint32_t* data() const { return values.data(); }
};

template <RowOrder order, std::size_t columns, std::size_t width>
struct Panels<order, columns, width, Storage::f16> : PanelLayout<order, columns, width> {
  using PanelLayout<order, columns, width>::offset;
  alignas(64) std::array<std::uint16_t, order.padded_rows() * columns> values;

  KRAIT_INLINE constexpr float get(std::size_t row, std::size_t col = 0) const { return from_f16(values[offset(row, col)]); }
  // Stores the nearest f16; beyond +-65504 that is an infinity.
  KRAIT_INLINE constexpr void set(std::size_t row, std::size_t col, float value) { values[offset(row, col)] = to_f16(value); }
  KRAIT_INLINE constexpr const std::uint16_t* data() const { return values.data(); }
};

// int8 in pairs of neighbouring rows, each a 16-bit number, so that a core with 16-bit products adds up both at once:
// 256 times the second plus the first. In groups of eight columns, a pair's side by side.
inline constexpr std::size_t int8_group = 8;
KRAIT_INLINE constexpr std::int16_t int8_pair(int first, int second) {
  return static_cast<std::int16_t>(256 * second + first);
}
KRAIT_INLINE constexpr int first_of_pair(std::int16_t pair) { return static_cast<std::int8_t>(pair); }
KRAIT_INLINE constexpr int second_of_pair(std::int16_t pair) { return (pair + 128) >> 8; }
// Of the row at `place`, whose pair it is.
KRAIT_INLINE constexpr int of_pair(std::int16_t pair, std::size_t place) {
  return place % 2 == 0 ? first_of_pair(pair) : second_of_pair(pair);
}

// Of a row of their inputs, which are 16-bit numbers times step. sum: of these numbers, only where a kernel uses it.
struct InputScale {
  float step;
  std::int32_t sum;
};

template <RowOrder order, std::size_t columns, std::size_t width>
struct Panels<order, columns, width, Storage::int8> : PanelLayout<order, columns, width, int8_group> {
  using Layout = PanelLayout<order, columns, width, int8_group>;
  alignas(64) std::array<std::int16_t, order.padded_rows() / 2 * Layout::padded_cols> values;
  alignas(64) std::array<float, order.padded_rows()> scales;  // of each output, in their order

  // Where an element's pair rests.
  KRAIT_INLINE static constexpr std::size_t offset(std::size_t row, std::size_t col) {
    return Layout::offset(row, col) / (2 * int8_group) * int8_group + col % int8_group;
  }
  KRAIT_INLINE constexpr float get(std::size_t row, std::size_t col = 0) const {
    const std::size_t place = order.place(row);
    return scales[place] * static_cast<float>(of_pair(values[offset(row, col)], place));
  }
  // value(col) for all of a row: its largest magnitude becomes 127, the others the nearest whole number. At the ends of
  // float32, a row below 2^-120 becomes zeros, for the inverse would overflow, and the scale is one of which 127 do not.
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

// assign(tensor, value): every element becomes value(row, col), which may be asked twice; the padding becomes zero.
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

// Channels first, 16 at a time: [channels / 16][cols][16]. What the recurrence and the convolution work on.
template <std::size_t channels, std::size_t cols = 1>
using Blocks = Panels<plain(channels), cols, block_width>;

}  // namespace krait

#endif
