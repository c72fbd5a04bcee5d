// The MambaBlock has the dims of a Mamba-2 block.
// expect: Mamba2BlockDims
// expect: BlockDims
#include "given.hpp"

#ifdef RIGHT
inline constexpr auto d = krait::resolve(krait::BlockDims{.d_model = 64});
#else
inline constexpr auto d = krait::resolve(krait::Mamba2BlockDims{.d_model = 64});
#endif
std::size_t bytes = sizeof(krait::MambaBlock<d>);
