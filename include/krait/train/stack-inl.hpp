// Training of stacks, arrays of layers and Residual: the forward pass fills a tape, and the backward pass
// computes the gradients from it.
#if defined(KRAIT_TRAIN_STACK_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_TRAIN_STACK_INL_HPP
#undef KRAIT_TRAIN_STACK_INL_HPP
#else
#define KRAIT_TRAIN_STACK_INL_HPP
#endif

#include "krait/ops/stack-inl.hpp"
#include "krait/train/activation-inl.hpp"
#include "krait/train/conv1d-inl.hpp"
#include "krait/train/embedding-inl.hpp"
#include "krait/train/linear-inl.hpp"
#include "krait/train/norm-inl.hpp"
#include "krait/train/pooling-inl.hpp"
#include "krait/train/positional_embedding-inl.hpp"
#include "krait/train/residual_block-inl.hpp"
#include "krait/train/strided_conv1d-inl.hpp"

KRAIT_BEGIN_TARGET

// Declared here, because a member of a Stack and the layer of a Residual may be a Stack or a Residual themselves.
template <std::size_t tokens, class Parts, class Tape, class Work, class In>
HWY_INLINE void record(const Stack<Parts>& stack, State<Stack<Parts>>& state, Tape& tape, Work& work, In in,
                       TokenSpan<float> out, std::size_t n);
template <std::size_t tokens, bool dx, class Parts, class Tape, class Work, class In, class G>
HWY_INLINE void backward(const Stack<Parts>& stack, Tape& tape, Work& work, In in, TokenSpan<float> dout, TokenSpan<float> din,
                         G& gradients, State<Stack<Parts>>* dstate, std::size_t n);

template <std::size_t tokens, class L, class Tape, class Work>
HWY_INLINE void record(const Residual<L>& residual, State<Residual<L>>& state, Tape& tape, Work& work,
                       TokenSpan<const float> in, TokenSpan<float> out, std::size_t n) {
  const TokenSpan<float> y = work.y.span();
  record<tokens>(static_cast<const L&>(residual), state, tape, work.branch, in, y, n);
  for (std::size_t t = 0; t < n; ++t) add_row(in[t], y[t], out[t], L::d_in);
}
template <std::size_t tokens, bool dx, class L, class Tape, class Work, class G>
HWY_INLINE void backward(const Residual<L>& residual, Tape& tape, Work& work, TokenSpan<const float> in, TokenSpan<float> dout,
                         TokenSpan<float> din, G& gradients, State<Residual<L>>* dstate, std::size_t n) {
  const TokenSpan<float> copy = work.y.span();
  if constexpr (dx)
    for (std::size_t t = 0; t < n; ++t) copy_floats(dout[t], copy[t], L::d_out);
  backward<tokens, dx>(static_cast<const L&>(residual), tape, work.branch, in, dout, din, gradients, dstate, n);
  if constexpr (dx)
    for (std::size_t t = 0; t < n; ++t) add_row(din[t], copy[t], din[t], L::d_in);
}

// Returns the state number i of an array of states, or a NoState if the layers have no state.
template <class L, class States>
HWY_INLINE decltype(auto) layer_state(States& states, std::size_t i) {
  if constexpr (std::is_empty_v<State<L>>) return State<L>{};
  else return (states[i]);
}

template <std::size_t tokens, class L, std::size_t count, class States, class Tape, class Work>
HWY_INLINE void record(const std::array<L, count>& layers, States& states, Tape& tape, Work& work, TokenSpan<const float> in,
                       TokenSpan<float> out, std::size_t n) {
  for (std::size_t i = 0; i < count; ++i) {
    const TokenSpan<float> to = i + 1 < count ? tape.between[i].span() : out;
    auto&& state = layer_state<L>(states, i);
    record<tokens>(layers[i], state, tape.layers[i], work.layer, in, to, n);
    if (i + 1 < count) clear_padding(to, L::d_out, n);
    in = to.as_const();
  }
}
template <std::size_t tokens, bool dx, class L, std::size_t count, class Tape, class Work, class G, class States>
HWY_INLINE void backward(const std::array<L, count>& layers, Tape& tape, Work& work, TokenSpan<const float> in,
                         TokenSpan<float> dout, TokenSpan<float> din, G& gradients, States* dstates, std::size_t n) {
  constexpr bool layers_dx = dx || count > 1;
  for (std::size_t i = count; i-- > 0;) {
    const TokenSpan<const float> from = i > 0 ? tape.between[i - 1].span().as_const() : in;
    const TokenSpan<float> to = i > 0 ? work.gradients[i % 2].span() : dx ? din : work.gradients[0].span();
    const auto layer = [&](auto& gradient) KRAIT_LAMBDA {
      if constexpr (std::is_empty_v<State<L>>) {
        backward<tokens, layers_dx>(layers[i], tape.layers[i], work.layer, from, dout, to, gradient,
                                    static_cast<State<L>*>(nullptr), n);
      } else {
        backward<tokens, layers_dx>(layers[i], tape.layers[i], work.layer, from, dout, to, gradient,
                                    dstates ? &(*dstates)[i] : nullptr, n);
      }
    };
    if constexpr (krait::detail::is_trained<G>) {
      layer(gradients[i]);
    } else {
      layer(gradients);
    }
    dout = to;
  }
}

