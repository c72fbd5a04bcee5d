// Defines models of every kind, with odd and large dims, for tests on boards and on the host that measure the stack of a step.
#ifndef STACKS_HPP
#define STACKS_HPP

#include <array>
#include <string_view>
#include <type_traits>

#include <krait.hpp>

namespace stacks {

using krait::Storage;

template <class Model>
using Input = std::conditional_t<krait::TakesTokens<Model>, int, krait::Tensor<float, Model::d_in>>;

template <Storage storage>
inline constexpr auto plain_block = krait::resolve(krait::BlockDims{.d_model = 32, .storage = storage});
template <Storage storage>
inline constexpr krait::BlockDims odd_block{.d_model = 10, .d_state = 7, .d_conv = 3, .d_inner = 23, .dt_rank = 3,
  .in_bias = true, .conv_bias = true, .x_bias = true, .dt_bias = true, .out_bias = true, .norm_bias = true, .storage = storage};
template <Storage storage>
inline constexpr krait::BlockDims long_conv_block{.d_model = 16, .d_state = 1, .d_conv = 31, .d_inner = 33, .dt_rank = 1,
  .storage = storage};
template <Storage storage>
inline constexpr krait::SsmDims odd_ssm{.d_inner = 21, .d_model = 13, .d_state = 5, .dt_rank = 2, .x_bias = true,
  .dt_bias = true, .out_bias = true, .storage = storage};
template <std::size_t d_in, std::size_t d_out, Storage storage>
using Linear = krait::Linear<krait::LinearDims{.d_in = d_in, .d_out = d_out, .bias = true, .storage = storage}>;

// A stack with every kind of layer, each of different dims, so that no two layers share a function.
template <Storage storage>
struct ManyParts {
  KRAIT_PARAMS(ManyParts,
    (Linear<9, 21, storage>, a),
    (krait::SelectiveStateSpaceModel<odd_ssm<storage>>, b),
    (Linear<21, 10, storage>, c),
    (std::array<krait::ResidualBlock<odd_block<storage>>, 2>, d),
    (krait::RmsNorm<krait::NormDims{.d_model = 10, .bias = true}>, e),
    (krait::Conv1d<krait::Conv1dDims{.channels = 10, .d_conv = 4, .bias = true}>, f),
    (Linear<10, 21, storage>, g),
    (krait::SelectiveStateSpace<odd_ssm<storage>>, h),
    (Linear<13, 32, storage>, i),
    (krait::MambaBlock<plain_block<storage>>, j),
    (Linear<32, 37, storage>, k),
    (Linear<37, 50, storage>, l),
    (krait::Gelu<50>, gelu),
    (krait::PositionalEmbedding<5, 50, storage>, positions),
    (krait::LayerNorm<krait::NormDims{.d_model = 50, .bias = true}>, layer_norm),
    (krait::MeanPool<50>, m),
    (Linear<50, 67, storage>, n),
    (Linear<67, 3, storage>, o));
};

// A stack whose members are stacks.
template <Storage storage>
struct InnerParts {
  KRAIT_PARAMS(InnerParts, (krait::ResidualBlock<odd_block<storage>>, block), (Linear<10, 9, storage>, out));
};
template <Storage storage>
struct MiddleParts {
  KRAIT_PARAMS(MiddleParts, (krait::Stack<InnerParts<storage>>, inner), (Linear<9, 10, storage>, back));
};
template <Storage storage>
struct NestedParts {
  KRAIT_PARAMS(NestedParts, (Linear<3, 10, storage>, in), (krait::Stack<MiddleParts<storage>>, middle));
};

// A convolution over time, and residuals of stacks within each other.
template <Storage storage>
struct NarrowParts {
  KRAIT_PARAMS(NarrowParts, (Linear<11, 23, storage>, up), (krait::Relu<23>, relu), (Linear<23, 11, storage>, down));
};
template <Storage storage>
struct WideParts {
  KRAIT_PARAMS(WideParts, (krait::Residual<krait::SelectiveStateSpaceModel<odd_ssm<storage>>>, ssm),
    (Linear<21, 11, storage>, narrow), (krait::Residual<krait::Stack<NarrowParts<storage>>>, inner),
    (Linear<11, 21, storage>, wide));
};
template <Storage storage>
struct ResidualParts {
  KRAIT_PARAMS(ResidualParts,
    (krait::StridedConv1d<krait::StridedConv1dDims{.channels = 3, .d_out = 21, .kernel = 4, .stride = 2,
                                                   .storage = storage}>, conv),
    (std::array<krait::Residual<krait::Stack<WideParts<storage>>>, 2>, layers), (krait::LastPool<21>, pool));
};

// Blocks of Mamba-2 and Mamba-3: blocks whose heads fill whole vectors, blocks with heads of 5 channels, and MIMO blocks.
template <Storage storage>
inline constexpr auto mamba2_block = krait::resolve(krait::Mamba2BlockDims{.d_model = 10, .d_state = 6, .d_inner = 64,
                                                                           .headdim = 32, .storage = storage});
template <Storage storage>
inline constexpr auto odd_mamba2_block = krait::resolve(krait::Mamba2BlockDims{
    .d_model = 10, .d_state = 3, .d_conv = 3, .d_inner = 20, .headdim = 5, .ngroups = 2, .in_bias = true, .out_bias = true,
    .D_has_hdim = true, .norm_before_gate = true, .dt_limit = {0.01, 0.5}, .storage = storage});
template <Storage storage>
inline constexpr auto mamba3_block = krait::resolve(krait::Mamba3BlockDims{.d_model = 10, .d_state = 16, .d_inner = 64,
                                                                           .headdim = 32, .storage = storage});
template <Storage storage>
inline constexpr auto odd_mamba3_block = krait::resolve(krait::Mamba3BlockDims{
    .d_model = 10, .d_state = 6, .d_inner = 20, .headdim = 5, .ngroups = 2, .mimo_rank = 4, .is_outproj_norm = true,
    .storage = storage});
template <Storage storage>
struct HeadsParts {
  KRAIT_PARAMS(HeadsParts,
    (krait::ResidualBlock<mamba2_block<storage>>, a), (krait::ResidualBlock<odd_mamba2_block<storage>>, b),
    (krait::ResidualBlock<mamba3_block<storage>>, c), (krait::Residual<krait::Mamba3Block<odd_mamba3_block<storage>>>, d));
};

// Calls f(name, std::type_identity<Model>) for each model.
template <Storage storage>
void for_each(auto f) {
  f("language", std::type_identity<krait::Mamba<krait::resolve(krait::ModelDims{.vocab_size = 50, .d_model = 32, .n_layers = 2,
                                                                                .storage = storage})>>{});
  f("heads", std::type_identity<krait::Stack<HeadsParts<storage>>>{});
  f("mamba2", std::type_identity<krait::Mamba2Block<odd_mamba2_block<storage>>>{});
  f("mamba3", std::type_identity<krait::Mamba3Block<odd_mamba3_block<storage>>>{});
  f("nested", std::type_identity<krait::Stack<NestedParts<storage>>>{});
  f("residual", std::type_identity<krait::Residual<krait::SelectiveStateSpaceModel<odd_ssm<storage>>>>{});
  f("residuals", std::type_identity<krait::Stack<ResidualParts<storage>>>{});
  f("stack", std::type_identity<krait::Stack<ManyParts<storage>>>{});
}

}  // namespace stacks

#endif
