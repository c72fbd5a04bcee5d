// Visits a model's parameters. A struct names its members once, in KRAIT_PARAMS; names, counts, initial weights, loading, saving,
// packing and converting follow from that. The only file that uses Boost.Hana.
#ifndef KRAIT_CORE_REFLECT_HPP
#define KRAIT_CORE_REFLECT_HPP

#include <algorithm>
#include <array>
#include <boost/hana/accessors.hpp>
#include <boost/hana/concept/struct.hpp>
#include <boost/hana/core/to.hpp>
#include <boost/hana/define_struct.hpp>
#include <boost/hana/first.hpp>
#include <boost/hana/second.hpp>
#include <boost/hana/string.hpp>
#include <boost/hana/unpack.hpp>
#include <cstddef>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "krait/core/check.hpp"
#include "krait/core/text.hpp"

// KRAIT_PARAMS(Type, (MemberType, member), ...): declares the members in the order in which they are stored, and makes them
// visible to for_each_param. Member names are the segments of checkpoint keys. Up to 40 members.
#define KRAIT_PARAMS(Type, ...) BOOST_HANA_DEFINE_STRUCT(Type, __VA_ARGS__)

namespace krait {

// A tensor of weights: a logical shape as checkpoints spell it, and access by logical row and column.
template <class T>
concept Parameter = requires { T::shape; T::rows; T::cols; };

template <class T>
concept Reflected = boost::hana::Struct<T>::value;

// A checkpoint key under construction.
inline constexpr std::size_t longest_param_name = 96;
using ParamName = Text<longest_param_name>;

}  // namespace krait

namespace krait::detail::inline KRAIT_BUILD {

// A member of this kind adds no segment to its members' names, because checkpoints have none there.
template <class T>
concept Flat = requires { requires T::no_segment; };

// References to the members of a reflected struct, in the order of declaration, as a std::tuple.
template <class T>
KRAIT_INLINE constexpr auto tie_members(T& object) {
  return boost::hana::unpack(boost::hana::accessors<std::remove_const_t<T>>(), [&](auto... accessors) __attribute__((always_inline)) {
    return std::tie(boost::hana::second(accessors)(object)...);
  });
}
template <class T>
using MemberTuple = decltype(tie_members(std::declval<T&>()));
template <class T, std::size_t i>
using Member = std::remove_cvref_t<std::tuple_element_t<i, MemberTuple<T>>>;
template <class T>
using MemberIndices = std::make_index_sequence<std::tuple_size_v<MemberTuple<T>>>;

template <class T>
constexpr auto member_names() {
  return boost::hana::unpack(boost::hana::accessors<T>(), [](auto... accessors) {
    return std::array{std::string_view(boost::hana::to<const char*>(boost::hana::first(accessors)))...};
  });
}

// What a visitor keeps of the way to a parameter: nothing, its name, or the length of the longest name.
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

template <class T, std::size_t i, class Path>
constexpr Path member_path(const Path& path) {
  if constexpr (Flat<Member<T, i>>) return path;
  else return path.member(member_names<T>()[i]);
}

template <std::size_t... i, class Path, class F, class... Objects>
constexpr void visit_members(std::index_sequence<i...>, const Path& path, F& f, Objects&... objects);
// Calls f(path, parameter, others' parameters...) for every parameter of `object`, in memory order. `others` are of the same
// structure; their parameters may have other types.
template <class Path, class F, class T, class... Others>
constexpr void visit_parameters(const Path& path, F& f, T& object, Others&... others) {
  using Plain = std::remove_const_t<T>;
  if constexpr (Parameter<Plain>) {
    f(path, object, others...);
  } else if constexpr (Reflected<Plain>) {
    visit_members(MemberIndices<Plain>{}, path, f, object, others...);
  } else if constexpr (requires { std::tuple_size<Plain>::value; }) {
    for (std::size_t i = 0; i < object.size(); ++i) visit_parameters(path.element(i), f, object[i], others[i]...);
  }  // other types hold no parameters
}
template <std::size_t i, class Path, class F, class T, class... Others>
constexpr void visit_member(const Path& path, F& f, T& object, Others&... others) {
  visit_parameters(member_path<std::remove_const_t<T>, i>(path), f, std::get<i>(tie_members(object)),
                   std::get<i>(tie_members(others))...);
}
template <std::size_t... i, class Path, class F, class... Objects>
constexpr void visit_members(std::index_sequence<i...>, const Path& path, F& f, Objects&... objects) {
  (visit_member<i>(path, f, objects...), ...);
}

// Calls f.operator()<Part>(path, times) for T and all of its parts, outer parts first: structs, arrays, layers and parameters.
// The elements of an array are visited once, with `times` multiplied by its size.
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

template <class T>
consteval std::size_t count_parameters() {
  std::size_t count = 0;
  const auto add = [&]<class Part>(NoPath, std::size_t times) {
    if constexpr (Parameter<Part>) count += times * Part::rows * Part::cols;
  };
  visit_types<T>(NoPath{}, 1, add);
  return count;
}

template <class T>
consteval std::size_t longest_name() {
  std::size_t longest = 0;
  const auto compare = [&]<class Part>(LengthPath path, std::size_t) { longest = std::max(longest, path.length); };
  visit_types<T>(LengthPath{}, 1, compare);
  return longest;
}

}  // namespace krait::detail::inline KRAIT_BUILD

namespace krait {

// The number of parameters of a model, padding not counted, a tied head counted once.
template <class Model>
inline constexpr std::size_t parameter_count = detail::count_parameters<Model>();

}  // namespace krait

namespace krait::inline KRAIT_BUILD {

// for_each_param(model, f): f(name, tensor) for every parameter, in memory order. The name is the checkpoint's key, such
// as backbone.layers.0.mixer.in_proj.weight; the tensor has shape, rows, cols, get(row, col) and, where the model is not
// const, set(row, col, value), unless its storage is int8; krait::assign(tensor, value) writes to every kind.
template <class Model, class F>
constexpr void for_each_param(Model& model, F&& f) {
  static_assert(check::got<detail::longest_name<std::remove_const_t<Model>>()>::template at_most<longest_param_name>,
                "krait: a parameter's name, its members' names with points between, must not be longer than 96 characters");
  const auto call = [&](const detail::NamePath& path, auto& tensor) { f(path.name, tensor); };
  detail::visit_parameters(detail::NamePath{}, call, model);
}

}  // namespace krait::inline KRAIT_BUILD

#endif
