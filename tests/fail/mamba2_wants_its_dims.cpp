// The dims of a model of Mamba-1 for one of Mamba-2.
// expect: ModelDims
// expect: Mamba2Dims
#include "given.hpp"

inline constexpr auto dims2 = krait::resolve(krait::Mamba2Dims{.vocab_size = 256, .d_model = 64});
#ifdef RIGHT
std::size_t bytes = sizeof(krait::Mamba2<dims2>);
#else
std::size_t bytes = sizeof(krait::Mamba2<dims>);
#endif
