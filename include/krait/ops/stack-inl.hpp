// Runs Stack, a user's choice of layers.
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

// Runs an array of layers one after the other. The first layer reads `in` and writes `out`; the others work in place on `out`.
template <std::size_t tokens, class L, std::size_t count, class States, class LayerScratch>
HWY_INLINE void run(const std::array<L, count>& layers, States& states, LayerScratch& scratch, TokenSpan<const float> in,
                    TokenSpan<float> out, std::size_t n) {
  static_assert(requires(L layer) { layer.norm; layer.mixer; },
                "krait::Stack<Parts>: a std::array member must consist of ResidualBlocks");
  for (std::size_t i = 0; i < count; ++i) {
    run<tokens>(layers[i], states[i], scratch, in, out, n);
    in = out.as_const();
  }
}

// Runs a Stack. Declared here, because a member that run_member runs may be a Stack itself.
template <std::size_t tokens, class Parts, class In>
HWY_INLINE void run(const Stack<Parts>& stack, State<Stack<Parts>>& state, Scratch<Stack<Parts>, tokens>& scratch, In in,
                    TokenSpan<float> out, std::size_t n, Emit emit = Emit::all);

// Runs one member of a Stack. On boards this function is not inlined, because the stack frame of a step would otherwise grow
// with the number of members.
template <std::size_t tokens, class Member, class State, class MemberScratch, class In, class... Emits>
KRAIT_OWN_FRAME void run_member(const Member& member, State& state, MemberScratch& scratch, In in, TokenSpan<float> out,
                             std::size_t n, Emits... emit) {
  run<tokens>(member, state, scratch, in, out, tokens == 1 ? 1 : n, emit...);
}
template <std::size_t tokens, class L, std::size_t count, class States, class LayerScratch>
HWY_INLINE void run_member(const std::array<L, count>& layers, States& states, LayerScratch& scratch, TokenSpan<const float> in,
                           TokenSpan<float> out, std::size_t n) {
  run<tokens>(layers, states, scratch, in, out, n);  // a layer of the array is not inlined
}

// Runs member number i of a Stack. The first member reads the caller's input, every other one the buffer that member i - 1
// wrote. The last member writes `out`. Sets n to 1 after a pooling member. Returns false if the members after it need not run.
template <std::size_t tokens, std::size_t i, class Facts, class Member, class StackState, class StackScratch, class In>
HWY_INLINE bool run_ith_member(const Member& member, StackState& state, StackScratch& scratch, In in, TokenSpan<float> out,
                               std::size_t& n, Emit emit) {
  using MemberFacts = krait::detail::MemberFacts<Member>;
  constexpr bool last = i + 1 == Facts::buffers.size();
  const auto from = [&]() KRAIT_LAMBDA {
    if constexpr (i == 0) return in;
    else return scratch.between[Facts::buffers[i - 1]].span().as_const();
  };
  const TokenSpan<float> to = last ? out : scratch.between[Facts::buffers[i]].span();
  auto& member_scratch = scratch.member.template start<krait::Scratch<MemberFacts, tokens>>();
  const auto run_with = [&](auto& member_state) KRAIT_LAMBDA {
    if constexpr (Pooling<MemberFacts>) run_member<tokens>(member, member_state, member_scratch, from(), to, n, emit);
    else run_member<tokens>(member, member_state, member_scratch, from(), to, n);
  };
  if constexpr (std::is_empty_v<krait::State<MemberFacts>>) {
    krait::State<MemberFacts> none;
    run_with(none);
  } else {
    run_with(static_cast<krait::detail::Slot<i, krait::State<MemberFacts>>&>(state.members).object);
  }
  if constexpr (Pooling<MemberFacts>) {
    n = 1;
    return emit != Emit::nothing;
  } else {
    return true;
  }
}

template <std::size_t tokens, class Parts, class In>
HWY_INLINE void run(const Stack<Parts>& stack, State<Stack<Parts>>& state, Scratch<Stack<Parts>, tokens>& scratch, In in,
                    TokenSpan<float> out, std::size_t n, Emit emit) {
  const auto members = krait::detail::tie_members(static_cast<const Parts&>(stack));
  [&]<std::size_t... i>(std::index_sequence<i...>) KRAIT_LAMBDA {
    (run_ith_member<tokens, i, Stack<Parts>>(std::get<i>(members), state, scratch, in, out, n, emit) && ...);
  }(std::make_index_sequence<Stack<Parts>::buffers.size()>{});
}

}  // namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD
HWY_AFTER_NAMESPACE();

#endif
