#pragma once
#include <cstddef>
#include <cstdint>

// These functions compute y[i] = f(x[i]) in double precision, for finite x[i].
void exp_reference(const float* x, double* y, std::size_t n);
void silu_reference(const float* x, double* y, std::size_t n);
void softplus_reference(const float* x, double* y, std::size_t n);
void relu_reference(const float* x, double* y, std::size_t n);
void sigmoid_reference(const float* x, double* y, std::size_t n);
void tanh_reference(const float* x, double* y, std::size_t n);
void gelu_erf_reference(const float* x, double* y, std::size_t n);
void gelu_tanh_reference(const float* x, double* y, std::size_t n);
// These functions compute the sine or cosine of angles in units of 2^-32 turns, in double precision.
void sine_reference(const std::uint32_t* turns, double* y, std::size_t n);
void cosine_reference(const std::uint32_t* turns, double* y, std::size_t n);
