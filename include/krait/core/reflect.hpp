// The walk over a model's parameters. A struct names its members once, in KRAIT_PARAMS; names, counts, initialising,
// loading and saving all follow from that. The only file that knows Boost.Hana.
#ifndef KRAIT_CORE_REFLECT_HPP
#define KRAIT_CORE_REFLECT_HPP

#include <algorithm>
#include <array>
#include <boost/hana/accessors.hpp>
#include <boost/hana/concept/struct.hpp>
#include <boost/hana/core/to.hpp>
#include <boost/hana/define_struct.hpp>
#include <boost/hana/first.hpp>
#include <boost/hana/for_each.hpp>
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

// KRAIT_PARAMS(Type, (MemberType, member), ...): declares the members, in the order in which they rest in memory, and
// makes them known to the walk. Member names are the segments of checkpoint keys. Up to 40 members.
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

// A type so marked adds no segment of its own: checkpoints are flat there.
template <class T>
concept Flat = requires { requires T::no_segment; };

// f(segment, member) for each member of a reflected struct, in the order of declaration.
template <class T, class F>
constexpr void for_each_member(T& object, F&& f) {
  boost::hana::for_each(boost::hana::accessors<std::remove_const_t<T>>(), [&](auto accessor) {
    f(std::string_view(boost::hana::to<const char*>(boost::hana::first(accessor))), boost::hana::second(accessor)(object));
  });
}

// The same without an object: f.operator()<Member>(segment).
template <class T, class F>
constexpr void for_each_member_type(F&& f) {
  boost::hana::unpack(boost::hana::accessors<T>(), [&](auto... accessors) {
    (f.template operator()<std::remove_reference_t<decltype(boost::hana::second(accessors)(std::declval<T&>()))>>(
         std::string_view(boost::hana::to<const char*>(boost::hana::first(accessors)))),
     ...);
  });
}

template <class T, class F>
constexpr void walk(T& object, const ParamName& name, F& f) {
  using Plain = std::remove_const_t<T>;
  if constexpr (Parameter<Plain>) {
    f(name, object);
  } else if constexpr (Reflected<Plain>) {
    const ParamName prefix = name.size == 0 ? name : name + std::string_view(".");
    for_each_member(object, [&](std::string_view segment, auto& member) {
      if constexpr (Flat<std::remove_cvref_t<decltype(member)>>) walk(member, name, f);
      else walk(member, prefix + segment, f);
    });
  } else if constexpr (requires { std::tuple_size<Plain>::value; }) {
    std::size_t index = 0;
    for (auto& element : object) walk(element, name + std::string_view(".") + index++, f);
  }  // anything else holds no parameters
}

// The members of a reflected struct as types, for verbs that run through them in order: f(members&...).
template <class T, class F>
constexpr decltype(auto) with_members(T& object, F&& f) {
  return boost::hana::unpack(boost::hana::accessors<std::remove_const_t<T>>(), [&](auto... accessors) -> decltype(auto) {
    return std::forward<F>(f)(boost::hana::second(accessors)(object)...);
  });
}

template <class T>
constexpr std::size_t count_parameters() {
  if constexpr (Parameter<T>) {
    return T::rows * T::cols;
  } else if constexpr (Reflected<T>) {
    return boost::hana::unpack(boost::hana::accessors<T>(), [](auto... accessor) {
      return (std::size_t{0} + ... +
              count_parameters<std::remove_reference_t<decltype(boost::hana::second(accessor)(std::declval<T&>()))>>());
    });
  } else if constexpr (requires { std::tuple_size<T>::value; }) {
    return std::tuple_size_v<T> * count_parameters<typename T::value_type>();
  } else {
    return 0;
  }
}

// The length of the longest name that walk() makes.
template <class T>
constexpr std::size_t longest_name(std::size_t length = 0) {
  if constexpr (Parameter<T>) {
    return length;
  } else if constexpr (Reflected<T>) {
    std::size_t longest = 0;
    for_each_member_type<T>([&]<class Member>(std::string_view segment) {
      const std::size_t with_segment = length + (length > 0) + segment.size();
      longest = std::max(longest, longest_name<Member>(Flat<Member> ? length : with_segment));
    });
    return longest;
  } else if constexpr (requires { std::tuple_size<T>::value; }) {
    std::size_t digits = 1;
    for (std::size_t count = std::tuple_size_v<T>; count > 10; count = (count + 9) / 10) ++digits;
    return longest_name<typename T::value_type>(length + 1 + digits);
  } else {
    return 0;
  }
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
  detail::walk(model, ParamName{}, f);
}

}  // namespace krait::inline KRAIT_BUILD

#endif
