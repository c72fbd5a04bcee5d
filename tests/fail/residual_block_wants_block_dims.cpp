// The ResidualBlock has the dims of a language model.
// expect: DimsOfBlock
// expect: ModelDims
#include "given.hpp"

#ifdef RIGHT
std::size_t bytes = sizeof(krait::ResidualBlock<block_dims>);
#else
std::size_t bytes = sizeof(krait::ResidualBlock<dims>);
#endif
