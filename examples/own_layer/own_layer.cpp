// Tests the layer that clipped_linear.hpp defines: its arithmetic, that forward, prefill and step give the same bits, its use
// in a Stack, and loading its weights from a file.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <krait.hpp>
#include <krait/init.hpp>
#include <krait/load.hpp>
#include <krait/save.hpp>

#include "clipped_linear.hpp"

using Layer = mine::ClippedLinear<6, 24>;
struct Parts {
  KRAIT_PARAMS(Parts,
    (Layer, clipped),
    (krait::ResidualBlock<krait::resolve(krait::BlockDims{.d_model = 24})>, block),
    (krait::Linear<krait::LinearDims{.d_in = 24, .d_out = 4}>, classifier));
};
using Model = krait::Stack<Parts>;

inline constexpr std::size_t length = 100;
using Readings = krait::Tensor<float, length, 6>;

// Sets every parameter to uniform random numbers within +-0.5, and limits to numbers from 0.1 to 0.5, because limits must not
// be negative.
template <class M>
void fill(M& model) {
  std::uint64_t draws = 0;
  krait::for_each_param(model, [&](std::string_view name, auto& tensor) {
    const float least = name.ends_with("limit") ? 0.1f : -0.5f;
    krait::assign(tensor, [&](std::size_t, std::size_t) { return krait::uniform(krait::key(1), draws++, least, 0.5f); });
  });
}

// Returns the largest difference between the layer's outputs and its definition, computed in double precision.
double largest_error(const Layer& layer, const Readings& xs) {
  const auto ys = krait::forward(layer, xs);
  double largest = 0.0;
  for (std::size_t i = 0; i < Layer::d_out; ++i) {
    double before = 0.0;
    for (std::size_t t = 0; t < length; ++t) {
      double z = layer.linear.bias.get(i);
      for (std::size_t k = 0; k < Layer::d_in; ++k) z += double{layer.linear.weight.get(i, k)} * double{xs[t][k]};
      z = std::clamp(z, -double{layer.limit.get(i)}, double{layer.limit.get(i)});
      largest = std::max(largest, std::fabs(std::max(z, before) - double{ys[t][i]}));
      before = z;
    }
  }
  return largest;
}

// Tests a property that every layer must have: forward, prefills of any number of tokens, and steps give the same bits.
template <class M>
bool law_holds(const M& model, const Readings& xs) {
  const auto all = krait::forward(model, xs);
  krait::State<M> by_step, by_prefill;
  krait::Scratch<M, 7> scratch;
  std::vector<krait::Tensor<float, M::d_out>> stepped(length), prefilled(length);
  for (std::size_t t = 0; t < length; ++t) krait::step(model, by_step, xs[t], stepped[t]);
  for (const auto& [first, last] : {std::pair{0, 1}, {1, 30}, {30, 100}})
    krait::prefill(model, by_prefill, std::span(xs.values).subspan(first, last - first), std::span(prefilled).subspan(first), scratch);
  const auto same = [](const void* a, const void* b, std::size_t bytes) { return std::memcmp(a, b, bytes) == 0; };
  return same(&all, stepped.data(), sizeof(all)) && same(&all, prefilled.data(), sizeof(all)) &&
         same(&by_step, &by_prefill, sizeof(by_step)) && krait::is_finite(by_step);
}

int main() {
  static Model model{}, loaded{};
  static Readings xs;
  fill(model);
  for (std::size_t t = 0; t < length; ++t)
    for (std::size_t k = 0; k < 6; ++k) xs[t][k] = krait::uniform(krait::key(2), t * 6 + k, -1.0f, 1.0f);

  const bool exact = largest_error(model.clipped, xs) < 1e-6;
  std::printf("the layer gives what its definition gives: %s\n", exact ? "yes" : "no");
  const bool lawful = law_holds(model.clipped, xs) && law_holds(model, xs);
  std::printf("forward, prefill and step give the same bits, alone and in a stack: %s\n", lawful ? "yes" : "no");

  krait::for_each_param(model.clipped, [](std::string_view name, const auto& tensor) {
    std::printf("clipped.%.*s: %zu elements\n", static_cast<int>(name.size()), name.data(), tensor.rows * tensor.cols);
  });
  const auto path = std::filesystem::temp_directory_path() / "krait_own_layer.safetensors";
  krait::Status status = krait::save_file(model, path);
  if (status) status = krait::load_file(path, loaded);
  std::filesystem::remove(path);
  const auto message = status.message();
  if (!status) std::printf("%.*s\n", static_cast<int>(message.size), message.characters.data());
  const auto before = krait::forward(model, xs), after = krait::forward(loaded, xs);
  std::printf("weights loaded from a file give the same scores: %s\n", status && before == after ? "yes" : "no");
  return exact && lawful && status && before == after ? 0 : 1;
}
