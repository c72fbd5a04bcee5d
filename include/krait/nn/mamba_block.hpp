#ifndef KRAIT_NN_MAMBA_BLOCK_HPP
#define KRAIT_NN_MAMBA_BLOCK_HPP

#include <algorithm>

#include "krait/core/finite.hpp"
#include "krait/nn/conv1d.hpp"
#include "krait/nn/linear.hpp"
#include "krait/nn/ssm.hpp"

namespace krait {

// MambaBlock is the Mamba block of arXiv 2312.00752 (figure 3), without the norm and the residual connection around it. It maps
// an input u [d_model] to an output [d_model]:
//   x, z = in_proj(u);  x = SiLU(conv1d(x));  y = ssm(x) * SiLU(z);  output = out_proj(y)
// tests/data/reference has the same computation in numpy (function mamba_block).
template <BlockDims dims>
struct MambaBlock : detail::SameWidth<MambaBlock<dims>, dims.d_model> {
  static constexpr std::size_t d_inner = dims.d_inner;
  static constexpr RowLayout xz_order{.groups = 2, .channels = dims.d_inner};
  using InProj = Linear<LinearDims{.d_in = dims.d_model, .d_out = 2 * dims.d_inner, .bias = dims.in_bias,
                                   .storage = dims.storage}, xz_order>;
  using Conv = Conv1d<Conv1dDims{.channels = dims.d_inner, .d_conv = dims.d_conv, .bias = dims.conv_bias}>;
  using Ssm = SelectiveStateSpaceModel<ssm_dims(dims)>;
  using OutProj = Linear<LinearDims{.d_in = dims.d_inner, .d_out = dims.d_model, .bias = dims.out_bias,
                                    .storage = dims.storage}>;
  static constexpr std::size_t multiply_adds = InProj::multiply_adds + Conv::multiply_adds + Ssm::multiply_adds +
                                               OutProj::multiply_adds + dims.d_inner;

  KRAIT_PARAMS(MambaBlock,
    (InProj, in_proj),     // weight [2 d_inner, d_model]: the rows of x, then the rows of z
    (Conv, conv1d),        // weight [d_inner, 1, d_conv]
    (Ssm, ssm),           // the selective state space model
    (OutProj, out_proj));  // weight [d_model, d_inner]

  struct State {
    typename Conv::State conv_state;  // the latest inputs of the convolution, shape [d_inner, d_conv - 1]
    typename Ssm::State ssm_state;    // the state h of the recurrence, shape [d_inner, d_state]
    KRAIT_INLINE constexpr State() = default;
    KRAIT_INLINE bool is_finite() const noexcept { return conv_state.is_finite() && ssm_state.is_finite(); }
  };
  template <std::size_t tokens>
  struct Scratch {
    static constexpr std::size_t chunk = tokens;
    using InputScratch = LinearScratch<tokens, dims.d_model, dims.storage>;
    TokenBuffer<tokens, dims.d_inner> x;  // x in the formulas above; y overwrites it
    // Scratch of the SSM. After the SSM has run, the memory of its delta contains z.
    typename Ssm::template InnerScratch<tokens, InputScratch> ssm;
  };
};

template <BlockDims dims>
  requires(!check::valid(dims))
struct MambaBlock<dims> : MambaBlock<check::repaired(dims)> {
  static_assert(check::check_dims<dims>());
};

}  // namespace krait

#endif
