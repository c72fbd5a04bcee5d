// The model exceeds the RAM that a user's static_assert allows.
// expect: the model must fit in RAM
#include "given.hpp"

#ifdef RIGHT
static_assert(krait::state_bytes<Model> + krait::scratch_bytes<Model> <= 64 * 1024, "the model must fit in RAM");
#else
static_assert(krait::state_bytes<Model> + krait::scratch_bytes<Model> <= 16 * 1024, "the model must fit in RAM");
#endif
