// Stacks of a user's own.
#if defined(KRAIT_OPS_STACK_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_OPS_STACK_INL_HPP
#undef KRAIT_OPS_STACK_INL_HPP
#else
#define KRAIT_OPS_STACK_INL_HPP
#endif

#include "krait/nn/stack.hpp"
#include "krait/ops/mamba-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace krait {
namespace HWY_NAMESPACE {

// An array of layers: one after the other, each from rows to rows. The first reads `in`, the others work in place.
template <std::size_t tokens, class L, std::size_t count, class States, class LayerScratch>
HWY_INLINE void run(const std::array<L, count>& layers, States& states, LayerScratch& scratch, Rows<const float> in,
                    Rows<float> out, std::size_t n) {
  static_assert(requires(L layer) { layer.norm; layer.mixer; },
                "krait::Stack<Parts>: an array member must hold ResidualBlocks: they alone work in place");
  for (std::size_t i = 0; i < count; ++i) {
    run<tokens>(layers[i], states[i], scratch, in, out, n);
    in = out.as_const();
  }
}

// The row that the member behind `here` writes: another, if it does not work in place and is not the last, which writes `out`.
template <class Next, class... Behind>
constexpr std::size_t next_row(std::size_t here) {
  return sizeof...(Behind) == 0 || krait::works_in_place<krait::detail::MemberFacts<Next>> ? here : 1 - here;
}

// The members from here on. `here`: which of the scratch's rows the first of them is to write; the last one writes `out`. n
// becomes 1 behind a pooling member.
template <std::size_t tokens, class In, class StackScratch, class States, class Scratches, class First,
          class... Rest>
HWY_INLINE void run_members(StackScratch& scratch, States& states, Scratches& scratches, std::size_t here, In in,
                            Rows<float> out, std::size_t n, Emit emit, const First& first, const Rest&... rest) {
  constexpr bool last = sizeof...(Rest) == 0;
  const Rows<float> to = last ? out : rows_of(scratch.rows[here]);
  krait::detail::take_apart(states, [&](auto& state, auto& states_behind) KRAIT_LAMBDA {
    run<tokens>(first, state, *::new (&scratches.first) decltype(scratches.first), in, to, n);
    if constexpr (!last) {
      if (Pooling<First> && emit == Emit::nothing) return;
      run_members<tokens>(scratch, states_behind, scratches.rest, next_row<Rest...>(here), to.as_const(), out,
                          Pooling<First> ? 1 : n, emit, rest...);
    }
  });
}

template <std::size_t tokens, class Parts, class In>
HWY_INLINE void run(const Stack<Parts>& stack, State<Stack<Parts>>& state, Scratch<Stack<Parts>, tokens>& scratch, In in,
                    Rows<float> out, std::size_t n, Emit emit = Emit::all) {
  krait::detail::with_members(static_cast<const Parts&>(stack), [&](const auto&... members) KRAIT_LAMBDA {
    run_members<tokens>(scratch, state.members, scratch.member, 0, in, out, n, emit, members...);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace krait
HWY_AFTER_NAMESPACE();

#endif
