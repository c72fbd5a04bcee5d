// The C functions of the library that krait.load compiles, for a type Model that is defined before this file is included.
// Python passes the addresses of NumPy arrays. Threads may call every function together, with different states.
#ifndef KRAIT_PYTHON_RUNTIME_HPP
#define KRAIT_PYTHON_RUNTIME_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <vector>

#include "krait.hpp"
#include "krait/image.hpp"
#include "krait/load.hpp"
#include "krait/snapshot.hpp"
#include "krait/streams.hpp"

namespace runtime {

// The numbers that a model's dims determine, in the order of runtime.py's Sizes.
struct Sizes {
  std::uint64_t takes_ids, d_in, d_out, vocab_size, model_bytes, state_bytes, snapshot_bytes, warm_up, pools;
};

// Copies the message of a Status that is not ok to `message`, which has room for `room` bytes. Returns whether it is ok.
inline bool done(const krait::Status& status, char* message, std::size_t room) {
  if (status.ok()) return true;
  const auto text = status.message();
  const std::size_t length = std::min(room - 1, std::strlen(text.c_str()));
  std::memcpy(message, text.c_str(), length);
  message[length] = '\0';
  return false;
}

template <class Model>
struct Calls {
  using State = krait::State<Model>;
  using Snapshot = krait::Snapshot<State>;
  using Output = krait::Tensor<float, Model::d_out>;
  static constexpr bool takes_ids = krait::TakesTokens<Model>;
  static constexpr std::size_t chunk = krait::default_chunk<Model>();
  static constexpr std::size_t streams_at_a_time = 16;

  // Returns n tokens: ids, or vectors of floats.
  static auto tokens(const void* xs, std::size_t n) {
    if constexpr (takes_ids) return std::span(static_cast<const std::int64_t*>(xs), n);
    else return std::span(static_cast<const krait::Tensor<float, Model::d_in>*>(xs), n);
  }
  static std::span<Output> outputs(float* ys, std::size_t n) { return {reinterpret_cast<Output*>(ys), n}; }

  static Sizes sizes() {
    Sizes sizes{};
    sizes.takes_ids = takes_ids;
    if constexpr (!takes_ids) sizes.d_in = Model::d_in;
    if constexpr (requires { Model::vocab_size; }) sizes.vocab_size = Model::vocab_size;
    sizes.d_out = Model::d_out;
    sizes.model_bytes = sizeof(Model);
    sizes.state_bytes = sizeof(State);
    sizes.snapshot_bytes = sizeof(Snapshot);
    sizes.warm_up = krait::warm_up<Model>;
    sizes.pools = krait::gives_one_row<Model>;
    return sizes;
  }

  static void step(const Model& model, State* const* states, std::size_t n, const void* xs, float* ys) {
    if (n == 1) {
      const auto scratch = std::make_unique_for_overwrite<krait::Scratch<Model>>();
      krait::step(model, **states, tokens(xs, 1)[0], outputs(ys, 1)[0], *scratch);
    } else {
      const auto scratch = std::make_unique_for_overwrite<krait::StreamScratch<Model, streams_at_a_time>>();
      krait::step_streams(model, std::span(states, n), tokens(xs, n), outputs(ys, n), *scratch);
    }
  }

  static void prefill(const Model& model, State& state, std::size_t n, const void* xs, float* ys) {
    const auto scratch = std::make_unique_for_overwrite<krait::Scratch<Model, chunk>>();
    krait::prefill(model, state, tokens(xs, n), outputs(ys, n), *scratch);
  }

  static void prefill_last(const Model& model, State& state, std::size_t n, const void* xs, float* y) {
    if constexpr (krait::Summarising<Model>) {
      const auto scratch = std::make_unique_for_overwrite<krait::Scratch<Model, chunk>>();
      krait::prefill(model, state, tokens(xs, n), outputs(y, 1)[0], *scratch);
    } else {
      std::vector<Output> all(n);
      prefill(model, state, n, xs, all.data()->data());
      outputs(y, 1)[0] = all.back();
    }
  }

  static void score(const Model& model, std::size_t n, const std::int64_t* ids, float* log_probabilities) {
    if constexpr (takes_ids) {
      const auto scratch = std::make_unique_for_overwrite<krait::Scratch<Model, chunk>>();
      const auto state = std::make_unique<State>();
      std::vector<Output> logits(std::min(chunk, n));
      for (std::size_t begin = 0; begin + 1 < n; begin += chunk) {
        const std::size_t now = std::min(chunk, n - 1 - begin);
        krait::prefill(model, *state, tokens(ids + begin, now), std::span(logits.data(), now), *scratch);
        for (std::size_t i = 0; i < now; ++i)
          log_probabilities[begin + i] = krait::log_probability(logits[i], static_cast<std::size_t>(ids[begin + i + 1]));
      }
    }
  }
};

}  // namespace runtime

#define KRAIT_PYTHON extern "C" __attribute__((visibility("default")))

using Calls = runtime::Calls<Model>;

KRAIT_PYTHON void krait_sizes(runtime::Sizes* sizes) { *sizes = Calls::sizes(); }

// Loads the safetensors file PATH. Returns false after an error, and then writes the message.
KRAIT_PYTHON bool krait_load(const char* path, void* model, char* message, std::size_t room) {
  return runtime::done(krait::load_file(path, *::new (model) Model), message, room);
}

KRAIT_PYTHON std::uint32_t krait_fingerprint(const Model* model) { return krait::fingerprint(*model); }

KRAIT_PYTHON void krait_start(void* state) { ::new (state) Calls::State{}; }

// Processes one token of each of n sequences.
KRAIT_PYTHON void krait_step(const Model* model, Calls::State* const* states, std::size_t n, const void* xs, float* ys) {
  Calls::step(*model, states, n, xs, ys);
}

// Processes n tokens of one sequence. Writes an output for each token.
KRAIT_PYTHON void krait_prefill(const Model* model, Calls::State* state, std::size_t n, const void* xs, float* ys) {
  Calls::prefill(*model, *state, n, xs, ys);
}

// Processes n tokens of one sequence, n > 0. Writes the output of the last token.
KRAIT_PYTHON void krait_prefill_last(const Model* model, Calls::State* state, std::size_t n, const void* xs, float* y) {
  Calls::prefill_last(*model, *state, n, xs, y);
}

// Writes the log-probabilities of the tokens ids[1] to ids[n - 1], each after the tokens before it, for a model whose outputs
// are logits.
KRAIT_PYTHON void krait_score(const Model* model, std::size_t n, const std::int64_t* ids, float* log_probabilities) {
  Calls::score(*model, n, ids, log_probabilities);
}

KRAIT_PYTHON void krait_save_state(const Calls::State* state, std::uint32_t fingerprint, void* bytes) {
  krait::save_state(*state, fingerprint, *::new (bytes) Calls::Snapshot);
}

KRAIT_PYTHON bool krait_restore_state(const void* bytes, std::size_t n, std::uint32_t fingerprint, Calls::State* state,
                                      char* message, std::size_t room) {
  const std::span snapshot(static_cast<const std::byte*>(bytes), n);
  return runtime::done(krait::restore_state(snapshot, fingerprint, *state), message, room);
}

KRAIT_PYTHON bool krait_is_finite(const Calls::State* state) { return krait::is_finite(*state); }

#endif
