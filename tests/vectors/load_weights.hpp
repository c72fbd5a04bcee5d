#ifndef KRAIT_TESTS_LOAD_WEIGHTS_HPP
#define KRAIT_TESTS_LOAD_WEIGHTS_HPP

#include <span>
#include <string>
#include <string_view>

// Loads weights from a safetensors file, in which the tensors `ignore` are not parameters. Returns what was refused; empty if they
// are loaded. Defined in the unit that loads (load_weights-inl.hpp), which has other flags, so it returns no krait::Status.
template <class Model>
std::string load_weights(Model& model, const char* file, std::span<const std::string_view> ignore);

#endif
