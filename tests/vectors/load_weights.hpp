#ifndef KRAIT_TESTS_LOAD_WEIGHTS_HPP
#define KRAIT_TESTS_LOAD_WEIGHTS_HPP

#include <span>
#include <string>
#include <string_view>

// Loads a model's weights from a safetensors file and skips the tensors listed in `ignore`. Returns an empty string, or the
// error message. The function is defined in load_weights-inl.hpp, in a translation unit that is compiled once, with other flags
// than its callers. It returns a string instead of a krait::Status, because the type of a Status depends on the flags.
template <class Model>
std::string load_weights(Model& model, const char* file, std::span<const std::string_view> ignore);

#endif
