// Checks the arguments of step_streams, prefill_streams and Streams at compile time.
#ifndef KRAIT_CALLS_CHECK_STREAMS_HPP
#define KRAIT_CALLS_CHECK_STREAMS_HPP

#include <type_traits>

#include "krait/calls/check_calls.hpp"
#include "krait/nn/sequences.hpp"
#include "krait/nn/stream_scratch.hpp"

namespace krait {

namespace detail {
// state_in<T> is the type of the states in T, a contiguous range of states or of pointers to states. It may be const.
template <class T>
using state_in = std::remove_pointer_t<element<T>>;
// StateSequence<T, Model> is satisfied if T is a contiguous range of states of the model, or of pointers to such states.
template <class T, class Model>
concept StateSequence = Contiguous<T> && std::is_same_v<std::remove_const_t<state_in<T>>, State<Model>>;
// True if the states that an argument S&& refers to exist after the call: the argument is not a temporary, is a std::span, or
// contains pointers to states.
template <class S>
inline constexpr bool states_exist_after_the_call = exists_after_the_call<S> || std::is_pointer_v<element<S>>;
}  // namespace detail

namespace check {

// streams_argument<Found> exists so that error messages show Found, the type of an argument.
template <class Found>
struct streams_argument {
  template <class Model>
  static constexpr bool has_states = detail::StateSequence<Found, Model>;
  static constexpr bool has_ids = TokenIdSequence<Found>;
  static constexpr bool is_sequence = detail::Contiguous<Found>;
  static constexpr bool has_one_vector_for_each_stream = VectorSequence<Found>;
  static constexpr bool has_one_vector_for_each_token = VectorSequence<Found>;
  static constexpr bool is_executor = Executor<Found>;
  static constexpr bool gives_one_output_for_each_token = !gives_one_row<Found>;
  static constexpr bool is_stream_scratch = requires { typename Found::StreamModel; };
};

template <class Model, class S>
consteval bool states() {
  using Found = std::remove_reference_t<S>;
  if constexpr (!detail::StateSequence<Found, Model>) {
    static_assert(streams_argument<Found>::template has_states<Model>,
                  "krait: states must be a contiguous range of krait::State<Model> of this model, or of pointers to them");
    return false;
  } else if constexpr (std::is_const_v<detail::state_in<Found>>) {
    static_assert(argument<detail::state_in<Found>>::is_writable,
                  "krait: the second argument, states, must not be const, because the call advances them");
    return false;
  } else {
    static_assert(detail::states_exist_after_the_call<S>,
                  "krait: the second argument, states, must not be a temporary, because the next call needs them");
    return detail::states_exist_after_the_call<S>;
  }
}

// Checks that an argument ys that receives one output for each stream is a sequence of vectors of d_out floats, or
// krait::no_output.
template <class Model, class Out>
consteval bool stream_outputs() {
  using Found = std::remove_reference_t<Out>;
  if constexpr (!detail::is_no_output<Found> && !VectorSequence<Found>) {
    static_assert(streams_argument<Found>::has_one_vector_for_each_stream,
                  "krait: ys must have one vector of d_out floats for each stream, such as krait::Tensor<float, n, d_out>");
    return false;
  } else if constexpr (detail::is_no_output<Found>) {
    return output<Model, Out>();
  } else if constexpr (!detail::exists_after_the_call<Out>) {
    return output_exists<Out>();
  } else {
    return output_vector<Model, detail::element<Found>>();
  }
}

// Checks that the argument xs of prefill_streams has one sequence of tokens for each stream.
template <class Model, class In>
consteval bool sequences() {
  if constexpr (!detail::Contiguous<In> || FloatVector<In>) {
    static_assert(streams_argument<In>::is_sequence && !FloatVector<In>,
                  "krait::prefill_streams: xs must be a contiguous range with one sequence of tokens for each stream");
    return false;
  } else if constexpr (!detail::Contiguous<detail::element<In>> || (!TakesTokens<Model> && VectorSequence<In>)) {
    static_assert(streams_argument<detail::element<In>>::is_sequence && !VectorSequence<In>,
                  "krait::prefill_streams: each stream needs a sequence of tokens; for one token, use krait::step_streams");
    return false;
  } else {
    return inputs<Model, const detail::element<In>>();
  }
}

// Checks that the argument ys of prefill_streams has one vector, or one sequence of vectors, for each stream, or is
// krait::no_output.
template <class Model, class Out>
consteval bool sequence_outputs() {
  using Found = std::remove_reference_t<Out>;
  if constexpr (detail::is_no_output<Found> || !detail::Contiguous<Found>) {
    return stream_outputs<Model, Out>();
  } else if constexpr (!VectorSequence<detail::element<Found>> && Summarising<Model>) {
    return stream_outputs<Model, Out>();
  } else if constexpr (!VectorSequence<detail::element<Found>>) {
    static_assert(streams_argument<detail::element<Found>>::has_one_vector_for_each_token,
                  "krait::prefill_streams: ys must have one sequence for each stream, with one vector for each token");
    return false;
  } else if constexpr (gives_one_row<Model>) {
    static_assert(streams_argument<Model>::gives_one_output_for_each_token,
                  "krait::prefill_streams: ys must have one vector for each stream, because the model pools");
    return false;
  } else if constexpr (!detail::exists_after_the_call<Out>) {
    return output_exists<Out>();
  } else {
    return output_vector<Model, detail::element<detail::element<Found>>>();
  }
}

template <class Model, class Borrowed>
consteval bool stream_scratch() {
  using Found = std::remove_reference_t<Borrowed>;
  if constexpr (!streams_argument<Found>::is_stream_scratch) {
    static_assert(streams_argument<Found>::is_stream_scratch,
                  "krait: the fifth argument, scratch, must be a krait::StreamScratch<Model, n>");
    return false;
  } else if constexpr (std::is_const_v<Found>) {
    static_assert(argument<Found>::is_writable,
                  "krait: the fifth argument, scratch, must not be const, because the call writes to it");
    return false;
  } else {
    static_assert(got_type<typename Found::StreamModel>::template wants<Model>,
                  "krait: the fifth argument, scratch, must be a krait::StreamScratch<Model, n> of this model");
    return std::is_same_v<typename Found::StreamModel, Model>;
  }
}

template <class Threads>
consteval bool executor() {
  static_assert(streams_argument<std::remove_reference_t<Threads>>::is_executor,
                "krait: executor must have size(), the number of threads, and be callable as executor(n, krait::Task)");
  return streams_argument<std::remove_reference_t<Threads>>::is_executor;
}

template <class Model>
consteval bool streams_model() {
  if constexpr (!Layer<Model> && !requires { Model::is_rejected; })
    static_assert(argument<Model>::is_layer,
                  "krait::Streams<Model, capacity> streams{model}: model must be a layer or a model");
  return true;
}
template <class Ids>
consteval bool stream_ids() {
  if constexpr (!TokenIdSequence<Ids>) {
    static_assert(streams_argument<Ids>::has_ids,
                  "krait::Streams: ids must be a contiguous range of the integers that join() returned");
    return false;
  } else {
    return true;
  }
}

// These functions check the arguments of krait::step_streams and krait::prefill_streams from left to right. If the caller
// passes no scratch or no executor, Borrowed or Threads is its default type, which is valid.
template <class Model, class S, class In, class Out, class Borrowed = StreamScratch<Model, 1>, class Threads = OneThread>
consteval bool step_streams() {
  if constexpr (!model<Model>()) return false;
  else if constexpr (!states<Model, S>()) return false;
  else if constexpr (!inputs<Model, In>()) return false;
  else if constexpr (!stream_outputs<Model, Out>()) return false;
  else if constexpr (!stream_scratch<Model, Borrowed>()) return false;
  else return executor<Threads>();
}
template <class Model, class S, class In, class Out, class Borrowed = StreamScratch<Model, 1>, class Threads = OneThread>
consteval bool prefill_streams() {
  if constexpr (!model<Model>()) return false;
  else if constexpr (!states<Model, S>()) return false;
  else if constexpr (!sequences<Model, In>()) return false;
  else if constexpr (!sequence_outputs<Model, Out>()) return false;
  else if constexpr (!stream_scratch<Model, Borrowed>()) return false;
  else return executor<Threads>();
}

}  // namespace check
}  // namespace krait

#endif
