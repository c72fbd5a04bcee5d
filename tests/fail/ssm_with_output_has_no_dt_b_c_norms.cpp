// The SelectiveStateSpace, in which every channel has its own B and C, has norms of dt, B and C.
// expect: krait::SelectiveStateSpace<dims>: dt_b_c_eps must be 0
#include "given.hpp"

#ifdef RIGHT
inline constexpr float dt_b_c_eps = 0;
#else
inline constexpr float dt_b_c_eps = 1e-6f;
#endif
inline constexpr auto ssm_dims = krait::resolve(krait::SsmDims{.d_inner = 8, .d_model = 4, .dt_b_c_eps = dt_b_c_eps});
std::size_t use() { return krait::state_bytes<krait::SelectiveStateSpace<ssm_dims>>; }
