// Defines for_each_param, which visits the parameters of a model with their checkpoint names. A layer declares its members
// once, with KRAIT_PARAMS. The functions that count, load, save, pack and convert parameters rely on this declaration. Only
// this file uses Boost.Hana.
#ifndef KRAIT_CORE_REFLECT_HPP
#define KRAIT_CORE_REFLECT_HPP

#include <algorithm>
#include <array>
#include <boost/hana/accessors.hpp>
#include <boost/hana/at.hpp>
#include <boost/hana/concept/struct.hpp>
#include <boost/hana/core/to.hpp>
#include <boost/hana/define_struct.hpp>
#include <boost/hana/first.hpp>
#include <boost/hana/second.hpp>
#include <boost/hana/size.hpp>
#include <boost/hana/string.hpp>
#include <boost/hana/tuple.hpp>
#include <cstddef>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "krait/core/check.hpp"
#include "krait/core/text.hpp"

// KRAIT_PARAMS(Type, (MemberType, member), ...) declares the members of the struct Type in the order in which they are stored,
// and makes them visible to for_each_param. The names of members become segments of checkpoint keys, as in
// mixer.in_proj.weight. At most 40 members are possible.
#define KRAIT_PARAMS(Type, ...)                                                                                          \
  static_assert(KRAIT_TEXT(__VA_ARGS__)[0] == '(', "krait: KRAIT_PARAMS(Type, (MemberType, member), ...) needs parentheses"); \
  BOOST_HANA_DEFINE_STRUCT(Type, __VA_ARGS__)
#define KRAIT_TEXT(...) #__VA_ARGS__

namespace krait {

// Parameter is satisfied by the types of weight tensors. Their constants are `shape`, the shape in checkpoints, and `rows` and
// `cols`, the numbers of rows and columns.
template <class T>
concept Parameter = requires { T::shape; T::rows; T::cols; };

// Reflected is satisfied by structs whose members are declared with KRAIT_PARAMS.
template <class T>
concept Reflected = boost::hana::Struct<T>::value;

// ParamName contains the name of a parameter, which is its key in a checkpoint. A name has at most longest_param_name
// characters.
inline constexpr std::size_t longest_param_name = 96;
using ParamName = Text<longest_param_name>;

}  // namespace krait

