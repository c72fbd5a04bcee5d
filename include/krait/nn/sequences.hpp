// Defines Sequences, the states of several sequences that one call processes together, and Executor, the requirements on a
// user's object that runs parts of a layer on several threads.
#ifndef KRAIT_NN_SEQUENCES_HPP
#define KRAIT_NN_SEQUENCES_HPP

#include <concepts>
#include <cstddef>
#include <type_traits>

#include "krait/nn/layer.hpp"

namespace krait {

// Segment describes the tokens of one sequence in a call: the address of the model's state for this sequence, and the number of
// tokens. The tokens of segment 0 come first in the call, then the tokens of segment 1, and so on.
struct Segment {
  std::byte* state;
  std::size_t tokens;
};

// Task is the function object that an executor calls: task(i) computes part i of a layer's outputs.
struct Task {
  const void* work;
  void (*call)(const void* work, std::size_t part);
  KRAIT_INLINE void operator()(std::size_t part) const { call(work, part); }
};

// An executor runs the parts of a layer on several threads. executor.size() is the number of threads, and executor(n, task)
// calls task(0), task(1), ..., task(n - 1), each exactly once, on any threads, and returns after all calls have returned.
// OneThread is the default executor, which runs all parts on the caller's thread.
template <class T>
concept Executor = requires(T& executor, Task task) {
  { executor.size() } -> std::convertible_to<std::size_t>;
  executor(std::size_t{}, task);
};
struct OneThread {
  KRAIT_INLINE static constexpr std::size_t size() { return 1; }
  KRAIT_INLINE void operator()(std::size_t n, Task task) const {
    for (std::size_t part = 0; part < n; ++part) task(part);
  }
};

// Sequences<S> takes the place of the state in a call of `run` that processes the tokens of several sequences. S is the type of
// the state of the layer that runs. This state is a part of the model's state: for sequence i, it is stored `offset` bytes
// after segments[i].state, the address of the model's state.
template <class S, class Threads = OneThread>
struct Sequences {
  const Segment* segments;
  std::size_t count;
  std::size_t offset;
  Threads* threads;
  KRAIT_INLINE S& state(std::size_t i) const { return *reinterpret_cast<S*>(segments[i].state + offset); }
};

template <class T>
inline constexpr bool is_sequences = false;
template <class S, class Threads>
inline constexpr bool is_sequences<Sequences<S, Threads>> = true;

// StatesOf<T, L> is satisfied if the function `run` of the layer L accepts a T as its state. T is State<L> or, in a call for
// several sequences, a Sequences of such states.
template <class T, class L>
concept StatesOf = std::same_as<T, State<L>> || (is_sequences<T> && std::is_empty_v<State<L>>) || requires(T& all) {
  requires is_sequences<T>;
  { all.state(0) } -> std::same_as<State<L>&>;
};

}  // namespace krait

#endif
