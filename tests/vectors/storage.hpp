// Reads weights and inputs from files of raw numbers, and writes the stored weights and the outputs of a model to such files,
// for every storage type. storage_test.py generates the program that includes this header, and compares the files.
#ifndef KRAIT_TESTS_STORAGE_HPP
#define KRAIT_TESTS_STORAGE_HPP

#include <bit>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "krait.hpp"

template <class T>
std::vector<T> read_numbers(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) std::printf("cannot be read: %s\n", path.c_str()), std::exit(1);
  std::vector<T> numbers(static_cast<std::size_t>(file.tellg()) / sizeof(T));
  file.seekg(0).read(reinterpret_cast<char*>(numbers.data()), static_cast<std::streamsize>(numbers.size() * sizeof(T)));
  return numbers;
}
template <class T>
void write_numbers(const std::string& path, const std::vector<T>& numbers) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(numbers.data()), static_cast<std::streamsize>(numbers.size() * sizeof(T)));
}

// Writes the values of a tensor's elements, row by row, as float32.
template <class T>
void write_stored(const std::string& path, const T& tensor) {
  std::vector<float> values;
  for (std::size_t row = 0; row < T::rows; ++row)
    for (std::size_t col = 0; col < T::cols; ++col) values.push_back(tensor.get(row, col));
  write_numbers(path, values);
}
// Writes an int8 matrix: first the integers, row by row, as int32, then the bits of the rows' float32 scales.
template <krait::RowLayout order, std::size_t d_in>
void write_stored(const std::string& path, const krait::Matrix<order, d_in, krait::Storage::int8>& matrix) {
  std::vector<std::int32_t> values;
  for (std::size_t row = 0; row < matrix.rows; ++row)
    for (std::size_t col = 0; col < d_in; ++col)
      values.push_back(krait::element_of_pair(matrix.values[matrix.offset(row, col)], order.place(row)));
  for (std::size_t row = 0; row < matrix.rows; ++row)
    values.push_back(std::bit_cast<std::int32_t>(matrix.scales[order.place(row)]));
  write_numbers(path, values);
}

// Reads each parameter from FOLDER/NAME.f32 and the inputs (vectors or token ids) from FOLDER/input. Writes the stored weights
// to FOLDER/NAME.STORAGE and the outputs of single steps to FOLDER/output.STORAGE.
template <class Model>
void run_storage(const std::string& folder, const std::string& storage) {
  const auto model = std::make_unique<Model>();
  krait::for_each_param(*model, [&]<class T>(std::string_view name, T& tensor) {
    const std::string path = folder + "/" + std::string(name);
    const auto values = read_numbers<float>(path + ".f32");
    if (values.size() != T::rows * T::cols) std::printf("wrong number of elements: %s\n", path.c_str()), std::exit(1);
    krait::assign(tensor, [&](std::size_t row, std::size_t col) { return values[row * T::cols + col]; });
    write_stored(path + "." + storage, tensor);
  });
  using Input = std::conditional_t<krait::TakesTokens<Model>, std::int32_t, krait::Tensor<float, Model::d_in>>;
  const auto inputs = read_numbers<Input>(folder + "/input");
  std::vector<krait::Tensor<float, Model::d_out>> outputs(inputs.size());
  const auto state = std::make_unique<krait::State<Model>>();
  for (std::size_t t = 0; t < inputs.size(); ++t) krait::step(*model, *state, inputs[t], outputs[t]);
  write_numbers(folder + "/output." + storage, outputs);
}

// Runs run_storage for an int8 Linear layer, then runs the same inputs by prefills of 1, 2, 3, ... tokens and writes these
// outputs to FOLDER/output.prefill.
template <class Layer>
void run_linear(const std::string& folder) {
  run_storage<Layer>(folder, "int8");
  const auto layer = std::make_unique<Layer>();
  const auto values = read_numbers<float>(folder + "/weight.f32");
  krait::assign(layer->weight, [&](std::size_t row, std::size_t col) { return values[row * Layer::d_in + col]; });
  if constexpr (Layer::has_bias) {
    const auto bias = read_numbers<float>(folder + "/bias.f32");
    krait::assign(layer->bias, [&](std::size_t row, std::size_t) { return bias[row]; });
  }
  const auto inputs = read_numbers<krait::Tensor<float, Layer::d_in>>(folder + "/input");
  std::vector<krait::Tensor<float, Layer::d_out>> outputs(inputs.size());
  krait::State<Layer> state{};
  const auto scratch = std::make_unique<krait::Scratch<Layer, 16>>();
  for (std::size_t t = 0, n = 1; t < inputs.size(); t += n, ++n) {
    n = std::min(n, inputs.size() - t);
    krait::prefill(*layer, state, std::span(inputs).subspan(t, n), std::span(outputs).subspan(t, n), *scratch);
  }
  write_numbers(folder + "/output.prefill", outputs);
}

// Rounds the float32 numbers of FOLDER/floats to bf16 and f16. Writes the bits to FOLDER/floats.bf16 and FOLDER/floats.f16.
inline void round_floats(const std::string& folder) {
  std::vector<std::uint16_t> bf16, f16;
  for (const float value : read_numbers<float>(folder + "/floats")) {
    bf16.push_back(krait::to_bf16(value));
    f16.push_back(krait::to_f16(value));
  }
  write_numbers(folder + "/floats.bf16", bf16);
  write_numbers(folder + "/floats.f16", f16);
}

#endif
