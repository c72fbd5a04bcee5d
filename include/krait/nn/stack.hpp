// Layers of your own choice, one after the other.
#ifndef KRAIT_NN_STACK_HPP
#define KRAIT_NN_STACK_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <new>
#include <tuple>
#include <type_traits>
#include <utility>

#include "krait/core/check.hpp"
#include "krait/core/finite.hpp"
#include "krait/nn/layer.hpp"

namespace krait {

namespace detail {

// One object of type T, or none if T is empty: empty objects beside neighbours aligned to 64 bytes would take 64 bytes each.
template <std::size_t i, class T>
struct Slot {
  T object{};
  KRAIT_INLINE constexpr Slot() = default;
  KRAIT_INLINE bool is_finite() const noexcept { return all_finite(object); }
};
template <std::size_t i, class T>
  requires std::is_empty_v<T>
struct Slot<i, T> {
  KRAIT_INLINE bool is_finite() const noexcept { return true; }
};

// One object of each type. Trivially copyable, which std::tuple is not.
template <class Places, class... Ts>
struct Slots;
template <std::size_t... i, class... Ts>
struct Slots<std::index_sequence<i...>, Ts...> : Slot<i, Ts>... {
  KRAIT_INLINE constexpr Slots() = default;
  KRAIT_INLINE bool is_finite() const noexcept { return (Slot<i, Ts>::is_finite() && ...); }
};

// The storage of one object of any of the types, which must be trivially default-constructible.
template <class... Ts>
struct AnyOf {
  alignas(Ts...) std::array<std::byte, std::max({sizeof(Ts)...})> bytes;

  template <class T>
  KRAIT_INLINE T& start() { return *::new (static_cast<void*>(bytes.data())) T; }
};

// The facts of a member: the layer's own, or for an array of layers, those of all of them in turn.
template <class T>
struct MemberFacts : T {};
template <class T, std::size_t n>
struct MemberFacts<std::array<T, n>> {
  static constexpr bool works_in_place = true;
  static constexpr std::size_t d_in = T::d_in;
  static constexpr std::size_t d_out = T::d_out;
  static constexpr std::size_t multiply_adds = n * T::multiply_adds;
  using State = std::array<typename T::State, n>;
  template <std::size_t tokens>
  using Scratch = typename T::template Scratch<tokens>;
};

// Members, those of stacks in stacks included, and how deep these are nested: 1 and 0 for other layers.
template <class T>
inline constexpr std::size_t members_of = 1;
template <class T>
  requires requires { T::levels; }
inline constexpr std::size_t members_of<T> = T::members;
template <class T>
inline constexpr std::size_t levels_of = 0;
template <class T>
  requires requires { T::levels; }
inline constexpr std::size_t levels_of<T> = T::levels;

// Each member but the last writes one of at most two buffers: the buffer that it reads if it works in place, else the other.
// The first member reads the caller's tokens and the last one writes the caller's output, so neither needs a second buffer.
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
  static constexpr std::size_t d_in = First::d_in;
  static constexpr std::size_t d_out = Last::d_out;
  static constexpr std::size_t multiply_adds = (Members::multiply_adds + ...);
  static constexpr std::size_t members = (members_of<Members> + ...);
  static constexpr std::size_t levels = 1 + std::max({levels_of<Members>...});
  static constexpr std::array buffers = assign_buffers<Members...>();  // the buffer that each member writes

