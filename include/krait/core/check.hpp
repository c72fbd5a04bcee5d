// Defines templates and functions that all compile-time checks use. A failed static assertion with the condition
// got<48>::wants<64> makes the compiler print both numbers. One mistake should cause one error. For this reason, checks are
// functions: after a failed assertion in a class, clang reports errors in other classes as well. For the same reason, a layer
// with invalid dims is defined with repaired dims after the error.
#ifndef KRAIT_CORE_CHECK_HPP
#define KRAIT_CORE_CHECK_HPP

#include <cstddef>
#include <type_traits>

#include "krait/core/mamba2_dims.hpp"
#include "krait/core/mamba3_dims.hpp"

namespace krait::check {

// got<found>::wants<wanted> is a condition of static assertions. If an assertion fails, the compiler's message contains both
// numbers. at_least, at_most, multiple_of and between are used in the same way.
template <std::size_t found>
struct got {
  template <std::size_t wanted>
  static constexpr bool wants = found == wanted;
  template <std::size_t wanted>
  static constexpr bool at_least = found >= wanted;
  template <std::size_t wanted>
  static constexpr bool at_most = found <= wanted;
  template <std::size_t wanted>
  static constexpr bool multiple_of = found % wanted == 0;
  template <std::size_t least, std::size_t most>
  static constexpr bool between = found >= least && found <= most;
};

// got_type<A>::wants<B> is a condition of static assertions. If an assertion fails, the compiler's message contains both types.
template <class Found>
struct got_type {
  template <class Wanted>
  static constexpr bool wants = std::is_same_v<Found, Wanted>;
};

// weights_of<Model> makes the type of a model appear in error messages.
template <class Model>
struct weights_of {
  static constexpr bool are_writable = !std::is_const_v<Model>;
  static constexpr bool have_init = false;
};

// Returns `dims` with every invalid member replaced by a valid one. Valid dims are unchanged.
template <class Dims>
consteval Dims repaired(Dims dims) {
  const auto mend = [](std::size_t& size) { size = size == 0 ? 1 : size; };
  mend(dims.d_state);
  if constexpr (requires { dims.d_conv; }) mend(dims.d_conv);
  if constexpr (requires { dims.expand; }) {
    mend(dims.d_model);
    if (dims.d_inner == 0) dims.d_inner = 2 * dims.d_model;
    dims.expand = 0;
  }
  if constexpr (requires { dims.vocab_size; }) {
    mend(dims.vocab_size);
    mend(dims.n_layers);
  }
  mend(dims.d_inner);
  if constexpr (requires { dims.dt_rank; }) {
    mend(dims.dt_rank);
    if (dims.dt_rank > dims.d_inner) dims.dt_rank = dims.d_inner;
  }
  if constexpr (requires { dims.headdim; }) {
    mend(dims.headdim);
    mend(dims.ngroups);
    if (dims.d_inner % dims.headdim != 0) dims.headdim = 1;
    if (dims.d_inner / dims.headdim % dims.ngroups != 0) dims.ngroups = 1;
  }
  if constexpr (requires { dims.mimo_rank; }) {
    mend(dims.mimo_rank);
    if (dims.d_state < 2) dims.d_state = 2;
    if (angles_of(dims) == 0 || dims.rope_fraction > 1.0f) dims.rope_fraction = 1;
    if (!(0.0f <= dims.A_floor)) dims.A_floor = Dims{}.A_floor;
  }
  if constexpr (requires { dims.dt_limit; })
    if (!(0.0f <= dims.dt_limit[0] && dims.dt_limit[0] <= dims.dt_limit[1])) dims.dt_limit = Dims{}.dt_limit;
  return dims;
}
consteval bool valid(const auto& dims) { return repaired(dims) == dims; }

// Causes a compile error for the first invalid member of `dims`, the dims of a block, a model or a recurrence.
template <auto dims>
consteval bool check_dims() {
  constexpr bool has_expand = requires { dims.expand; };
  if constexpr (requires { requires dims.vocab_size == 0; }) {
    static_assert(got<dims.vocab_size>::template at_least<1>, "krait: vocab_size must be at least 1");
  } else if constexpr (requires { requires dims.n_layers == 0; }) {
    static_assert(got<dims.n_layers>::template at_least<1>, "krait: n_layers must be at least 1");
  } else if constexpr (has_expand && dims.d_model == 0) {
    static_assert(got<dims.d_model>::template at_least<1>, "krait: d_model must be at least 1");
  } else if constexpr (dims.d_inner == 0) {
    static_assert(got<dims.d_inner>::template at_least<1>,
                  "krait: d_inner must be at least 1: use krait::resolve(dims), which fills in defaults");
  } else if constexpr (requires { requires dims.expand != 0; }) {
    static_assert(got<dims.expand>::template wants<0>,
                  "krait: expand must be 0 if d_inner is given: set one of them, not both");
  } else if constexpr (requires { requires dims.d_conv == 0; }) {
    static_assert(got<dims.d_conv>::template at_least<1>,
                  "krait: d_conv, the number of taps of the convolution, must be at least 1");
  } else if constexpr (dims.d_state == 0) {
    static_assert(got<dims.d_state>::template at_least<1>,
                  "krait: d_state, the number of states of each channel, must be at least 1");
  } else if constexpr (requires { requires dims.headdim == 0; }) {
    static_assert(got<dims.headdim>::template at_least<1>,
                  "krait: headdim, the number of channels of a head, must be at least 1");
  } else if constexpr (requires { requires dims.ngroups == 0; }) {
    static_assert(got<dims.ngroups>::template at_least<1>, "krait: ngroups, the number of groups of heads, must be at least 1");
  } else if constexpr (requires { requires dims.d_inner % dims.headdim != 0; }) {
    static_assert(got<dims.d_inner>::template multiple_of<dims.headdim>, "krait: d_inner must be a multiple of headdim");
  } else if constexpr (requires { requires dims.d_inner / dims.headdim % dims.ngroups != 0; }) {
    static_assert(got<dims.d_inner / dims.headdim>::template multiple_of<dims.ngroups>,
                  "krait: the number of heads, d_inner / headdim, must be a multiple of ngroups");
  } else if constexpr (requires { requires dims.mimo_rank == 0; }) {
    static_assert(got<dims.mimo_rank>::template at_least<1>, "krait: mimo_rank, which is 1 for SISO, must be at least 1");
  } else if constexpr (requires { dims.rope_fraction; requires angles_of(dims) == 0; }) {
    static_assert(got<angles_of(dims)>::template at_least<1>,
                  "krait: d_state * rope_fraction must be at least 2, because pairs of states are rotated");
  } else if constexpr (requires { dims.A_floor; requires !(0.0f <= dims.A_floor); }) {
    constexpr bool is_a_limit = 0.0f <= dims.A_floor;
    static_assert(is_a_limit, "krait: A_floor, the lower bound of -A, must not be negative");
  } else if constexpr (requires { dims.rope_fraction; }) {
    constexpr bool is_a_part = dims.rope_fraction <= 1.0f;
    static_assert(is_a_part, "krait: rope_fraction, the rotated fraction of the states, must not exceed 1");
  } else if constexpr (requires { dims.dt_limit; }) {
    constexpr bool ascends = 0.0f <= dims.dt_limit[0] && dims.dt_limit[0] <= dims.dt_limit[1];
    static_assert(ascends, "krait: dt_limit must be {min, max} with 0 <= min <= max");
  } else if constexpr (dims.dt_rank == 0) {
    static_assert(got<dims.dt_rank>::template at_least<1>,
                  "krait: dt_rank must be at least 1: use krait::resolve(dims), which fills in defaults");
  } else {
    static_assert(got<dims.dt_rank>::template at_most<dims.d_inner>,
                  "krait: dt_rank must not exceed d_inner, because dt_proj maps dt_rank inputs to d_inner outputs");
  }
  return true;
}

}  // namespace krait::check

#endif
