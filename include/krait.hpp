// The main header of Krait, a library that runs Mamba models whose dims are compile-time constants. This header defines the
// models and layers, and the functions krait::step, krait::prefill, krait::forward and krait::sample.
//
// The kernels are compiled for the instruction set that the compiler's flags select (Highway's static target). Its name is the
// result of krait::target_name(). examples/dynamic_dispatch shows a program that chooses the instruction set at run time.
#ifndef KRAIT_HPP
#define KRAIT_HPP

#include "krait/core/begin.hpp"
#ifndef KRAIT_REFUSED

#include "krait/calls/arguments.hpp"
#include "krait/calls/penalties.hpp"
#include "krait/core/dims.hpp"
#include "krait/core/finite.hpp"
#include "krait/core/reflect.hpp"
#include "krait/core/tensor.hpp"
#include "krait/nn/activation.hpp"
#include "krait/nn/mamba.hpp"
#include "krait/nn/pooling.hpp"
#include "krait/nn/positional_embedding.hpp"
#include "krait/nn/residual.hpp"
#include "krait/nn/stack.hpp"
#include "krait/nn/step_stack.hpp"
#include "krait/nn/strided_conv1d.hpp"
#include "krait/ops/calls-inl.hpp"
#include "krait/ops/sample-inl.hpp"
#include "krait/version.hpp"

#if defined(__FMA__) && HWY_ARCH_X86 && HWY_STATIC_TARGET > HWY_AVX2 && !defined(HWY_COMPILE_ONLY_SCALAR) && \
    !defined(HWY_COMPILE_ONLY_EMU128) && !defined(KRAIT_QUIET)
#pragma message("krait: with these flags, Highway uses a target without FMA, which is several times slower: add -maes -mpclmul (and -mbmi -mbmi2 -mf16c -mlzcnt), or use -march=native; -DKRAIT_QUIET disables this message")
#endif

namespace krait::inline KRAIT_BUILD {

using HWY_NAMESPACE::check_layer;
using HWY_NAMESPACE::forward;
using HWY_NAMESPACE::log_probability;
using HWY_NAMESPACE::prefill;
using HWY_NAMESPACE::run_layer;
using HWY_NAMESPACE::sample;
using HWY_NAMESPACE::step;

// True if the target has fused multiply-add (FMA), which rounds only once. All targets with FMA but armv7 compute the same
// bits. The results of targets without FMA differ from them by rounding errors.
inline constexpr bool has_fma = HWY_NAMESPACE::has_fma;
// Returns the name of the instruction set that the kernels are compiled for, such as "AVX2".
inline const char* target_name() { return hwy::TargetName(HWY_TARGET); }

}  // namespace krait::inline KRAIT_BUILD

namespace krait::detail::inline KRAIT_BUILD {
using krait::HWY_NAMESPACE::run_head;
}

#endif  // KRAIT_REFUSED
#include "krait/core/end.hpp"

#endif
