// Defines Stack, a model that applies a user's choice of layers one after the other.
#ifndef KRAIT_NN_STACK_HPP
#define KRAIT_NN_STACK_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <initializer_list>
#include <tuple>
#include <type_traits>
#include <utility>

#include "krait/core/check.hpp"
#include "krait/core/finite.hpp"
#include "krait/nn/check_layer.hpp"
#include "krait/nn/layer.hpp"
#include "krait/nn/residual.hpp"

namespace krait {

namespace detail {

// Slot<i, T, Owner> is a base class of Owner, a Slots type. It contains object i, of type T. If T is empty, Slot contains no
// object, because an empty object beside objects that are aligned to 64 bytes would take 64 bytes. Owner is a template
// parameter so that empty slots of nested stacks have different types: two empty objects of one type must have different
// addresses, which takes space.
template <std::size_t i, class T, class Owner>
struct Slot {
  T object{};
  KRAIT_INLINE constexpr Slot() = default;
  KRAIT_INLINE bool is_finite() const noexcept { return all_finite(object); }
};
template <std::size_t i, class T, class Owner>
  requires std::is_empty_v<T>
struct Slot<i, T, Owner> {
  KRAIT_INLINE bool is_finite() const noexcept { return true; }
};

// Slots contains one object of each of the types Ts, as std::tuple does, but is trivially copyable.
template <class Places, class... Ts>
struct Slots;
template <std::size_t... i, class... Ts>
struct Slots<std::index_sequence<i...>, Ts...> : Slot<i, Ts, Slots<std::index_sequence<i...>, Ts...>>... {
  KRAIT_INLINE constexpr Slots() = default;
  KRAIT_INLINE bool is_finite() const noexcept { return (Slot<i, Ts, Slots>::is_finite() && ...); }
};
// Returns object i of a Slots object. T and Owner are deduced.
template <std::size_t i, class T, class Owner>
KRAIT_INLINE T& slot_object(Slot<i, T, Owner>& slot) { return slot.object; }

// MemberFacts<T> has the constants and types of T, a member of a stack. An array of layers counts as one layer that applies the
// array's layers in order.
template <class T>
struct MemberFacts : T {};
template <class T, std::size_t n>
struct MemberFacts<std::array<T, n>> {
  static constexpr bool works_in_place = true;
  static constexpr std::size_t d_in = T::d_in;
  static constexpr std::size_t d_out = T::d_out;
  static constexpr std::size_t multiply_adds = n * T::multiply_adds;
  // The number of members of one layer of the array, not of all n layers. step_stack_bytes uses it to bound the call stack, on
  // which the n layers run one after the other.
  static constexpr std::size_t members = Nesting<T>::members;
  static constexpr std::size_t levels = Nesting<T>::levels;
  using State = std::conditional_t<std::is_empty_v<typename T::State>, NoState, std::array<typename T::State, n>>;
  template <std::size_t tokens>
  using Scratch = typename T::template Scratch<tokens>;
};

// Returns, for each member of a stack, the number (0 or 1) of the buffer to which the member writes. A member that works in
// place writes to the buffer that it reads, and any other member writes to the other buffer. The first member reads the
// caller's input, and the last member writes to the caller's output instead of a buffer.
template <class... Members>
consteval auto assign_buffers() {
  constexpr std::size_t count = sizeof...(Members);
  constexpr std::array in_place{works_in_place<Members>...};
  std::array<std::size_t, count> buffers{};
  for (std::size_t i = 1; i + 1 < count; ++i) buffers[i] = in_place[i] ? buffers[i - 1] : 1 - buffers[i - 1];
  return buffers;
}

template <class... Members>
struct StackLayer {
  using First = std::tuple_element_t<0, std::tuple<Members...>>;
  using Last = std::tuple_element_t<sizeof...(Members) - 1, std::tuple<Members...>>;
  static constexpr bool takes_tokens = TakesTokens<First>;
  static constexpr bool summarises = (Pooling<Members> || ...);
  static constexpr std::size_t warm_up = krait::warm_up<First>;
  static constexpr std::size_t d_in = First::d_in;
  static constexpr std::size_t d_out = Last::d_out;
  static constexpr std::size_t multiply_adds = (Members::multiply_adds + ...);
  static constexpr std::size_t members = (Nesting<Members>::members + ...);
  static constexpr std::size_t levels = 1 + std::max({Nesting<Members>::levels...});
  static constexpr std::array buffers = assign_buffers<Members...>();

