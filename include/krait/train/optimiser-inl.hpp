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

#include "krait/kernels/linear_backward-inl.hpp"
#include "krait/kernels/training-inl.hpp"
#include "krait/nn/sequences.hpp"
#include "krait/ops/sequences-inl.hpp"
#include "krait/train/check_train.hpp"

KRAIT_BEGIN_TARGET

namespace detail {
using namespace krait::detail;

template <class Model, class G, class M>
HWY_INLINE void adamw_checked(Model& model, const G& gradients, M& moments, const AdamW& settings) {
  moments.beta1_power = opaque(moments.beta1_power * settings.beta1);
  moments.beta2_power = opaque(moments.beta2_power * settings.beta2);
  AdamStep step{.beta1 = settings.beta1, .beta2 = settings.beta2, .eps = settings.eps,
                .first_scale = div(1.0f, opaque(1.0f - moments.beta1_power)),
                .second_scale = div(1.0f, opaque(1.0f - moments.beta2_power)), .rate = settings.rate, .kept = 1.0f};
  const float kept = opaque(1.0f - opaque(settings.rate * settings.weight_decay));
  const auto update = [&]<class T>(krait::detail::NoPath, T& weight, auto& first, auto& second, const auto& gradient) {
    step.kept = krait::detail::decays<T> ? kept : 1.0f;
    adam_step<krait::detail::is_decay_rates<T>>(step, weight.values.data(), gradient.data(), first.data(), second.data(),
                                                weight.values.size());
  };
  krait::detail::visit_trained(krait::detail::NoPath{}, update, model, moments.first.sums, moments.second.sums, gradients.sums);
}

// Makes a step of Muon for one matrix. See muon.
template <class T, class Memory>
HWY_NOINLINE void muon_matrix(T& weight, const T& gradient, T& mean, Memory& memory, const Muon& settings) {
  using Shape = krait::detail::MuonShape<T>;
  constexpr std::size_t tokens = Shape::tokens, channels = Shape::channels, stride = padded(channels);
  const TokenSpan<float> x{memory.x.data(), stride}, product{memory.product.data(), stride}, rows{memory.rows.data(), stride};
  muon_mean(mean.data(), gradient.data(), memory.product.data(), settings.momentum, T::padded_rows * T::cols);
  std::memset(memory.x.data(), 0, tokens * stride * sizeof(float));
  const auto element = [](const float* from, std::size_t row, std::size_t col) KRAIT_LAMBDA -> const float& {
    const std::size_t panel = row / panel_width * panel_width, width = std::min(panel_width, T::padded_rows - panel);
    return from[panel * T::cols + col * width + (row - panel)];
  };
  for (std::size_t row = 0; row < T::padded_rows; ++row)
    for (std::size_t col = 0; col < T::cols; ++col)
      (Shape::rows_are_tokens ? x[row][col] : x[col][row]) = element(memory.product.data(), row, col);
  const float norm = square_root(sum_of_squares(memory.x.data(), tokens * stride));
  if (!(norm > 0.0f)) return;
  scale_floats(memory.x.data(), div(1.0f, norm), tokens * stride);
  for (int i = 0; i < 5; ++i) {
    // gram = x^T x, a symmetric matrix, in panels; then x = x (a + b gram + c gram^2).
    std::memset(memory.gram.data(), 0, stride * channels * sizeof(float));
    linear_weight_gradient(x.as_const(), x.as_const(), tokens, memory.gram.data(), stride, channels);
    const auto gram = [&](std::size_t row, std::size_t col) KRAIT_LAMBDA -> float& {
      const std::size_t panel = row / panel_width * panel_width, width = std::min(panel_width, stride - panel);
      return memory.gram[panel * channels + col * width + (row - panel)];
    };
    std::memset(memory.rows.data(), 0, stride * stride * sizeof(float));
    for (std::size_t row = 0; row < channels; ++row)
      for (std::size_t col = 0; col < channels; ++col) rows[row][col] = gram(row, col);
    scale_floats(memory.gram.data(), muon_b, stride * channels);
    for (std::size_t row = 0; row < channels; ++row) gram(row, row) = opaque(gram(row, row) + muon_a);
    std::memcpy(memory.product.data(), memory.rows.data(), stride * channels * sizeof(float));
    scale_floats(memory.product.data(), muon_c, stride * channels);
    linear_weight_gradient(product.as_const(), rows.as_const(), channels, memory.gram.data(), stride, channels);
    constexpr std::size_t tile = tile_tokens;
    linear_rows<tile, stride, false>(Weights<Storage::f32>{memory.gram.data()}, stride, channels, nullptr,
                                     x.as_const(), product, 0, tokens, Range{0, stride});
    std::memcpy(memory.x.data(), memory.product.data(), tokens * stride * sizeof(float));
  }
  // Scales the step so that the root mean square of its elements is 0.2, as in a typical step of AdamW. Before, it is about 1 /
  // sqrt(longer), because all singular values are about 1.
  constexpr std::size_t longer = T::rows > T::cols ? T::rows : T::cols;
  const float kept = opaque(1.0f - opaque(settings.rate * settings.weight_decay));
  const float rate = opaque(settings.rate * opaque(0.2f * square_root(static_cast<float>(longer))));
  for (std::size_t row = 0; row < T::padded_rows; ++row)
    for (std::size_t col = 0; col < T::cols; ++col)
      const_cast<float&>(element(memory.product.data(), row, col)) = Shape::rows_are_tokens ? x[row][col] : x[col][row];
  muon_step(weight.values.data(), memory.product.data(), kept, rate, T::padded_rows * T::cols);
}

}  // namespace detail

