// The functions of --check in the program that krait pack generates: run the model on inputs, and write its outputs to a file.
#ifndef KRAIT_PYTHON_PACK_CHECK_HPP
#define KRAIT_PYTHON_PACK_CHECK_HPP

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "krait.hpp"
#include "pack.hpp"

namespace pack {

// Runs a model on sequences of `length` tokens, each from a fresh state, and appends the outputs of every token. `inputs`
// contains float32 numbers, or int32 ids if the model takes ids.
template <class Model>
void append_outputs(const Model& model, std::span<const std::byte> inputs, std::size_t length, std::vector<float>& outputs) {
  constexpr bool takes_ids = krait::TakesTokens<Model>;
  std::size_t width = 1;
  if constexpr (!takes_ids) width = Model::d_in;
  const auto state = std::make_unique<krait::State<Model>>();
  const auto scratch = std::make_unique<krait::Scratch<Model>>();
  const auto y = std::make_unique<krait::Tensor<float, Model::d_out>>();
  const std::size_t tokens = inputs.size() / (4 * width);
  for (std::size_t t = 0; t < tokens; ++t) {
    if (t % length == 0) *state = {};
    if constexpr (takes_ids) {
      std::int32_t id = 0;
      std::memcpy(&id, &inputs[t * 4], 4);
      krait::step(model, *state, id, *y, *scratch);
    } else {
      krait::Tensor<float, Model::d_in> x;
      std::memcpy(x.data(), &inputs[t * width * 4], width * 4);
      krait::step(model, *state, x, *y, *scratch);
    }
    outputs.insert(outputs.end(), y->begin(), y->end());
  }
}

// Runs a model on inputs, and writes float32 outputs to a file.
template <class Model>
bool write_outputs(const Model& model, std::span<const std::byte> inputs, std::size_t length, const std::string& path) {
  std::vector<float> outputs;
  append_outputs(model, inputs, length, outputs);
  return done(krait::write_file(std::as_bytes(std::span(outputs)), path));
}

// Runs the model on the file INPUTS, which contains sequences of LENGTH tokens; argv is INPUTS LENGTH OUTPUTS. Writes the
// outputs with all weights in f32 to OUTPUTS.f32 and, if the storage type of `model` is not f32, the outputs of `model` to
// OUTPUTS.packed. Prints an error and returns false if this fails.
template <template <krait::Storage> class Packed, krait::Storage storage>
bool check(const Checkpoint& checkpoint, const typename Packed<storage>::Model& model, char** argv) {
  std::vector<std::byte> inputs;
  if (!done(krait::read_file(argv[0], inputs))) return false;
  const std::size_t length = std::strtoul(argv[1], nullptr, 10);
  const std::string outputs = argv[2];
  if constexpr (storage == krait::Storage::f32) {
    return write_outputs(model, inputs, length, outputs + ".f32");
  } else {
    const auto exact = std::make_unique<typename Packed<krait::Storage::f32>::Model>();
    return done(krait::load(checkpoint.file, *exact)) && write_outputs(*exact, inputs, length, outputs + ".f32") &&
           write_outputs(model, inputs, length, outputs + ".packed");
  }
}

}  // namespace pack

#endif