  // State contains the states of the members. It is an empty type if no member has a state.
  struct State : Slots<std::index_sequence_for<Members...>, typename Members::State...> {
    KRAIT_INLINE constexpr State() = default;
  };
  template <std::size_t tokens>
  struct Scratch {
    static constexpr std::size_t chunk = tokens;
    static constexpr std::size_t widest = [] {
      std::size_t channels = 1;
      const std::array outputs{Members::d_out...};
      for (std::size_t i = 0; i + 1 < outputs.size(); ++i) channels = std::max(channels, outputs[i]);
      return channels;
    }();
    std::array<TokenBuffer<tokens, widest>, 1 + *std::max_element(buffers.begin(), buffers.end())> between;
    AnyOf<typename Members::template Scratch<tokens>...> member;  // the scratch of the member that is running
  };
};

// member<T> exists so that error messages show T, the type of a stack's member.
template <class T>
struct member {
  static constexpr bool is_layer = Layer<T>;
  static constexpr bool gives_every_row = !Summarising<T>;
};
template <class T, std::size_t n>
struct member<std::array<T, n>> {
  static constexpr bool holds_residuals = is_residual<T> || requires(T block) { block.norm; block.mixer; };
};

template <class T>
inline constexpr bool member_fits = [] {
  if constexpr (requires { member<T>::holds_residuals; }) return member<T>::holds_residuals;
  else return member<T>::is_layer && member<T>::gives_every_row && check::layer_type<T, false>();
}();
constexpr std::size_t first_false(std::initializer_list<bool> values) {
  return static_cast<std::size_t>(std::find(values.begin(), values.end(), false) - values.begin());
}

// check_parts checks that Parts is declared with KRAIT_PARAMS, check_member that T can be a member of a stack, and check_seam
// that a member accepts the output of the member before it. Each function returns true if this holds. Otherwise, it causes a
// compile error, which is the only error of the stack. `name`, the name of the member, is a template parameter so that the
// error shows it.
template <class Parts>
consteval bool check_parts() {
  constexpr bool named = Reflected<Parts>;
  static_assert(named, "krait::Stack<Parts>: Parts must name its members with KRAIT_PARAMS(Parts, (Type, name), ...)");
  return named;
}
template <auto name, class T>
consteval bool check_member() {
  if constexpr (requires { member<T>::holds_residuals; }) {
    static_assert(member<T>::holds_residuals,
                  "krait::Stack<Parts>: a std::array member must consist of ResidualBlocks or Residuals");
  } else {
    static_assert(member<T>::is_layer,
                  "krait::Stack<Parts>: every member must be a layer, or a std::array of ResidualBlocks or Residuals");
    static_assert(member<T>::gives_every_row,
                  "krait::Stack<Parts>: a member must not be a krait::Mamba, nor a stack that pools, because a call can omit outputs of these models: list their layers as members instead");
  }
  return member_fits<T>;
}
// Seam<here, Members...>::fits is true if member number `here` accepts the output of the member before it.
template <std::size_t here, class... Members>
struct Seam {
  using Before = std::tuple_element_t<here == 0 ? 0 : here - 1, std::tuple<Members...>>;
  using Here = std::tuple_element_t<here, std::tuple<Members...>>;
  static constexpr bool takes_rows = !TakesTokens<Here>;
  static constexpr bool has_one_row = [] {
    constexpr std::array pools{Pooling<Members>...};
    return std::count(pools.begin(), pools.begin() + here, true) > 0;
  }();
  static constexpr bool rows_suffice = !has_one_row || std::is_empty_v<typename Here::State>;
  static constexpr bool has_no_warm_up = warm_up<Here> == 0;
  static constexpr bool fits = here == 0 || (takes_rows && Here::d_in == Before::d_out && rows_suffice && has_no_warm_up);
};
template <auto name, class Seam>
consteval bool check_seam() {
  static_assert(Seam::takes_rows,
                "krait::Stack<Parts>: only the first member may take token ids; others get vectors of floats");
  if constexpr (Seam::takes_rows)
    static_assert(check::got<Seam::Here::d_in>::template wants<Seam::Before::d_out>,
                  "krait::Stack<Parts>: d_in of each member must equal d_out of the member before it");
  static_assert(Seam::rows_suffice,
                "krait::Stack<Parts>: a layer with state must come before the pooling layer, which gives only one vector");
  static_assert(Seam::has_no_warm_up,
                "krait::Stack<Parts>: only the first member may have a warm_up (leading tokens without an output); a StridedConv1d has one if its padding is less than kernel - stride");
  return Seam::fits;
}

// MemberList lists the types of the members of a stack. The list is empty if check_parts rejected the stack.
template <class Indices, class Members>
struct MemberList {};
template <class Parts>
constexpr auto list_members() {
  if constexpr (check_parts<Parts>()) return MemberList<MemberIndices<Parts>, MemberTuple<Parts>>{};
  else return MemberList<std::index_sequence<>, std::tuple<>>{};
}
template <class Parts, std::size_t... i, class... Members>
constexpr auto stack_layer(MemberList<std::index_sequence<i...>, std::tuple<Members&...>>) {
  // Only the first invalid member is reported or, if all members are valid, the first pair of neighbouring members that do not
  // fit, so that a stack causes one error.
  constexpr std::size_t count = sizeof...(Members), wrong_member = first_false({member_fits<Members>...});
  if constexpr (count == 0) {
    return std::type_identity<RejectedLayer>{};
  } else if constexpr (wrong_member < count) {
    using Wrong = std::tuple_element_t<wrong_member, std::tuple<Members...>>;
    constexpr bool is_a_layer = check::Unfinished<Wrong> || Layer<Wrong>;
    if constexpr (is_a_layer && !check::layer_type<Wrong, false>()) (void)check::layer_type<Wrong>();
    else (void)check_member<shown_name<Parts, wrong_member>(), Wrong>();
    return std::type_identity<RejectedLayer>{};
  } else {
    constexpr std::size_t wrong_seam = first_false({Seam<i, MemberFacts<Members>...>::fits...});
    if constexpr (wrong_seam < count) {
      (void)check_seam<shown_name<Parts, wrong_seam>(), Seam<wrong_seam, MemberFacts<Members>...>>();
      return std::type_identity<RejectedLayer>{};
    } else {
      return std::type_identity<StackLayer<MemberFacts<Members>...>>{};
    }
  }
}

}  // namespace detail

// Stack<Parts> is a model that applies the members of Parts, a struct declared with KRAIT_PARAMS, one after the other. The
// names of the members are also their names in checkpoints. If the sizes of neighbouring members do not match, the program does
// not compile.
//   struct Parts { KRAIT_PARAMS(Parts, (krait::Linear<…>, linear_in), (krait::MambaBlock<…>, mixer),
//                                      (krait::MeanPool<64>, pool), (krait::Linear<…>, classifier)); };
//   using Keyword = krait::Stack<Parts>;
// A stack with a pooling layer gives one vector for the sequence so far; other stacks give one vector for every token.
template <class Parts>
struct Stack : Parts, decltype(detail::stack_layer<Parts>(detail::list_members<Parts>()))::type {};

}  // namespace krait

#endif
