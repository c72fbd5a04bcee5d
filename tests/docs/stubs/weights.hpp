// Stands for a header that krait pack writes, so that the examples of the pages compile.
#pragma once
#include <cstdint>

#include <krait.hpp>

namespace weights {
using Model = krait::MambaBlock<krait::resolve(krait::BlockDims{.d_model = 8, .d_state = 4})>;
const Model& model();
inline constexpr std::uint32_t fingerprint = 0x12345678;
}  // namespace weights
