#ifndef KRAIT_TESTS_LOAD_WEIGHTS_HPP
#define KRAIT_TESTS_LOAD_WEIGHTS_HPP

#include <span>
#include <string_view>

#include "krait/core/status.hpp"

// Weights from a safetensors file, in which the tensors `ignore` are no parameters. Its definition is in the unit that
// loads: load_weights-inl.hpp.
template <class Model>
krait::Status load_weights(Model& model, const char* file, std::span<const std::string_view> ignore);

#endif
