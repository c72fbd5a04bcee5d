// Defines convert, which converts a model's weights to another storage type.
#ifndef KRAIT_CONVERT_HPP
#define KRAIT_CONVERT_HPP

#include "krait/core/begin.hpp"
#ifndef KRAIT_REFUSED

#include <type_traits>

#include "krait/core/reflect.hpp"
#include "krait/layout/panels.hpp"

namespace krait::detail::inline KRAIT_BUILD {

template <class From, class To>
void convert_checked(const From& from, To& to) noexcept {
  static_assert(parameter_count<From> == parameter_count<To>,
                "krait::convert(from, to): the dims of both models must be equal, except for storage");
  const auto copy = [](NoPath, const auto& source, auto& target) {
    static_assert(std::remove_cvref_t<decltype(source)>::shape == std::remove_cvref_t<decltype(target)>::shape,
                  "krait::convert(from, to): the dims of both models must be equal, except for storage");
    if constexpr (std::is_assignable_v<decltype(target), decltype(source)>) target = source;
    else assign(target, [&](std::size_t row, std::size_t col) { return source.get(row, col); });
  };
  visit_parameters(NoPath{}, copy, from, to);
}

}  // namespace krait::detail::inline KRAIT_BUILD

namespace krait::inline KRAIT_BUILD {

// convert(from, to) copies every parameter of the model `from` to the model `to`, and rounds it to the storage type of `to`.
// The models may differ in their storage types only. For example, Mamba<with_storage(dims, Storage::int8)> is the type of
// Mamba<dims> with int8 weights. A parameter whose type is the same in both models, such as A_log, is copied to the bit.
// Allocates nothing.
template <class From, class To>
void convert(const From& from, To& to) noexcept {
  if constexpr (std::is_const_v<To>)
    static_assert(check::weights_of<To>::are_writable,
                  "krait::convert(from, to): `to` must not be const, because convert writes its weights");
  else detail::convert_checked(from, to);
}

}  // namespace krait::inline KRAIT_BUILD

#endif  // KRAIT_REFUSED
#include "krait/core/end.hpp"

#endif