namespace krait::detail::inline KRAIT_BUILD {

// Flat is satisfied by layers with the constant no_segment = true. The parameter names of a model do not contain the member
// name of such a layer, because checkpoints do not contain it.
template <class T>
concept Flat = requires { requires T::no_segment; };

// Facts of a reflected struct T, in the order of its members: member_pairs<T> is Boost.Hana's tuple of the pairs (name,
// accessor), and accessor<T, i> is the function that returns a reference to member i. Both are variables, so that the compiler
// evaluates them once for a type; this saves a quarter of the compile time of a program that loads models.
template <class T>
inline constexpr auto member_pairs = boost::hana::accessors<T>();
template <class T, std::size_t i>
inline constexpr auto accessor = boost::hana::second(boost::hana::at_c<i>(member_pairs<T>));

// Returns a reference to member i of a reflected struct.
template <std::size_t i, class T>
KRAIT_INLINE constexpr auto& member_at(T& object) {
  return accessor<std::remove_const_t<T>, i>(object);
}

// For a reflected struct T, MemberIndices<T> is the index sequence of the members, Member<T, i> is the type of member i, and
// MemberTuple<T> is a std::tuple of references to the members, which tie_members returns.
template <class T>
using MemberIndices = std::make_index_sequence<decltype(boost::hana::size(member_pairs<T>))::value>;
template <class T, std::size_t i>
using Member = std::remove_cvref_t<decltype(member_at<i>(std::declval<T&>()))>;
template <class T>
KRAIT_INLINE constexpr auto tie_members(T& object) {
  return [&]<std::size_t... i>(std::index_sequence<i...>) __attribute__((always_inline)) {
    return std::tie(member_at<i>(object)...);
  }(MemberIndices<std::remove_const_t<T>>{});
}
template <class T>
using MemberTuple = decltype(tie_members(std::declval<T&>()));

// The name of member i of a reflected struct.
template <class T, std::size_t i>
inline constexpr std::string_view member_name =
    boost::hana::to<const char*>(boost::hana::first(boost::hana::at_c<i>(member_pairs<T>)));

// MemberName exists so that error messages show the name of a member, which the compiler prints as MemberName<5>{"pool"}.
template <std::size_t size>
struct MemberName {
  char characters[size] = {};
};
template <class T, std::size_t i>
consteval auto shown_name() {
  MemberName<member_name<T, i>.size() + 1> name;
  std::copy(member_name<T, i>.begin(), member_name<T, i>.end(), name.characters);
  return name;
}

// True if T contains only parameters: T is a parameter, a struct declared with KRAIT_PARAMS, an empty type or an array of such
// types.
template <class T>
inline constexpr bool holds_weights = Parameter<T> || Reflected<T> || std::is_empty_v<T>;
template <class T, std::size_t n>
inline constexpr bool holds_weights<std::array<T, n>> = holds_weights<T>;

// NoPath, NamePath and LengthPath are the path arguments of visit_parameters and visit_types. On the way to a parameter, these
// functions call member() for each member of a struct, and element() or array() for each array. NoPath records nothing,
// NamePath records the parameter's name, and LengthPath records the length of the longest name.
struct NoPath {
  constexpr NoPath member(std::string_view) const { return {}; }
  constexpr NoPath element(std::size_t) const { return {}; }
  constexpr NoPath array(std::size_t) const { return {}; }
};
struct NamePath {
  ParamName name{};
  constexpr NamePath member(std::string_view segment) const {
    return {(name.size == 0 ? name : name + std::string_view(".")) + segment};
  }
  constexpr NamePath element(std::size_t index) const { return {name + std::string_view(".") + index}; }
  constexpr NamePath array(std::size_t) const { return element(0); }
};
struct LengthPath {
  std::size_t length = 0;
  constexpr LengthPath member(std::string_view segment) const { return {length + (length > 0) + segment.size()}; }
  constexpr LengthPath array(std::size_t count) const {
    std::size_t digits = 1;
    for (; count > 10; count = (count + 9) / 10) ++digits;
    return {length + 1 + digits};
  }
};

// Returns the path of member i of the reflected struct T, where `path` is the path of the struct. The member's path
// is the struct's if the member's type is Flat.
template <class T, std::size_t i, class Path>
constexpr Path member_path(const Path& path) {
  if constexpr (Flat<Member<T, i>>) return path;
  else return path.member(member_name<T, i>);
}

template <std::size_t... i, class Path, class F, class... Objects>
constexpr void visit_members(std::index_sequence<i...>, const Path& path, F& f, Objects&... objects);
// Calls f(path, parameter, other_parameters...) for every parameter of `object`, in memory order. other_parameters are the
// corresponding parameters of the objects in `others`. All objects must have the same structure; their parameters may have
// different types.
template <class Path, class F, class T, class... Others>
constexpr void visit_parameters(const Path& path, F& f, T& object, Others&... others) {
  using Plain = std::remove_const_t<T>;
  if constexpr (Parameter<Plain>) {
    f(path, object, others...);
  } else if constexpr (Reflected<Plain>) {
    visit_members(MemberIndices<Plain>{}, path, f, object, others...);
  } else if constexpr (requires { std::tuple_size<Plain>::value; }) {
    for (std::size_t i = 0; i < object.size(); ++i) visit_parameters(path.element(i), f, object[i], others[i]...);
  }  // types that are neither parameters nor reflected structs nor arrays contain no parameters
}
template <std::size_t i, class Path, class F, class T, class... Others>
constexpr void visit_member(const Path& path, F& f, T& object, Others&... others) {
  visit_parameters(member_path<std::remove_const_t<T>, i>(path), f, member_at<i>(object), member_at<i>(others)...);
}
template <std::size_t... i, class Path, class F, class... Objects>
constexpr void visit_members(std::index_sequence<i...>, const Path& path, F& f, Objects&... objects) {
  (visit_member<i>(path, f, objects...), ...);
}

// Calls f.operator()<Part>(path, times) for T and for the type of every part of T (structs, arrays, layers and parameters),
// outer types first. The element type of an array is visited once for all elements; `times` is the number of parts that the
// visit covers.
template <class T, class Path, class F>
constexpr void visit_types(const Path& path, std::size_t times, F& f) {
  f.template operator()<T>(path, times);
  if constexpr (Reflected<T>) {
    [&]<std::size_t... i>(std::index_sequence<i...>) {
      (visit_types<Member<T, i>>(member_path<T, i>(path), times, f), ...);
    }(MemberIndices<T>{});
  } else if constexpr (!Parameter<T> && requires { std::tuple_size<T>::value; }) {
    visit_types<typename T::value_type>(path.array(std::tuple_size_v<T>), times * std::tuple_size_v<T>, f);
  }
}

// Returns the number of elements of all parameters of T, without padding.
template <class T>
consteval std::size_t count_parameters() {
  std::size_t count = 0;
  const auto add = [&]<class Part>(NoPath, std::size_t times) {
    if constexpr (Parameter<Part>) count += times * Part::rows * Part::cols;
  };
  visit_types<T>(NoPath{}, 1, add);
  return count;
}

// Returns the length of the longest parameter name of T, in characters.
template <class T>
consteval std::size_t longest_name() {
  std::size_t longest = 0;
  const auto compare = [&]<class Part>(LengthPath path, std::size_t) { longest = std::max(longest, path.length); };
  visit_types<T>(LengthPath{}, 1, compare);
  return longest;
}

}  // namespace krait::detail::inline KRAIT_BUILD

namespace krait {

// parameter_count<Model> is the number of weights of a model. It excludes padding. A weight that the embedding and the output
// head share is counted once.
template <class Model>
inline constexpr std::size_t parameter_count = detail::count_parameters<Model>();

}  // namespace krait

namespace krait::inline KRAIT_BUILD {

// for_each_param(model, f) calls f(name, tensor) for every parameter of a model, in memory order. The name is the key of the
// parameter in a checkpoint, such as backbone.layers.0.mixer.in_proj.weight. The tensor has shape, rows, cols and get(row,
// col). If the model is not const, the tensor also has set(row, col, value), unless its storage type is int8.
// krait::assign(tensor, value) fills a tensor of any storage type.
template <class Model, class F>
constexpr void for_each_param(Model& model, F&& f) {
  static_assert(check::got<detail::longest_name<std::remove_const_t<Model>>()>::template at_most<longest_param_name>,
                "krait: a parameter's full name, such as layers.0.mixer.D, must not exceed 96 characters");
  const auto call = [&](const detail::NamePath& path, auto& tensor) { f(path.name, tensor); };
  detail::visit_parameters(detail::NamePath{}, call, model);
}

}  // namespace krait::inline KRAIT_BUILD

#endif
