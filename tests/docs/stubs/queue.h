#pragma once
#include "FreeRTOS.h"

using QueueHandle_t = void*;
extern "C" BaseType_t xQueueReceive(QueueHandle_t, void*, TickType_t);
extern "C" BaseType_t xQueueSend(QueueHandle_t, const void*, TickType_t);
