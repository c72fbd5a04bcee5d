// Defines adamw, clip_by_norm, accumulate and linear_schedule: what turns gradients into new weights.
#if defined(KRAIT_TRAIN_OPTIMISER_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_TRAIN_OPTIMISER_INL_HPP
#undef KRAIT_TRAIN_OPTIMISER_INL_HPP
#else
#define KRAIT_TRAIN_OPTIMISER_INL_HPP
#endif

#include "krait/core/begin.hpp"
#ifndef KRAIT_REFUSED

#include <algorithm>
#include <cstring>

#include "krait/kernels/training-inl.hpp"
#include "krait/nn/sequences.hpp"
#include "krait/ops/sequences-inl.hpp"
#include "krait/train/check_train.hpp"

HWY_BEFORE_NAMESPACE();
namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD {

namespace detail {
using namespace krait::detail;

template <class Model, class Trained>
HWY_INLINE void adamw_checked(Model& model, const Gradients<Model, Trained>& gradients, Moments<Model, Trained>& moments,
                              const AdamW& settings) {
  moments.beta1_power = opaque(moments.beta1_power * settings.beta1);
  moments.beta2_power = opaque(moments.beta2_power * settings.beta2);
  AdamStep step{.beta1 = settings.beta1, .beta2 = settings.beta2, .eps = settings.eps,
                .first_scale = div(1.0f, opaque(1.0f - moments.beta1_power)),
                .second_scale = div(1.0f, opaque(1.0f - moments.beta2_power)), .rate = settings.rate, .kept = 1.0f};
  const float kept = opaque(1.0f - opaque(settings.rate * settings.weight_decay));
  const auto update = [&]<class T>(krait::detail::NoPath, T& weight, const auto& gradient, auto& first, auto& second) {
    step.kept = krait::detail::decays<T> ? kept : 1.0f;
    adam_step<krait::detail::is_decay_rates<T>>(step, weight.values.data(), gradient.data(), first.data(), second.data(),
                                                weight.values.size());
  };
  krait::detail::visit_trained(krait::detail::NoPath{}, update, model, gradients.sums, moments.first.sums, moments.second.sums);
}

}  // namespace detail

// adamw(model, gradients, moments, settings) makes a step of AdamW (arXiv 1711.05101): changes the trained weights of `model`
// and the moments. All other weights keep their bits. A step for A_log multiplies the stored A log2(e) by e^(-rate ...), so
// A_log changes as any other parameter would, without a logarithm. Allocates nothing, throws nothing.
template <class Model, class G, class M>
void adamw(Model& model, const G& gradients, M& moments, const AdamW& settings) noexcept {
  if constexpr (check::adamw<Model, G, M>()) detail::adamw_checked(model, gradients, moments, settings);
}

// Returns the Euclidean norm of a gradient. The sum of squares of each tensor is that of sum_in_strips; the sums of the tensors
// are added in memory order.
template <class Model, class Trained>
float gradient_norm(const Gradients<Model, Trained>& gradients) noexcept {
  float total = 0.0f;
  const auto square = [&](const auto& gradient) {
    total = opaque(total + sum_of_squares(gradient.data(), gradient.values.size()));
  };
  krait::detail::visit_tensors(square, gradients.sums);
  return square_root(total);
}

// clear_gradients(gradients) sets a gradient to zero. Unlike `gradients = {}`, it never needs memory for a second object.
template <class Model, class Trained>
void clear_gradients(Gradients<Model, Trained>& gradients) noexcept {
  std::memset(static_cast<void*>(&gradients), 0, sizeof(gradients));
}

// scale_gradients(gradients, factor) multiplies a gradient by a number.
template <class Model, class Trained>
void scale_gradients(Gradients<Model, Trained>& gradients, float factor) noexcept {
  const auto scale = [factor](auto& gradient) { scale_floats(gradient.data(), factor, gradient.values.size()); };
  krait::detail::visit_tensors(scale, gradients.sums);
}

// add_gradients(sum, gradients) adds a gradient to another.
template <class Model, class Trained>
void add_gradients(Gradients<Model, Trained>& sum, const Gradients<Model, Trained>& gradients) noexcept {
  const auto add = [](auto& to, const auto& from) { add_floats(to.data(), from.data(), to.values.size()); };
  krait::detail::visit_tensors(add, sum.sums, gradients.sums);
}

// clip_by_norm(gradients, most) multiplies a gradient by most / norm if its norm exceeds `most`, and returns the norm before. A
// gradient with a norm of NaN is not changed.
template <class Model, class Trained>
float clip_by_norm(Gradients<Model, Trained>& gradients, float most) noexcept {
  const float norm = gradient_norm(gradients);
  if (norm > most) scale_gradients(gradients, div(most, norm));
  return norm;
}

// accumulate(streams, workers, gradients, compute[, executor]) adds the gradients of several windows to `gradients`, always in
// the order of the windows, so that the sum does not depend on the number of workers and threads.
//   streams    the number of windows
//   workers    an array, vector or span of krait::Worker<Model, tokens>: as many windows are computed at a time
//   compute    compute(worker, i) computes the gradient of window i: it calls record and backward with worker.tape and
//              worker.gradients, which is zero before. Calls for different windows may run at the same time
//   executor   runs the windows on several threads (nn/sequences.hpp)
// Allocates nothing, throws nothing.
template <class Workers, class Model, class Trained, class Compute, class Threads>
void accumulate(std::size_t streams, Workers&& workers, Gradients<Model, Trained>& gradients, Compute&& compute,
                Threads&& executor) {
  const std::size_t most = std::size(workers);
  for (std::size_t first = 0; first < streams && most > 0; first += most) {
    const std::size_t now = std::min(most, streams - first);
    const auto one = [&](std::size_t i) {
      auto& worker = std::data(workers)[i];
      clear_gradients(worker.gradients);
      compute(worker, first + i);
    };
    executor(now, Task{&one, &run_part<decltype(one)>});
    for (std::size_t i = 0; i < now; ++i) add_gradients(gradients, std::data(workers)[i].gradients);
  }
}
template <class Workers, class Model, class Trained, class Compute>
void accumulate(std::size_t streams, Workers&& workers, Gradients<Model, Trained>& gradients, Compute&& compute) {
  OneThread one;
  accumulate(streams, workers, gradients, compute, one);
}

// linear_schedule(step, warmup, steps) returns the factor of the learning rate for step 1, ..., steps: it rises linearly to 1
// at step `warmup`, and then falls linearly towards 0, which it would reach at step steps + 1.
inline float linear_schedule(std::size_t step, std::size_t warmup, std::size_t steps) noexcept {
  if (step < warmup) return div(static_cast<float>(step), static_cast<float>(warmup));
  return step > steps ? 0.0f : div(static_cast<float>(steps + 1 - step), static_cast<float>(steps + 1 - warmup));
}

}  // namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD
HWY_AFTER_NAMESPACE();

#endif  // KRAIT_REFUSED
#include "krait/core/end.hpp"

#endif
