#ifndef KRAIT_TESTS_LOAD_WEIGHTS_INL_HPP
#define KRAIT_TESTS_LOAD_WEIGHTS_INL_HPP

#include <cstddef>
#include <vector>

#include "krait/io/file.hpp"
#include "krait/io/load.hpp"
#include "krait/nn/mamba.hpp"
#include "load_weights.hpp"

template <class Model>
krait::Status load_weights(Model& model, const char* file, std::span<const std::string_view> ignore) {
  std::vector<std::byte> bytes;
  if (const krait::Status status = krait::read_file(file, bytes); !status) return status;
  return krait::load(model, bytes, {.ignore = ignore});
}

#endif
