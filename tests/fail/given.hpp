// Declares the objects that the wrong calls of this folder use: a model, a block, a stack that pools, and the memory of each.
#ifndef KRAIT_TESTS_FAIL_GIVEN_HPP
#define KRAIT_TESTS_FAIL_GIVEN_HPP

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include <krait.hpp>
#include <krait/init.hpp>
#include <krait/session.hpp>
#include <krait/streams.hpp>
#include <krait/train.hpp>

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

// States, inputs and outputs of two streams of the model and of the block.
extern std::array<krait::State<Model>, 2> states;
extern krait::Tensor<float, 2, 256> both_logits;
extern krait::StreamScratch<Model, 2> stream_scratch;
inline constexpr std::array tokens{5, 6};
inline constexpr std::array<std::array<int, 3>, 2> texts{};
extern std::array<krait::State<Block>, 2> block_states;
extern krait::Tensor<float, 2, 64> xs, ys;

// A stack that pools, and the states of two streams of it.
struct PoolingParts {
  KRAIT_PARAMS(PoolingParts, (krait::MeanPool<64>, pool));
};
using PoolingStack = krait::Stack<PoolingParts>;
extern const PoolingStack pooling;
extern std::array<krait::State<PoolingStack>, 2> pooling_states;

// Tapes, gradients and moments of the model and of the block.
extern krait::Tape<Model, 2> tape;
extern krait::Gradients<Model> gradients;
extern krait::Moments<Model> moments;
extern krait::Tape<Block, 2> block_tape;
extern krait::Gradients<Block> block_gradients;

// Linear<d_in, d_out> is a linear layer without a bias.
template <std::size_t d_in, std::size_t d_out>
using Linear = krait::Linear<krait::LinearDims{.d_in = d_in, .d_out = d_out}>;

#endif
