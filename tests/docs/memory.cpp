// Prints the rows that the table of docs/memory.md must have, computed from the compile-time sizes of the models.
#include <cstddef>
#include <cstdio>
#include <utility>

#include "../../examples/speaker/speaker.hpp"

namespace {

template <class Model>
void row(const char* what, const char* storage) {
  const std::pair<std::size_t, const char*> columns[] = {
      {krait::parameter_count<Model>, "parameters"}, {krait::flash_bytes<Model>, "bytes of flash"},
      {krait::state_bytes<Model>, "bytes of state"}, {krait::scratch_bytes<Model>, "bytes of scratch"},
      {krait::multiply_adds_per_step<Model>, "multiply-adds"}};
  std::printf("| %s, %s |", what, storage);
  for (const auto& [value, unit] : columns) {
    char digits[24];
    const int length = std::snprintf(digits, sizeof(digits), "%zu", value);
    std::printf(" ");
    for (int i = 0; i < length; ++i) std::printf(i > 0 && (length - i) % 3 == 0 ? ",%c" : "%c", digits[i]);
    std::printf(" %s |", unit);
  }
  std::printf("\n");
}

template <krait::ModelDims dims>
void rows(const char* what) {
  row<krait::Mamba<dims>>(what, "f32");
  row<krait::Mamba<krait::with_storage(dims, krait::Storage::bf16)>>(what, "bf16 or f16");
  row<krait::Mamba<krait::with_storage(dims, krait::Storage::int8)>>(what, "int8");
}

// A model with the dims of examples/keyword.
template <krait::Storage storage>
struct Keyword {
  KRAIT_PARAMS(Keyword,
    (krait::Linear<krait::LinearDims{.d_in = 40, .d_out = 64, .bias = true, .storage = storage}>, linear_in),
    (krait::MambaBlock<krait::resolve(krait::BlockDims{.d_model = 64, .storage = storage})>, mixer),
    (krait::MeanPool<64>, pool),
    (krait::Linear<krait::LinearDims{.d_in = 64, .d_out = 10, .bias = true, .storage = storage}>, classifier));
};

}  // namespace

int main() {
  row<krait::MambaBlock<krait::resolve(krait::BlockDims{.d_model = 8, .d_state = 4})>>("block of `examples/streaming`", "f32");
  row<speaker::Model<>>("`examples/speaker`", "f32");
  row<speaker::Model<krait::Storage::int8>>("`examples/speaker`", "int8");
  row<krait::Stack<Keyword<krait::Storage::f32>>>("`examples/keyword`", "f32");
  row<krait::Stack<Keyword<krait::Storage::int8>>>("`examples/keyword`", "int8");
  rows<krait::resolve({.vocab_size = 256, .d_model = 32, .n_layers = 2})>("language model over bytes, d_model 32, 2 layers");
  rows<krait::resolve({.vocab_size = 256, .d_model = 128, .n_layers = 4})>("`examples/generate` (d_model 128, 4 layers)");
  rows<krait::resolve({.vocab_size = 50280, .d_model = 768, .n_layers = 24})>("language model with the shape of mamba-130m");
}
