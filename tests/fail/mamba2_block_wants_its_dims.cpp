// The Mamba2Block has the dims of a Mamba-1 block.
// expect: BlockDims
// expect: Mamba2BlockDims
#include "given.hpp"

#ifdef RIGHT
inline constexpr auto d = krait::resolve(krait::Mamba2BlockDims{.d_model = 64});
#else
inline constexpr auto d = block_dims;
#endif
std::size_t bytes = sizeof(krait::Mamba2Block<d>);
