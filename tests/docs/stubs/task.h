#pragma once
#include "FreeRTOS.h"

struct StaticTask_t {};
using TaskHandle_t = void*;
extern "C" TaskHandle_t xTaskCreateStatic(void (*)(void*), const char*, std::uint32_t, void*, UBaseType_t, StackType_t*,
                                          StaticTask_t*);
