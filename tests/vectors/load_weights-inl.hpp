#ifndef KRAIT_TESTS_LOAD_WEIGHTS_INL_HPP
#define KRAIT_TESTS_LOAD_WEIGHTS_INL_HPP

#include <cstddef>
#include <vector>

#include "krait/io/file.hpp"
#include "krait/io/load.hpp"
#include "krait/nn/mamba.hpp"
#include "load_weights.hpp"

template <class Model>
std::string load_weights(Model& model, const char* file, std::span<const std::string_view> ignore) {
  std::vector<std::byte> bytes;
  krait::Status status = krait::read_file(file, bytes);
  if (status) status = krait::load(model, bytes, {.ignore = ignore});
  return status ? std::string() : std::string(std::string_view(status.message()));
}

#endif
