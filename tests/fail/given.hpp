// What the misuses start from: a model, a block, a stack that pools, and the memory of each.
#ifndef KRAIT_TESTS_FAIL_GIVEN_HPP
#define KRAIT_TESTS_FAIL_GIVEN_HPP

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include <krait.hpp>
#include <krait/init.hpp>
#include <krait/session.hpp>

inline constexpr auto dims = krait::resolve({.vocab_size = 256, .d_model = 64, .n_layers = 2});
using Model = krait::Mamba<dims>;
using Logits = krait::Tensor<float, 256>;
extern const Model model;
extern krait::State<Model> state;
extern krait::Scratch<Model> scratch;
extern Logits logits;

inline constexpr auto block_dims = krait::resolve(krait::BlockDims{.d_model = 64});
using Block = krait::MambaBlock<block_dims>;
using Row = krait::Tensor<float, 64>;
extern const Block block;
extern krait::State<Block> block_state;
extern Row x, y;

// Linear<In, Out> without a bias.
template <std::size_t d_in, std::size_t d_out>
using Linear = krait::Linear<krait::LinearDims{.d_in = d_in, .d_out = d_out}>;

#endif
