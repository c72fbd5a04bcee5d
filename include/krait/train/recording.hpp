// Defines Recording, the tape and the working memory of each layer; here, of the layers that are not blocks.
//
// Recording<L, G, dx> describes the training of the layer L, whose gradient has the type G (detail::Frozen if no parameter of L
// is trained). dx is true if the gradient of the layer's input is needed. Its members are
//   Tape<tokens>   what `record` keeps for `backward`, for a window of `tokens` tokens
//   Work<tokens>   memory that one call of `record` or `backward` uses; layers use it one after the other
// The functions of a layer, in train/, are
//   record<tokens>(layer, state, tape, work, in, out, n)                    runs the layer as `run` does, and fills the tape
//   backward<tokens, dx>(layer, tape, work, in, dout, din, gradients, dstate, n)
// where `in` is the input of `record`. dout is the gradient of the outputs. backward adds to the gradients of the weights and,
// if dx is true, writes the gradient of the inputs to `din`. dstate is null or points to the gradient of the state after the
// window, which backward replaces by that of the state before the window; a gradient of a state has the type of the state.
// Tokens of `in`, dout and din are padded to a multiple of 16 floats, and their padding is 0. backward may overwrite dout.
#ifndef KRAIT_TRAIN_RECORDING_HPP
#define KRAIT_TRAIN_RECORDING_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "krait/nn/activation.hpp"
#include "krait/nn/conv1d.hpp"
#include "krait/nn/embedding.hpp"
#include "krait/nn/linear.hpp"
#include "krait/nn/norm.hpp"
#include "krait/nn/pooling.hpp"
#include "krait/nn/positional_embedding.hpp"
#include "krait/nn/strided_conv1d.hpp"
#include "krait/train/gradients.hpp"

namespace krait::detail {

// The Recording of a layer that keeps nothing.
struct RecordsNothing {
  static constexpr bool supported = true;
  template <std::size_t tokens>
  using Tape = NoScratch<tokens>;
  template <std::size_t tokens>
  using Work = NoScratch<tokens>;
};

// The primary template describes a layer that cannot be trained.
template <class L, class G, bool dx>
struct Recording : RecordsNothing {
  static constexpr bool supported = false;
};

template <class L, class G, bool dx, std::size_t tokens>
using TapeOf = typename Recording<L, G, dx>::template Tape<tokens>;
template <class L, class G, bool dx, std::size_t tokens>
using WorkOf = typename Recording<L, G, dx>::template Work<tokens>;

// Columns is working memory of linear_input_gradient, for some columns of transposed weights. It has the largest size that one
// of the layers Linears needs: padded(outputs) * min(64, padded(inputs)) floats.
template <class... Linears>
struct Columns {
  alignas(64) std::array<float, std::max({Linears::padded_out * std::min(panel_width, padded(Linears::d_in))...})> values;
};

template <LinearDims dims, RowLayout order, class G, bool dx>
struct Recording<Linear<dims, order>, G, dx> {
  static constexpr bool supported = dims.storage == Storage::f32;
  template <std::size_t tokens>
  using Tape = NoScratch<tokens>;
  template <std::size_t tokens>
  struct Work {
    Columns<Linear<dims, order>> columns;
  };
};
template <LinearDims dims, RowLayout order, class G>
struct Recording<Linear<dims, order>, G, false> : RecordsNothing {
  static constexpr bool supported = dims.storage == Storage::f32;
};

template <NormKind kind, NormDims dims, class G, bool dx>
struct Recording<Norm<kind, dims>, G, dx> : RecordsNothing {};
template <ActivationFunction function, std::size_t d_model, class G, bool dx>
struct Recording<Activation<function, d_model>, G, dx> : RecordsNothing {};
template <std::size_t vocab_size, std::size_t d_model, Storage storage, class G, bool dx>
struct Recording<Embedding<vocab_size, d_model, storage>, G, dx> : RecordsNothing {
  static constexpr bool supported = storage == Storage::f32;
};

template <std::size_t d_model, class G, bool dx>
struct Recording<LastPool<d_model>, G, dx> : RecordsNothing {};
template <std::size_t d_model, class G, bool dx>
struct Recording<MeanPool<d_model>, G, dx> : RecordsNothing {
  template <std::size_t tokens>
  struct Tape {
    std::uint32_t count;  // the number of vectors in the mean
  };
};
template <std::size_t d_model, class G, bool dx>
struct Recording<MaxPool<d_model>, G, dx> : RecordsNothing {
  template <std::size_t tokens>
  struct Tape {
    std::array<std::uint32_t, d_model> source;  // the token that is the largest, or `tokens`: the state before the window
  };
};

template <std::size_t max_tokens, std::size_t d_model, Storage storage, class G, bool dx>
struct Recording<PositionalEmbedding<max_tokens, d_model, storage>, G, dx> : RecordsNothing {
  static constexpr bool supported = storage == Storage::f32;
  template <std::size_t tokens>
  struct Tape {
    std::uint32_t position;  // the position of the first token of the window
  };
};

template <Conv1dDims dims, class G, bool dx>
struct Recording<Conv1d<dims>, G, dx> {
  static constexpr bool supported = true;
  template <std::size_t tokens>
  struct Tape {
    alignas(64) std::array<float, padded(dims.channels) * (dims.d_conv - 1)> before;  // the state before the window
  };
  template <std::size_t tokens>
  using Work = typename Conv1d<dims>::template Scratch<tokens>;
};

template <StridedConv1dDims dims, class G, bool dx>
struct Recording<StridedConv1d<dims>, G, dx> {
  using L = StridedConv1d<dims>;
  static constexpr bool supported = dims.storage == Storage::f32;
  // The sizes of the weight, in the form of a linear layer, which Columns takes.
  struct Weight {
    static constexpr std::size_t padded_out = padded(L::d_out), d_in = L::window;
  };
  template <std::size_t tokens>
  struct Tape {
    std::size_t skipped;  // the first tokens of the window, which have no output
    alignas(64) std::array<float, padded(L::kept + tokens * L::d_in)> frames;  // kept frames, then the window
  };
  template <std::size_t tokens>
  struct BackwardWork {
    alignas(64) std::array<float, padded(L::kept + tokens * L::d_in)> dframes;
    TokenBuffer<tokens, L::window> dinputs;  // the gradient of each token's inputs
    Columns<Weight> columns;
  };
  template <std::size_t tokens>
  using Work = AnyOf<krait::Scratch<L, tokens>, BackwardWork<tokens>>;
};

}  // namespace krait::detail

#endif
