// Defines the tapes and the working memory of the recurrences and of the blocks.
#ifndef KRAIT_TRAIN_BLOCK_RECORDING_HPP
#define KRAIT_TRAIN_BLOCK_RECORDING_HPP

#include <array>
#include <cstddef>
#include <type_traits>

#include "krait/nn/mamba2_block.hpp"
#include "krait/nn/mamba_block.hpp"
#include "krait/nn/residual_block.hpp"
#include "krait/train/recording.hpp"

namespace krait::detail {

// The tape keeps the state of the recurrence only before every scan_tokens tokens. The backward pass computes the states within
// these tokens again.
inline constexpr std::size_t scan_tokens = 8;

// The tape and the working memory of the recurrence, within a MambaBlock or on its own.
template <class Ssm, std::size_t tokens>
struct SsmTape {
  static constexpr std::size_t state_floats = padded(Ssm::d_inner) * Ssm::d_state;
  alignas(64) std::array<std::array<float, state_floats>, ceil_div(tokens, scan_tokens)> states;  // before tokens 0, 8, 16, ...
  TokenBuffer<tokens, Ssm::XProj::padded_out> x_dbl;                  // dt, B and C, as the scan reads them
  [[no_unique_address]] std::conditional_t<(Ssm::dt_b_c_eps > 0.0f), TokenBuffer<tokens, Ssm::XProj::padded_out>,
                                           NoScratch<tokens>> projected;  // dt, B and C before their norms, if there are norms
  TokenBuffer<tokens, Ssm::d_inner> dt;                               // the outputs of dt_proj, before softplus
};
template <class Ssm, std::size_t tokens>
struct SsmWork {
  static constexpr std::size_t row = Ssm::d_state * strip_width;
  TokenBuffer<tokens, Ssm::d_inner> ddt;  // in `record`, delta; in `backward`, the gradient of dt
  TokenBuffer<tokens, Ssm::XProj::padded_out> dx_dbl;
  TokenBuffer<tokens, Ssm::dt_rank> ddt_low;  // the gradient of dt_proj's inputs
  alignas(64) std::array<float, padded(Ssm::d_inner) * Ssm::d_state> dh;
  alignas(64) std::array<float, (Ssm::per_channel ? 1 : scan_tokens * 2 * row)> sums;
};

template <SsmDims dims, class G, bool dx>
struct Recording<SelectiveStateSpaceModel<dims>, G, dx> {
  using Ssm = SelectiveStateSpaceModel<dims>;
  static constexpr bool supported = dims.storage == Storage::f32;
  template <std::size_t tokens>
  using Tape = SsmTape<Ssm, tokens>;
  template <std::size_t tokens>
  struct Work {
    SsmWork<Ssm, tokens> ssm;
    TokenBuffer<tokens, dims.d_inner> y;  // the outputs, or the gradient of the inputs
    Columns<typename Ssm::XProj, typename Ssm::DtProj> columns;
  };
};
template <SsmDims dims, class G, bool dx>
struct Recording<SelectiveStateSpace<dims>, G, dx> {
  using Ssm = SelectiveStateSpace<dims>;
  static constexpr bool supported = dims.storage == Storage::f32;
  template <std::size_t tokens>
  struct Tape {
    SsmTape<Ssm, tokens> ssm;
    TokenBuffer<tokens, dims.d_inner> y;  // the outputs of the recurrence
  };
  template <std::size_t tokens>
  struct Work {
    SsmWork<Ssm, tokens> ssm;
    TokenBuffer<tokens, dims.d_inner> dy, du;
    Columns<typename Ssm::XProj, typename Ssm::DtProj, typename Ssm::OutProj> columns;
  };
};

// A block keeps its whole tape only if a parameter before out_proj is trained, or if the gradient of its input is needed.
// Otherwise it keeps the inputs of out_proj, in an OutputTape.
template <std::size_t tokens, std::size_t d_inner>
struct OutputTape {
  TokenBuffer<tokens, d_inner> gated;
};

template <BlockDims dims, class G, bool dx>
struct Recording<MambaBlock<dims>, G, dx> {
  using Block = MambaBlock<dims>;
  static constexpr bool supported = dims.storage == Storage::f32;
  static constexpr bool whole = dx || trains_any<G, 0, 1, 2>;
  template <std::size_t tokens>
  struct WholeTape {
    // The convolution's state before the first token.
    alignas(64) std::array<float, padded(dims.d_inner) * (dims.d_conv - 1)> conv;
    TokenBuffer<tokens, 2 * padded(dims.d_inner)> xz;  // the outputs of in_proj: x and z
    TokenBuffer<tokens, dims.d_inner> x;             // the x of the recurrence
    TokenBuffer<tokens, dims.d_inner> y;             // the outputs of the recurrence
    SsmTape<typename Block::Ssm, tokens> ssm;
  };
  template <std::size_t tokens>
  using Tape = std::conditional_t<whole, WholeTape<tokens>, OutputTape<tokens, dims.d_inner>>;
  template <std::size_t tokens>
  struct WholeWork {
    TokenBuffer<tokens, dims.d_inner> gated;          // the inputs of out_proj; then the gradient of y
    TokenBuffer<tokens, dims.d_inner> dgated;         // the gradient of `gated`; then that of the recurrence's x
    TokenBuffer<tokens, 2 * padded(dims.d_inner)> dxz;  // the gradient of in_proj's outputs
    SsmWork<typename Block::Ssm, tokens> ssm;
    Columns<typename Block::InProj, typename Block::Ssm::XProj, typename Block::Ssm::DtProj, typename Block::OutProj> columns;
  };
  template <std::size_t tokens>
  using Work = std::conditional_t<whole, WholeWork<tokens>, krait::Scratch<Block, tokens>>;
};

template <Mamba2BlockDims dims, class G, bool dx>
struct Recording<Mamba2Block<dims>, G, dx> {
  using Block = Mamba2Block<dims>;
  static constexpr bool supported = dims.storage == Storage::f32;
  static constexpr bool whole = dx || trains_any<G, 0, 1, 2, 3, 4> || (dims.rmsnorm && trains_any<G, 5>);
  static constexpr std::size_t state_floats = Block::heads * padded(dims.headdim) * dims.d_state;
  static constexpr std::size_t row = dims.d_state * strip_width;
  template <std::size_t tokens>
  struct WholeTape {
    alignas(64) std::array<float, padded(Block::conv_channels) * (dims.d_conv - 1)> conv;  // the state before the window
    alignas(64) std::array<std::array<float, state_floats>, ceil_div(tokens, scan_tokens)> states;  // before tokens 0, 8, ...
    TokenBuffer<tokens, Block::InProj::padded_out> projected;  // the outputs of in_proj: z, then x, B and C, then dt
    TokenBuffer<tokens, Block::conv_channels> xBC;             // the inputs of the recurrence
    TokenBuffer<tokens, dims.d_inner> y;                       // the outputs of the recurrence
  };
  template <std::size_t tokens>
  using Tape = std::conditional_t<whole, WholeTape<tokens>, OutputTape<tokens, dims.d_inner>>;
  template <std::size_t tokens>
  struct WholeWork {
    TokenBuffer<tokens, dims.d_inner> mixed;                    // out_proj's inputs; then those of the second of norm and gate
    TokenBuffer<tokens, dims.d_inner> dmixed;                   // the gradient of `mixed`; then that of y
    TokenBuffer<tokens, Block::InProj::padded_out> dprojected;  // the gradient of in_proj's outputs
    TokenBuffer<tokens, Block::conv_channels> dxBC;             // the gradient of the recurrence's inputs
    TokenBuffer<tokens, 2 * padded(Block::heads)> step_sizes;   // delta and the decays
    TokenBuffer<tokens, 2 * padded(Block::heads)> along;        // sums of head_scan_backward
    alignas(64) std::array<float, state_floats> dh;
    alignas(64) std::array<float, (scan_tokens + 1) * row> states;
    alignas(64) std::array<float, scan_tokens * 2 * row> sums;
    Columns<typename Block::InProj, typename Block::OutProj> columns;
  };
  template <std::size_t tokens>
  using Work = std::conditional_t<whole, WholeWork<tokens>, krait::Scratch<Block, tokens>>;
};

// A layer with a norm before it: the gradient of the norm's output is computed first.
template <auto dims, class G, bool dx>
  requires DimsOfBlock<decltype(dims)>
struct RecordingOfResidualBlock {
  using Block = ResidualBlock<dims>;
  static constexpr bool norm_trained = trains_any<G, 0>;
  static constexpr bool mixer_dx = dx || norm_trained;
  using Mixer = Recording<typename Block::Mixer, MemberGradient<1, G>, mixer_dx>;
  static constexpr bool supported = Mixer::supported;
  template <std::size_t tokens>
  using Tape = typename Mixer::template Tape<tokens>;
  template <std::size_t tokens>
  struct Work {
    TokenBuffer<tokens, dims.d_model> normed;   // the outputs of the norm
    TokenBuffer<tokens, dims.d_model> dnormed;  // their gradient; in `record`, the outputs of the mixer
    typename Mixer::template Work<tokens> mixer;
  };
};
template <auto dims, class G, bool dx>
struct Recording<ResidualBlock<dims>, G, dx> : RecordingOfResidualBlock<dims, G, dx> {};

}  // namespace krait::detail

#endif
