// What compile-time messages are made of. Values made visible: got<48>::wants<64> appears in the error with both numbers
// in it. And one misuse, one message: what is wrong is said by a function, for a class in which an assertion fails drags
// others down with it (clang), and layers of wrong dims are then formed with repaired ones, so that nothing else fails.
#ifndef KRAIT_CORE_CHECK_HPP
#define KRAIT_CORE_CHECK_HPP

#include <cstddef>
#include <type_traits>

#include "krait/core/dims.hpp"

namespace krait::check {

template <std::size_t found>
struct got {
  template <std::size_t wanted>
  static constexpr bool wants = found == wanted;
  template <std::size_t wanted>
  static constexpr bool at_least = found >= wanted;
  template <std::size_t wanted>
  static constexpr bool at_most = found <= wanted;
  template <std::size_t least, std::size_t most>
  static constexpr bool between = found >= least && found <= most;
};

// The same for types: got_type<A>::wants<B>.
template <class Found>
struct got_type {
  template <class Wanted>
  static constexpr bool wants = std::is_same_v<Found, Wanted>;
};

// The dims with each impossible size replaced by a possible one; possible dims stay as they are.
template <class Dims>
consteval Dims repaired(Dims dims) {
  const auto mend = [](std::size_t& size) { size = size == 0 ? 1 : size; };
  mend(dims.d_state);
  if constexpr (requires { dims.d_conv; }) {
    mend(dims.d_model);
    mend(dims.d_conv);
    if (dims.d_inner == 0) dims.d_inner = 2 * dims.d_model;
    dims.expand = 0;
  }
  if constexpr (requires { dims.vocab_size; }) {
    mend(dims.vocab_size);
    mend(dims.n_layers);
  }
  mend(dims.d_inner);
  mend(dims.dt_rank);
  if (dims.dt_rank > dims.d_inner) dims.dt_rank = dims.d_inner;
  return dims;
}
consteval bool valid(const auto& dims) { return repaired(dims) == dims; }

// The one thing to be said about dims that are not possible. For BlockDims, ModelDims and SsmDims.
template <auto dims>
consteval bool check_dims() {
  constexpr bool has_expand = requires { dims.expand; };
  if constexpr (requires { requires dims.vocab_size == 0; }) {
    static_assert(got<dims.vocab_size>::template at_least<1>, "krait::ModelDims: vocab_size must be at least 1");
  } else if constexpr (requires { requires dims.n_layers == 0; }) {
    static_assert(got<dims.n_layers>::template at_least<1>, "krait::ModelDims: n_layers must be at least 1");
  } else if constexpr (has_expand && dims.d_model == 0) {
    static_assert(got<dims.d_model>::template at_least<1>, "krait: d_model must be at least 1");
  } else if constexpr (dims.d_inner == 0) {
    static_assert(got<dims.d_inner>::template at_least<1>,
                  "krait: d_inner must be at least 1: unresolved dims? write krait::resolve(dims)");
  } else if constexpr (requires { requires dims.expand != 0; }) {
    static_assert(got<dims.expand>::template wants<0>, "krait: expand must be 0 where d_inner is given: give one of them, not both");
  } else if constexpr (requires { requires dims.d_conv == 0; }) {
    static_assert(got<dims.d_conv>::template at_least<1>, "krait: d_conv must be at least 1: a convolution needs one tap");
  } else if constexpr (dims.d_state == 0) {
    static_assert(got<dims.d_state>::template at_least<1>, "krait: d_state must be at least 1: the recurrence needs a state");
  } else if constexpr (dims.dt_rank == 0) {
    static_assert(got<dims.dt_rank>::template at_least<1>,
                  "krait: dt_rank must be at least 1: unresolved dims? write krait::resolve(dims)");
  } else {
    static_assert(got<dims.dt_rank>::template at_most<dims.d_inner>,
                  "krait: dt_rank must not exceed d_inner: it is the rank of a projection to d_inner");
  }
  return true;
}

}  // namespace krait::check

#endif
