// Defines the order in which the rows of a weight matrix are stored, and the multiples to which rows and channels are padded.
#ifndef KRAIT_LAYOUT_ROW_LAYOUT_HPP
#define KRAIT_LAYOUT_ROW_LAYOUT_HPP

#include <cstddef>

#include "krait/core/dims.hpp"

namespace krait {

// The number of channels in a strip: the number of lanes of the widest supported vector (AVX-512). Channels are padded to a
// multiple of strip_width on every target, so that all targets read the same image.
inline constexpr std::size_t strip_width = 16;

// The number of outputs in a panel of weights. They fill four vectors of 16 lanes, for which a matrix-vector product
// accumulates the sums at the same time.
inline constexpr std::size_t panel_width = 4 * strip_width;

// Returns `channels`, rounded up to a multiple of 16.
KRAIT_INLINE constexpr std::size_t padded(std::size_t channels) { return ceil_div(channels, strip_width) * strip_width; }

// RowLayout is the order in which the rows of a weight matrix are stored. The first `lead` rows keep their order. `groups`
// groups follow, in each of which `channels` channels have per_channel rows each. For every 16 neighbouring channels of a
// group, the first rows of the 16 channels are stored side by side, then their second rows, and so on. The last `tail` rows
// keep their order. The lead, every group and the tail are padded to a multiple of 16 rows, so no SIMD vector covers two of
// them.
//
//   layout                     order of the rows                           used by
//   plain(n)                   n rows, unchanged                           Linear, x_proj, dt_proj, out_proj, output head
//   groups 2, per_channel 1    the rows of x, then those of z              in_proj of MambaBlock
//   lead dt_rank, groups 2     dt, then B and then C of every channel      x_proj of SelectiveStateSpace
//   lead, groups 1, tail       z; then x, B and C; then the rest           in_proj of Mamba2Block and Mamba3Block
struct RowLayout {
  std::size_t lead = 0;
  std::size_t groups = 0;
  std::size_t channels = 0;
  std::size_t per_channel = 1;
  std::size_t tail = 0;

  // Returns the number of rows of the weight matrix, without padding.
  KRAIT_INLINE constexpr std::size_t rows() const { return lead + groups * channels * per_channel + tail; }
  // Returns the position, counted in rows, at which the group with the number `group` starts in memory.
  KRAIT_INLINE constexpr std::size_t group_start(std::size_t group) const {
    return padded(lead) + group * padded(channels) * per_channel;
  }
  // Returns the position, counted in rows, at which the last `tail` rows start in memory.
  KRAIT_INLINE constexpr std::size_t tail_start() const { return group_start(groups); }
  // Returns the number of rows of the weight matrix, including padding.
  KRAIT_INLINE constexpr std::size_t padded_rows() const { return tail_start() + padded(tail); }
  // Returns the position, counted in rows, at which the matrix row `row` is stored.
  KRAIT_INLINE constexpr std::size_t place(std::size_t row) const {
    if (row < lead) return row;
    if (row >= rows() - tail) return tail_start() + row - (rows() - tail);
    const std::size_t group = (row - lead) / (channels * per_channel);
    const std::size_t channel = (row - lead) % (channels * per_channel) / per_channel;
    const std::size_t index = (row - lead) % per_channel;
    return group_start(group) + (channel / strip_width * per_channel + index) * strip_width + channel % strip_width;
  }
  KRAIT_INLINE bool operator==(const RowLayout&) const = default;
};

// Returns the layout of a matrix whose rows are stored in ascending order.
KRAIT_INLINE constexpr RowLayout plain(std::size_t rows) { return {.lead = rows}; }

}  // namespace krait

#endif
