// Runs Stack, a sequence of layers that the user chooses, and Residual, which adds its input x to the output of a layer L: y =
// x + L(x).
#if defined(KRAIT_OPS_STACK_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_OPS_STACK_INL_HPP
#undef KRAIT_OPS_STACK_INL_HPP
#else
#define KRAIT_OPS_STACK_INL_HPP
#endif

#include <cstring>
#include <tuple>

#include "krait/nn/stack.hpp"
#include "krait/kernels/norm-inl.hpp"
#include "krait/ops/sequences-inl.hpp"

KRAIT_BEGIN_TARGET

// The type that the function `run` of the layer L returns: void or, if L has a warm_up, std::size_t, the number of leading
// tokens without output.
template <class L>
using RunResult = std::conditional_t<(warm_up<L> > 0), std::size_t, void>;
// The state types that the function `run` of a Stack accepts. A stack with a warm_up processes only one sequence at a time,
// because each sequence has its own number of leading tokens without output.
template <class T, class Parts>
concept StatesOfStack = StatesOf<T, Stack<Parts>> && !(is_sequences<T> && warm_up<Stack<Parts>> > 0);

// The functions are declared before they are defined, because a member of a Stack, or the layer of a Residual, may itself be a
// Stack or a Residual.
template <std::size_t tokens, class Parts, StatesOfStack<Parts> States, class In>
HWY_INLINE RunResult<Stack<Parts>> run(const Stack<Parts>& stack, States& state, Scratch<Stack<Parts>, tokens>& scratch, In in,
                                       TokenSpan<float> out, std::size_t n, Emit emit = Emit::all);
template <std::size_t tokens, class L, StatesOf<Residual<L>> States>
HWY_NOINLINE void run(const Residual<L>& residual, States& state, Scratch<Residual<L>, tokens>& scratch,
                      TokenSpan<const float> in, TokenSpan<float> out, std::size_t n);

// Runs an array of layers one after the other. The first layer reads `in` and writes `out`; later layers work in place on
// `out`.
template <std::size_t tokens, class L, std::size_t count, class States, class LayerScratch>
HWY_INLINE void run(const std::array<L, count>& layers, States& states, LayerScratch& scratch,
                    TokenSpan<const float> in, TokenSpan<float> out, std::size_t n) {
  static_assert(krait::detail::member_fits<std::array<L, count>>);
  for (std::size_t i = 0; i < count; ++i) {
    if constexpr (std::is_empty_v<State<L>>) {
      auto&& none = no_state<State<L>>(states);
      run<tokens>(layers[i], none, scratch, in, out, n);
    } else {
      auto&& state = part_of(states, [i](auto& all) KRAIT_LAMBDA -> auto& { return all[i]; });
      run<tokens>(layers[i], state, scratch, in, out, n);
    }
    in = out.as_const();
  }
}

// Runs a layer with the states of one sequence or of several sequences. If a layer has a state and its `run` does not accept
// Sequences, for example in a layer that a user defines, the sequences are processed one after the other. A layer that pools
// writes one output for each sequence. If the layer has no suitable function `run`, this function causes a compile error.
template <std::size_t tokens, class L, class States, class LayerScratch, class In, class... Emits>
HWY_INLINE auto run_each(const L& layer, States& states, LayerScratch& scratch, In in, TokenSpan<float> out, std::size_t n,
                         Emits... emit) {
  if constexpr (requires { run<tokens>(layer, states, scratch, in, out, n, emit...); }) {
    return run<tokens>(layer, states, scratch, in, out, n, emit...);
  } else if constexpr (!is_sequences<States>) {
    check::check_run<L, check::RunFault::unknown>();
    return RunResult<L>();
  } else if constexpr (std::is_empty_v<State<L>> && !Pooling<L>) {
    State<L> none;
    run_each<tokens>(layer, none, scratch, in, out, n, emit...);
  } else {
    std::size_t i = 0;
    each_sequence(states, n, [&](auto& state, std::size_t first, std::size_t count) KRAIT_LAMBDA {
      const auto to = out.from(Pooling<L> || gives_one_row<L> ? i++ : first);
      if constexpr (std::is_empty_v<State<L>>) {
        State<L> none;
        run_each<tokens>(layer, none, scratch, in.from(first), to, count, emit...);
      } else {
        run_each<tokens>(layer, state, scratch, in.from(first), to, count, emit...);
      }
    });
  }
}

