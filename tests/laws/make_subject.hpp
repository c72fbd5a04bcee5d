// subject<Model>(name) returns the table of functions (Subject) that the law tests call for one model.
#ifndef KRAIT_TESTS_LAWS_MAKE_SUBJECT_HPP
#define KRAIT_TESTS_LAWS_MAKE_SUBJECT_HPP

#include <algorithm>
#include <cmath>
#include <krait/streams.hpp>
#include <span>
#include <utility>

#include "subject.hpp"

namespace laws {

template <class Model>
struct Functions {
  static constexpr bool tokens = krait::TakesTokens<Model>;
  static constexpr std::size_t d_in = Model::d_in, d_out = Model::d_out;
  using In = std::conditional_t<tokens, int, krait::Tensor<float, tokens ? 1 : d_in>>;
  using Out = krait::Tensor<float, d_out>;
  using State = krait::State<Model>;
  static_assert(std::is_trivially_copyable_v<Model> && std::is_aggregate_v<Model>);
  static_assert(std::is_trivially_copyable_v<State>);

  template <class T>
  static T& as(std::byte* p) { return *std::launder(reinterpret_cast<T*>(p)); }
  template <class T>
  static const T& as(const std::byte* p) { return *std::launder(reinterpret_cast<const T*>(p)); }
  template <std::size_t n>
  static auto& scratch(std::byte* p) { return as<krait::Scratch<Model, n>>(p); }
  static std::span<const In> inputs(const void* xs, std::size_t n) { return {static_cast<const In*>(xs), n}; }
  static std::span<Out> rows(float* ys, std::size_t n) { return {reinterpret_cast<Out*>(ys), n}; }

