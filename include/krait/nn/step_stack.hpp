// The stack that a step takes, as a constant for budgets.
#ifndef KRAIT_NN_STEP_STACK_HPP
#define KRAIT_NN_STEP_STACK_HPP

#include <cstddef>

#include "krait/nn/stack.hpp"

namespace krait {

namespace detail {

// Bytes of a step: `base` for any one layer or language model, and more for each member of a Stack and each Stack in a Stack.
struct StepStack {
  std::size_t base, member, level;
};

// Upper bounds of the painted stacks that tests/device/matrix.py measures, the largest of -O1, -Os, -O2 and -O3, which macros
// do not distinguish. Frames depend on the target and the compiler, and not on the dims of a model.
inline constexpr StepStack step_stack =
#if defined(__unix__) || defined(__APPLE__) || defined(_WIN32)
#ifdef __OPTIMIZE__
    {3072, 32, 256};
#else
    {8192, 384, 1024};
#endif
#elif !defined(__OPTIMIZE__)
#ifdef __clang__
    {2400, 220, 512};
#else
    {1900, 130, 384};
#endif
#elif defined(__clang__)
    {632, 8, 100};
#elif defined(__ARM_FEATURE_MVE)  // Cortex-M with Helium
    {912, 8, 140};
#elif defined(__ARM_FEATURE_FMA)  // Cortex-M with an FPU
    {800, 8, 140};
#elif defined(__riscv)
    {760, 8, 140};
#elif defined(__thumb2__)  // Cortex-M3 and others without an FPU
    {840, 8, 140};
#else  // Cortex-M0 and M0+
    {1000, 8, 140};
#endif

}  // namespace detail

// An upper bound of the bytes of stack that `step` takes with a scratch handed in, for every kind of model, compiled with -O1,
// -Os, -O2 or -O3, or without optimisation. Interrupts and the caller's frame come on top; so do layers of your own. -Og takes
// more, and no macro distinguishes it from -O1: see docs/firmware.md.
template <class Model>
inline constexpr std::size_t step_stack_bytes =
    detail::step_stack.base + (detail::levels_of<Model> > 0 ? detail::members_of<Model> * detail::step_stack.member +
                                                                  (detail::levels_of<Model> - 1) * detail::step_stack.level
                                                            : 0);

}  // namespace krait

#endif
