// Loads a trained checkpoint and continues a text, one byte at a time.
#include <cstdio>
#include <string_view>

#include <krait.hpp>
#include <krait/load.hpp>

constexpr auto dims = krait::resolve({.vocab_size = 256, .d_model = 128, .n_layers = 4});
using Model = krait::Mamba<dims>;
static_assert(krait::flash_bytes<Model> <= 2 * 1024 * 1024);                          // weights
static_assert(krait::state_bytes<Model> + krait::scratch_bytes<Model> <= 96 * 1024);  // RAM

int main() {
  static Model model;
  if (auto status = krait::load_file("examples/generate/kjv.safetensors", model); !status.ok())
    return std::fprintf(stderr, "%s\n", status.message().c_str());

  krait::State<Model> state;  // a fresh sequence
  krait::Tensor<float, Model::vocab_size> logits;
  krait::Sampler sampler{.temperature = 0.7f, .seed = krait::key(1)};
  for (const unsigned char byte : std::string_view("In the beginning")) {
    std::putchar(byte);
    krait::step(model, state, byte, logits);
  }
  for (int i = 0; i < 200; ++i) {
    const std::size_t token = krait::sample(logits, sampler);
    std::putchar(static_cast<int>(token));
    krait::step(model, state, token, logits);
  }
  std::putchar('\n');
}
