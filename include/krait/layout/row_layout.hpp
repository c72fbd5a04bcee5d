// Where the rows of a weight matrix, and channels, are stored: widths, padding and order.
#ifndef KRAIT_LAYOUT_ROW_LAYOUT_HPP
#define KRAIT_LAYOUT_ROW_LAYOUT_HPP

#include <cstddef>

#include "krait/core/dims.hpp"

namespace krait {

// Channels per block: the lanes of the widest vector in use (AVX-512). Every channel count is padded to a multiple of
// it, on every target, so that one image serves them all.
inline constexpr std::size_t strip_width = 16;

// Outputs per weight panel: four vectors of 16, the accumulators of a matrix-vector product.
inline constexpr std::size_t panel_width = 4 * strip_width;

KRAIT_INLINE constexpr std::size_t padded(std::size_t channels) { return ceil_div(channels, strip_width) * strip_width; }

// Where a weight matrix's output rows rest. First `lead` rows as they come, then `groups` groups of channels *
// per_channel rows, in each of which 16 neighbouring channels stand side by side, one block for every per_channel index.
// Each part is padded to whole blocks, so that a vector never straddles two of them.
//   plain(n)                n rows                                    Linear, x_proj, dt_proj, out_proj, head
//   groups 2, per_channel 1 x rows, then z rows                       in_proj
//   lead dt_rank, groups 2  dt rows, then B and C of every channel    SelectiveStateSpace's x_proj
struct RowLayout {
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
    return group_start(group) + (channel / strip_width * per_channel + index) * strip_width + channel % strip_width;
  }
  KRAIT_INLINE bool operator==(const RowLayout&) const = default;
};

KRAIT_INLINE constexpr RowLayout plain(std::size_t rows) { return {.lead = rows}; }

}  // namespace krait

#endif
