// Usage: hash noxton_key0.bin mamba_tied.bin Prints hashes of the outputs and states of the two reference models in these
// files, which same_bits writes. The program is compiled for one Highway target or, if DISPATCH is defined, for all targets of
// Highway's dynamic dispatch.
#ifdef DISPATCH
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "hash.cpp"
#include <hwy/foreach_target.h>
#endif
#include <krait/nn/mamba.hpp>
#include <krait/ops/calls-inl.hpp>
#include <krait/ops/streams-inl.hpp>

#include "heads-inl.hpp"
#include "int8_products-inl.hpp"

#ifndef KRAIT_TESTS_BITS_HASH
#define KRAIT_TESTS_BITS_HASH

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <span>
#include <string>
#include <vector>

namespace bits {

using Noxton = krait::Mamba<krait::noxton({.vocab_size = 256, .d_model = 128, .n_layers = 4})>;
using Tied = krait::Mamba<krait::resolve({.vocab_size = 64, .d_model = 32, .n_layers = 2})>;

// Returns the FNV-1a hash of 32-bit words. Each word's lowest byte comes first, so that big-endian machines give the same hash.
inline std::uint64_t hash(const void* data, std::size_t bytes, std::uint64_t h = 0xCBF29CE484222325u) {
  for (std::size_t at = 0; at + 4 <= bytes; at += 4) {
    std::uint32_t word;
    std::memcpy(&word, static_cast<const char*>(data) + at, 4);
    for (int i = 0; i < 4; ++i) h = (h ^ (word >> 8 * i & 0xFF)) * 0x100000001B3u;
  }
  return h;
}

template <class Model, std::size_t length>
struct Case {
  alignas(64) Model model{};
  std::array<int, length> tokens{};
  krait::Tensor<float, length, Model::vocab_size> expected{};
};

struct Answer {
  std::uint64_t forward, prefill, steps, state, other_state;
  double error;  // the largest error of a logit, relative to the largest expected logit
};

}  // namespace bits
#endif

