// Defines Tape, the memory in which `record` keeps what `backward` needs, and the tape and working memory of each layer.
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
#ifndef KRAIT_TRAIN_TAPE_HPP
#define KRAIT_TRAIN_TAPE_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <type_traits>

#include "krait/nn/activation.hpp"
#include "krait/nn/conv1d.hpp"
#include "krait/nn/embedding.hpp"
#include "krait/nn/linear.hpp"
#include "krait/nn/mamba.hpp"
#include "krait/nn/norm.hpp"
#include "krait/nn/pooling.hpp"
#include "krait/nn/positional_embedding.hpp"
#include "krait/nn/residual.hpp"
#include "krait/nn/ssm.hpp"
#include "krait/nn/stack.hpp"
#include "krait/nn/strided_conv1d.hpp"
#include "krait/train/gradients.hpp"

namespace krait::detail {

// The primary template describes a layer that cannot be trained.
template <class L, class G, bool dx>
struct Recording {
  static constexpr bool supported = false;
  template <std::size_t tokens>
  using Tape = NoScratch<tokens>;
  template <std::size_t tokens>
  using Work = NoScratch<tokens>;
};

// The Recording of a layer that keeps nothing.
struct RecordsNothing {
  static constexpr bool supported = true;
  template <std::size_t tokens>
  using Tape = NoScratch<tokens>;
  template <std::size_t tokens>
  using Work = NoScratch<tokens>;
};

template <class L, class G, bool dx, std::size_t tokens>
using TapeOf = typename Recording<L, G, dx>::template Tape<tokens>;
template <class L, class G, bool dx, std::size_t tokens>
using WorkOf = typename Recording<L, G, dx>::template Work<tokens>;

// Columns is memory for some columns of transposed weights: linear_input_gradient needs as many floats as one of the layers
// Linears has outputs, padded, times 64 or the number of its inputs, padded, whichever is smaller.
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
  // The weight as that of a linear layer, for Columns.
  struct Weight {
    static constexpr std::size_t padded_out = padded(L::d_out), d_in = L::window;
  };
  template <std::size_t tokens>
  struct Tape {
    std::size_t skipped;  // the first tokens of the window, which have no output
    alignas(64) std::array<float, padded(L::kept + tokens * L::d_in)> frames;  // those of the state, then the window's
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

// The number of tokens whose states the scan's backward pass computes again at a time. The tape keeps the state before them.
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
  TokenBuffer<tokens, Ssm::d_inner> ddt;  // the gradient of dt; delta in `record`
  TokenBuffer<tokens, Ssm::XProj::padded_out> dx_dbl;
  TokenBuffer<tokens, Ssm::dt_rank> ddt_low;  // the gradient of dt_proj's inputs
  alignas(64) std::array<float, padded(Ssm::d_inner) * Ssm::d_state> dh;
  alignas(64) std::array<float, (scan_tokens + 1) * row> states;
  alignas(64) std::array<float, scan_tokens * row> decays;
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

// A block keeps its tape only if a parameter before out_proj is trained, or if the gradient of its input is needed. Otherwise
// it keeps the inputs of out_proj.
template <BlockDims dims, class G, bool dx>
struct Recording<MambaBlock<dims>, G, dx> {
  using Block = MambaBlock<dims>;
  static constexpr bool supported = dims.storage == Storage::f32;
  static constexpr bool whole = [] {
    if constexpr (dx) return true;
    else if constexpr (!is_trained<G>) return false;
    else return is_trained<MemberGradient<0, G>> || is_trained<MemberGradient<1, G>> || is_trained<MemberGradient<2, G>>;
  }();
  template <std::size_t tokens>
  struct WholeTape {
    alignas(64) std::array<float, padded(dims.d_inner) * (dims.d_conv - 1)> conv;  // the convolution's state before the window
    TokenBuffer<tokens, 2 * padded(dims.d_inner)> xz;  // the outputs of in_proj: x and z
    TokenBuffer<tokens, dims.d_inner> x;             // the x of the recurrence
    TokenBuffer<tokens, dims.d_inner> y;             // the outputs of the recurrence
    SsmTape<typename Block::Ssm, tokens> ssm;
  };
  template <std::size_t tokens>
  struct OutputTape {
    TokenBuffer<tokens, dims.d_inner> gated;  // the inputs of out_proj
  };
  template <std::size_t tokens>
  using Tape = std::conditional_t<whole, WholeTape<tokens>, OutputTape<tokens>>;
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

// A layer with a norm before it: the gradient of the norm's output is computed first.
template <auto dims, class G, bool dx>
  requires DimsOfBlock<decltype(dims)>
struct RecordingOfResidualBlock {
  using Block = ResidualBlock<dims>;
  // The parts of the gradient that belong to the norm and to the mixer.
  static constexpr bool norm_trained = [] {
    if constexpr (is_trained<G>) return is_trained<MemberGradient<0, G>>;
    else return false;
  }();
  template <class T>
  struct MixerGradient {
    using type = Frozen;
  };
  template <class T>
    requires is_trained<T>
  struct MixerGradient<T> {
    using type = MemberGradient<1, T>;
  };
  static constexpr bool mixer_dx = dx || norm_trained;
  using Mixer = Recording<typename Block::Mixer, typename MixerGradient<G>::type, mixer_dx>;
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

template <class L, class G, bool dx>
struct Recording<Residual<L>, G, dx> {
  using Branch = Recording<L, G, dx>;
  static constexpr bool supported = Branch::supported;
  template <std::size_t tokens>
  using Tape = typename Branch::template Tape<tokens>;
  template <std::size_t tokens>
  struct Work {
    TokenBuffer<tokens, L::d_out> y;  // L(x), or a copy of the gradient of the outputs
    typename Branch::template Work<tokens> branch;
  };
};

// The layers of an array are trained alike. All but the first need the gradient of their inputs; the first has the same type.
template <class L, std::size_t count, class G, bool dx>
struct Recording<std::array<L, count>, G, dx> {
  using LayerGradient = typename std::conditional_t<is_trained<G>, G, std::array<Frozen, 1>>::value_type;
  static constexpr bool layers_dx = dx || count > 1;
  using Layer = Recording<L, LayerGradient, layers_dx>;
  static constexpr bool supported = Layer::supported;
  template <std::size_t tokens>
  struct Tape {
    std::array<TokenBuffer<tokens, L::d_out>, count - 1> between;  // the outputs of all layers but the last
    std::array<typename Layer::template Tape<tokens>, count> layers;
  };
  template <std::size_t tokens>
  struct Work {
    std::array<TokenBuffer<tokens, L::d_out>, 2> gradients;  // the gradients of the outputs of two layers
    typename Layer::template Work<tokens> layer;
  };
};

// The parts of a language model's gradient: those of the embedding, the layers, the final norm and the output head. The head's
// is Frozen if the head is tied.
template <class G, bool tied>
struct ModelGradient {
  using Backbone = MemberGradient<0, G>;
  using Embedding = MemberGradient<0, Backbone>;
  using Layers = MemberGradient<1, Backbone>;
  using Norm = MemberGradient<2, Backbone>;
  using Head = MemberGradient<1, std::conditional_t<tied, Frozen, G>>;
};

template <ModelDims dims, class G, bool dx>
struct Recording<Mamba<dims>, G, dx> {
  using Model = Mamba<dims>;
  using Gradient = ModelGradient<G, dims.tied>;
  static constexpr bool layers_dx = is_trained<typename Gradient::Embedding>;
  static constexpr bool layers_needed = layers_dx || is_trained<typename Gradient::Layers>;
  using Layers = Recording<typename Model::Backbone::Layers, typename Gradient::Layers, layers_dx>;
  static constexpr bool supported = dims.storage == Storage::f32;
  template <std::size_t tokens>
  struct LayersTape {
    TokenBuffer<tokens, dims.d_model> x;  // the outputs of the embedding
    typename Layers::template Tape<tokens> layers;
  };
  template <std::size_t tokens>
  struct Tape {
    using Owner = Recording;
    TokenBuffer<tokens, dims.d_model> x;  // the outputs of the last layer
    [[no_unique_address]] std::conditional_t<layers_needed, LayersTape<tokens>, NoScratch<tokens>> layers;
  };
  template <std::size_t tokens>
  struct HeadWork {
    TokenBuffer<tokens, dims.d_model> normed;
    Columns<typename Model::Head> columns;
  };
  template <std::size_t tokens>
  struct Work {
    TokenBuffer<tokens, dims.d_model> dx_out;   // in `record`, the normed outputs of the layers; in `backward`, their gradient
    TokenBuffer<tokens, dims.d_model> dinput;   // the gradient of the residual stream before the layers
    AnyOf<HeadWork<tokens>, std::conditional_t<layers_needed, typename Layers::template Work<tokens>,
                                               krait::Scratch<Model, tokens>>> part;
  };
};

// The parts of the Recording of a Stack. Member i is needed if one of its parameters is trained, or if its input's gradient is,
// because a member before it is trained or because the caller wants it. Other members run without a tape.
template <class Parts, class G, bool dx, class Indices>
struct RecordingOfStack;
template <class Parts, class G, bool dx, std::size_t... i>
struct RecordingOfStack<Parts, G, dx, std::index_sequence<i...>> {
  static constexpr std::size_t count = sizeof...(i);
  template <std::size_t at>
  using Gradient = MemberGradient<at, G>;
  static constexpr std::array trained{is_trained<Gradient<i>>...};
  static constexpr std::array pools{Pooling<MemberFacts<Member<Parts, i>>>...};
  static constexpr bool member_dx(std::size_t at) {
    for (std::size_t j = 0; j < at; ++j)
      if (trained[j]) return true;
    return dx;
  }
  static constexpr bool needed(std::size_t at) { return trained[at] || member_dx(at); }
  // Returns the number of tokens that member `at` processes, if the first one processes n: 1 after a member that pools.
  static constexpr std::size_t tokens_of(std::size_t at, std::size_t n) {
    for (std::size_t j = 0; j < at; ++j)
      if (pools[j]) return 1;
    return n;
  }
  template <std::size_t at>
  using Of = Recording<Member<Parts, at>, Gradient<at>, member_dx(at)>;
  template <std::size_t at>
  using Facts = MemberFacts<Member<Parts, at>>;
  static constexpr bool supported = ((!needed(i) || Of<i>::supported) && ...);