// Runs member i of a Stack, which reads the caller's input or the outputs of member i - 1, and records it if it is needed.
// Returns the number of leading tokens without output, which the other members do not process; the other outputs are moved to
// the start of their buffer.
template <std::size_t tokens, std::size_t i, class Recording, class Member, class StackState, class Tape, class Work, class In>
HWY_INLINE std::size_t record_member(const Member& member, StackState& state, Tape& tape, Work& work, In in,
                                     TokenSpan<float> out, std::size_t n) {
  using Facts = krait::detail::MemberFacts<Member>;
  constexpr std::size_t here = Recording::tokens_of(i, tokens);
  const auto outputs_of = [&](auto at) KRAIT_LAMBDA {
    using krait::detail::slot_object;
    if constexpr (krait::detail::HasSlot<at, decltype(tape.outputs)>) return slot_object<at>(tape.outputs).span();
    else return work.between[at % 2].span();
  };
  const auto from = [&]() KRAIT_LAMBDA {
    if constexpr (i == 0) return in;
    else return outputs_of(std::integral_constant<std::size_t, i - 1>{}).as_const();
  }();
  constexpr bool last = i + 1 == Recording::count;
  TokenSpan<float> to = out;
  if constexpr (!last) to = outputs_of(std::integral_constant<std::size_t, i>{});
  if constexpr (here < tokens) n = 1;
  using Own = krait::State<Facts>;
  std::size_t skipped = 0;
  auto& member_work = work.member.template start<typename Recording::template WorkAt<i, tokens>>();
  const auto count_skipped = [&](auto run_it) KRAIT_LAMBDA {
    if constexpr (warm_up<Facts> > 0) skipped = run_it();
    else run_it();
  };
  const auto with = [&](auto& member_state) KRAIT_LAMBDA {
    if constexpr (!Recording::needed(i)) {
      count_skipped([&]() KRAIT_LAMBDA {
        if constexpr (warm_up<Facts> > 0) return run<here>(member, member_state, member_work, from, to, n);
        else return run_each<here>(member, member_state, member_work, from, to, n);
      });
    } else if constexpr (krait::detail::HasSlot<i, decltype(tape.members)>) {
      count_skipped([&]() KRAIT_LAMBDA {
        return record<here>(member, member_state, krait::detail::slot_object<i>(tape.members), member_work, from, to, n);
      });
    } else {
      NoScratch<here> none;
      record<here>(member, member_state, none, member_work, from, to, n);
    }
  };
  if constexpr (std::is_empty_v<Own>) {
    Own none;
    with(none);
  } else {
    with(krait::detail::slot_object<i>(state));
  }
  if constexpr (!last) {
    if (skipped > 0)
      for (std::size_t t = skipped; t < n; ++t) copy_floats(to[t], to[t - skipped], Facts::d_out);
    clear_padding(to, Facts::d_out, Recording::tokens_of(i + 1, tokens) < tokens ? 1 : n - skipped);
  }
  return skipped;
}
template <std::size_t tokens, class Parts, class Tape, class Work, class In>
HWY_INLINE void record(const Stack<Parts>& stack, State<Stack<Parts>>& state, Tape& tape, Work& work, In in,
                       TokenSpan<float> out, std::size_t n) {
  using S = Stack<Parts>;
  using Recording = typename Tape::Owner;
  const auto members = krait::detail::tie_members(static_cast<const Parts&>(stack));
  const std::size_t skipped = record_member<tokens, 0, Recording>(std::get<0>(members), state, tape, work, in, out, n);
  if constexpr (warm_up<S> > 0) {
    tape.skipped.count = skipped;
    if constexpr (Recording::count > 1) {
      const std::size_t zeros = !summarises<S> ? skipped : skipped == n ? 1 : 0;
      for (std::size_t t = 0; t < zeros; ++t) std::memset(out[t], 0, S::d_out * sizeof(float));
      if (skipped == n) return;
      if constexpr (!summarises<S>) out = out.from(skipped);
      n -= skipped;
    }
  }
  [&]<std::size_t... i>(std::index_sequence<i...>) KRAIT_LAMBDA {
    (record_member<tokens, i + 1, Recording>(std::get<i + 1>(members), state, tape, work, in, out, n), ...);
  }(std::make_index_sequence<Recording::count - 1>{});
}

