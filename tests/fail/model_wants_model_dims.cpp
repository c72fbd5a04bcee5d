// A block's dims for a language model.
// expect: DimsOfModel
// expect: BlockDims
#include "given.hpp"

#ifdef RIGHT
std::size_t bytes = sizeof(krait::Mamba<dims>);
#else
std::size_t bytes = sizeof(krait::Mamba<block_dims>);
#endif
