// The Mamba-3 model has the dims of a Mamba-2 model.
// expect: Mamba2Dims
// expect: Mamba3Dims
#include "given.hpp"

#ifdef RIGHT
inline constexpr auto d = krait::resolve(krait::Mamba3Dims{.vocab_size = 256, .d_model = 64});
#else
inline constexpr auto d = krait::resolve(krait::Mamba2Dims{.vocab_size = 256, .d_model = 64});
#endif
std::size_t bytes = sizeof(krait::Mamba3<d>);
