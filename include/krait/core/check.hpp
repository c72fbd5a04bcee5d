// Values made visible in compile-time messages: got<48>::wants<64> appears in the error with both numbers in it.
#ifndef KRAIT_CORE_CHECK_HPP
#define KRAIT_CORE_CHECK_HPP

#include <cstddef>
#include <type_traits>

namespace krait::check {

template <std::size_t found>
struct got {
  template <std::size_t wanted>
  static constexpr bool wants = found == wanted;
  template <std::size_t wanted>
  static constexpr bool at_least = found >= wanted;
  template <std::size_t wanted>
  static constexpr bool at_most = found <= wanted;
};

// The same for types: got_type<A>::wants<B>.
template <class Found>
struct got_type {
  template <class Wanted>
  static constexpr bool wants = std::is_same_v<Found, Wanted>;
};

}  // namespace krait::check

#endif