HWY_BEFORE_NAMESPACE();
namespace bits {
namespace HWY_NAMESPACE {
using namespace krait::HWY_NAMESPACE;

template <class Model, std::size_t length>
HWY_NOINLINE Answer answer(const Case<Model, length>& c) {
  static krait::Tensor<float, length, Model::vocab_size> logits;
  static krait::State<Model> stepped, prefilled;
  Answer a{};
  logits = forward(c.model, c.tokens);
  a.forward = hash(&logits, sizeof(logits));
  double largest = 0;
  for (std::size_t t = 0; t < length; ++t)
    for (std::size_t i = 0; i < Model::vocab_size; ++i) {
      const double error = std::fabs(double{logits[t][i]} - double{c.expected[t][i]});
      if (!(error <= a.error)) a.error = error;
      largest = std::max(largest, std::fabs(double{c.expected[t][i]}));
    }
  a.error /= largest;

  logits = {};
  stepped = {};
  for (std::size_t t = 0; t < length; ++t) step(c.model, stepped, c.tokens[t], logits[t]);
  a.steps = hash(&logits, sizeof(logits));
  a.state = hash(&stepped, sizeof(stepped));

  // Prefills in pieces of different lengths. The scratch has the chunk size of forward, so that fewer templates are compiled.
  static krait::Scratch<Model, std::min(length, krait::default_chunk<Model>())> scratch;
  logits = {};
  prefilled = {};
  for (std::size_t t = 0, piece = 1; t < length; t += piece, piece = piece * 3 % 31) {
    piece = piece < length - t ? piece : length - t;
    const std::span rows(&logits[t], piece);
    prefill(c.model, prefilled, std::span(&c.tokens[t], piece), rows, scratch);
  }
  a.prefill = hash(&logits, sizeof(logits));
  a.other_state = hash(&prefilled, sizeof(prefilled));

  return a;
}

inline Answer noxton(const Case<Noxton, 5>& c) { return answer(c); }
// Returns a hash of the logits and the final state of a sequence that step_streams processes together with a second sequence,
// the same tokens in reverse order.
inline std::uint64_t noxton_streams(const Case<Noxton, 5>& c) {
  static krait::StreamScratch<Noxton, 5> scratch;
  static krait::State<Noxton> states[2];
  static krait::Tensor<float, 2, Noxton::vocab_size> both;
  for (auto& state : states) state = {};
  std::uint64_t h = hash(nullptr, 0);
  for (std::size_t t = 0; t < 5; ++t) {
    step_streams(c.model, states, std::array{c.tokens[t], c.tokens[4 - t]}, both, scratch);
    h = hash(&both[0], sizeof(both[0]), h);
  }
  return hash(&states[0], sizeof(states[0]), h);
}
// Computes the hash of noxton_streams by single steps of the first sequence alone.
inline std::uint64_t noxton_alone(const Case<Noxton, 5>& c) {
  static krait::State<Noxton> state;
  static krait::Tensor<float, Noxton::vocab_size> logits;
  state = {};
  std::uint64_t h = hash(nullptr, 0);
  for (const int token : c.tokens) {
    step(c.model, state, token, logits);
    h = hash(&logits, sizeof(logits), h);
  }
  return hash(&state, sizeof(state), h);
}
inline Answer tied(const Case<Tied, 300>& c) { return answer(c); }
inline bool fused() { return has_fma; }
inline std::uint64_t products() {
  std::uint64_t h = hash(nullptr, 0);
  int8_products([&h](const auto& rows) { h = hash(&rows, sizeof(rows), h); });
  return h;
}
// Returns the hash of the outputs of int8 prefills or, if by_steps is true, of single steps. The two hashes must be equal.
inline std::uint64_t tiles(bool by_steps) {
  std::uint64_t h = hash(nullptr, 0);
  int8_tiles([&](const auto& prefilled, const auto& stepped) {
    const auto& rows = by_steps ? stepped : prefilled;
    h = hash(&rows, sizeof(rows), h);
  });
  return h;
}

// Returns the hash of the logits of models of Mamba-2 or Mamba-3, computed by prefills or by single steps, and of their states.
inline std::uint64_t heads(bool is_mamba3, bool by_steps) {
  std::uint64_t h = hash(nullptr, 0);
  const auto add = [&](const auto& prefilled, const auto& stepped, const auto& state) {
    const auto& rows = by_steps ? stepped : prefilled;
    h = hash(&state, sizeof(state), hash(&rows, sizeof(rows), h));
  };
  if (is_mamba3) mamba3_models(add);
  else mamba2_models(add);
  return h;
}

}  // namespace HWY_NAMESPACE
}  // namespace bits
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bits {
namespace {

#ifdef DISPATCH
HWY_EXPORT(noxton);
HWY_EXPORT(tied);
HWY_EXPORT(noxton_streams);
HWY_EXPORT(noxton_alone);
HWY_EXPORT(fused);
HWY_EXPORT(products);
HWY_EXPORT(tiles);
HWY_EXPORT(heads);
#define BITS_CALL(function) HWY_DYNAMIC_DISPATCH(function)
#else
#define BITS_CALL(function) HWY_STATIC_DISPATCH(function)
#endif

// A file of tensors. For each tensor, the file contains the length of its name, the name, the number of words and the 32-bit
// words, all little-endian.
class Tensors {
 public:
  explicit Tensors(const char* path) {
    std::FILE* file = std::fopen(path, "rb");
    if (file == nullptr) return;
    for (std::uint32_t size; word(file, size);) {
      Tensor t;
      t.name.resize(size);
      std::uint32_t count = 0;
      if (std::fread(t.name.data(), 1, size, file) != size || !word(file, count)) break;
      t.words.resize(count);
      for (std::uint32_t& w : t.words)
        if (!word(file, w)) break;
      tensors_.push_back(t);
    }
    std::fclose(file);
  }
  // Returns the words of the tensor `name`, or null if the file does not have this tensor with exactly `count` words.
  const std::uint32_t* find(std::string_view name, std::size_t count) const {
    for (const Tensor& t : tensors_)
      if (t.name == name && t.words.size() == count) return t.words.data();
    std::printf("tensor is missing or has the wrong size: %.*s\n", static_cast<int>(name.size()), name.data());
    return nullptr;
  }

 private:
  struct Tensor {
    std::string name;
    std::vector<std::uint32_t> words;
  };
  static bool word(std::FILE* file, std::uint32_t& w) {
    unsigned char b[4];
    if (std::fread(b, 1, 4, file) != 4) return false;
    w = b[0] | std::uint32_t{b[1]} << 8 | std::uint32_t{b[2]} << 16 | std::uint32_t{b[3]} << 24;
    return true;
  }
  std::vector<Tensor> tensors_;
};

template <class Model, std::size_t length>
bool read(const char* path, Case<Model, length>& c) {
  const Tensors tensors(path);
  bool good = true;
  krait::for_each_param(c.model, [&](std::string_view name, auto& param) {
    const std::uint32_t* words = tensors.find(name, param.rows * param.cols);
    good = good && words != nullptr;
    if (words == nullptr) return;
    for (std::size_t row = 0; row < param.rows; ++row)
      for (std::size_t col = 0; col < param.cols; ++col) param.set(row, col, std::bit_cast<float>(*words++));
  });
  const std::uint32_t* tokens = tensors.find("tokens", length);
  const std::uint32_t* logits = tensors.find("logits", length * Model::vocab_size);
  if (!good || tokens == nullptr || logits == nullptr) return false;
  for (int& token : c.tokens) token = static_cast<int>(*tokens++);
  for (auto& row : c.expected)
    for (float& value : row) value = std::bit_cast<float>(*logits++);
  return true;
}

void print(const char* name, std::uint64_t image, const Answer& a) {
  std::printf(" %s image=%016llx forward=%016llx prefill=%016llx steps=%016llx state=%016llx prefill_state=%016llx error=%.2e", name,
              static_cast<unsigned long long>(image), static_cast<unsigned long long>(a.forward),
              static_cast<unsigned long long>(a.prefill), static_cast<unsigned long long>(a.steps),
              static_cast<unsigned long long>(a.state), static_cast<unsigned long long>(a.other_state), a.error);
}

Case<Noxton, 5> noxton_case;
Case<Tied, 300> tied_case;

void print_all(const char* target) {
  std::printf("target=%s fma=%d", target, BITS_CALL(fused)() ? 1 : 0);
  print("noxton_key0", hash(&noxton_case.model, sizeof(Noxton)), BITS_CALL(noxton)(noxton_case));
  print("mamba_tied", hash(&tied_case.model, sizeof(Tied)), BITS_CALL(tied)(tied_case));
  std::printf(" streams together=%016llx alone=%016llx",
              static_cast<unsigned long long>(BITS_CALL(noxton_streams)(noxton_case)),
              static_cast<unsigned long long>(BITS_CALL(noxton_alone)(noxton_case)));
  std::printf(" int8 products=%016llx tiles=%016llx tile_steps=%016llx", static_cast<unsigned long long>(BITS_CALL(products)()),
              static_cast<unsigned long long>(BITS_CALL(tiles)(false)), static_cast<unsigned long long>(BITS_CALL(tiles)(true)));
  for (const bool is_mamba3 : {false, true})
    std::printf(" heads mamba%d=%016llx mamba%d_steps=%016llx", is_mamba3 ? 3 : 2,
                static_cast<unsigned long long>(BITS_CALL(heads)(is_mamba3, false)), is_mamba3 ? 3 : 2,
                static_cast<unsigned long long>(BITS_CALL(heads)(is_mamba3, true)));
  std::printf("\n");
}

}  // namespace
}  // namespace bits

int main(int argc, char** argv) {
  if (argc != 3 || !bits::read(argv[1], bits::noxton_case) || !bits::read(argv[2], bits::tied_case)) return 2;
#ifdef DISPATCH
  for (const auto target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    bits::print_all(hwy::TargetName(target));
  }
#else
  bits::print_all(hwy::TargetName(HWY_TARGET));
#endif
}
#endif
