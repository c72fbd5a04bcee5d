// Defines step_stack_bytes, an upper bound of the bytes of call stack that one step needs.
#ifndef KRAIT_NN_STEP_STACK_HPP
#define KRAIT_NN_STEP_STACK_HPP

#include <cstddef>

#include "krait/nn/stack.hpp"

namespace krait {

namespace detail {

// The bytes of call stack that a step needs: `base` for any layer or language model, plus `member` for each member of a Stack,
// plus `level` for each level at which Stacks are nested in a Stack.
struct StepStack {
  std::size_t base, member, level;
};

// The constants are upper bounds of the stack use that tests/device/matrix.py measures. Each set of constants for optimised
// code covers -O1, -Os, -O2 and -O3, because no macro distinguishes -O1, -O2 and -O3. The size of stack frames depends on the
// target and the compiler, but not on the dims of a model.
inline constexpr StepStack step_stack =
#if defined(__unix__) || defined(__APPLE__) || defined(_WIN32)
#ifdef __OPTIMIZE__
    {3072, 32, 256};
#elif defined(__AVX512F__)  // unoptimised code keeps every vector on the stack
    {17408, 384, 1024};
#else
    {10752, 384, 1024};
#endif
#elif !defined(__OPTIMIZE__)
#ifdef __clang__
    {3300, 220, 512};
#else
    {2860, 130, 384};
#endif
#elif defined(__clang__) && defined(__riscv)
    {632, 8, 100};
#elif defined(__clang__) && defined(__ARM_FEATURE_FMA)
    {720, 8, 100};
#elif defined(__clang__)  // Cortex-M without an FPU
    {1048, 8, 100};
#elif defined(__ARM_FEATURE_MVE)  // Cortex-M with Helium
    {912, 8, 140};
#elif defined(__ARM_FEATURE_FMA)  // Cortex-M with an FPU
    {800, 8, 140};
#elif defined(__riscv)
    {760, 8, 140};
#elif defined(__thumb2__)  // Cortex-M3 and others without an FPU
    {864, 8, 140};
#else  // Cortex-M0 and M0+
    {1040, 8, 140};
#endif

}  // namespace detail

// step_stack_bytes<Model> is an upper bound of the bytes of call stack that `step` needs if the caller passes a scratch. It
// holds for code compiled with -O1, -Os, -O2 or -O3, or without optimisation. It does not include interrupts, the caller's
// stack frame or layers defined by the user. Code compiled with -Og needs more stack (docs/firmware.md), but no macro
// distinguishes -Og from -O1.
template <class Model>
inline constexpr std::size_t step_stack_bytes =
    detail::step_stack.base +
    (detail::Nesting<Model>::levels == 0 ? 0
                                         : detail::Nesting<Model>::members * detail::step_stack.member +
                                               (detail::Nesting<Model>::levels - 1) * detail::step_stack.level);

}  // namespace krait

#endif