  static void draw(std::byte* model, krait::Key key) {
    std::uint64_t tensor = 0;
    krait::for_each_param(as<Model>(model), [&](std::string_view name, auto& param) {
      using Param = std::remove_reference_t<decltype(param)>;
      const krait::Key k = krait::split(key, tensor++);
      const bool around_one = name.ends_with("norm.weight") || name.ends_with("norm_f.weight") || name.ends_with("D");
      const float spread = name.ends_with("embedding.weight") ? 1.0f : name.ends_with("A_log") ? 2.0f
                           : Param::cols == 1                 ? 0.3f
                                                              : 1.0f / std::sqrt(static_cast<float>(Param::cols));
      krait::assign(param, [&](std::size_t row, std::size_t col) {
        return krait::uniform(k, row * Param::cols + col, -spread, spread) + (around_one ? 1.0f : 0.0f);
      });
    });
  }
  static void step(const std::byte* model, std::byte* state, const void* x, float* y, std::byte* s) {
    krait::step(as<Model>(model), as<State>(state), *static_cast<const In*>(x), *rows(y, 1).data(), scratch<1>(s));
  }
  static void step_alone(const std::byte* model, std::byte* state, const void* x, float* y) {
    krait::step(as<Model>(model), as<State>(state), *static_cast<const In*>(x), *rows(y, 1).data());
  }
  template <std::size_t chunk>
  static std::size_t prefill(const std::byte* model, std::byte* state, const void* xs, std::size_t n, float* ys,
                             std::size_t room, std::byte* s) {
    return krait::prefill(as<Model>(model), as<State>(state), inputs(xs, n), rows(ys, room), scratch<chunk>(s));
  }
  template <std::size_t chunk>
  static std::size_t prefill_last(const std::byte* model, std::byte* state, const void* xs, std::size_t n, float* y,
                                  std::byte* s) {
    if constexpr (krait::Summarising<Model>)
      return krait::prefill(as<Model>(model), as<State>(state), inputs(xs, n), *rows(y, 1).data(), scratch<chunk>(s));
    else return 0;
  }
  static std::size_t prefill_alone(const std::byte* model, std::byte* state, const void* xs, std::size_t n, float* ys) {
    return krait::prefill(as<Model>(model), as<State>(state), inputs(xs, n), rows(ys, n));
  }
  static void forward(const std::byte* model, const void* xs, float* ys) {
    const auto y = krait::forward(as<Model>(model), *static_cast<const std::array<In, length>*>(xs));
    std::memcpy(ys, &y, sizeof(y));
  }
  static constexpr std::size_t streams_chunk = 16;
  static std::unique_ptr<krait::StreamScratch<Model, streams_chunk>> dirty_scratch() {
    auto scratch = std::make_unique<krait::StreamScratch<Model, streams_chunk>>();
    std::memset(static_cast<void*>(scratch.get()), 0xFF, sizeof(*scratch));
    return scratch;
  }
  static std::vector<State*> states_of(std::byte* const* states, std::size_t n) {
    std::vector<State*> pointers;
    for (std::size_t i = 0; i < n; ++i) pointers.push_back(&as<State>(states[i]));
    return pointers;
  }
  static void step_streams(const std::byte* model, std::byte* const* states, std::size_t n, const void* xs, float* ys,
                           std::size_t outputs) {
    const auto scratch = dirty_scratch();
    krait::step_streams(as<Model>(model), states_of(states, n), inputs(xs, n), rows(ys, outputs), *scratch);
  }
  static void prefill_streams(const std::byte* model, std::byte* const* states, const std::vector<std::size_t>& counts,
                              const void* xs, float* ys, std::size_t outputs) {
    const auto scratch = dirty_scratch();
    std::vector<std::span<const In>> sequences;
    std::vector<std::span<Out>> every_output;
    std::size_t first = 0;
    for (const std::size_t count : counts) {
      sequences.push_back(inputs(static_cast<const In*>(xs) + first, count));
      every_output.push_back({reinterpret_cast<Out*>(ys) + first, count});
      first += count;
    }
    const auto pointers = states_of(states, counts.size());
    if constexpr (krait::Summarising<Model>)
      krait::prefill_streams(as<Model>(model), pointers, sequences, rows(ys, outputs), *scratch);
    else
      krait::prefill_streams(as<Model>(model), pointers, sequences, every_output, *scratch);
  }
};

template <class Model, Chunks chunks = usual_chunks>
Subject subject(std::string name, std::size_t d_conv = 1) {
  using F = Functions<Model>;
  Subject s{};
  s.name = std::move(name);
  s.vocab_size = F::tokens ? Model::d_in : 0;
  s.d_in = F::tokens ? 1 : Model::d_in;
  s.d_out = Model::d_out;
  s.d_conv = d_conv;
  s.chunks = chunks;
  s.quick = quick;
  s.model_bytes = sizeof(Model);
  s.state_bytes = sizeof(typename F::State);
  s.summarises = krait::Summarising<Model>;
  s.forward_gives_one_row =
      sizeof(decltype(krait::forward(std::declval<const Model&>(), std::declval<const std::array<typename F::In, length>&>()))) ==
      sizeof(typename F::Out);
  s.draw = F::draw;
  s.step = F::step;
  s.step_alone = F::step_alone;
  s.prefill_alone = F::prefill_alone;
  s.forward = F::forward;
  s.step_streams = F::step_streams;
  s.prefill_streams = F::prefill_streams;
  [&]<std::size_t... i>(std::index_sequence<i...>) {
    ((s.prefill[i] = F::template prefill<chunks[i]>, s.prefill_last[i] = F::template prefill_last<chunks[i]>,
      s.scratch_bytes = std::max(s.scratch_bytes, sizeof(krait::Scratch<Model, chunks[i]>))),
     ...);
  }(std::make_index_sequence<chunk_count>{});
  return s;
}

// Writes dims as text for the names of models. Sizes of 0 and flags that are false are left out.
inline std::string describe(const krait::ModelDims& d) {
  std::string s;
  const auto number = [&](const char* name, std::size_t n) { s += std::string(name) + " " + std::to_string(n) + ", "; };
  const auto flag = [&](const char* name, bool on) { s += on ? std::string(name) + ", " : ""; };
  if (d.vocab_size > 0) number("vocab_size", d.vocab_size);
  if (d.d_model > 0) number("d_model", d.d_model);
  if (d.n_layers > 0) number("n_layers", d.n_layers);
  number("d_inner", d.d_inner);
  number("d_state", d.d_state);
  if (d.d_conv > 0) number("d_conv", d.d_conv);
  number("dt_rank", d.dt_rank);
  flag("in_bias", d.in_bias), flag("conv_bias", d.conv_bias), flag("x_bias", d.x_bias), flag("dt_bias", d.dt_bias);
  flag("out_bias", d.out_bias), flag("norm_bias", d.norm_bias);
  flag("LayerNorm", d.norm == krait::NormKind::layer);
  if (d.vocab_size > 0) s += d.tied ? "tied, " : "untied, ";
  s.resize(s.size() - 2);
  return "{" + s + "}";
}
inline std::string describe(const krait::BlockDims& d) {
  return describe(krait::ModelDims{.d_model = d.d_model, .n_layers = 0, .d_state = d.d_state, .d_conv = d.d_conv,
                                   .d_inner = d.d_inner, .dt_rank = d.dt_rank, .in_bias = d.in_bias,
                                   .conv_bias = d.conv_bias, .x_bias = d.x_bias, .dt_bias = d.dt_bias,
                                   .out_bias = d.out_bias, .norm_bias = d.norm_bias, .norm = d.norm});
}
inline std::string describe(const krait::SsmDims& d) {
  return describe(krait::ModelDims{.d_model = d.d_model, .n_layers = 0, .d_state = d.d_state, .d_conv = 0,
                                   .d_inner = d.d_inner, .dt_rank = d.dt_rank, .conv_bias = false, .x_bias = d.x_bias,
                                   .dt_bias = d.dt_bias, .out_bias = d.out_bias});
}

template <template <auto> class System, Chunks chunks, auto... dims>
void add_in_chunks(std::vector<Subject>& to, const char* name) {
  const auto width = [](const auto& d) -> std::size_t {
    if constexpr (requires { d.d_conv; }) return d.d_conv;
    else return 1;
  };
  (to.push_back(subject<System<dims>, chunks>(std::string(name) + describe(dims), width(dims))), ...);
}
template <template <auto> class System, auto... dims>
void add(std::vector<Subject>& to, const char* name) {
  add_in_chunks<System, usual_chunks, dims...>(to, name);
}

}  // namespace laws

#endif
