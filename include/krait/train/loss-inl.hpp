// Defines the losses cross_entropy and squared_error, which also compute their gradients.
#if defined(KRAIT_TRAIN_LOSS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_TRAIN_LOSS_INL_HPP
#undef KRAIT_TRAIN_LOSS_INL_HPP
#else
#define KRAIT_TRAIN_LOSS_INL_HPP
#endif

#include "krait/core/begin.hpp"
#ifndef KRAIT_REFUSED

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "krait/train/check_train.hpp"
#include "krait/kernels/training-inl.hpp"
#include "krait/ops/embedding-inl.hpp"

KRAIT_BEGIN_TARGET

namespace detail {
template <class Token>
HWY_INLINE bool is_negative(Token token) {
  if constexpr (std::is_signed_v<Token>) return token < 0;
  else return false;
}
// Sets all vectors of a sequence from index `first` on to 0.
template <class Out>
HWY_INLINE void clear_vectors_from(std::size_t first, Out& out) {
  for (std::size_t t = first; t < std::size(out); ++t) std::memset(std::data(std::data(out)[t]), 0, sizeof(*std::data(out)));
}
}  // namespace detail

// cross_entropy(logits, targets, dlogits[, smoothing]) returns the mean cross-entropy in nats, and writes its gradient with
// respect to the logits to dlogits.
//   logits     a vector of floats for each token of a window, or one vector
//   targets    a token id for each vector, or one token id. A negative id leaves its token out: its gradient is 0. The mean is
//              over the other tokens; if there are none, it is 0. An id of vocab_size or more is an error: the loss is NaN, and
//              the token's gradient is 0
//   dlogits    as many vectors as logits; may be logits. The gradient of a vector without target is 0
//   smoothing  from 0 to 1: the share of the wanted probability that is spread evenly over all ids; default 0
// The losses of the tokens are added in the order of the tokens. Allocates nothing, throws nothing.
template <class Logits, class Targets, class Out>
float cross_entropy(const Logits& logits, const Targets& targets, Out&& dlogits, float smoothing = 0.0f) noexcept {
  if constexpr (check::cross_entropy<const Logits, const Targets, Out>()) {
    const auto loss = [&](std::size_t n, std::size_t classes, const float* in, const auto* target, float* out) KRAIT_LAMBDA {
      const auto id = [&](std::size_t t) KRAIT_LAMBDA { return krait::detail::unsigned_token(target[t]); };
      std::size_t counted = 0, outside = 0;
      for (std::size_t t = 0; t < n; ++t) {
        counted += id(t) < classes;
        outside += id(t) >= classes && !detail::is_negative(target[t]);
      }
      const float count = static_cast<float>(counted);
      float total = 0.0f;
      for (std::size_t t = 0; t < n; ++t) {
        if (id(t) < classes)
          total = opaque(total + cross_entropy_row(in + t * classes, classes, id(t), smoothing, div(1.0f, count),
                                                   out + t * classes));
        else
          std::memset(out + t * classes, 0, classes * sizeof(float));
      }
      if (outside > 0) return __builtin_bit_cast(float, 0x7FC00000u);  // NaN
      return counted > 0 ? div(total, count) : 0.0f;
    };
    if constexpr (VectorSequence<const Logits>) {
      constexpr std::size_t classes = krait::detail::length_of<krait::detail::element<const Logits>>;
      const std::size_t n = std::min<std::size_t>({std::size(logits), std::size(targets), std::size(dlogits)});
      detail::clear_vectors_from(n, dlogits);
      return n == 0 ? 0.0f : loss(n, classes, std::data(*std::data(logits)), std::data(targets),
                                  std::data(*std::data(dlogits)));
    } else {
      return loss(1, krait::detail::length_of<Logits>, std::data(logits), &targets, std::data(dlogits));
    }
  } else {
    return 0.0f;
  }
}

// squared_error(y, target, dy) returns the mean of (y - target)^2 over all elements, and writes its gradient with respect to y
// to dy, which may be y. The arguments are vectors of equal length, or sequences of them. A vector without target does not
// count in the mean, and its gradient is 0. Each vector is summed in the order of sum_in_strips; these sums are added in the
// order of the tokens. Allocates nothing, throws nothing.
template <class Y, class Target, class Out>
float squared_error(const Y& y, const Target& target, Out&& dy) noexcept {
  if constexpr (check::squared_error<const Y, const Target, Out>()) {
    const auto loss = [](std::size_t n, std::size_t width, const float* in, const float* wanted, float* out) KRAIT_LAMBDA {
      const float count = static_cast<float>(n * width), scale = div(2.0f, count);
      float total = 0.0f;
      for (std::size_t t = 0; t < n; ++t)
        total = opaque(total + squared_error_row(in + t * width, wanted + t * width, width, scale, out + t * width));
      return div(total, count);
    };
    if constexpr (VectorSequence<const Y>) {
      const std::size_t n = std::min<std::size_t>({std::size(y), std::size(target), std::size(dy)});
      detail::clear_vectors_from(n, dy);
      return n == 0 ? 0.0f : loss(n, krait::detail::length_of<krait::detail::element<const Y>>, std::data(*std::data(y)),
                                  std::data(*std::data(target)), std::data(*std::data(dy)));
    } else {
      return loss(1, krait::detail::length_of<Y>, std::data(y), std::data(target), std::data(dy));
    }
  } else {
    return 0.0f;
  }
}

KRAIT_END_TARGET

#endif  // KRAIT_REFUSED
#include "krait/core/end.hpp"

#endif