// Runs one member of a Stack. On scalar targets (boards), this function is not inlined, because the stack frame of a step would
// otherwise grow with the number of members.
template <std::size_t tokens, class Member, class State, class MemberScratch, class In, class... Emits>
KRAIT_OWN_FRAME auto run_member(const Member& member, State& state, MemberScratch& scratch, In in, TokenSpan<float> out,
                                std::size_t n, Emits... emit) {
  return run_each<tokens>(member, state, scratch, in, out, tokens == 1 ? 1 : n, emit...);
}
template <std::size_t tokens, class L, std::size_t count, class States, class LayerScratch>
HWY_INLINE void run_member(const std::array<L, count>& layers, States& states, LayerScratch& scratch, TokenSpan<const float> in,
                           TokenSpan<float> out, std::size_t n) {
  // KRAIT_OWN_FRAME is not needed, because the array consists of ResidualBlocks or Residuals, whose `run` is not inlined.
  run<tokens>(layers, states, scratch, in, out, n);
}

// Runs member number i of a Stack. The first member reads the caller's input, and every other member reads the buffer that
// member i - 1 wrote. The last member writes `out`. If member i pools, sets n to the number of sequences, because each sequence
// then has one output. Returns false if the members after member i need not run.
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
    auto&& none = no_state<krait::State<MemberFacts>>(state);
    run_with(none);
  } else {
    auto&& member_state = part_of(state, [](auto& one) KRAIT_LAMBDA -> auto& { return krait::detail::slot_object<i>(one); });
    run_with(member_state);
  }
  if constexpr (Pooling<MemberFacts>) {
    n = sequences_in(state);
    return emit != Emit::nothing;
  } else {
    return true;
  }
}

// Runs the first member of a Stack, which must have a warm_up, and returns the number of leading tokens for which this member
// has no output. Subtracts this number from n, so that the other members process only the tokens that have an output. If the
// Stack has more members:
//   - Moves the first member's outputs for the remaining tokens to the start of its buffer.
//   - If the stack does not pool: writes zeros as its outputs for the leading tokens, and advances `out` past these zeros.
//   - If the stack pools: writes one vector of zeros if no token has an output, otherwise none, and does not advance `out`.
template <std::size_t tokens, class Facts, class Member, class StackState, class StackScratch, class In>
HWY_INLINE std::size_t run_warm_up(const Member& member, StackState& state, StackScratch& scratch, In in, TokenSpan<float>& out,
                                   std::size_t& n, Emit emit) {
  auto& member_scratch = scratch.member.template start<Scratch<Member, tokens>>();
  auto& member_state = krait::detail::slot_object<0>(state);
  constexpr std::size_t buffer = Facts::buffers[0];
  const TokenSpan<float> to = Facts::buffers.size() == 1 ? out : scratch.between[buffer].span();
  const std::size_t skipped = run_member<tokens>(member, member_state, member_scratch, in, to, n);
  n -= skipped;
  if constexpr (Facts::buffers.size() > 1) {
    const std::size_t zeros = !Facts::summarises ? skipped : n == 0 && emit != Emit::nothing ? 1 : 0;
    for (std::size_t t = 0; t < zeros; ++t) std::memset(out[t], 0, Facts::d_out * sizeof(float));
    if (skipped > 0)
      for (std::size_t t = 0; t < n; ++t) copy_floats(to[skipped + t], to[t], Member::d_out);
    if (!Facts::summarises) out = out.from(skipped);
  }
  return skipped;
}

template <std::size_t tokens, class Parts, StatesOfStack<Parts> States, class In>
HWY_INLINE RunResult<Stack<Parts>> run(const Stack<Parts>& stack, States& state, Scratch<Stack<Parts>, tokens>& scratch, In in,
                                       TokenSpan<float> out, std::size_t n, Emit emit) {
  constexpr std::size_t first = warm_up<Stack<Parts>> > 0 ? 1 : 0;  // run_ith_member runs members first, first + 1, ...
  const auto members = krait::detail::tie_members(static_cast<const Parts&>(stack));
  const auto run_others = [&]<std::size_t... i>(std::index_sequence<i...>) KRAIT_LAMBDA {
    (run_ith_member<tokens, first + i, Stack<Parts>>(std::get<first + i>(members), state, scratch, in, out, n, emit) && ...);
  };
  constexpr auto others = std::make_index_sequence<Stack<Parts>::buffers.size() - first>{};
  if constexpr (first == 0) {
    run_others(others);
  } else {
    const std::size_t skipped = run_warm_up<tokens, Stack<Parts>>(std::get<0>(members), state, scratch, in, out, n, emit);
    if (n > 0) run_others(others);
    return skipped;
  }
}

template <std::size_t tokens, class L, StatesOf<Residual<L>> States>
HWY_NOINLINE void run(const Residual<L>& residual, States& state, Scratch<Residual<L>, tokens>& scratch,
                      TokenSpan<const float> in, TokenSpan<float> out, std::size_t n) {
  n = token_count<tokens>(n);
  const TokenSpan<float> row = scratch.row.span();
  run_each<tokens>(static_cast<const L&>(residual), state, scratch.branch, in, row, n);
  for (std::size_t t = 0; t < n; ++t) add_row(in[t], row[t], out[t], L::d_in);
}

KRAIT_END_TARGET

#endif
