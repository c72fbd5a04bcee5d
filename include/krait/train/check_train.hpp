// Checks the arguments of record and backward at compile time, as check_calls.hpp does for step.
#ifndef KRAIT_TRAIN_CHECK_TRAIN_HPP
#define KRAIT_TRAIN_CHECK_TRAIN_HPP

#include <cstddef>
#include <type_traits>

#include "krait/calls/check_calls.hpp"
#include "krait/train/tape.hpp"

namespace krait::check {

// True if Found is Of<Model, Selection> for a selection of parameters.
template <class Found, template <class, class> class Of, class Model>
inline constexpr bool is_for_a_selection = false;
template <class Found, template <class, class> class Of, class Model>
  requires requires { typename Found::Selection; }
inline constexpr bool is_for_a_selection<Found, Of, Model> = std::is_same_v<Found, Of<Model, typename Found::Selection>>;

// trained<Found> makes the type of an argument of record or backward appear in error messages.
template <class Found>
struct trained {
  static constexpr bool is_tape = requires { Found::window; };
  static constexpr bool has_f32_weights = false;
  static constexpr bool has_input_gradient = false;
  static constexpr bool selects_a_parameter = false;
  template <bool found>
  static constexpr bool has_backward = found;
  template <bool only>
  static constexpr bool selects_only_matrices = only;
  template <bool fits>
  static constexpr bool has_gradients = fits;
  template <bool fit>
  static constexpr bool are_workers = fit;
};

template <class T>
concept StoresFloats = std::is_same_v<typename decltype(T::values)::value_type, float>;

// True if all parameters of a model have the storage type f32.
template <class Model>
consteval bool all_f32() {
  bool all = true;
  const auto look = [&]<class Part>(detail::NoPath, std::size_t) {
    if constexpr (Parameter<Part>) all &= StoresFloats<Part>;
  };
  detail::visit_types<Model>(detail::NoPath{}, 1, look);
  return all;
}

// Checks that the model's layers can be trained.
template <class Model>
consteval bool trainable() {
  if constexpr (!model<Model>()) {
    return false;
  } else if constexpr (!all_f32<Model>()) {
    static_assert(trained<Model>::has_f32_weights,
                  "krait: only weights of the storage type f32 can be trained: train a model with f32 weights, and convert it afterwards with krait::convert");
    return false;
  } else {
    constexpr bool supported = detail::Recording<Model, typename Gradients<Model>::Sums, false>::supported;
    static_assert(trained<Model>::template has_backward<supported>,
                  "krait: this model cannot be trained, because the blocks of Mamba-3 and user-defined layers have no backward pass");
    return supported;
  }
}

// Checks the argument tape.
template <class Model, class Found>
consteval bool tape() {
  if constexpr (!trained<Found>::is_tape) {
    static_assert(trained<Found>::is_tape, "krait: the tape must be a krait::Tape<Model, tokens>, as in record(model, state, xs, ys, tape) and backward(model, tape, dys, gradients)");
    return false;
  } else if constexpr (!std::is_same_v<std::remove_const_t<Found>, Tape<Model, Found::window, typename Found::Selection>>) {
    static_assert(got_type<Found>::template wants<Tape<Model, Found::window, typename Found::Selection>>,
                  "krait: the tape must be a krait::Tape<Model, tokens> of this model");
    return false;
  } else if constexpr (!detail::is_trained<typename Found::Gradient>) {
    static_assert(trained<typename Found::Selection>::selects_a_parameter,
                  "krait: the tape's selection must select at least one parameter of the model, but trains(name) returns false for every name");
    return false;
  } else {
    static_assert(argument<Found>::is_writable, "krait: the tape must not be const, because the call writes to it");
    return argument<Found>::is_writable;
  }
}

// Checks the outputs of record and their gradients: one vector for a stack that pools, and a sequence of vectors otherwise.
template <class Model, class Out>
consteval bool recorded_outputs() {
  using Found = std::remove_reference_t<Out>;
  if constexpr (detail::Contiguous<Found> && !detail::exists_after_the_call<Out>) {
    return output_exists<Out>();
  } else if constexpr (gives_one_row<Model> && VectorSequence<Found>) {
    static_assert(argument<Found>::is_float_vector, "krait::record: ys must be one vector of d_out floats, because the model pools");
    return false;
  } else if constexpr (gives_one_row<Model>) {
    return output_vector<Model, Found>();
  } else if constexpr (!VectorSequence<Found>) {
    static_assert(argument<Found>::is_vector_sequence,
                  "krait::record: ys must be a sequence of float vectors, one for each token, such as krait::Tensor<float, L, d_out>");
    return false;
  } else {
    return output_vector<Model, detail::element<Found>>();
  }
}
template <class Model, class In>
consteval bool output_gradients() {
  using Found = argument<std::remove_const_t<std::remove_reference_t<In>>>;
  if constexpr (gives_one_row<Model>) {
    static_assert(Found::template is_vector_of<Model::d_out>,
                  "krait::backward: dys must be one vector of d_out floats, because the model pools");
    return Found::template is_vector_of<Model::d_out>;
  } else {
    static_assert(Found::template has_vectors_of<Model::d_out>,
                  "krait::backward: dys must be a sequence of vectors of d_out floats, one for each token, such as krait::Tensor<float, L, d_out>");
    return Found::template has_vectors_of<Model::d_out>;
  }
}

// Checks that a window whose length is known at compile time is not longer than the tape.
template <class In, class T>
consteval bool fits_the_tape() {
  constexpr std::size_t tokens = detail::length_of<In>;
  static_assert(got<tokens>::template at_most<T::window>,
                "krait::record(model, state, xs, ys, tape): the window xs must not be longer than the tape, krait::Tape<Model, tokens>");
  return tokens <= T::window;
}
template <class Model, class S, class In, class Out, class T>
consteval bool record() {
  if constexpr (!trainable<Model>()) return false;
  else if constexpr (!state<Model, S>()) return false;
  else if constexpr (!inputs<Model, In>()) return false;
  else if constexpr (!recorded_outputs<Model, Out>()) return false;
  else if constexpr (!tape<Model, std::remove_reference_t<T>>()) return false;
  else return fits_the_tape<In, std::remove_reference_t<T>>();
}

template <class Model, class T, class G>
consteval bool gradients() {
  static_assert(got_type<G>::template wants<Gradients<Model, typename T::Selection>>,
                "krait::backward(model, tape, dys, gradients): gradients must be a krait::Gradients<Model, Trained> with the same Trained as the tape");
  return std::is_same_v<G, Gradients<Model, typename T::Selection>>;
}
// Checks the argument dxs of backward: krait::no_output, or a sequence of vectors of d_in floats.
template <class Model, class T, class Out>
consteval bool input_gradients() {
  using Found = std::remove_reference_t<Out>;
  if constexpr (detail::is_no_output<Found>) {
    return true;
  } else if constexpr (!T::input_gradient) {
    static_assert(trained<T>::has_input_gradient,
                  "krait::backward: dxs must be krait::no_output, because token ids have no gradient, or because the tape's selection lacks input_gradient = true");
    return false;
  } else {
    static_assert(argument<Found>::template has_vectors_of<Model::d_in>,
                  "krait::backward: dxs must be a sequence of vectors of d_in floats, one for each token");
    return argument<Found>::template has_vectors_of<Model::d_in>;
  }
}
// Checks that a tape can give the gradient of the state.
template <class T>
consteval bool state_gradient() {
  static_assert(got_type<typename T::Selection>::template wants<Everything>,
                "krait::backward: the gradient of the state, dstate, requires a tape whose selection is krait::Everything");
  return std::is_same_v<typename T::Selection, Everything>;
}
template <class Model, class T, class In, class G, class Out = const NoOutput>
consteval bool backward() {
  if constexpr (!trainable<Model>()) return false;
  else if constexpr (!tape<Model, T>()) return false;
  else if constexpr (!output_gradients<Model, In>()) return false;
  else if constexpr (!gradients<Model, T, G>()) return false;
  else return input_gradients<Model, T, Out>();
}

// Checks that the moments or the memory of Muon, M, select only parameters whose gradients G contains.
template <class Model, class M, class G>
consteval bool selects_no_more() {
  constexpr bool fits = [] {
    constexpr auto of_moments = detail::mask_of<Model, typename M::Selection>();
    constexpr auto of_gradients = detail::mask_of<Model, typename G::Selection>();
    for (std::size_t i = 0; i < of_moments.trained.size(); ++i)
      if (of_moments.trained[i] && !of_gradients.trained[i]) return false;
    return true;
  }();
  static_assert(trained<typename M::Selection>::template has_gradients<fits>,
                "krait: the moments or the MuonMemory cover a parameter without a gradient; use one Selection for both");
  return fits;
}

// Checks the first three arguments of adamw or muon. The third is the optimiser's memory: Moments or MuonMemory.
template <template <class, class> class Memory, class Model, class G, class M>
consteval bool optimiser() {
  if constexpr (std::is_const_v<Model>) {
    static_assert(argument<Model>::is_writable, "krait: the first argument, model, must not be const, because the call changes its weights");
    return false;
  } else if constexpr (!is_for_a_selection<G, Gradients, Model>) {
    static_assert(got_type<G>::template wants<Gradients<Model>>,
                  "krait: the second argument, gradients, must be a krait::Gradients<Model> of this model");
    return false;
  } else if constexpr (!is_for_a_selection<M, Memory, Model>) {
    static_assert(got_type<M>::template wants<Memory<Model, typename G::Selection>>,
                  "krait: the third argument must be a krait::Moments<Model> (for adamw) or a krait::MuonMemory<Model, Trained> (for muon) of this model");
    return false;
  } else {
    return selects_no_more<Model, M, G>();
  }
}
// Checks the arguments of muon.
template <class Model, class G, class M>
consteval bool muon() {
  if constexpr (!optimiser<MuonMemory, Model, G, M>()) {
    return false;
  } else {
    constexpr bool only_matrices = detail::selects_matrices<Model, typename M::Selection>();
    static_assert(trained<M>::template selects_only_matrices<only_matrices>,
                  "krait::muon: memory must select only matrices, which are the weights of linear layers and embeddings");
    return only_matrices;
  }
}

// Checks the argument workers of accumulate, whose workers have gradients of type G.
template <class Workers, class G>
consteval bool workers() {
  constexpr bool fit = requires(Workers& all) {
    std::size(all);
    requires std::is_same_v<decltype(std::data(all)->gradients), G>;
  };
  static_assert(trained<std::remove_cvref_t<Workers>>::template are_workers<fit>,
                "krait::accumulate(streams, workers, gradients, compute): workers must be an array, vector or span of krait::Worker<Model, tokens, Trained>, with the Model and Trained of gradients");
  return fit;
}

// The functions below check the arguments of the losses from left to right: the outputs, what they should be, the gradients.
template <class Found>
consteval bool outputs_of_loss() {
  static_assert(argument<Found>::is_float_vector || VectorSequence<Found>,
                "krait: the first argument of a loss must be a vector of floats whose length is known at compile time, or a sequence of such vectors");
  return FloatVector<Found> || VectorSequence<Found>;
}
template <class Given, class Found>
consteval bool gradient_output() {
  using Gradient = std::remove_reference_t<Found>;
  if constexpr (detail::Contiguous<Gradient> && !detail::exists_after_the_call<Found>) {
    return output_exists<Found>();
  } else {
    constexpr bool alike = [] {
      if constexpr (VectorSequence<Given> && VectorSequence<Gradient>)
        return detail::length_of<detail::element<Given>> == detail::length_of<detail::element<Gradient>> &&
               !std::is_const_v<detail::element<detail::element<Gradient>>>;
      else if constexpr (!VectorSequence<Given> && FloatVector<Gradient> && !VectorSequence<Gradient>)
        return detail::length_of<Given> == detail::length_of<Gradient> && !std::is_const_v<detail::element<Gradient>>;
      else return false;
    }();
    static_assert(got_type<Gradient>::template wants<Given> || alike,
                  "krait: the last argument, the gradient, must have the first argument's shape and must not be const");
    return alike;
  }
}
template <class Logits, class Targets, class Out>
consteval bool cross_entropy() {
  if constexpr (!outputs_of_loss<Logits>()) {
    return false;
  } else if constexpr (VectorSequence<Logits> && !TokenIdSequence<Targets>) {
    static_assert(argument<Targets>::is_token_id_sequence,
                  "krait::cross_entropy(logits, targets, dlogits): targets must be a sequence of integers, one for each vector of logits");
    return false;
  } else if constexpr (!VectorSequence<Logits> && !TokenId<Targets>) {
    static_assert(argument<Targets>::is_token_id, "krait::cross_entropy(logits, target, dlogits): target must be one integer");
    return false;
  } else {
    return gradient_output<Logits, Out>();
  }
}
template <class Y, class Target, class Out>
consteval bool squared_error() {
  if constexpr (!outputs_of_loss<Y>()) {
    return false;
  } else {
    constexpr bool alike = [] {
      if constexpr (VectorSequence<Y> && VectorSequence<Target>)
        return detail::length_of<detail::element<Y>> == detail::length_of<detail::element<Target>>;
      else if constexpr (!VectorSequence<Y> && FloatVector<Target>) return detail::length_of<Y> == detail::length_of<Target>;
      else return false;
    }();
    static_assert(got_type<Target>::template wants<Y> || alike, "krait::squared_error(y, target, dy): target must have the shape of y");
    if constexpr (alike) return gradient_output<Y, Out>();
    else return false;
  }
}

}  // namespace krait::check

#endif
