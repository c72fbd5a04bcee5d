// Defines the pooling layers of classifiers, which compute one vector from a whole sequence.
#ifndef KRAIT_NN_POOLING_HPP
#define KRAIT_NN_POOLING_HPP

#include <array>
#include <cstdint>

#include "krait/core/check.hpp"
#include "krait/core/finite.hpp"
#include "krait/layout/panels.hpp"
#include "krait/nn/layer.hpp"

namespace krait {

namespace detail {
template <std::size_t d_model>
consteval bool check_pool() {
  static_assert(check::got<d_model>::template at_least<1>, "krait::MeanPool and LastPool: d_model must be at least 1");
  return true;
}
template <std::size_t d_model>
struct PoolFacts {
  static_assert(check_pool<d_model>());
  static constexpr bool works_in_place = true;
  static constexpr bool pools = true;
  static constexpr std::size_t d_in = d_model;
  static constexpr std::size_t d_out = d_model;
  static constexpr std::size_t multiply_adds = 0;
  template <std::size_t tokens>
  using Scratch = NoScratch<tokens>;
};
}  // namespace detail

// MeanPool returns the mean of all input vectors so far. Sums them in their order; counts up to 2^32 - 1 vectors.
template <std::size_t d_model>
struct MeanPool : detail::PoolFacts<d_model> {
  struct State {
    Strips<d_model> sum{};
    std::uint32_t count = 0;
    std::array<std::uint32_t, 15> padding{};  // explicit padding, so that equal states have equal bytes
    KRAIT_INLINE constexpr State() = default;
    KRAIT_INLINE bool is_finite() const noexcept { return detail::all_finite(sum.values); }
  };
};

// LastPool returns the last input vector.
template <std::size_t d_model>
struct LastPool : detail::PoolFacts<d_model> {
  using State = NoState;
};

}  // namespace krait

#endif
