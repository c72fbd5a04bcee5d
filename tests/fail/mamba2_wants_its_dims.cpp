// The Mamba-2 model has the dims of a Mamba-1 model.
// expect: ModelDims
// expect: Mamba2Dims
#include "given.hpp"

inline constexpr auto dims2 = krait::resolve(krait::Mamba2Dims{.vocab_size = 256, .d_model = 64});
#ifdef RIGHT
std::size_t bytes = sizeof(krait::Mamba2<dims2>);
#else
std::size_t bytes = sizeof(krait::Mamba2<dims>);
#endif
