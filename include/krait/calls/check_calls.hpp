// Checks the arguments of step, prefill, forward and Session at compile time.
//
// One mistake causes one error of one sentence. Each function below returns true if its argument is valid. Otherwise it causes
// one failed static assertion and returns false, and no other argument is checked. Arguments are checked from left to right.
#ifndef KRAIT_CALLS_CHECK_CALLS_HPP
#define KRAIT_CALLS_CHECK_CALLS_HPP

#include <cstddef>
#include <span>
#include <type_traits>

#include "krait/calls/arguments.hpp"
#include "krait/core/check.hpp"
#include "krait/nn/check_layer.hpp"

namespace krait::check {

// VectorOf is satisfied by a vector of n floats, and VectorsOf by a sequence of such vectors.
template <class T, std::size_t n>
concept VectorOf = FloatVector<T> && detail::length_of<T> == n;
template <class T, std::size_t n>
concept VectorsOf = VectorSequence<T> && detail::length_of<detail::element<T>> == n;

// argument<Found> exists so that error messages show Found, the type of an argument, as in argument<int>::is_layer.
template <class Found>
struct argument {
  static constexpr bool is_layer = Layer<Found>;
  static constexpr bool is_language_model = requires { Found::model_dims; };
  static constexpr bool is_token_id = TokenId<Found>;
  static constexpr bool is_token_id_sequence = TokenIdSequence<Found>;
  static constexpr bool is_float_vector = FloatVector<Found>;
  static constexpr bool is_vector_sequence = VectorSequence<Found>;
  static constexpr bool is_writable = !std::is_const_v<Found>;
  static constexpr bool is_scratch = requires { Found::chunk; };
  static constexpr bool has_known_length = detail::length_of<Found> > 0;
  static constexpr bool computes_something_for_its_output_alone = Summarising<Found>;
  template <std::size_t n>
  static constexpr bool is_vector_of = VectorOf<Found, n>;
  template <std::size_t n>
  static constexpr bool has_vectors_of = VectorsOf<Found, n>;
  template <class Passed>
  static constexpr bool outlives_the_call = std::is_lvalue_reference_v<Passed>;
};

// Rejected is the result type of a call that was rejected. It converts to every type, so that the code around the call causes
// no further errors.
struct Rejected {
  template <class T>
  operator T() const;
  Rejected operator[](std::size_t) const;
  const Rejected* begin() const;
  const Rejected* end() const;
  std::size_t size() const;
};

// KRAIT_TAKES(name, least, most, usage) declares an overload of the function `name` for calls with fewer than `least` or more
// than `most` arguments. It causes a compile error with the text `usage`, instead of an error for each of the other overloads.
#define KRAIT_TAKES(name, least, most, usage)                                              \
  template <class... Arguments>                                                            \
    requires(sizeof...(Arguments) < (least) || sizeof...(Arguments) > (most))              \
  check::Rejected name(const Arguments&...) noexcept {                                     \
    static_assert(check::got<sizeof...(Arguments)>::template between<least, most>, usage); \
    return {};                                                                             \
  }                                                                                        \
  static_assert(true)

// Checks that `Model` is a layer or model. Returns false without an error for a Stack that was rejected, because its type has
// caused an error already.
template <class Model>
consteval bool model() {
  if constexpr (Layer<Model> || Unfinished<Model>) {
    return layer_type<Model>();
  } else {
    if constexpr (!requires { Model::is_rejected; })
      static_assert(argument<Model>::is_layer, "krait: the first argument, model, must be a layer or a model");
    return false;
  }
}

// Checks that the argument `state` is a krait::State<Model>, and neither const nor a temporary. S is an lvalue reference unless
// the argument is a temporary.
template <class Model, class S>
consteval bool state() {
  using Found = std::remove_reference_t<S>;
  if constexpr (!std::is_same_v<std::remove_const_t<Found>, State<Model>>) {
    static_assert(got_type<Found>::template wants<State<Model>>,
                  "krait: the second argument, state, must be a krait::State<Model> of this model; the arguments are (model, state, x, y[, scratch])");
    return false;
  } else if constexpr (std::is_const_v<Found>) {
    static_assert(argument<Found>::is_writable, "krait: the second argument, state, must not be const, because the call advances it");
    return false;
  } else {
    static_assert(argument<Found>::template outlives_the_call<S>,
                  "krait: the second argument, state, must not be a temporary, because the next call needs it");
    return true;
  }
}

// Checks that the argument x of step is a token id, or a vector of d_in floats.
template <class Model, class In>
consteval bool input() {
  if constexpr (TakesTokens<Model>) {
    static_assert(argument<In>::is_token_id,
                  "krait::step(model, state, token, logits[, scratch]): token must be one integer, not a sequence, a bool or a float");
    return TokenId<In>;
  } else if constexpr (!FloatVector<In>) {
    static_assert(argument<In>::is_float_vector,
                  "krait::step(model, state, x, y[, scratch]): x must hold floats and have a length known at compile time: krait::Tensor<float, n>, std::array, float[n] or std::span<float, n>");
    return false;
  } else {
    static_assert(got<detail::length_of<In>>::template wants<Model::d_in>,
                  "krait::step(model, state, x, y[, scratch]): x must hold d_in elements (one token, not the whole sequence)");
    return detail::length_of<In> == Model::d_in;
  }
}

// Checks that the argument xs of prefill or forward is a sequence of token ids, or of vectors of d_in floats.
template <class Model, class In>
consteval bool inputs() {
  if constexpr (TakesTokens<Model>) {
    static_assert(argument<In>::is_token_id_sequence, "krait: xs, the token ids, must be an array, vector or span of integers, or a std::string or std::string_view; a string literal would contain a terminating zero");
    return TokenIdSequence<In>;
  } else {
    static_assert(argument<In>::template has_vectors_of<Model::d_in>,
                  "krait: xs, the tokens, must be a sequence of vectors of d_in floats, with d_in known at compile time: krait::Tensor<float, L, d_in>, or an array, vector or span of krait::Tensor<float, d_in>");
    return VectorsOf<In, Model::d_in>;
  }
}

// Checks that an output argument, of type Found, is a writable vector of d_out floats.
template <class Model, class Found>
consteval bool output_vector() {
  if constexpr (!FloatVector<Found>) {
    static_assert(argument<Found>::is_float_vector,
                  "krait: the output, y or ys, must hold floats and have a length known at compile time: krait::Tensor<float, n>, std::array, float[n] or std::span<float, n>(vector)");
    return false;
  } else if constexpr (std::is_const_v<detail::element<Found>>) {
    static_assert(argument<detail::element<Found>>::is_writable, "krait: the output, y or ys, must not be const");
    return false;
  } else {
    static_assert(got<detail::length_of<Found>>::template wants<Model::d_out>,
                  "krait: the output must hold d_out elements (for logits, vocab_size elements)");
    return detail::length_of<Found> == Model::d_out;
  }
}

// Checks that an output argument is not a temporary, whose values would be lost. Out is an lvalue reference unless the argument
// is a temporary.
template <class Out>
consteval bool output_exists() {
  static_assert(argument<std::remove_reference_t<Out>>::template outlives_the_call<Out>,
                "krait: the output, y or ys, must not be a temporary, because its values would be lost");
  return detail::exists_after_the_call<Out>;
}

// Checks the output argument: y of step or, if `several` is true, ys of prefill. Accepted are
//   - a vector of d_out floats; prefill accepts it only for a Summarising model (a language model or a stack with a pooling
//     layer)
//   - a sequence of such vectors, only by prefill
//   - krait::no_output, only for a Summarising model
// A temporary is rejected unless it is a std::span, because the memory of a span exists after the call.
template <class Model, class Out, bool several = false>
consteval bool output() {
  using Found = std::remove_reference_t<Out>;
  if constexpr (detail::is_no_output<Found>) {
    static_assert(argument<Model>::computes_something_for_its_output_alone,
                  "krait::no_output is accepted only with a language model or a stack that pools: pass a vector for the output of other layers");
    return Summarising<Model>;
  } else if constexpr (detail::Contiguous<Found> && !detail::exists_after_the_call<Out>) {
    return output_exists<Out>();
  } else if constexpr (several && VectorSequence<Found>) {
    return output_vector<Model, detail::element<Found>>();
  } else if constexpr (several && FloatVector<Found> && !Summarising<Model>) {
    static_assert(argument<Found>::is_vector_sequence,
                  "krait::prefill(layer, state, xs, ys[, scratch]): ys must be a sequence of float vectors, one for each token of xs");
    return false;
  } else {
    return output_vector<Model, Found>();
  }
}

// Checks that the argument `scratch` is a krait::Scratch<Model, n>, for any n. It may be a temporary.
template <class Model, class Borrowed>
consteval bool scratch() {
  using Found = std::remove_reference_t<Borrowed>;
  if constexpr (!requires { Found::chunk; }) {
    static_assert(argument<Found>::is_scratch, "krait: the fifth argument, scratch, must be a krait::Scratch<Model, n>");
    return false;
  } else if constexpr (std::is_const_v<Found>) {
    static_assert(argument<Found>::is_writable, "krait: the fifth argument, scratch, must not be const, because the call writes to it");
    return false;
  } else {
    static_assert(got_type<Found>::template wants<Scratch<Model, Found::chunk>>,
                  "krait: the fifth argument, scratch, must be a krait::Scratch<Model, n> of this model");
    return std::is_same_v<Found, Scratch<Model, Found::chunk>>;
  }
}

// These functions check the arguments of krait::step, krait::prefill and krait::forward from left to right. If the caller
// passes a scratch, `Borrowed` is its type; otherwise, `Borrowed` is empty.
template <class Model, class S, class In, class Out, class... Borrowed>
consteval bool step() {
  if constexpr (!model<Model>()) return false;
  else if constexpr (!state<Model, S>()) return false;
  else if constexpr (!input<Model, In>()) return false;
  else if constexpr (!output<Model, Out>()) return false;
  else return (scratch<Model, Borrowed>() && ...);
}
template <class Model, class S, class In, class Out, class... Borrowed>
consteval bool prefill() {
  if constexpr (!model<Model>()) return false;
  else if constexpr (!state<Model, S>()) return false;
  else if constexpr (!inputs<Model, In>()) return false;
  else if constexpr (!output<Model, Out, true>()) return false;
  else return (scratch<Model, Borrowed>() && ...);
}
template <class Model, class In>
consteval bool forward() {
  if constexpr (!model<Model>()) {
    return false;
  } else if constexpr (detail::Contiguous<In> && detail::length_of<In> == 0) {
    static_assert(argument<In>::has_known_length,
                  "krait::forward(model, xs): xs must have a length known at compile time and must not be empty; otherwise use krait::prefill");
    return false;
  } else {
    return inputs<Model, In>();
  }
}

template <class Model>
consteval bool session_model() {
  if constexpr (Unfinished<Model>)
    (void)layer_type<Model>();
  else if constexpr (!Layer<Model> && !requires { Model::is_rejected; })
    static_assert(argument<Model>::is_layer, "krait::Session session{model}: model must be a layer or a model");
  return true;
}
template <class Model>
consteval bool step_by_layer_model() {
  static_assert(argument<Model>::is_language_model,
                "krait::StepByLayer: the model must be a krait::Mamba; instead, call krait::step for each member of a stack");
  return true;
}
template <class Model>
consteval bool session_prefill() {
  static_assert(argument<Model>::computes_something_for_its_output_alone,
                "krait::Session::prefill(xs): the model must be a language model or a stack that pools; for other models, which give an output for each token, use krait::prefill");
  return Summarising<Model>;
}

// arguments<...> exists so that error messages show the types of all arguments of a call.
template <class... Found>
struct arguments {
  static constexpr bool fit = false;
};

}  // namespace krait::check

#endif