// Computes the gradients of member i of a Stack. The gradient of its outputs is the caller's, or in buffer number i % 2, and
// the gradient of its inputs is the caller's, or in buffer number (i - 1) % 2.
template <std::size_t tokens, std::size_t i, class Recording, class Member, class Tape, class Work, class In, class G,
          class StackState>
HWY_INLINE void member_backward(const Member& member, Tape& tape, Work& work, In in, TokenSpan<float> dout,
                                TokenSpan<float> din, G& gradients, StackState* dstate, std::size_t n) {
  if constexpr (Recording::needed(i)) {
    constexpr std::size_t here = Recording::tokens_of(i, tokens);
    constexpr bool dx = Recording::member_dx(i);
    const auto from = [&]() KRAIT_LAMBDA {
      if constexpr (i == 0) return in;
      else return krait::detail::slot_object<i - 1>(tape.outputs).span().as_const();
    }();
    const TokenSpan<float> d = i + 1 == Recording::count ? dout : work.between[i % 2].span();
    const TokenSpan<float> to = i == 0 ? din : work.between[(i + 1) % 2].span();
    if constexpr (here < tokens) n = 1;
    using Own = krait::State<krait::detail::MemberFacts<Member>>;
    Own* own = nullptr;
    if constexpr (!std::is_empty_v<Own>) own = dstate ? &krait::detail::slot_object<i>(*dstate) : nullptr;
    auto&& gradient = krait::detail::gradient_of_member<i>(gradients);
    auto& member_work = work.member.template start<typename Recording::template WorkAt<i, tokens>>();
    if constexpr (krait::detail::HasSlot<i, decltype(tape.members)>) {
      backward<here, dx>(member, krait::detail::slot_object<i>(tape.members), member_work, from, d, to, gradient, own, n);
    } else {
      NoScratch<here> none;
      backward<here, dx>(member, none, member_work, from, d, to, gradient, own, n);
    }
  }
}
template <std::size_t tokens, bool dx, class Parts, class Tape, class Work, class In, class G>
HWY_INLINE void backward(const Stack<Parts>& stack, Tape& tape, Work& work, In in, TokenSpan<float> dout, TokenSpan<float> din,
                         G& gradients, State<Stack<Parts>>* dstate, std::size_t n) {
  using S = Stack<Parts>;
  using Recording = typename Tape::Owner;
  const auto members = krait::detail::tie_members(static_cast<const Parts&>(stack));
  std::size_t skipped = 0;
  if constexpr (warm_up<S> > 0) skipped = tape.skipped.count;
  if constexpr (!summarises<S>) dout = dout.from(skipped);
  const auto member = [&]<std::size_t i>(std::integral_constant<std::size_t, i>, std::size_t count) KRAIT_LAMBDA {
    member_backward<tokens, i, Recording>(std::get<i>(members), tape, work, in, dout, din, gradients, dstate, count);
  };
  if (n > skipped) {
    [&]<std::size_t... i>(std::index_sequence<i...>) KRAIT_LAMBDA {
      (member(std::integral_constant<std::size_t, Recording::count - 1 - i>{}, n - skipped), ...);
    }(std::make_index_sequence<Recording::count - 1>{});
  }
  member(std::integral_constant<std::size_t, 0>{}, n);
}

KRAIT_END_TARGET

#endif
