// A model's dims for a residual block.
// expect: DimsOfBlock
// expect: ModelDims
#include "given.hpp"

#ifdef RIGHT
std::size_t bytes = sizeof(krait::ResidualBlock<block_dims>);
#else
std::size_t bytes = sizeof(krait::ResidualBlock<dims>);
#endif
