// Defines the functions that train a model. record and backward compute the gradients of the weights for a window of tokens,
// cross_entropy and squared_error are losses, and the optimisers adamw and muon change the weights. Training allocates no
// memory.
#ifndef KRAIT_TRAIN_HPP
#define KRAIT_TRAIN_HPP

#include "krait/core/begin.hpp"
#ifndef KRAIT_REFUSED

#include "krait.hpp"
#include "krait/train/calls-inl.hpp"
#include "krait/train/loss-inl.hpp"
#include "krait/train/optimiser-inl.hpp"

namespace krait::inline KRAIT_BUILD {
using HWY_NAMESPACE::accumulate;
using HWY_NAMESPACE::adamw;
using HWY_NAMESPACE::add_gradients;
using HWY_NAMESPACE::backward;
using HWY_NAMESPACE::clear_gradients;
using HWY_NAMESPACE::clear_moments;
using HWY_NAMESPACE::clip_by_norm;
using HWY_NAMESPACE::cross_entropy;
using HWY_NAMESPACE::gradient_norm;
using HWY_NAMESPACE::linear_schedule;
using HWY_NAMESPACE::muon;
using HWY_NAMESPACE::record;
using HWY_NAMESPACE::scale_gradients;
using HWY_NAMESPACE::squared_error;
}  // namespace krait::inline KRAIT_BUILD

#endif  // KRAIT_REFUSED
#include "krait/core/end.hpp"

#endif
