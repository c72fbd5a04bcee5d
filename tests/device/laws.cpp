// The program that laws.py runs on boards. For every storage type, it runs forward, prefill in pieces of different lengths,
// step, and step_streams on three sequences, and prints a hash of the outputs and the final state of each, and the last output.
// Before that, it prints hashes of the functions that it calls directly: the element-wise functions and the recurrence, for
// floats of every magnitude, infinities and NaN; norms; the largest values of MaxPool; positions; int8 products; and models of
// Mamba-2 and Mamba-3.
#include "../../examples/firmware/firmware.hpp"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>
#include <utility>

#include <krait.hpp>
#include <krait/convert.hpp>
#include <krait/streams.hpp>

#include "../bits/heads-inl.hpp"
#include "../bits/int8_products-inl.hpp"
#include "block.hpp"  // made by krait pack from block_odd_all_biases.safetensors
#ifndef LAWS_QUICK
#include "tied.hpp"   // made by krait pack from mamba_tied.safetensors
#endif
#include "data.hpp"   // the inputs of these models

namespace {

using krait::Storage;

// Returns the FNV-1a hash of bytes.
std::uint32_t hash(const void* data, std::size_t bytes) {
  std::uint32_t h = 0x811C9DC5u;
  for (std::size_t i = 0; i < bytes; ++i) h = (h ^ static_cast<const unsigned char*>(data)[i]) * 0x01000193u;
  return h;
}

// Returns a hash of `function` for the floats whose bit patterns are multiples of a prime, so that every exponent occurs, and
// for floats at the boundaries between the cases of the functions.
constexpr std::size_t channels = 16;
using Row = krait::Strips<channels>;
template <class Function>
std::uint32_t hash_over_floats(Function function) {
  constexpr float edges[channels] = {0.0f,   -0.0f,   1e-45f,  -1e-45f,  87.3f,     -87.3f,    87.300003f, -87.300003f,
                                     126.0f, -126.5f, 126.75f, -127.0f, 127.25f, -127.75f, 2147483648.0f, -1e38f};
  std::uint32_t h = 0x811C9DC5u, bits = 0;
  for (std::uint32_t i = 0; i < 4096; ++i) {
    Row row;
    for (std::size_t c = 0; c < channels; ++c, bits += 65'537) row.set(c, 0, i == 0 ? edges[c] : std::bit_cast<float>(bits));
    function(row, i);
    for (std::size_t c = 0; c < channels; ++c) {  // every NaN is hashed as the same NaN
      const float value = row.get(c);
      h = (h ^ (value == value ? std::bit_cast<std::uint32_t>(value) : 0x7FC00000u)) * 0x01000193u;
    }
  }
  return h;
}

// Returns a hash of the outputs of a PositionalEmbedding for 7 tokens, of which the last three have the same position.
template <Storage storage>
std::uint32_t hash_of_positions() {
  krait::PositionalEmbedding<5, 13, storage> layer;
  krait::assign(layer.weight, [](std::size_t row, std::size_t col) {
    return 0.11f * static_cast<float>((row * 13 + col) % 19);
  });
  krait::State<decltype(layer)> state;
  krait::Tensor<float, 7, 13> rows;
  for (std::size_t t = 0; t < 7; ++t) {
    for (std::size_t c = 0; c < 13; ++c) rows[t][c] = 0.25f * static_cast<float>(t) - 0x1p-4f * static_cast<float>(c);
    krait::step(layer, state, krait::Tensor<float, 13>(rows[t]), rows[t]);
  }
  return hash(&rows, sizeof(rows));
}

void show_functions() {
  namespace kernels = krait::HWY_NAMESPACE;
  const auto print = [](std::string_view name, std::uint32_t h) {
    (firmware::Line() << "function " << name << " " << firmware::hex(h)).print();
  };
  print("softplus", hash_over_floats([](Row& row, std::uint32_t) { kernels::softplus_row(row.data(), channels); }));
  print("gate", hash_over_floats([](Row& row, std::uint32_t) {
    const Row z = row;
    for (float& y : row.values) y = 0.75f;
    kernels::gate_row(row.data(), z.data(), channels);
  }));
  // A convolution with one tap of weight 1 computes only SiLU.
  print("silu", hash_over_floats([](Row& row, std::uint32_t) {
    krait::Taps<channels, 1> one;
    for (float& tap : one.values) tap = 1.0f;
    kernels::conv1d_rows<1>(one.data(), nullptr, nullptr, {row.data(), channels}, channels, 1, kernels::Silu{});
  }));
  // h = decay * h + (delta * x) * B, with decay rates of every magnitude. The output is h.
  print("decay", hash_over_floats([](Row& row, std::uint32_t i) {
    constexpr std::size_t d_state = 3;
    constexpr float deltas[] = {1.0f, 0.7f, 1e-3f, 1e-30f, 0.0f, 3e38f, 1e6f, std::numeric_limits<float>::infinity()};
    constexpr float states[] = {1.0f, -3e38f, 1e-40f, 0.0f};
    krait::Strips<channels, d_state> A2, h;
    Row delta, D, x;
    krait::Strips<d_state> B{}, C{};
    for (std::size_t n = 0; n < d_state; ++n) {
      C.set(n, 0, 1.0f);
      if ((i + n) % 3 == 0) B.set(n, 0, 1e-39f);
    }
    for (std::size_t c = 0; c < channels; ++c) {
      for (std::size_t n = 0; n < d_state; ++n) {
        const float rate = row.get((c + n) % channels);  // the value that DecayRates stores: negative, or the default NaN
        A2.set(c, n, rate == rate ? -std::fabs(rate) : std::numeric_limits<float>::quiet_NaN());
        h.set(c, n, states[(c + n + i) % 4]);
      }
      delta.set(c, 0, deltas[(c / 2 + i) % 8]);
      D.set(c, 0, 0.0f), x.set(c, 0, 1.0f);
    }
    Row y;
    kernels::selective_scan<false>({.A2 = A2.data(), .D = D.data(), .h = h.data(),
                                    .delta = {delta.data(), channels}, .B = {B.data(), 1}, .C = {C.data(), 1},
                                    .x = {x.data(), channels}, .y = {y.data(), channels}, .d_state = d_state, .tokens = 1},
                                   channels);
    row = y;
    if (i % 4 < d_state)
      for (std::size_t c = 0; c < channels; ++c) row.set(c, 0, h.get(c, i % 4));
  }));
  // Row i goes through activation function i modulo 6. Each exponent has 8 rows, so each of the 6 functions gets floats of
  // every exponent.
  print("activations", hash_over_floats([](Row& row, std::uint32_t i) {
    [&]<std::size_t... function>(std::index_sequence<function...>) {
      const auto apply = [&]<std::size_t f>() {
        if (i % 6 == f) kernels::activation_row<static_cast<krait::ActivationFunction>(f)>(row.data(), row.data(), channels);
      };
      (apply.template operator()<function>(), ...);
    }(std::make_index_sequence<6>{});
  }));
  // Runs RMSNorm and LayerNorm, with and without a bias, on tokens of 13 numbers within +-1.
  print("norms", hash_over_floats([](Row& row, std::uint32_t i) {
    Row weight, bias;
    for (std::size_t c = 0; c < channels; ++c) {
      row.set(c, 0, static_cast<float>(std::bit_cast<std::int32_t>(row.get(c))) * 0x1p-31f);
      weight.set(c, 0, 0.75f + 0x1p-4f * static_cast<float>(c)), bias.set(c, 0, 0.25f - 0x1p-3f * static_cast<float>(c));
    }
    const float* const added = i / 2 % 2 == 0 ? bias.data() : nullptr;
    if (i % 2 == 0) kernels::norm_row<krait::NormKind::rms>(row.data(), weight.data(), added, 1e-5f, row.data(), 13);
    else kernels::norm_row<krait::NormKind::layer>(row.data(), weight.data(), added, 1e-5f, row.data(), 13);
  }));
  // Runs MaxPool on five rows at a time, each time from a fresh state.
  Row largest{};
  print("largest", hash_over_floats([&](Row& row, std::uint32_t i) {
    if (i % 5 == 0) largest = {};
    kernels::max_row(row.data(), largest.data(), channels);
    kernels::max_values(largest.data(), row.data(), channels);
  }));
  std::uint32_t positions = 0;
  [&]<Storage... storage>(std::integer_sequence<Storage, storage...>) {
    ((positions = 31 * positions + hash_of_positions<storage>()), ...);
  }(std::integer_sequence<Storage, Storage::f32, Storage::bf16, Storage::f16, Storage::int8>{});
  print("positions", positions);
  std::uint32_t products = 0;
  bits::HWY_NAMESPACE::int8_products([&](const auto& rows) { products = 31 * products + hash(&rows, sizeof(rows)); });
  print("int8_products", products);
  std::uint32_t prefills = 0, steps = 0, states = 0;
  const auto add = [&](const auto& prefilled, const auto& stepped, const auto& state) {
    prefills = 31 * prefills + hash(&prefilled, sizeof(prefilled));
    steps = 31 * steps + hash(&stepped, sizeof(stepped));
    states = 31 * states + hash(&state, sizeof(state));
  };
  bits::HWY_NAMESPACE::mamba2_models(add);
  bits::HWY_NAMESPACE::mamba3_models(add);
  print("heads_prefill", prefills);
  print("heads_step", steps);
  print("heads_state", states);
}

// Memory for one model at a time, with its states, scratches and outputs. All models together would exceed the RAM of a board.
alignas(64) std::byte shared_memory[192 * 1024];
template <class T>
T& in_shared_memory() {
  static_assert(sizeof(T) <= sizeof(shared_memory));
  return *new (shared_memory) T();
}

template <class Model, class From, class Inputs>
void show(std::string_view name, const From& packed, const Inputs& inputs) {
  constexpr std::size_t length = krait::detail::length_of<Inputs>;
  struct Memory {
    Model model;
    krait::State<Model> stepped, prefilled, streams[3];
    krait::Tensor<float, length, Model::d_out> rows;
    krait::Tensor<float, 3, Model::d_out> outputs;
    krait::Scratch<Model, std::min(length, krait::default_chunk<Model>())> scratch;  // with the chunk size of forward
    krait::StreamScratch<Model, 2> streams_scratch;
  };
  auto& [model, stepped, prefilled, streams, rows, outputs, scratch, streams_scratch] = in_shared_memory<Memory>();
  krait::convert(packed, model);

  rows = krait::forward(model, inputs);
  const std::uint32_t forward = hash(&rows, sizeof(rows));

  rows = {};
  prefilled = {};
  for (std::size_t t = 0, piece = 1; t < length; t += piece, piece = piece * 3 % 11) {
    piece = piece < length - t ? piece : length - t;
    krait::prefill(model, prefilled, std::span(inputs.data() + t, piece), std::span(rows.data() + t, piece), scratch);
  }
  const std::uint32_t prefill = hash(&rows, sizeof(rows));

  rows = {};
  stepped = {};
  for (std::size_t t = 0; t < length; ++t) krait::step(model, stepped, inputs[t], rows[t]);
  const std::uint32_t steps = hash(&rows, sizeof(rows));

  // Runs step_streams on the sequence and two others: the same tokens in reverse order, and a sequence that joins after two
  // tokens.
  rows = {};
  for (auto& state : streams) state = {};
  for (std::size_t t = 0; t < length; ++t) {
    const std::array tokens{inputs[t], inputs[length - 1 - t], inputs[t < 2 ? 0 : t - 2]};
    krait::step_streams(model, streams, std::span(tokens.data(), t < 2 ? 2 : 3), outputs, streams_scratch);
    rows[t] = outputs[0];
  }
  const std::uint32_t together = hash(&rows, sizeof(rows));

  (firmware::Line() << name << " weights " << firmware::hex(hash(&model, sizeof(model))) << " forward "
                    << firmware::hex(forward) << " prefill " << firmware::hex(prefill) << " steps " << firmware::hex(steps)
                    << " streams " << firmware::hex(together) << " stream_state "
                    << firmware::hex(hash(&streams[0], sizeof(streams[0])))
                    << " state " << firmware::hex(hash(&stepped, sizeof(stepped))) << " prefill_state "
                    << firmware::hex(hash(&prefilled, sizeof(prefilled)))).print();
  for (std::size_t i = 0; i < Model::d_out; i += 8) {
    firmware::Line line;
    line << "last";
    for (std::size_t k = i; k < i + 8 && k < Model::d_out; ++k) line << " " << firmware::bits(rows[length - 1][k]);
    line.print();
  }
}

constexpr krait::BlockDims block_dims{.d_model = 10, .d_state = 7, .d_conv = 3, .d_inner = 23, .dt_rank = 3, .in_bias = true,
                                      .conv_bias = true, .x_bias = true, .dt_bias = true, .out_bias = true};
constexpr krait::ModelDims tied_dims = krait::resolve({.vocab_size = 64, .d_model = 32, .n_layers = 2});

// A stack: a convolution over time, whose first token has no output, a residual of a stack with a block of Mamba-2, two
// residual blocks of Mamba-3, and a Linear layer.
template <Storage storage>
struct BranchParts {
  static constexpr auto dims = krait::resolve(krait::Mamba2BlockDims{.d_model = 12, .d_state = 5, .d_inner = 18, .headdim = 9,
                                                                     .storage = storage});
  KRAIT_PARAMS(BranchParts, (krait::LayerNorm<krait::NormDims{.d_model = 12, .bias = true}>, norm),
    (krait::Mamba2Block<dims>, mixer), (krait::Residual<krait::Gelu<12>>, gelu));
};
template <Storage storage>
struct FrontParts {
  static constexpr krait::StridedConv1dDims conv_dims{.channels = 5, .d_out = 12, .kernel = 6, .stride = 2, .padding = 2,
                                                      .storage = storage};
  static constexpr auto dims = krait::resolve(krait::Mamba3BlockDims{.d_model = 12, .d_state = 6, .d_inner = 20, .headdim = 5,
                                                                     .ngroups = 2, .storage = storage});
  KRAIT_PARAMS(FrontParts, (krait::StridedConv1d<conv_dims>, conv),
    (krait::Residual<krait::Stack<BranchParts<storage>>>, first),
    (std::array<krait::ResidualBlock<dims>, 2>, layers),
    (krait::Linear<krait::LinearDims{.d_in = 12, .d_out = 3, .bias = true, .storage = storage}>, head));
};

// Returns the stack with f32 weights. Uniform numbers within +-0.5 need no rounding, so the weights are equal even on boards
// whose fmaf rounds twice.
const krait::Stack<FrontParts<Storage::f32>>& drawn_stack() {
  static krait::Stack<FrontParts<Storage::f32>> stack;
  std::uint64_t number = 0;
  krait::for_each_param(stack, [&](std::string_view, auto& tensor) {
    const krait::Key key = krait::split(krait::key(3), number++);
    krait::assign(tensor, [&](std::size_t row, std::size_t col) {
      return krait::uniform(key, row * tensor.cols + col, -0.5f, 0.5f);
    });
  });
  return stack;
}

template <Storage storage>
void show_all(std::string_view name) {
  using Block = krait::MambaBlock<krait::with_storage(block_dims, storage)>;
  show<Block>(krait::Text<40>("block_odd_all_biases ") + name, block::model<krait::MambaBlock<block_dims>>(), data::rows);
  if constexpr (storage == Storage::int8)
    show<krait::Stack<FrontParts<storage>>>(krait::Text<40>("stack ") + name, drawn_stack(), data::rows);
#ifndef LAWS_QUICK
  if constexpr (storage == Storage::int8)  // one storage type is enough, because each takes long to compile
    show<krait::Mamba<krait::with_storage(tied_dims, storage)>>(krait::Text<40>("mamba_tied ") + name,
        tied::model<krait::Mamba<tied_dims>>(), data::tokens);
#endif
}

}  // namespace

int main() {
  (firmware::Line() << "fma " << (krait::has_fma ? 1u : 0u)).print();
  show_functions();
  show_all<Storage::f32>("f32");
#ifndef LAWS_QUICK
  show_all<Storage::bf16>("bf16");
  show_all<Storage::f16>("f16");
#endif
  show_all<Storage::int8>("int8");
  firmware::exit(0);
}
