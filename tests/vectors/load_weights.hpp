#ifndef KRAIT_TESTS_LOAD_WEIGHTS_HPP
#define KRAIT_TESTS_LOAD_WEIGHTS_HPP

#include <span>
#include <string>
#include <string_view>

// Loads a model's weights from a safetensors file and skips the tensors listed in `ignore`. Returns an empty string, or the
// error message. It is defined in a translation unit of its own (load_weights-inl.hpp), compiled once with other flags than the
// callers; therefore it returns a string and not a krait::Status, whose type depends on the flags.
template <class Model>
std::string load_weights(Model& model, const char* file, std::span<const std::string_view> ignore);

#endif
