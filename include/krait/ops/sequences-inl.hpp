// Defines the functions with which layers process one sequence or several sequences in the same code. The functions accept a
// layer's state either as a State, for one sequence, or as Sequences, for several.
#if defined(KRAIT_OPS_SEQUENCES_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_OPS_SEQUENCES_INL_HPP
#undef KRAIT_OPS_SEQUENCES_INL_HPP
#else
#define KRAIT_OPS_SEQUENCES_INL_HPP
#endif

#include "krait/kernels/simd-inl.hpp"
#include "krait/layout/token_span.hpp"
#include "krait/nn/sequences.hpp"

KRAIT_BEGIN_TARGET

// Returns n, the number of tokens of a call, which is 1 if `tokens` is 1. On boards, the result is then a constant, so that the
// compiler removes the loops over tokens, which saves stack and code. On 64-bit targets it is not: with the constant, g++
// compiles a slower step for riscv64 (1.12 times the instructions with f32).
template <std::size_t tokens>
HWY_INLINE std::size_t token_count(std::size_t n) {
  if constexpr (tokens == 1 && sizeof(void*) == 4) return 1;
  else return n;
}

// Calls f(state, first, count) for each sequence whose tokens a call of `run` processes. `state` is the sequence's state,
// `first` the index of the sequence's first token within the n tokens of the call, and `count` the number of its tokens.
template <class S, class F>
HWY_INLINE void each_sequence(S& state, std::size_t n, F f) {
  if constexpr (is_sequences<std::remove_const_t<S>>) {
    std::size_t first = 0;
    for (std::size_t i = 0; i < state.count; ++i) {
      f(state.state(i), first, state.segments[i].tokens);
      first += state.segments[i].tokens;
    }
  } else {
    f(state, std::size_t{0}, n);
  }
}

// Returns the number of sequences whose tokens a call of `run` processes.
template <class S>
HWY_INLINE std::size_t sequences_in(const S& state) {
  if constexpr (is_sequences<S>) return state.count;
  else return 1;
}

// Returns project(state), which is a part of the state, such as the state of one member. If `state` is Sequences, returns the
// Sequences that refer to this part of each sequence's state.
template <class S, class Project>
HWY_INLINE decltype(auto) part_of(S& state, Project project) {
  if constexpr (is_sequences<S>) {
    auto& whole = state.state(0);
    auto& part = project(whole);
    const auto within = static_cast<std::size_t>(reinterpret_cast<std::byte*>(&part) - reinterpret_cast<std::byte*>(&whole));
    return Sequences<std::remove_reference_t<decltype(part)>, std::remove_pointer_t<decltype(state.threads)>>{
        state.segments, state.count, state.offset + within, state.threads};
  } else {
    return project(state);
  }
}

// Returns the state to pass to a layer whose state type `Own` is empty: an object of type Own or, if several sequences are
// processed, the Sequences of the enclosing layer, which also contain the executor.
template <class Own, class S>
HWY_INLINE decltype(auto) no_state(S& state) {
  if constexpr (is_sequences<S>) return (state);
  else return Own{};
}

// True if S, the type of a layer's state, refers to an executor, which may divide the work among threads.
template <class S>
inline constexpr bool has_executor = requires(S& state) {
  requires is_sequences<S> && !std::is_same_v<decltype(state.threads), OneThread*>;
};

// The smallest number of multiply-adds that is divided among threads. One thread computes fewer of them in less time than it
// takes to start threads.
inline constexpr std::size_t least_to_divide = std::size_t{1} << 17;

// Calls (*work)(part), where `work` points to a function object of type F. An executor calls run_part through a Task.
template <class F>
void run_part(const void* work, std::size_t part) {
  (*static_cast<const F*>(work))(part);
}

// Calls f(range) for ranges that together cover the channels 0, 1, ..., channels - 1. Without an executor, one range covers all
// channels; with an executor, each thread gets one range, if the work is large enough to be divided. `work` is the number of
// multiply-adds. The bounds of a range are multiples of 16, except the end of the last range. The result for a channel does not
// depend on the range that contains it.
template <class S, class F>
HWY_INLINE void split(const S& state, std::size_t channels, [[maybe_unused]] std::size_t work, F f) {
  if constexpr (has_executor<S>) {
    const std::size_t threads = state.threads->size();
    const std::size_t unit = channels >= 2 * threads * panel_width ? panel_width : strip_width;
    const std::size_t units = ceil_div(channels, unit), parts = std::min(threads, units);
    if (parts > 1 && work >= least_to_divide) {
      const auto part = [&](std::size_t i) KRAIT_LAMBDA {
        f(Range{units * i / parts * unit, std::min(units * (i + 1) / parts * unit, channels)});
      };
      (*state.threads)(parts, Task{&part, &run_part<decltype(part)>});
      return;
    }
  }
  f(Range{0, channels});
}

KRAIT_END_TARGET

#endif
