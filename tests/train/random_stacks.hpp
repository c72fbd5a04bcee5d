// Program for random_stacks.py: computes the gradients of models, whose weights, inputs and cotangents it reads from a file,
// and writes them to another.
#ifndef KRAIT_TESTS_RANDOM_STACKS_HPP
#define KRAIT_TESTS_RANDOM_STACKS_HPP

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include <krait.hpp>
#include <krait/train.hpp>

inline std::FILE *from, *to;
inline void read(void* data, std::size_t bytes) {
  if (std::fread(data, 1, bytes, from) != bytes) std::exit(2);
}
template <class T>
T read() {
  T value;
  read(&value, sizeof(T));
  return value;
}
inline void write(float value) { std::fwrite(&value, sizeof(value), 1, to); }

// Calls f(float&) for every float of a state, layer by layer: the windows of convolutions [channels, d_conv - 1], h [d_inner,
// d_state], sums and maxima [d_model].
template <class S, class F>
void visit_state(S& state, F f) {
  const auto visit = [&](auto& tensor) {
    for (std::size_t row = 0; row < tensor.rows; ++row)
      for (std::size_t col = 0; col < tensor.cols; ++col) f(tensor.values[tensor.offset(row, col)]);
  };
  if constexpr (requires { state.layers; }) {
    for (auto& layer : state.layers) visit_state(layer, f);
  } else if constexpr (requires { state.h.extents; }) {
    visit_state(state.conv_state, f);
    for (std::size_t head = 0; head < state.h.extents[0]; ++head)
      for (std::size_t channel = 0; channel < state.h.extents[1]; ++channel)
        for (std::size_t n = 0; n < state.h.extents[2]; ++n) f(state.h.values[state.h.offset(head, channel, n)]);
  } else if constexpr (requires { state.ssm_state; }) {
    visit_state(state.conv_state, f);
    visit_state(state.ssm_state, f);
  } else if constexpr (requires { state.h; }) {
    visit(state.h);
  } else if constexpr (requires { state.window; }) {
    visit(state.window);
  } else if constexpr (requires { S::floats; }) {
    for (std::size_t i = 0; i < S::floats; ++i) f(state.data()[i]);
  } else if constexpr (requires { state.largest; }) {
    visit(state.largest);
  } else if constexpr (requires { state.begin(); }) {
    for (auto& layer : state) visit_state(layer, f);
  } else {
    [&]<std::size_t... i>(std::index_sequence<i...>) {
      const auto slot = [&]<std::size_t at>(std::integral_constant<std::size_t, at>) {
        if constexpr (krait::detail::HasSlot<at, S>) visit_state(krait::detail::slot_object<at>(state), f);
      };
      (slot(std::integral_constant<std::size_t, i>{}), ...);
    }(std::make_index_sequence<12>{});
  }
}

// Computes the gradients of one model for a window of `window` tokens after `before` tokens, whose gradients are not wanted.
// The loss is the sum of outputs * cotangents plus that of the floats of the last state * cotangents. Also compares the
// gradients of the parameters that Selection selects alone with those of all, bit for bit.
template <class Model, std::size_t before, std::size_t window, class Selection>
void run() {
  using Input = std::conditional_t<krait::TakesTokens<Model>, std::array<std::int32_t, before + window>,
                                   krait::Tensor<float, before + window, Model::d_in>>;
  using Output = std::conditional_t<krait::gives_one_row<Model>, krait::Tensor<float, Model::d_out>,
                                    krait::Tensor<float, window, Model::d_out>>;
  const auto model = std::make_unique<Model>();
  krait::for_each_param(*model, [](std::string_view, auto& tensor) {
    krait::assign(tensor, [](std::size_t, std::size_t) { return read<float>(); });
  });
  const auto input = std::make_unique<Input>(read<Input>());
  const auto dy = std::make_unique<Output>(read<Output>());
  const auto state = std::make_unique<krait::State<Model>>(), dstate = std::make_unique<krait::State<Model>>();
  visit_state(*dstate, [](float& x) { x = read<float>(); });
  std::vector<krait::Tensor<float, Model::d_out>> unused(before);
  krait::prefill(*model, *state, std::span(*input).template first<before>(), unused);
  const auto start = std::make_unique<krait::State<Model>>(*state);

  const auto xs = std::span(*input).template last<window>();
  const auto y = std::make_unique<Output>();
  const auto gradients = std::make_unique<krait::Gradients<Model>>();
  {
    const auto tape = std::make_unique<krait::Tape<Model, window>>();
    std::memset(static_cast<void*>(tape.get()), 0xFF, sizeof(*tape));  // NaN: nothing may be read before it is written
    krait::record(*model, *state, xs, *y, *tape);
    if constexpr (krait::TakesTokens<Model>) {
      krait::backward(*model, *tape, *dy, *gradients, krait::no_output, *dstate);
    } else {
      const auto dx = std::make_unique<krait::Tensor<float, window, Model::d_in>>();
      krait::backward(*model, *tape, *dy, *gradients, *dx, *dstate);
      for (const auto& row : *dx)
        for (const float x : row) write(x);
    }
  }
  for (std::size_t i = 0; i < sizeof(Output) / sizeof(float); ++i) write(reinterpret_cast<const float*>(y.get())[i]);
  visit_state(*dstate, [](float x) { write(x); });
  krait::for_each_gradient(*model, *gradients, [](std::string_view, const auto& gradient) {
    for (std::size_t row = 0; row < gradient.rows; ++row)
      for (std::size_t col = 0; col < gradient.cols; ++col) write(gradient.get(row, col));
  });

  // Without the gradients of the state, as the selected ones.
  if constexpr (!std::is_same_v<Selection, krait::Everything>) {
    const auto selected = std::make_unique<krait::Gradients<Model, Selection>>();
    *gradients = {};
    *state = *start;
    const auto all_tape = std::make_unique<krait::Tape<Model, window>>();
    krait::record(*model, *state, xs, *y, *all_tape);
    krait::backward(*model, *all_tape, *dy, *gradients);
    const auto tape = std::make_unique<krait::Tape<Model, window, Selection>>();
    std::memset(static_cast<void*>(tape.get()), 0xFF, sizeof(*tape));
    *state = *start;
    krait::record(*model, *state, xs, *y, *tape);
    krait::backward(*model, *tape, *dy, *selected);
    krait::for_each_gradient(*model, *selected, [&](std::string_view name, const auto& found) {
      krait::for_each_gradient(*model, *gradients, [&](std::string_view other, const auto& wanted) {
        if constexpr (std::is_same_v<decltype(found), decltype(wanted)>) {
          if (name == other && std::memcmp(&found, &wanted, sizeof(found)) != 0)
            std::printf("the gradient of %.*s is another if only some parameters are trained\n", static_cast<int>(name.size()),
                        name.data());
        }
      });
    });
    static_assert(sizeof(*tape) <= sizeof(*all_tape) && sizeof(*selected) < sizeof(*gradients));
  }
}

#endif