// adamw(model, gradients, moments, settings) makes a step of AdamW (arXiv 1711.05101): changes the trained weights of `model`
// and the moments. All other weights keep their bits. A step for A_log multiplies the stored A log2(e) by e^(-rate ...), so
// A_log changes as any other parameter would, without a logarithm. Allocates nothing, throws nothing.
template <class Model, class G, class M>
void adamw(Model& model, const G& gradients, M& moments, const AdamW& settings) noexcept {
  if constexpr (check::optimiser<Moments, Model, G, M>()) detail::adamw_checked(model, gradients, moments, settings);
}

// muon(model, gradients, memory, settings) makes a step of Muon (Jordan et al. 2024) for the weights of linear layers that the
// selection of `memory`, its template parameter Trained, contains. All other weights are unchanged. The running mean of a
// weight's gradients, with Nesterov's momentum, is made nearly orthogonal by five Newton-Schulz iterations
// x = x (a + b x^T x + c (x^T x)^2), in which the shorter side of x is its columns. x^T x and its square are sums of fused
// multiply-adds over the rows in ascending order. The result is scaled by 0.2 sqrt(longer side), so that learning rates of
// AdamW also fit Muon. Allocates nothing, throws nothing.
template <class Model, class G, class M>
void muon(Model& model, const G& gradients, M& memory, const Muon& settings) noexcept {
  if constexpr (check::muon<Model, G, M>()) {
    const auto update = [&]<class T>(krait::detail::NoPath, T& weight, T& mean, const T& gradient) {
      detail::muon_matrix(weight, gradient, mean, memory, settings);
    };
    krait::detail::visit_trained(krait::detail::NoPath{}, update, model, memory.mean.sums, gradients.sums);
  }
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

// clear_moments(moments) sets moments to those of a new object, for a training that starts again.
template <class Model, class Trained>
void clear_moments(Moments<Model, Trained>& moments) noexcept {
  clear_gradients(moments.first);
  clear_gradients(moments.second);
  moments.beta1_power = moments.beta2_power = 1.0f;
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
  if constexpr (check::workers<Workers, Gradients<Model, Trained>>()) {
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

KRAIT_END_TARGET

#endif  // KRAIT_REFUSED
#include "krait/core/end.hpp"

#endif
