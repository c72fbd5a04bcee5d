// Writes images of a language model and of stacks, in every storage type, to the file argv[1]. The images must be the same on
// every machine.
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string_view>

#include "classifier.hpp"
#include "krait/image.hpp"
#include "krait/nn/mamba.hpp"

namespace {

// Writes one model's image. All weights are multiples of 2^-20, and A_log is 0, so that no number depends on how the machine's
// math library rounds.
template <class Model>
bool write(std::FILE* file) {
  const auto image = std::make_unique<krait::Image<Model>>();
  std::uint32_t seed = 1;
  krait::for_each_param(image->model, [&](std::string_view name, auto& tensor) {
    krait::assign(tensor, [&](std::size_t row, std::size_t col) {
      if (name.ends_with("A_log")) return 0.0f;
      const auto hash = static_cast<std::uint32_t>((row * 2654435761u + col * 40503u + seed) * 2246822519u);
      return static_cast<float>(hash >> 11) * 0x1p-20f - 1.0f;
    });
    ++seed;
  });
  krait::write_image(image->model, *image);
  return std::fwrite(image->bytes().data(), image->bytes().size(), 1, file) == 1;
}

template <krait::Storage storage>
bool write_models(std::FILE* file) {
  constexpr auto odd = krait::ModelDims{.vocab_size = 19, .d_model = 13, .n_layers = 2, .d_state = 3,
                                        .tied = false, .storage = storage};
  return write<krait::Mamba<krait::resolve(odd)>>(file) && write<Classifier<storage>>(file) &&
         write<Heads<storage>>(file);
}

}  // namespace

int main(int, char** argv) {
  std::FILE* file = std::fopen(argv[1], "wb");
  const bool written = file && write_models<krait::Storage::f32>(file) && write_models<krait::Storage::bf16>(file) &&
                       write_models<krait::Storage::f16>(file) && write_models<krait::Storage::int8>(file);
  return file && std::fclose(file) == 0 && written ? 0 : 1;
}
