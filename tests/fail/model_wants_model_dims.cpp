// The language model has the dims of a block.
// expect: DimsOfModel
// expect: BlockDims
#include "given.hpp"

#ifdef RIGHT
std::size_t bytes = sizeof(krait::Mamba<dims>);
#else
std::size_t bytes = sizeof(krait::Mamba<block_dims>);
#endif
