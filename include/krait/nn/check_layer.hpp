// Checks that a type meets the requirements on layers that nn/layer.hpp specifies, for krait::check_layer and for the first use
// of a layer.
#ifndef KRAIT_NN_CHECK_LAYER_HPP
#define KRAIT_NN_CHECK_LAYER_HPP

#include <concepts>
#include <cstddef>
#include <type_traits>

#include "krait/core/check.hpp"
#include "krait/core/reflect.hpp"
#include "krait/nn/layer.hpp"

namespace krait::check {

// The size of a struct that has the members which KRAIT_PARAMS declares for L, and no others.
template <class L>
inline constexpr std::size_t declared_bytes = sizeof(L);
template <Reflected L>
inline constexpr std::size_t declared_bytes<L> = []<std::size_t... i>(std::index_sequence<i...>) {
  std::size_t size = 0;
  const auto round_up = [&](std::size_t alignment) { size = ceil_div(size, alignment) * alignment; };
  ((round_up(alignof(detail::Member<L, i>)), size += sizeof(detail::Member<L, i>)), ...);
  round_up(alignof(L));
  return size;
}(detail::MemberIndices<L>{});

// layer<L> exists so that error messages show L, the type of a layer. For example, the message for a layer MyLayer without d_in
// contains layer<MyLayer>::has_d_in.
template <class L>
struct layer {
  static constexpr bool has_d_in = requires { { L::d_in } -> std::same_as<const std::size_t&>; };
  static constexpr bool has_d_out = requires { { L::d_out } -> std::same_as<const std::size_t&>; };
  static constexpr bool has_multiply_adds = requires { { L::multiply_adds } -> std::same_as<const std::size_t&>; };
  static constexpr bool has_state = requires { typename L::State; };
  static constexpr bool has_scratch = requires { typename L::template Scratch<4>; };
  static constexpr bool is_trivially_copyable_aggregate = std::is_trivially_copyable_v<L> && std::is_aggregate_v<L>;
  static constexpr bool names_its_members = std::is_empty_v<L> || Reflected<L>;
  static constexpr bool declares_all_members = sizeof(L) <= declared_bytes<L>;
  static constexpr bool marks_are_constants = !requires { typename L::works_in_place; } && !requires { typename L::pools; } &&
      !requires { typename L::takes_tokens; } && !requires { typename L::summarises; } && !requires { typename L::no_segment; };
  static constexpr bool has_run = false;
  static constexpr bool run_is_a_template = false;
  static constexpr bool run_takes_a_const_layer = false;
  static constexpr bool run_takes_its_state_by_reference = false;
  static constexpr bool run_takes_the_layer_by_reference = false;
};

// layer_member<name, T> exists so that error messages show the name and the type T of a member that KRAIT_PARAMS declares.
template <auto name, class T>
struct layer_member {
  static constexpr bool is_weights = detail::holds_weights<T>;
};
template <class L, std::size_t i>
using LayerMember = layer_member<detail::shown_name<L, i>(), detail::Member<L, i>>;

// The number of members of the reflected struct L before the first that is neither weights nor a layer nor an array of layers.
template <class L>
inline constexpr std::size_t members_before_a_foreign_one = []<std::size_t... i>(std::index_sequence<i...>) {
  std::size_t count = 0;
  (void)((detail::holds_weights<detail::Member<L, i>> && (++count, true)) && ...);
  return count;
}(detail::MemberIndices<L>{});
template <class L>
inline constexpr bool has_foreign_member = false;
template <Reflected L>
inline constexpr bool has_foreign_member<L> = members_before_a_foreign_one<L> < detail::MemberIndices<L>::size();

// Unfinished is satisfied by types that are meant to be layers, because they have some constant or type of a layer, but that
// lack another. Errors name what is lacking.
template <class T>
concept Unfinished = !Layer<T> && !requires { T::is_rejected; } &&
                     (requires { T::d_in; } || requires { T::d_out; } || requires { T::multiply_adds; });

// state_type<S> exists so that error messages show S, the State type of a layer. `new const S`, which is only compiled, never
// run, is valid only if every member has an initialiser.
template <class S>
struct state_type {
  static constexpr bool is_trivially_copyable = std::is_trivially_copyable_v<S>;
  static constexpr bool initialises_its_members = std::is_empty_v<S> || requires { new const S; };
};

// scratch_type<One, Four> exists so that error messages show One and Four, the types Scratch<1> and Scratch<4> of a layer.
template <class One, class Four>
struct scratch_type {
  static constexpr bool is_trivial = std::is_trivially_copyable_v<Four> && std::is_trivially_default_constructible_v<Four>;
  static constexpr bool has_chunk = requires { requires One::chunk == 1 && Four::chunk == 4; };
  static constexpr bool holds_one_token = sizeof(One) <= sizeof(Four) && alignof(One) <= alignof(Four);
};

// ScratchFacts<L> are the facts about the Scratch of the layer L.
template <class L>
using ScratchFacts = scratch_type<typename L::template Scratch<1>, typename L::template Scratch<4>>;

// run_result<T> exists so that error messages show T, the type that a layer's `run` returns.
template <class T>
struct run_result {
  static constexpr bool is_a_count = std::is_same_v<T, std::size_t>;
};

// Checks that T, the type that the function `run` of the layer L returns, is std::size_t if L has a warm_up.
template <class L, class T>
consteval void layer_run_result() {
  if constexpr (warm_up<L> > 0)
    static_assert(run_result<T>::is_a_count,
                  "krait: with a warm_up, run must return std::size_t, the number of tokens without output");
}

// RunFault is how a layer's function `run` differs from the signature that nn/layer.hpp specifies. `unknown` includes that
// there is no `run`.
enum class RunFault { none, unknown, no_template, changes_its_layer, copies_its_layer, copies_its_state };

// Returns whether `fault`, the fault of the function `run` of the layer L, is `none`; any other fault causes a compile error.
// However often the layer is used, this is the only error.
template <class L, RunFault fault>
consteval bool check_run() {
  if constexpr (fault == RunFault::no_template)
    static_assert(layer<L>::run_is_a_template,
                  "krait: the layer's function run must be a template with the parameter <std::size_t tokens>, the largest n of a call");
  else if constexpr (fault == RunFault::changes_its_layer)
    static_assert(layer<L>::run_takes_a_const_layer,
                  "krait: the layer's function run must take a const layer, const L&, because its weights may be in flash");
  else if constexpr (fault == RunFault::copies_its_layer)
    static_assert(layer<L>::run_takes_the_layer_by_reference,
                  "krait: the layer's function run must take the layer by reference, const L&, because a copy of its weights would be on the call stack");
  else if constexpr (fault == RunFault::copies_its_state)
    static_assert(layer<L>::run_takes_its_state_by_reference,
                  "krait: the layer's function run must take the state by reference, krait::State<L>&, because it advances the state");
  else if constexpr (fault == RunFault::unknown && (Pooling<L> || summarises<L>))
    static_assert(layer<L>::has_run,
                  "krait: a layer L with pools or summarises = true needs, before its first use and in its namespace, template <std::size_t tokens> void run(const L&, krait::State<L>&, krait::Scratch<L, tokens>&, krait::TokenSpan<const float> in, krait::TokenSpan<float> out, std::size_t n, krait::Emit)");
  else if constexpr (fault == RunFault::unknown)
    static_assert(layer<L>::has_run,
                  "krait: the layer L needs, before its first use and in its namespace, template <std::size_t tokens> void run(const L&, krait::State<L>&, krait::Scratch<L, tokens>&, krait::TokenSpan<const float> in, krait::TokenSpan<float> out, std::size_t n)");
  return fault == RunFault::none;
}

// Returns whether the type L meets every requirement on layers except those on the function `run`. If `report` is true, the
// first requirement that L does not meet causes a compile error. The requirements after it are not checked.
template <class L, bool report = true>
consteval bool layer_type() {
  using Facts = layer<L>;
  if constexpr (!Facts::has_d_in) {
    if constexpr (report)
      static_assert(Facts::has_d_in,
                    "krait: the layer needs `static constexpr std::size_t d_in`, the number of floats in its input for one token");
  } else if constexpr (!Facts::has_d_out) {
    if constexpr (report)
      static_assert(Facts::has_d_out,
                    "krait: the layer needs `static constexpr std::size_t d_out`, the number of floats in its output for one token");
  } else if constexpr (L::d_in == 0) {
    if constexpr (report) static_assert(got<L::d_in>::template at_least<1>, "krait: d_in must be at least 1");
  } else if constexpr (L::d_out == 0) {
    if constexpr (report) static_assert(got<L::d_out>::template at_least<1>, "krait: d_out must be at least 1");
  } else if constexpr (!Facts::has_multiply_adds) {
    if constexpr (report)
      static_assert(Facts::has_multiply_adds,
                    "krait: the layer needs `static constexpr std::size_t multiply_adds`, the number of multiply-adds for one token");
  } else if constexpr (!Facts::has_state) {
    if constexpr (report)
      static_assert(Facts::has_state,
                    "krait: the layer needs a type State; if it keeps nothing between tokens, write using State = krait::NoState");
  } else if constexpr (!state_type<typename L::State>::is_trivially_copyable) {
    if constexpr (report)
      static_assert(state_type<typename L::State>::is_trivially_copyable,
                    "krait: State must be trivially copyable, because a snapshot copies its bytes");
  } else if constexpr (!state_type<typename L::State>::initialises_its_members) {
    if constexpr (report)
      static_assert(state_type<typename L::State>::initialises_its_members,
                    "krait: State must be a struct in which every member has an initialiser, as in float sum[8]{}, because a declared State starts a sequence");
  } else if constexpr (!Facts::has_scratch) {
    if constexpr (report)
      static_assert(Facts::has_scratch,
                    "krait: the layer needs a member template <std::size_t tokens> struct Scratch, or template <std::size_t tokens> using Scratch = krait::NoScratch<tokens>");
  } else if constexpr (!ScratchFacts<L>::is_trivial) {
    if constexpr (report)
      static_assert(ScratchFacts<L>::is_trivial,
                    "krait: Scratch must be a trivial type, without default member initialisers, because it is uninitialised memory");
  } else if constexpr (!ScratchFacts<L>::has_chunk) {
    if constexpr (report)
      static_assert(ScratchFacts<L>::has_chunk,
                    "krait: Scratch<tokens> needs `static constexpr std::size_t chunk = tokens`");
  } else if constexpr (!ScratchFacts<L>::holds_one_token) {
    if constexpr (report)
      static_assert(ScratchFacts<L>::holds_one_token,
                    "krait: Scratch<1> must not be larger than Scratch<4>, because callers may pass either to step");
  } else if constexpr (!Facts::marks_are_constants) {
    if constexpr (report)
      static_assert(Facts::marks_are_constants,
                    "krait: works_in_place, pools, takes_tokens, summarises and no_segment must be constants, as in static constexpr bool works_in_place = true");
  } else if constexpr (!Facts::is_trivially_copyable_aggregate) {
    if constexpr (report)
      static_assert(Facts::is_trivially_copyable_aggregate,
                    "krait: the layer must be a trivially copyable aggregate, without constructors");
  } else if constexpr (!Facts::names_its_members) {
    if constexpr (report)
      static_assert(Facts::names_its_members,
                    "krait: the layer must declare its data members with KRAIT_PARAMS(Type, (MemberType, member), ...), because load ignores all other members");
  } else if constexpr (has_foreign_member<L>) {
    if constexpr (report)
      static_assert(LayerMember<L, members_before_a_foreign_one<L>>::is_weights,
                    "krait: each member in KRAIT_PARAMS must be weights (krait::Matrix, Vector, Taps or DecayRates), a layer, or a std::array of layers, because load and save process nothing else");
  } else if constexpr (!Facts::declares_all_members) {
    if constexpr (report)
      static_assert(Facts::declares_all_members,
                    "krait: KRAIT_PARAMS must declare every data member of the layer, because load and save ignore all others");
  } else {
    return true;
  }
  return false;
}

}  // namespace krait::check

#endif
