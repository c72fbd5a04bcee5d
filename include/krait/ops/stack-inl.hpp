// Stacks of a user's own.
#if defined(KRAIT_OPS_STACK_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_OPS_STACK_INL_HPP
#undef KRAIT_OPS_STACK_INL_HPP
#else
#define KRAIT_OPS_STACK_INL_HPP
#endif

#include <tuple>

#include "krait/nn/stack.hpp"
#include "krait/ops/linear-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD {

// An array of layers: one after the other, each from rows to rows. The first reads `in`, the others work in place.
template <std::size_t tokens, class L, std::size_t count, class States, class LayerScratch>
HWY_INLINE void run(const std::array<L, count>& layers, States& states, LayerScratch& scratch, TokenSpan<const float> in,
                    TokenSpan<float> out, std::size_t n) {
  static_assert(requires(L layer) { layer.norm; layer.mixer; },
                "krait::Stack<Parts>: an array member must hold ResidualBlocks: they alone work in place");
  for (std::size_t i = 0; i < count; ++i) {
    run<tokens>(layers[i], states[i], scratch, in, out, n);
    in = out.as_const();
  }
}

// Runs one member. On boards it is a call of its own, because the frame of a step would otherwise grow with the number of members.
template <std::size_t tokens, class Member, class State, class MemberScratch, class In, class... Emits>
KRAIT_OWN_FRAME void run_member(const Member& member, State& state, MemberScratch& scratch, In in, TokenSpan<float> out,
                             std::size_t n, Emits... emit) {
  run<tokens>(member, state, scratch, in, out, tokens == 1 ? 1 : n, emit...);
}
template <std::size_t tokens, class L, std::size_t count, class States, class LayerScratch>
HWY_INLINE void run_member(const std::array<L, count>& layers, States& states, LayerScratch& scratch, TokenSpan<const float> in,
                           TokenSpan<float> out, std::size_t n) {
  run<tokens>(layers, states, scratch, in, out, n);  // its layers are calls
}

// The members from the i-th on, a tuple of references. `here`: which of the scratch's rows this one is to write; the last one
// writes `out`. n becomes 1 behind a pooling member.
template <std::size_t tokens, std::size_t i = 0, class Members, class StackScratch, class State, class... StatesBehind,
          class Scratches, class In>
HWY_INLINE void run_members(const Members& members, StackScratch& scratch,
                            krait::detail::Pack<State, StatesBehind...>& states, Scratches& scratches, std::size_t here,
                            In in, TokenSpan<float> out, std::size_t n, Emit emit) {
  using krait::detail::all_empty, krait::detail::Pack;
  constexpr bool last = i + 1 == std::tuple_size_v<Members>;
  constexpr bool pools = Pooling<std::remove_cvref_t<std::tuple_element_t<i, Members>>>;
  const TokenSpan<float> to = last ? out : scratch.rows[here].span();
  auto& scratch_here = *::new (&scratches.first) decltype(scratches.first);
  const auto run_here = [&](auto& state) KRAIT_LAMBDA {
    if constexpr (pools) run_member<tokens>(std::get<i>(members), state, scratch_here, in, to, n, emit);
    else run_member<tokens>(std::get<i>(members), state, scratch_here, in, to, n);
  };
  if constexpr (all_empty<State>) {
    State none;
    run_here(none);
  } else {
    run_here(states.first);
  }
  if constexpr (!last) {
    if (pools && emit == Emit::nothing) return;
    // The next one writes the same rows, unless it does not work in place; nor does the last, but it writes `out`.
    using Next = krait::detail::MemberFacts<std::remove_cvref_t<std::tuple_element_t<i + 1, Members>>>;
    const std::size_t next = krait::works_in_place<Next> || i + 2 == std::tuple_size_v<Members> ? here : 1 - here;
    const auto run_behind = [&](auto& states_behind) KRAIT_LAMBDA {
      run_members<tokens, i + 1>(members, scratch, states_behind, scratches.rest, next, to.as_const(), out, pools ? 1 : n, emit);
    };
    if constexpr (all_empty<StatesBehind...>) {
      Pack<StatesBehind...> none;
      run_behind(none);
    } else {
      run_behind(states.rest);
    }
  }
}

template <std::size_t tokens, class Parts, class In>
HWY_INLINE void run(const Stack<Parts>& stack, State<Stack<Parts>>& state, Scratch<Stack<Parts>, tokens>& scratch, In in,
                    TokenSpan<float> out, std::size_t n, Emit emit = Emit::all) {
  // Only references come out of the walk, for a compiler would not inline a whole model into it.
  const auto members = krait::detail::with_members(static_cast<const Parts&>(stack),
                                                   [](const auto&... each) { return std::tie(each...); });
  run_members<tokens>(members, scratch, state.members, scratch.member, 0, in, out, n, emit);
}

}  // namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD
HWY_AFTER_NAMESPACE();

#endif