  template <std::size_t at, std::size_t tokens>
  static constexpr auto tape_type() {
    if constexpr (needed(at)) return std::type_identity<typename Of<at>::template Tape<tokens_of(at, tokens)>>{};
    else return std::type_identity<NoScratch<tokens>>{};
  }
  template <std::size_t at, std::size_t tokens>
  static constexpr auto work_type() {
    if constexpr (needed(at)) return std::type_identity<typename Of<at>::template Work<tokens_of(at, tokens)>>{};
    else return std::type_identity<krait::Scratch<Facts<at>, tokens_of(at, tokens)>>{};
  }
  template <std::size_t at, std::size_t tokens>
  static constexpr auto output_type() {
    if constexpr (at + 1 < count && needed(std::min(at + 1, count - 1)))
      return std::type_identity<TokenBuffer<tokens_of(at + 1, tokens), Facts<at>::d_out>>{};
    else return std::type_identity<NoScratch<tokens>>{};
  }
  template <std::size_t at, std::size_t tokens>
  using TapeAt = typename decltype(tape_type<at, tokens>())::type;
  template <std::size_t at, std::size_t tokens>
  using WorkAt = typename decltype(work_type<at, tokens>())::type;

  // The number of tokens at the start of the window without output. It is 0 unless the first member has a warm_up.
  struct Skipped {
    std::size_t count;
  };
  // The tapes of the members, and the outputs of members whose next member needs them.
  template <std::size_t tokens>
  struct Tape {
    using Owner = RecordingOfStack;
    [[no_unique_address]] std::conditional_t<(warm_up<Facts<0>> > 0), Skipped, NoScratch<tokens>> skipped;
    Slots<std::index_sequence<i...>, TapeAt<i, tokens>...> members;
    Slots<std::index_sequence<i...>, typename decltype(output_type<i, tokens>())::type...> outputs;
    KRAIT_INLINE Tape() = default;
  };
  template <std::size_t tokens>
  struct Work {
    // In `record`, the outputs of members that the tape does not keep; in `backward`, the gradients of the outputs.
    std::array<TokenBuffer<tokens, std::max({Facts<i>::d_out...})>, 2> between;
    AnyOf<WorkAt<i, tokens>...> member;
  };
};
template <class Parts, class G, bool dx>
struct Recording<Stack<Parts>, G, dx> : RecordingOfStack<Parts, G, dx, MemberIndices<Parts>> {};

}  // namespace krait::detail

namespace krait {

// Tape<Model, tokens> is the memory in which `record` keeps what `backward` needs, for windows of up to `tokens` tokens, and
// the working memory of both. Its content before `record` is unspecified. Layers before the first one with a parameter that
// Trained selects need no tape.
template <class Model, std::size_t tokens, class Trained = Everything>
struct Tape {
  using Selection = Trained;
  using Gradient = typename Gradients<Model, Trained>::Sums;
  static constexpr std::size_t window = tokens;
  static constexpr bool input_gradient = !TakesTokens<Model> && requires { requires Trained::input_gradient; };
  static constexpr std::size_t outputs = gives_one_row<Model> ? 1 : tokens;

  std::size_t length;  // the number of tokens of the window
  std::conditional_t<TakesTokens<Model>, std::array<std::uint32_t, tokens>, TokenBuffer<tokens, Model::d_in>> inputs;
  TokenBuffer<outputs, Model::d_out> out;  // the outputs; in `backward`, their gradient
  [[no_unique_address]] std::conditional_t<input_gradient, TokenBuffer<tokens, Model::d_in>, detail::Frozen> dinputs;
  [[no_unique_address]] detail::TapeOf<Model, Gradient, input_gradient, tokens> tape;
  [[no_unique_address]] detail::WorkOf<Model, Gradient, input_gradient, tokens> work;
  KRAIT_INLINE Tape() = default;
};

// Worker is the memory with which a thread computes the gradient of one window at a time.
template <class Model, std::size_t tokens, class Trained = Everything>
struct Worker {
  Tape<Model, tokens, Trained> tape;
  Gradients<Model, Trained> gradients;
  KRAIT_INLINE Worker() = default;
};

// The size in bytes of a tape.
template <class Model, std::size_t tokens, class Trained = Everything>
inline constexpr std::size_t tape_bytes = sizeof(Tape<Model, tokens, Trained>);

}  // namespace krait

#endif
