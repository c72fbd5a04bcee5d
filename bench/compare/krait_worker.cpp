// Krait's worker of bench/compare: answers the line protocol of protocol.py for the models defined there.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "krait/load.hpp"
#include "krait/streams.hpp"

namespace {

constexpr auto S = krait::resolve({.vocab_size = 256, .d_model = 128, .n_layers = 4});
constexpr auto M = krait::resolve({.vocab_size = 50280, .d_model = 768, .n_layers = 24});
constexpr auto S2 =
    krait::resolve(krait::Mamba2Dims{.vocab_size = 256, .d_model = 128, .n_layers = 4, .d_state = 16, .headdim = 32});
constexpr auto S2_64 =
    krait::resolve(krait::Mamba2Dims{.vocab_size = 256, .d_model = 128, .n_layers = 4, .d_state = 64, .headdim = 32});

// A model with its state and scratch, and the operations of the protocol. The member token() returns the same
// tokens as the function token() of protocol.py.
template <auto dims>
class Worker {
 public:
  using Model = krait::Mamba<dims>;
  using Row = krait::Tensor<float, dims.vocab_size>;
  static constexpr std::size_t chunk = dims.d_model < 512 ? 64 : 128;

  krait::Status load(const std::string& file) { return krait::load_file(file, *model_); }

  void decode(std::size_t tokens) {
    for (std::size_t i = 0; i < tokens; ++i) step(*last_);
  }

  void prefill(std::size_t length, bool every) {
    *state_ = {};
    tokens_.resize(length);
    for (std::size_t i = 0; i < length; ++i) tokens_[i] = token(i);
    if (every) {
      rows_.resize(length);
      krait::prefill(*model_, *state_, tokens_, rows_, *prefill_scratch_);
    } else {
      krait::prefill(*model_, *state_, tokens_, *last_, *prefill_scratch_);
    }
    position_ = length;
  }

  // Runs further steps of n sequences together. Another n than before starts new sequences.
  void streams(std::size_t n, std::size_t steps) {
    if (n != states_.size()) start_streams(n);
    for (std::size_t i = 0; i < steps; ++i) step_streams();
  }

  // Returns the logits of sequence 0 while it is processed together with 3 others.
  std::span<const Row> stream_logits(std::size_t length) {
    std::vector<Row> first;
    for (start_streams(4); first.size() < length;) {
      step_streams();
      first.push_back(rows_[0]);
    }
    states_.clear();
    rows_ = std::move(first);
    return rows_;
  }

  // Returns the logits of the first `length` tokens of a new sequence.
  std::span<const Row> logits(std::size_t length, bool by_steps) {
    if (!by_steps) {
      prefill(length, true);
      return rows_;
    }
    *state_ = {};
    position_ = 0;
    rows_.resize(length);
    for (Row& row : rows_) step(row);
    return rows_;
  }

 private:
  std::unique_ptr<Model> model_ = std::make_unique<Model>();
  std::unique_ptr<krait::State<Model>> state_ = std::make_unique<krait::State<Model>>();
  std::unique_ptr<krait::Scratch<Model>> scratch_ = std::make_unique<krait::Scratch<Model>>();
  std::unique_ptr<krait::Scratch<Model, chunk>> prefill_scratch_ = std::make_unique<krait::Scratch<Model, chunk>>();
  std::unique_ptr<Row> last_ = std::make_unique<Row>();
  std::unique_ptr<krait::StreamScratch<Model, 64>> stream_scratch_ = std::make_unique<krait::StreamScratch<Model, 64>>();
  std::vector<krait::State<Model>> states_;
  std::vector<Row> rows_;
  std::vector<std::uint32_t> tokens_;
  std::size_t position_ = 0, stream_position_ = 0;

  static std::uint32_t token(std::size_t i) { return static_cast<std::uint32_t>((7919 * i + 11) % dims.vocab_size); }
  void start_streams(std::size_t n) {
    states_.assign(n, {});
    tokens_.resize(n);
    rows_.resize(n);
    stream_position_ = 0;
  }
  void step_streams() {
    rows_.resize(states_.size());
    tokens_.resize(states_.size());
    for (std::size_t i = 0; i < states_.size(); ++i) tokens_[i] = token(stream_position_ + 1000 * i);
    ++stream_position_;
    krait::step_streams(*model_, states_, tokens_, rows_, *stream_scratch_);
  }
  void step(Row& row) { krait::step(*model_, *state_, token(position_++), row, *scratch_); }
};

template <auto dims>
int serve(const std::string& file) {
  Worker<dims> worker;
  if (const krait::Status status = worker.load(file); !status) {
    std::cerr << file << ": " << std::string_view(status.message()) << '\n';
    return 1;
  }
  std::cout << "ready {\"version\": \"" << krait::target_name() << ", compiler " << __VERSION__ << "\"}" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string verb, rows, path;
    std::size_t length = 0, times = 1;
    words >> verb;
    const auto start = std::chrono::steady_clock::now();
    if (verb == "decode" && words >> length) {
      worker.decode(length);
    } else if (verb == "prefill" && words >> length >> rows >> times) {
      for (std::size_t i = 0; i < times; ++i) worker.prefill(length, rows == "every");
    } else if (verb == "streams" && words >> length >> times) {
      worker.streams(length, times);
    } else if (verb == "logits" && words >> rows >> length >> path) {
      const auto logits = std::as_bytes(rows == "streams" ? worker.stream_logits(length)
                                                          : worker.logits(length, rows == "decode"));
      std::ofstream(path, std::ios::binary)
          .write(reinterpret_cast<const char*>(logits.data()), static_cast<std::streamsize>(logits.size()));
    } else {
      std::cout << "no: " << line << std::endl;
      continue;
    }
    std::cout << std::chrono::nanoseconds(std::chrono::steady_clock::now() - start).count() << std::endl;
  }
  return 0;
}

template <auto dims>
int serve(const std::string& file, std::string_view storage) {
  using krait::Storage;
  if (storage == "f32") return serve<dims>(file);
  if (storage == "bf16") return serve<krait::with_storage(dims, Storage::bf16)>(file);
  if (storage == "int8") return serve<krait::with_storage(dims, Storage::int8)>(file);
  std::cerr << storage << ": wanted f32, bf16 or int8\n";
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string model = argc == 4 ? argv[1] : "";
  if (model == "S") return serve<S>(argv[2], argv[3]);
  if (model == "M") return serve<M>(argv[2], argv[3]);
  if (model == "S2") return serve<S2>(argv[2], argv[3]);
  if (model == "S2_64") return serve<S2_64>(argv[2], argv[3]);
  std::cerr << "compare_krait S|M|S2|S2_64 WEIGHTS.safetensors f32|bf16|int8\n"
               "Answers the line protocol of bench/compare/protocol.py.\n";
  return 2;
}
