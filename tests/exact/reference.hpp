#pragma once
#include <cstddef>

// y[i] = the function of x[i], finite, in double.
void exp_reference(const float* x, double* y, std::size_t n);
void silu_reference(const float* x, double* y, std::size_t n);
void softplus_reference(const float* x, double* y, std::size_t n);
