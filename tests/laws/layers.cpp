// Defines the single layers (both SSM variants, MambaBlock, ResidualBlock) and the stacks that the law tests run on.
#include "make_subject.hpp"

namespace laws {
namespace {
using krait::BlockDims;
using krait::LinearDims;
using krait::resolve;
using krait::SsmDims;
using krait::StridedConv1dDims;

template <auto dims>
using Core = krait::SelectiveStateSpaceModel<dims>;
template <auto dims>
using PerChannel = krait::SelectiveStateSpace<dims>;
template <auto dims>
using Block = krait::MambaBlock<dims>;
template <auto dims>
using Residual = krait::ResidualBlock<dims>;

constexpr auto ssm_usual = resolve(SsmDims{.d_inner = 32});
constexpr auto ssm_odd = resolve(SsmDims{.d_inner = 13, .d_state = 5, .dt_rank = 3, .x_bias = true, .dt_bias = true});
constexpr auto ssm_wide = resolve(SsmDims{.d_inner = 80, .d_state = 16, .dt_rank = 17, .dt_bias = true});
constexpr auto ssm_one = resolve(SsmDims{.d_inner = 1, .d_state = 1, .dt_rank = 1});

constexpr auto own_usual = resolve(SsmDims{.d_inner = 16, .d_model = 16, .d_state = 4});
constexpr auto own_odd = resolve(SsmDims{.d_inner = 19, .d_model = 7, .d_state = 3, .dt_rank = 3, .x_bias = true, .dt_bias = true, .out_bias = true});
constexpr auto own_one = resolve(SsmDims{.d_inner = 5, .d_model = 33, .d_state = 1, .dt_rank = 1});

constexpr auto block_usual = resolve(BlockDims{.d_model = 16});
constexpr auto block_odd = resolve(BlockDims{.d_model = 10, .d_state = 7, .d_conv = 3, .d_inner = 23, .dt_rank = 3,
                                             .in_bias = true, .x_bias = true, .out_bias = true});
constexpr auto block_bare = resolve(BlockDims{.d_model = 8, .d_state = 1, .d_conv = 2, .d_inner = 8, .dt_rank = 1,
                                              .conv_bias = false, .dt_bias = false});
constexpr auto block_normed = resolve(BlockDims{.d_model = 9, .d_state = 5, .d_inner = 21, .dt_rank = 3, .dt_b_c_eps = 1e-6});
constexpr auto block_layer_norm = resolve(BlockDims{.d_model = 18, .d_state = 4, .d_conv = 3, .norm_bias = true,
                                                    .norm = krait::NormKind::layer});
constexpr auto block_one_tap = resolve(BlockDims{.d_model = 33, .d_state = 2, .d_conv = 1, .d_inner = 67, .dt_rank = 1});

// A classifier of feature vectors: Linear, two residual blocks, the mean over all tokens, Linear to 9 classes.
struct Mean {
  KRAIT_PARAMS(Mean, (krait::Linear<LinearDims{.d_in = 12, .d_out = 16, .bias = true}>, linear_in),
               (std::array<krait::ResidualBlock<block_usual>, 2>, layers), (krait::MeanPool<16>, pool),
               (krait::Linear<LinearDims{.d_in = 16, .d_out = 9, .bias = true}>, classifier));
};
// A classifier of token ids: Embedding, residual block, norm, the last token's vector, Linear to 5 classes.
struct Last {
  KRAIT_PARAMS(Last, (krait::Embedding<29, 10>, embedding), (krait::ResidualBlock<block_odd>, block),
               (krait::RmsNorm<krait::NormDims{.d_model = 10, .bias = true}>, norm), (krait::LastPool<10>, pool),
               (krait::Linear<LinearDims{.d_in = 10, .d_out = 5}>, classifier));
};
// A classifier of frames as people train it in PyTorch: a convolution without padding, LayerNorm, GELU, blocks with residual
// connections, ReLU, MaxPool, Linear. The first two tokens have no output.
struct Max {
  KRAIT_PARAMS(Max, (krait::StridedConv1d<StridedConv1dDims{.channels = 5, .d_out = 8, .kernel = 3}>, conv),
               (krait::LayerNorm<krait::NormDims{.d_model = 8, .bias = true}>, norm), (krait::Gelu<8>, gelu),
               (std::array<krait::Residual<krait::MambaBlock<block_bare>>, 2>, layers), (krait::Relu<8>, relu),
               (krait::MaxPool<8>, pool),
               (krait::Linear<LinearDims{.d_in = 8, .d_out = 3}>, classifier));
};
// A layer as in transformers: x = x + block(x), then x = x + feed_forward(x).
struct FeedForward {
  KRAIT_PARAMS(FeedForward, (krait::Linear<LinearDims{.d_in = 8, .d_out = 21}>, up), (krait::Gelu<21>, gelu),
               (krait::Linear<LinearDims{.d_in = 21, .d_out = 8, .bias = true}>, down));
};
struct BlockAndFeedForward {
  KRAIT_PARAMS(BlockAndFeedForward, (krait::RmsNorm<krait::NormDims{.d_model = 8}>, norm),
               (krait::MambaBlock<block_bare>, mixer), (krait::Residual<krait::Stack<FeedForward>>, ffn));
};
// A sequence-to-sequence filter: maps 4 frames of 3 floats to one output float. The sequences of the laws have more
// tokens than positions.
struct Filter {
  KRAIT_PARAMS(Filter,
               (krait::StridedConv1d<StridedConv1dDims{.channels = 3, .d_out = 3, .kernel = 12, .stride = 4, .padding = 4,
                                                       .bias = false}>, strided),
               (krait::Conv1d<krait::Conv1dDims{.channels = 3, .d_conv = 6}>, conv),
               (krait::StridedConv1d<StridedConv1dDims{.channels = 3, .d_out = 8, .kernel = 2, .padding = 1}>, linear_in),
               (krait::PositionalEmbedding<37, 8>, positions),
               (krait::Residual<krait::Stack<BlockAndFeedForward>>, layer),
               (krait::Linear<LinearDims{.d_in = 8, .d_out = 1, .bias = true}>, linear_out));
};
}  // namespace

std::vector<Subject> layers() {
  std::vector<Subject> all;
  add<Core, ssm_usual, ssm_odd, ssm_wide, ssm_one>(all, "SelectiveStateSpaceModel");
  add<PerChannel, own_usual, own_odd, own_one>(all, "SelectiveStateSpace");
  add<Block, block_usual, block_odd, block_bare, block_normed, block_one_tap>(all, "MambaBlock");
  add<Residual, block_usual, block_odd, block_layer_norm>(all, "ResidualBlock");
  all.push_back(subject<krait::Stack<Max>>(
      "Stack{StridedConv1d, LayerNorm, Gelu, 2 Residual{MambaBlock}, Relu, MaxPool, Linear}", 4));
  all.push_back(subject<krait::Stack<Mean>>("Stack{Linear, 2 ResidualBlocks, MeanPool, Linear}", 4));
  all.push_back(subject<krait::Stack<Last>>("Stack{Embedding, ResidualBlock, RmsNorm, LastPool, Linear}", 3));
  all.push_back(subject<krait::Stack<Filter>>(
      "Stack{2 StridedConv1d, Conv1d, PositionalEmbedding, Residual{..., Residual{...}}, Linear}", 6));
  return all;
}

}  // namespace laws
