// Defines step_streams and prefill_streams, which run a model on several sequences together, and Streams, an object that
// contains the memory for them.
#ifndef KRAIT_STREAMS_HPP
#define KRAIT_STREAMS_HPP

#include "krait/core/begin.hpp"
#ifndef KRAIT_REFUSED

#include "krait.hpp"
#include "krait/ops/streams-inl.hpp"

namespace krait::inline KRAIT_BUILD {
using HWY_NAMESPACE::prefill_streams;
using HWY_NAMESPACE::step_streams;
}  // namespace krait::inline KRAIT_BUILD

#endif  // KRAIT_REFUSED
#include "krait/core/end.hpp"

#endif
