// The block has the dims of a language model.
// expect: ModelDims
// expect: BlockDims
#include "given.hpp"

#ifdef RIGHT
std::size_t bytes = sizeof(krait::MambaBlock<krait::block_dims(dims)>);
#else
std::size_t bytes = sizeof(krait::MambaBlock<dims>);
#endif
