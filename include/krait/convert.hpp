// The same weights in another storage type.
#ifndef KRAIT_CONVERT_HPP
#define KRAIT_CONVERT_HPP

#include "krait/layout/panels.hpp"
#include "krait/core/begin.hpp"
#ifndef KRAIT_REFUSED

#include "krait/core/reflect.hpp"

namespace krait::detail::inline KRAIT_BUILD {

template <class From, class To>
void convert_param(const From& from, To& to) {
  if constexpr (Parameter<From>) {
    static_assert(From::shape == To::shape, "krait::convert(from, to): models must have the same dims but for their storage");
    assign(to, [&](std::size_t row, std::size_t col) { return from.get(row, col); });
  } else if constexpr (Reflected<From>) {
    with_members(from, [&](const auto&... sources) {
      with_members(to, [&](auto&... targets) { (convert_param(sources, targets), ...); });
    });
  } else if constexpr (requires { std::tuple_size<From>::value; }) {
    for (std::size_t i = 0; i < from.size(); ++i) convert_param(from[i], to[i]);
  }
}

}  // namespace krait::detail::inline KRAIT_BUILD

namespace krait::inline KRAIT_BUILD {

// convert(from, to): every parameter of `to` becomes that of `from`, rounded as to's storage type rounds. Both are models
// of the same make; a Mamba's other type is Mamba<with_storage(dims, Storage::int8)>. Allocates nothing.
template <class From, class To>
void convert(const From& from, To& to) {
  static_assert(parameter_count<From> == parameter_count<To>,
                "krait::convert(from, to): models must have the same dims but for their storage");
  detail::convert_param(from, to);
}

}  // namespace krait::inline KRAIT_BUILD

#endif  // KRAIT_REFUSED
#include "krait/core/end.hpp"

#endif
