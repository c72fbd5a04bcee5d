// Defines the tapes and the working memory of what consists of other layers: Residual, arrays of layers, Mamba and Stack.
#ifndef KRAIT_TRAIN_STACK_RECORDING_HPP
#define KRAIT_TRAIN_STACK_RECORDING_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <type_traits>
#include <utility>

#include "krait/nn/mamba.hpp"
#include "krait/nn/residual.hpp"
#include "krait/nn/stack.hpp"
#include "krait/train/block_recording.hpp"

namespace krait::detail {

template <class L, class G, bool dx>
struct Recording<Residual<L>, G, dx> {
  using Branch = Recording<L, G, dx>;
  static constexpr bool supported = Branch::supported;
  template <std::size_t tokens>
  using Tape = typename Branch::template Tape<tokens>;
  template <std::size_t tokens>
  struct Work {
    TokenBuffer<tokens, L::d_out> y;  // in the forward pass L(x), in the backward pass a copy of dout, the gradient of y
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

template <DimsOfModel auto dims, class G, bool dx>
struct Recording<Mamba<dims>, G, dx> {
  using Model = Mamba<dims>;
  using Gradient = ModelGradient<G, dims.tied>;
  static constexpr bool layers_dx = is_trained<typename Gradient::Embedding>;
  static constexpr bool layers_needed = layers_dx || is_trained<typename Gradient::Layers>;
  using Layers = Recording<typename Model::Backbone::Layers, typename Gradient::Layers, layers_dx>;
  static constexpr bool supported = dims.storage == Storage::f32 && Layers::supported;
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

  // The number of tokens at the start of the training window for which the stack has no output. It is 0 unless the stack's
  // first member has a warm_up.
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

#endif
