// Declares the functions of FreeRTOS that docs/firmware.md uses, so that its example compiles without FreeRTOS.
#pragma once
#include <cstddef>
#include <cstdint>

using StackType_t = std::uint32_t;
using BaseType_t = long;
using UBaseType_t = unsigned long;
using TickType_t = std::uint32_t;
inline constexpr TickType_t portMAX_DELAY = 0xFFFFFFFF;
