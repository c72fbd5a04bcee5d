#ifndef KRAIT_TESTS_LOAD_WEIGHTS_INL_HPP
#define KRAIT_TESTS_LOAD_WEIGHTS_INL_HPP

#include "krait/load.hpp"
#include "krait/nn/mamba.hpp"
#include "load_weights.hpp"

template <class Model>
std::string load_weights(Model& model, const char* file, std::span<const std::string_view> ignore) {
  const krait::Status status = krait::load_file(file, model, {.ignore = ignore});
  return status.ok() ? "" : status.message().c_str();
}

#endif
