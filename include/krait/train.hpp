// Defines record and backward, which compute the gradients of a model's weights.
#ifndef KRAIT_TRAIN_HPP
#define KRAIT_TRAIN_HPP

#include "krait/core/begin.hpp"
#ifndef KRAIT_REFUSED

#include "krait.hpp"
#include "krait/train/calls-inl.hpp"
#include "krait/train/loss-inl.hpp"

namespace krait::inline KRAIT_BUILD {
using HWY_NAMESPACE::backward;
using HWY_NAMESPACE::cross_entropy;
using HWY_NAMESPACE::record;
using HWY_NAMESPACE::squared_error;
}  // namespace krait::inline KRAIT_BUILD

#endif  // KRAIT_REFUSED
#include "krait/core/end.hpp"

#endif
