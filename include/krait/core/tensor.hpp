// Where numbers rest: Tensor for what users hand in and get out, Panels for weights, state and activations.
#ifndef KRAIT_CORE_TENSOR_HPP
#define KRAIT_CORE_TENSOR_HPP

#include <array>
#include <cstddef>

#include "krait/core/dims.hpp"

namespace krait {

// A row-major array with its shape in its type: Tensor<float, 5, 256> is 5 rows of Tensor<float, 256>.
template <class T, std::size_t extent, std::size_t... rest>
struct Tensor;

template <class T, std::size_t extent>
struct Tensor<T, extent> {
  static constexpr std::size_t rank = 1;
  std::array<T, extent> values;

  constexpr T& operator[](std::size_t i) { return values[i]; }
  constexpr const T& operator[](std::size_t i) const { return values[i]; }
  constexpr T* data() { return values.data(); }
  constexpr const T* data() const { return values.data(); }
  static constexpr std::size_t size() { return extent; }
  constexpr auto begin() { return values.begin(); }
  constexpr auto begin() const { return values.begin(); }
  constexpr auto end() { return values.end(); }
  constexpr auto end() const { return values.end(); }
  bool operator==(const Tensor&) const = default;
};

template <class T, std::size_t extent, std::size_t next, std::size_t... rest>
struct Tensor<T, extent, next, rest...> {
  static constexpr std::size_t rank = 2 + sizeof...(rest);
  using Row = Tensor<T, next, rest...>;
  std::array<Row, extent> values;

  constexpr Row& operator[](std::size_t i) { return values[i]; }
  constexpr const Row& operator[](std::size_t i) const { return values[i]; }
  constexpr Row* data() { return values.data(); }
  constexpr const Row* data() const { return values.data(); }
  static constexpr std::size_t size() { return extent; }
  constexpr auto begin() { return values.begin(); }
  constexpr auto begin() const { return values.begin(); }
  constexpr auto end() { return values.end(); }
  constexpr auto end() const { return values.end(); }
  bool operator==(const Tensor&) const = default;
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

  constexpr std::size_t rows() const { return lead + groups * channels * per_channel; }
  constexpr std::size_t group_start(std::size_t group) const {
    return padded(lead) + group * padded(channels) * per_channel;
  }
  constexpr std::size_t padded_rows() const { return group_start(groups); }
  constexpr std::size_t place(std::size_t row) const {
    if (row < lead) return row;
    const std::size_t group = (row - lead) / (channels * per_channel);
    const std::size_t channel = (row - lead) % (channels * per_channel) / per_channel;
    const std::size_t index = (row - lead) % per_channel;
    return group_start(group) + (channel / block_width * per_channel + index) * block_width + channel % block_width;
  }
  bool operator==(const RowOrder&) const = default;
};

constexpr RowOrder plain(std::size_t rows) { return {.lead = rows}; }

// A matrix of float32 in panels: [rows / width][cols][width], rows padded with zeros to whole blocks of 16. The last
// panel is as narrow as its rows allow. A kernel walks it as one sequential stream: a vector covers neighbouring rows
// (outputs or channels) at one column, so no sum ever crosses lanes.
template <RowOrder order, std::size_t columns, std::size_t width>
struct Panels {
  static constexpr std::size_t rows = order.rows();
  static constexpr std::size_t cols = columns;
  static constexpr std::size_t padded_rows = order.padded_rows();

  alignas(64) std::array<float, padded_rows * cols> values;

  static constexpr std::size_t offset(std::size_t row, std::size_t col) {
    const std::size_t at = order.place(row);
    const std::size_t panel = at / width * width;
    const std::size_t wide = padded_rows - panel < width ? padded_rows - panel : width;
    return panel * cols + col * wide + (at - panel);
  }
  constexpr float get(std::size_t row, std::size_t col = 0) const { return values[offset(row, col)]; }
  constexpr void set(std::size_t row, std::size_t col, float value) { values[offset(row, col)] = value; }
  constexpr float* data() { return values.data(); }
  constexpr const float* data() const { return values.data(); }
};

// Channels first, 16 at a time: [channels / 16][cols][16]. What the recurrence and the convolution work on.
template <std::size_t channels, std::size_t cols = 1>
using Blocks = Panels<plain(channels), cols, block_width>;

}  // namespace krait

#endif
