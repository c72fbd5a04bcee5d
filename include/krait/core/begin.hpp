// Saves and undefines macros that board packages and C libraries define under names that the library, Highway, Boost or the
// standard library use, such as Arduino's `min`, `F` and `B1`. Also disables warnings about parameters that have the name of a
// global variable of the user. core/end.hpp restores both. Every public header includes this file first and end.hpp last; its
// content is between the two, and is skipped if KRAIT_REFUSED is defined. This file has no include guard, because public
// headers include each other.
#include "krait/core/platform.hpp"

#ifdef __GNUC__
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"

#pragma push_macro("A")
#undef A
#pragma push_macro("B")
#undef B
#pragma push_macro("C")
#undef C
#pragma push_macro("D")
#undef D
#pragma push_macro("E")
#undef E
#pragma push_macro("F")
#undef F
#pragma push_macro("G")
#undef G
#pragma push_macro("H")
#undef H
#pragma push_macro("I")
#undef I
#pragma push_macro("J")
#undef J
#pragma push_macro("K")
#undef K
#pragma push_macro("L")
#undef L
#pragma push_macro("M")
#undef M
#pragma push_macro("N")
#undef N
#pragma push_macro("O")
#undef O
#pragma push_macro("P")
#undef P
#pragma push_macro("Q")
#undef Q
#pragma push_macro("R")
#undef R
#pragma push_macro("S")
#undef S
#pragma push_macro("T")
#undef T
#pragma push_macro("U")
#undef U
#pragma push_macro("V")
#undef V
#pragma push_macro("W")
#undef W
#pragma push_macro("X")
#undef X
#pragma push_macro("Y")
#undef Y
#pragma push_macro("Z")
#undef Z
#pragma push_macro("ABS")
#undef ABS
#pragma push_macro("B0")
#undef B0
#pragma push_macro("B00")
#undef B00
#pragma push_macro("B01")
#undef B01
#pragma push_macro("B1")
#undef B1
#pragma push_macro("B10")
#undef B10
#pragma push_macro("B11")
#undef B11
#pragma push_macro("BIT")
#undef BIT
#pragma push_macro("BUSY")
#undef BUSY
#pragma push_macro("CHANGE")
#undef CHANGE
#pragma push_macro("CONCAT")
#undef CONCAT
#pragma push_macro("DEFAULT")
#undef DEFAULT
#pragma push_macro("DEG_TO_RAD")
#undef DEG_TO_RAD
#pragma push_macro("DISABLE")
#undef DISABLE
#pragma push_macro("DISPLAY")
#undef DISPLAY
#pragma push_macro("ENABLE")
#undef ENABLE
#pragma push_macro("ERROR")
#undef ERROR
#pragma push_macro("EULER")
#undef EULER
#pragma push_macro("EXTERNAL")
#undef EXTERNAL
#pragma push_macro("FALLING")
#undef FALLING
#pragma push_macro("FALSE")
#undef FALSE
#pragma push_macro("HALF_PI")
#undef HALF_PI
#pragma push_macro("HIGH")
#undef HIGH
#pragma push_macro("IDLE")
#undef IDLE
#pragma push_macro("IN")
#undef IN
#pragma push_macro("INPUT")
#undef INPUT
#pragma push_macro("INTERNAL")
#undef INTERNAL
#pragma push_macro("LOW")
#undef LOW
#pragma push_macro("MAX")
#undef MAX
#pragma push_macro("MIN")
#undef MIN
#pragma push_macro("NONE")
#undef NONE
#pragma push_macro("OK")
#undef OK
#pragma push_macro("OPTIONAL")
#undef OPTIONAL
#pragma push_macro("OUT")
#undef OUT
#pragma push_macro("OUTPUT")
#undef OUTPUT
#pragma push_macro("PI")
#undef PI
#pragma push_macro("RAD_TO_DEG")
#undef RAD_TO_DEG
#pragma push_macro("READY")
#undef READY
#pragma push_macro("RESET")
#undef RESET
#pragma push_macro("RISING")
#undef RISING
#pragma push_macro("SERIAL")
#undef SERIAL
#pragma push_macro("SET")
#undef SET
#pragma push_macro("STATIC")
#undef STATIC
#pragma push_macro("SUCCESS")
#undef SUCCESS
#pragma push_macro("TRUE")
#undef TRUE
#pragma push_macro("TWO_PI")
#undef TWO_PI
#pragma push_macro("UNUSED")
#undef UNUSED
#pragma push_macro("abs")
#undef abs
#pragma push_macro("bit")
#undef bit
#pragma push_macro("bitClear")
#undef bitClear
#pragma push_macro("bitRead")
#undef bitRead
#pragma push_macro("bitSet")
#undef bitSet
#pragma push_macro("bitToggle")
#undef bitToggle
#pragma push_macro("bitWrite")
#undef bitWrite
#pragma push_macro("constrain")
#undef constrain
#pragma push_macro("degrees")
#undef degrees
#pragma push_macro("far")
#undef far
#pragma push_macro("highByte")
#undef highByte
#pragma push_macro("interface")
#undef interface
#pragma push_macro("isfinite")
#undef isfinite
#pragma push_macro("isinf")
#undef isinf
#pragma push_macro("isnan")
#undef isnan
#pragma push_macro("likely")
#undef likely
#pragma push_macro("lowByte")
#undef lowByte
#pragma push_macro("max")
#undef max
#pragma push_macro("min")
#undef min
#pragma push_macro("near")
#undef near
#pragma push_macro("radians")
#undef radians
#pragma push_macro("round")
#undef round
#pragma push_macro("signbit")
#undef signbit
#pragma push_macro("small")
#undef small
#pragma push_macro("sq")
#undef sq
#pragma push_macro("unlikely")
#undef unlikely

