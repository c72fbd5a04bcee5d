// Layers of your own choice, one after the other.
#ifndef KRAIT_NN_STACK_HPP
#define KRAIT_NN_STACK_HPP

#include <algorithm>
#include <array>

#include "krait/core/check.hpp"
#include "krait/nn/layer.hpp"

namespace krait {

namespace detail {

// One object of each type, as a trivially copyable aggregate (std::tuple is none).
template <class... Ts>
struct Pack {};
template <class First, class... Rest>
struct Pack<First, Rest...> {
  First first;
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
  static_assert(check::got<T::d_out>::template wants<T::d_in>,
                "krait::Stack<Parts>: layers in an array must give what they take: d_out = d_in");
  static constexpr std::size_t d_in = T::d_in;
  static constexpr std::size_t d_out = T::d_out;
  static constexpr std::size_t multiply_adds = n * T::multiply_adds;
  using State = std::array<typename T::State, n>;
  template <std::size_t tokens>
  using Scratch = typename T::template Scratch<tokens>;
};

template <class... Members>
struct StackFacts;
template <class Last>
struct StackFacts<Last> {
  static constexpr std::size_t d_out = Last::d_out;
  static constexpr std::size_t widest = Last::d_out;
  static constexpr bool pools = Pooling<Last>;
  static constexpr bool stateless = std::is_empty_v<typename Last::State>;
};
template <class First, class Second, class... Rest>
struct StackFacts<First, Second, Rest...> {
  using Behind = StackFacts<Second, Rest...>;
  static_assert(check::got<Second::d_in>::template wants<First::d_out>,
                "krait::Stack<Parts>: a member must take what the one before it gives: d_in = d_out of its neighbour");
  static_assert(!Pooling<First> || Behind::stateless,
                "krait::Stack<Parts>: behind a pooling layer only layers without state can stand: there is one row left");
  static constexpr std::size_t d_out = Behind::d_out;
  static constexpr std::size_t widest = std::max(First::d_out, Behind::widest);
  static constexpr bool pools = Pooling<First> || Behind::pools;
  static constexpr bool stateless = Behind::stateless && std::is_empty_v<typename First::State>;
};

struct TokenMark {
  using takes_tokens = void;
};
struct SummaryMark {
  using summarises = void;
};
template <int>
struct Nothing {};

template <class First, class... Rest>
struct StackLayer : std::conditional_t<requires { typename First::takes_tokens; }, TokenMark, Nothing<0>>,
                    std::conditional_t<StackFacts<First, Rest...>::pools, SummaryMark, Nothing<1>> {
  using Facts = StackFacts<First, Rest...>;
  static constexpr std::size_t d_in = First::d_in;
  static constexpr std::size_t d_out = Facts::d_out;
  static constexpr std::size_t multiply_adds = (First::multiply_adds + ... + Rest::multiply_adds);
  struct State {
    Pack<typename First::State, typename Rest::State...> members;
  };
  template <std::size_t tokens>
  struct Scratch {
    static constexpr std::size_t chunk = tokens;
    // Between two members a run of rows rests in one of these, while the next member writes the other.
    alignas(64) std::array<std::array<std::array<float, padded(Facts::widest)>, tokens>, 2> rows;
    OneOf<typename First::template Scratch<tokens>, typename Rest::template Scratch<tokens>...> member;
  };
};

template <class Parts>
using stack_layer = typename decltype(with_members(std::declval<Parts&>(), []<class... Members>(Members&...) {
  return std::type_identity<StackLayer<MemberFacts<Members>...>>{};
}))::type;

}  // namespace detail

// Stack<Parts>: the members of Parts, a struct declared with KRAIT_PARAMS, applied in their order; names stay the
// checkpoint's keys, and neighbours that do not fit do not compile.
//   struct Parts { KRAIT_PARAMS(Parts, (krait::Linear<…>, linear_in), (krait::MambaBlock<…>, mixer),
//                                      (krait::MeanPool<64>, pool), (krait::Linear<…>, classifier)); };
//   using Keyword = krait::Stack<Parts>;
// With a pooling member it makes one row of a sequence, the summary so far; without, a row for every row.
template <class Parts>
struct Stack : Parts, detail::stack_layer<Parts> {};

}  // namespace krait

#endif
