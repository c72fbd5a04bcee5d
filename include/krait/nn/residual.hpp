// Defines Residual, which adds the input of a layer or stack to its output.
#ifndef KRAIT_NN_RESIDUAL_HPP
#define KRAIT_NN_RESIDUAL_HPP

#include <cstddef>

#include "krait/core/check.hpp"
#include "krait/layout/token_span.hpp"
#include "krait/nn/layer.hpp"

namespace krait {

namespace detail {

// branch<L> exists so that error messages show L, the type of the layer in a Residual.
template <class L>
struct branch {
  static constexpr bool is_layer = Layer<L> || requires { L::is_rejected; };
  static constexpr bool gives_every_row = !Pooling<L> && !Summarising<L> && !TakesTokens<L> && warm_up<L> == 0;
};
template <class L>
inline constexpr bool branch_fits = [] {
  if constexpr (!Layer<L>) return false;
  else return branch<L>::gives_every_row && L::d_in == L::d_out;
}();
// Causes a compile error if L cannot be the layer in a Residual. Always returns true.
template <class L>
consteval bool check_branch() {
  static_assert(branch<L>::is_layer, "krait::Residual<L>: L must be a layer or a Stack");
  if constexpr (Layer<L>) {
    static_assert(branch<L>::gives_every_row,
                  "krait::Residual<L>: L must take vectors of floats and give one output for each vector; an Embedding and a Mamba take token ids, and layers that pool or have a warm_up give fewer outputs");
    if constexpr (branch<L>::gives_every_row)
      static_assert(check::got<L::d_out>::template wants<L::d_in>,
                    "krait::Residual<L>: d_out of L must equal d_in of L, because the output is x + L(x)");
  }
  return true;
}

}  // namespace detail

// Residual<L> is a residual connection around the layer or stack L: y = x + L(x), where x and y are [d_in]. It has the weights
// of L, under the same names.
template <class L>
struct Residual : L {
  using Branch = L;
  static constexpr bool works_in_place = true;
  static constexpr std::size_t members = 1 + detail::Nesting<L>::members;
  static constexpr std::size_t levels = 1 + detail::Nesting<L>::levels;

  template <std::size_t tokens>
  struct Scratch {
    static constexpr std::size_t chunk = tokens;
    TokenBuffer<tokens, L::d_out> row;  // L(x), the output of L
    [[no_unique_address]] typename L::template Scratch<tokens> branch;
  };
};

template <class L>
  requires(!detail::branch_fits<L>)
struct Residual<L> : detail::RejectedLayer {
  static_assert(detail::check_branch<L>());
};

namespace detail {
// True if T is a Residual.
template <class T>
inline constexpr bool is_residual = false;
template <class L>
inline constexpr bool is_residual<Residual<L>> = true;
}  // namespace detail

}  // namespace krait

#endif