// Macros with names of the public API cannot be undefined, because users write these names after the header and end.hpp
// restores macros. The first such macro causes an error that names it.
#ifndef KRAIT_REFUSED
#if defined(Conv1d)
#error "krait: `Conv1d` is defined as a macro: #undef it before including krait"
#define KRAIT_REFUSED
#elif defined(Embedding)
#error "krait: `Embedding` is defined as a macro: #undef it before including krait"
#define KRAIT_REFUSED
#elif defined(Image)
#error "krait: `Image` is defined as a macro: #undef it before including krait"
#define KRAIT_REFUSED
#elif defined(Key)
#error "krait: `Key` is defined as a macro: #undef it before including krait"
#define KRAIT_REFUSED
#elif defined(Layer)
#error "krait: `Layer` is defined as a macro: #undef it before including krait"
#define KRAIT_REFUSED
#elif defined(LastPool)
#error "krait: `LastPool` is defined as a macro: #undef it before including krait"
#define KRAIT_REFUSED
#elif defined(Linear)
#error "krait: `Linear` is defined as a macro: #undef it before including krait"
#define KRAIT_REFUSED
#elif defined(Mamba)
#error "krait: `Mamba` is defined as a macro: #undef it before including krait"
#define KRAIT_REFUSED
#elif defined(MambaBlock)
#error "krait: `MambaBlock` is defined as a macro: #undef it before including krait"
#define KRAIT_REFUSED
#elif defined(MeanPool)
#error "krait: `MeanPool` is defined as a macro: #undef it before including krait"
#define KRAIT_REFUSED
#elif defined(Problem)
#error "krait: `Problem` is defined as a macro: #undef it before including krait"
#define KRAIT_REFUSED
#elif defined(ResidualBlock)
#error "krait: `ResidualBlock` is defined as a macro: #undef it before including krait"
#define KRAIT_REFUSED
#elif defined(RmsNorm)
#error "krait: `RmsNorm` is defined as a macro: #undef it before including krait"
#define KRAIT_REFUSED
#elif defined(Sampler)
#error "krait: `Sampler` is defined as a macro: #undef it before including krait"
#define KRAIT_REFUSED
#elif defined(Scratch)
#error "krait: `Scratch` is defined as a macro: #undef it before including krait"
#define KRAIT_REFUSED
#elif defined(Session)
#error "krait: `Session` is defined as a macro: #undef it before including krait"
#define KRAIT_REFUSED
#elif defined(Snapshot)
#error "krait: `Snapshot` is defined as a macro: #undef it before including krait"
#define KRAIT_REFUSED
#elif defined(Stack)
#error "krait: `Stack` is defined as a macro: #undef it before including krait"
#define KRAIT_REFUSED
#elif defined(State)
#error "krait: `State` is defined as a macro: #undef it before including krait"
#define KRAIT_REFUSED
#elif defined(Status)
#error "krait: `Status` is defined as a macro: #undef it before including krait"
#define KRAIT_REFUSED
#elif defined(Storage)
#error "krait: `Storage` is defined as a macro: #undef it before including krait"
#define KRAIT_REFUSED
#elif defined(Tensor)
#error "krait: `Tensor` is defined as a macro: #undef it before including krait"
#define KRAIT_REFUSED
#elif defined(convert)
#error "krait: `convert` is defined as a macro: #undef it before including krait"
#define KRAIT_REFUSED
#elif defined(forward)
#error "krait: `forward` is defined as a macro: #undef it before including krait"
#define KRAIT_REFUSED
#elif defined(init)
#error "krait: `init` is defined as a macro: #undef it before including krait"
#define KRAIT_REFUSED
#elif defined(key)
#error "krait: `key` is defined as a macro: #undef it before including krait"
#define KRAIT_REFUSED
#elif defined(load)
#error "krait: `load` is defined as a macro: #undef it before including krait"
#define KRAIT_REFUSED
#elif defined(no_output)
#error "krait: `no_output` is defined as a macro: #undef it before including krait"
#define KRAIT_REFUSED
#elif defined(noxton)
#error "krait: `noxton` is defined as a macro: #undef it before including krait"
#define KRAIT_REFUSED
#elif defined(prefill)
#error "krait: `prefill` is defined as a macro: #undef it before including krait"
#define KRAIT_REFUSED
#elif defined(read_file)
#error "krait: `read_file` is defined as a macro: #undef it before including krait"
#define KRAIT_REFUSED
#elif defined(resolve)
#error "krait: `resolve` is defined as a macro: #undef it before including krait"
#define KRAIT_REFUSED
#elif defined(sample)
#error "krait: `sample` is defined as a macro: #undef it before including krait"
#define KRAIT_REFUSED
#elif defined(save)
#error "krait: `save` is defined as a macro: #undef it before including krait"
#define KRAIT_REFUSED
#elif defined(step)
#error "krait: `step` is defined as a macro: #undef it before including krait"
#define KRAIT_REFUSED
#elif defined(write_file)
#error "krait: `write_file` is defined as a macro: #undef it before including krait"
#define KRAIT_REFUSED
#endif
#endif
#endif
