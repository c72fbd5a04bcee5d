// Defines Sequences, the states of several sequences that a call processes together, and what an executor is.
#ifndef KRAIT_NN_SEQUENCES_HPP
#define KRAIT_NN_SEQUENCES_HPP

#include <concepts>
#include <cstddef>
#include <type_traits>

#include "krait/nn/layer.hpp"

namespace krait {

// Segment is the part of a call's tokens that belongs to one sequence: the address of the sequence's state, and the number of
// its tokens. The tokens of a call are those of its segments, one segment after the other.
struct Segment {
  std::byte* state;
  std::size_t tokens;
};

// Task is one of the functions that an executor calls: task(i) computes part i of a layer's outputs.
struct Task {
  const void* work;
  void (*call)(const void* work, std::size_t part);
  KRAIT_INLINE void operator()(std::size_t part) const { call(work, part); }
};

// An executor runs the parts of a layer on several threads. executor.size() is the number of threads, and executor(n, task)
// calls task(0), task(1), ..., task(n - 1), each exactly once, on any threads, and returns after all calls have returned.
// OneThread is the executor of calls without one: all parts are computed by the caller.
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

// Sequences<S> takes the place of the state S in a call of `run` that processes the tokens of several sequences: the state S of
// a sequence is stored `offset` bytes after the address in its segment.
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

// The type of a layer's state, or of the states of several sequences.
template <class T, class L>
concept StatesOf = std::same_as<T, State<L>> || (is_sequences<T> && std::is_empty_v<State<L>>) || requires(T& all) {
  requires is_sequences<T>;
  { all.state(0) } -> std::same_as<State<L>&>;
};

}  // namespace krait

#endif