  struct State {
    Slots<std::index_sequence_for<Members...>, typename Members::State...> members;
    KRAIT_INLINE constexpr State() = default;
    KRAIT_INLINE bool is_finite() const noexcept { return members.is_finite(); }
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
    AnyOf<typename Members::template Scratch<tokens>...> member;  // of the member that runs
  };
};

// A member's type, made visible in messages.
template <class T>
struct member {
  static constexpr bool is_layer = Layer<T>;
  static constexpr bool gives_every_row = !Summarising<T>;
};
template <class T, std::size_t n>
struct member<std::array<T, n>> {
  static constexpr bool holds_residual_blocks = requires(T block) { block.norm; block.mixer; };
};

// Each of these stands for one misuse: true if all is well, and otherwise the only error there is.
template <class Parts>
consteval bool check_parts() {
  constexpr bool named = Reflected<Parts>;
  static_assert(named, "krait::Stack<Parts>: Parts must name its members with KRAIT_PARAMS(Parts, (Type, name), ...)");
  return named;
}
template <class T>
consteval bool check_member() {
  if constexpr (requires { member<T>::holds_residual_blocks; }) {
    static_assert(member<T>::holds_residual_blocks,
                  "krait::Stack<Parts>: an array member must hold ResidualBlocks: they alone work in place");
    return member<T>::holds_residual_blocks;
  } else {
    static_assert(member<T>::is_layer, "krait::Stack<Parts>: every member must be a layer, or a std::array of ResidualBlocks");
    static_assert(member<T>::gives_every_row,
                  "krait::Stack<Parts>: a member must give a row for every row: name the parts of a stack that pools, or of a Mamba, in its place");
    return member<T>::is_layer && member<T>::gives_every_row;
  }
}
// The place `here` among all members, judged by those before it.
template <std::size_t here, class... Members>
consteval bool check_seam() {
  if constexpr (here > 0) {
    using Before = std::tuple_element_t<here - 1, std::tuple<Members...>>;
    using Here = std::tuple_element_t<here, std::tuple<Members...>>;
    constexpr bool takes_rows = !TakesTokens<Here>;
    constexpr bool fits = Here::d_in == Before::d_out;
    constexpr std::array pools{Pooling<Members>...};
    constexpr bool one_row_left = std::count(pools.begin(), pools.begin() + here, true) > 0;
    constexpr bool rows_suffice = !one_row_left || std::is_empty_v<typename Here::State>;
    static_assert(takes_rows, "krait::Stack<Parts>: a member that takes tokens must come first: behind it there are rows");
    if constexpr (takes_rows)
      static_assert(check::got<Here::d_in>::template wants<Before::d_out>,
                    "krait::Stack<Parts>: a member must take what the one before it gives: d_in = d_out of its neighbour");
    static_assert(rows_suffice,
                  "krait::Stack<Parts>: behind a pooling layer only layers without state can stand: there is one row left");
    return takes_rows && fits && rows_suffice;
  }
  return true;
}

// Base of a Stack whose members were rejected: not a layer, which suppresses follow-on errors.
struct RejectedStack {
  static constexpr bool is_rejected = true;
  using State = NoState;
  template <std::size_t tokens>
  using Scratch = NoScratch<tokens>;
};

// The members of Parts as types; none if Parts was rejected.
template <class Indices, class Members>
struct MemberList {};
template <class Parts>
constexpr auto list_members() {
  if constexpr (check_parts<Parts>()) return MemberList<MemberIndices<Parts>, MemberTuple<Parts>>{};
  else return MemberList<std::index_sequence<>, std::tuple<>>{};
}
template <std::size_t... i, class... Members>
constexpr auto stack_layer(MemberList<std::index_sequence<i...>, std::tuple<Members&...>>) {
  if constexpr (sizeof...(Members) == 0 || !(check_member<Members>() && ...)) return std::type_identity<RejectedStack>{};
  else if constexpr (!(check_seam<i, MemberFacts<Members>...>() && ...)) return std::type_identity<RejectedStack>{};
  else return std::type_identity<StackLayer<MemberFacts<Members>...>>{};
}

}  // namespace detail

// Stack<Parts>: the members of Parts, a struct declared with KRAIT_PARAMS, applied in their order; names stay the
// checkpoint's keys, and neighbours that do not fit do not compile.
//   struct Parts { KRAIT_PARAMS(Parts, (krait::Linear<…>, linear_in), (krait::MambaBlock<…>, mixer),
//                                      (krait::MeanPool<64>, pool), (krait::Linear<…>, classifier)); };
//   using Keyword = krait::Stack<Parts>;
// With a pooling member it makes one row of a sequence, the summary so far; without, a row for every row.
template <class Parts>
struct Stack : Parts, decltype(detail::stack_layer(detail::list_members<Parts>()))::type {};

}  // namespace krait

#endif
