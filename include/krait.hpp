// Krait: a whole Mamba model as a compile-time type. Include this and use krait::forward, krait::prefill, krait::step.
//
// The kernels are compiled for what this translation unit's flags allow (Highway's static target: krait::target_name).
// For one binary that chooses at run time, see examples/dynamic_dispatch.
#ifndef KRAIT_HPP
#define KRAIT_HPP

#include "krait/core/begin.hpp"
#ifndef KRAIT_REFUSED

#include "krait/calls/arguments.hpp"
#include "krait/core/dims.hpp"
#include "krait/core/finite.hpp"
#include "krait/core/penalties.hpp"
#include "krait/core/reflect.hpp"
#include "krait/core/tensor.hpp"
#include "krait/nn/activation.hpp"
#include "krait/nn/mamba.hpp"
#include "krait/nn/pooling.hpp"
#include "krait/nn/stack.hpp"
#include "krait/nn/step_stack.hpp"
#include "krait/ops/calls-inl.hpp"
#include "krait/ops/sample-inl.hpp"
#include "krait/version.hpp"

#if defined(__FMA__) && HWY_ARCH_X86 && HWY_STATIC_TARGET > HWY_AVX2 && !defined(HWY_COMPILE_ONLY_SCALAR) && \
    !defined(HWY_COMPILE_ONLY_EMU128) && !defined(KRAIT_QUIET)
#pragma message("krait: these flags allow FMA but leave Highway on a target without it, several times slower: add -maes -mpclmul (and -mbmi -mbmi2 -mf16c -mlzcnt), or use -march=native; -DKRAIT_QUIET silences this")
#endif

namespace krait::inline KRAIT_BUILD {

using HWY_NAMESPACE::check_layer;
using HWY_NAMESPACE::forward;
using HWY_NAMESPACE::log_probability;
using HWY_NAMESPACE::prefill;
using HWY_NAMESPACE::run_layer;
using HWY_NAMESPACE::sample;
using HWY_NAMESPACE::step;

// Whether this target rounds a multiply-add once. Where it does not, results are within a tolerance of the others', not
// the same bits.
inline constexpr bool has_fma = HWY_NAMESPACE::has_fma;
inline const char* target_name() { return hwy::TargetName(HWY_TARGET); }

}  // namespace krait::inline KRAIT_BUILD

namespace krait::detail::inline KRAIT_BUILD {
using krait::HWY_NAMESPACE::run_head;
}

#endif  // KRAIT_REFUSED
#include "krait/core/end.hpp"

#endif
