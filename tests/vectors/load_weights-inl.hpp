#ifndef KRAIT_TESTS_LOAD_WEIGHTS_INL_HPP
#define KRAIT_TESTS_LOAD_WEIGHTS_INL_HPP

#include "krait/load.hpp"
#include "krait/nn/activation.hpp"
#include "krait/nn/mamba.hpp"
#include "krait/nn/pooling.hpp"
#include "krait/nn/positional_embedding.hpp"
#include "krait/nn/stack.hpp"
#include "krait/nn/strided_conv1d.hpp"
#include "load_weights.hpp"

template <class Model>
std::string load_weights(Model& model, const char* file, std::span<const std::string_view> ignore) {
  const krait::Status status = krait::load_file(file, model, {.ignore = ignore});
  return status.ok() ? "" : status.message().c_str();
}

#endif
