// Layers of your own choice, one after the other.
#ifndef KRAIT_NN_STACK_HPP
#define KRAIT_NN_STACK_HPP

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "krait/core/check.hpp"
#include "krait/nn/layer.hpp"

namespace krait {

namespace detail {

// One object of each type, as a trivially copyable aggregate (std::tuple is none). Empty ones, which most layers' states are,
// take no room: beside neighbours that are aligned to 64 bytes each would take as many.
template <class... Ts>
inline constexpr bool all_empty = (std::is_empty_v<Ts> && ...);
template <class... Ts>
struct Pack {};
template <class First, class... Rest>
  requires(!all_empty<First> && all_empty<Rest...>)
struct Pack<First, Rest...> {
  First first;
};
template <class First, class... Rest>
  requires(!all_empty<First> && !all_empty<Rest...>)
struct Pack<First, Rest...> {
  First first;
  Pack<Rest...> rest;
};
template <class First, class... Rest>
  requires(all_empty<First> && !all_empty<Rest...>)
struct Pack<First, Rest...> {
  Pack<Rest...> rest;
};

// Room for one object of any of the types.
template <class... Ts>
union OneOf {};
template <class First, class... Rest>
union OneOf<First, Rest...> {
  First first;
  OneOf<Rest...> rest;
};

// A member's facts: the layer itself, or for an array of layers, those of all in turn.
template <class T>
struct MemberFacts : T {};
template <class T, std::size_t n>
struct MemberFacts<std::array<T, n>> {
  static constexpr std::size_t d_in = T::d_in;
  static constexpr std::size_t d_out = T::d_out;
  static constexpr std::size_t multiply_adds = n * T::multiply_adds;
  static constexpr bool works_in_place = true;
  using State = std::array<typename T::State, n>;
  template <std::size_t tokens>
  using Scratch = typename T::template Scratch<tokens>;
};

template <class... Members>
struct StackFacts;
template <class Last>
struct StackFacts<Last> {
  static constexpr std::size_t d_out = Last::d_out;
  static constexpr std::size_t widest = 1;  // of the rows between members
  static constexpr bool needs_two_rows = false;
  static constexpr bool pools = Pooling<Last>;
};
template <class First, class Second, class... Rest>
struct StackFacts<First, Second, Rest...> {
  using Behind = StackFacts<Second, Rest...>;
  static constexpr std::size_t d_out = Behind::d_out;
  static constexpr std::size_t widest = std::max(First::d_out, Behind::widest);
  static constexpr bool needs_two_rows = (sizeof...(Rest) > 0 && !works_in_place<Second>) || Behind::needs_two_rows;
  static constexpr bool pools = Pooling<First> || Behind::pools;
};

struct TokenMark {
  static constexpr bool takes_tokens = true;
};
struct SummaryMark {
  static constexpr bool summarises = true;
};
template <int>
struct Nothing {};

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

template <class First, class... Rest>
struct StackLayer : std::conditional_t<requires { requires First::takes_tokens; }, TokenMark, Nothing<0>>,
                    std::conditional_t<StackFacts<First, Rest...>::pools, SummaryMark, Nothing<1>> {
  using Facts = StackFacts<First, Rest...>;
  static constexpr std::size_t d_in = First::d_in;
  static constexpr std::size_t d_out = Facts::d_out;
  static constexpr std::size_t multiply_adds = (First::multiply_adds + ... + Rest::multiply_adds);
  static constexpr std::size_t members = (members_of<First> + ... + members_of<Rest>);
  static constexpr std::size_t levels = 1 + std::max({levels_of<First>, levels_of<Rest>...});
  struct State {
    Pack<typename First::State, typename Rest::State...> members;
  };
  template <std::size_t tokens>
  struct Scratch {
    static constexpr std::size_t chunk = tokens;
    // Between two members a run of rows rests in one of these. A member that does not work in place writes the other, unless
    // it is the first or the last one, which read or write the caller's rows.
    std::array<TokenBuffer<tokens, Facts::widest>, Facts::needs_two_rows ? 2 : 1> rows;
    OneOf<typename First::template Scratch<tokens>, typename Rest::template Scratch<tokens>...> member;
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

// What a stack is made of that does not fit, once it has been told so: no layer, so that nothing else fails.
struct Unfit {
  using unfit = void;
  using State = NoState;
  template <std::size_t tokens>
  using Scratch = NoScratch<tokens>;
};

template <class Places, class... Members>
struct MemberList {};
struct ListMembers {
  template <class... Members>
  constexpr MemberList<std::index_sequence_for<Members...>, Members...> operator()(Members&...) const { return {}; }
};
template <class Parts>
constexpr auto list_members() {
  if constexpr (check_parts<Parts>()) return decltype(with_members(std::declval<Parts&>(), ListMembers{})){};
  else return MemberList<std::index_sequence<>>{};
}
template <std::size_t... here, class... Members>
constexpr auto stack_layer(MemberList<std::index_sequence<here...>, Members...>) {
  if constexpr (sizeof...(Members) == 0 || !(check_member<Members>() && ...)) return std::type_identity<Unfit>{};
  else if constexpr (!(check_seam<here, MemberFacts<Members>...>() && ...)) return std::type_identity<Unfit>{};
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
