// Defines the models with blocks of Mamba-2 and Mamba-3 that the law tests run on.
#include "make_subject.hpp"

namespace laws {
namespace {
using krait::Mamba2BlockDims;
using krait::Mamba2Dims;
using krait::Mamba3BlockDims;
using krait::Mamba3Dims;
using krait::resolve;

constexpr auto mamba2_odd = resolve(Mamba2Dims{.vocab_size = 37, .d_model = 13, .n_layers = 2, .d_state = 5, .d_conv = 3,
                                               .d_inner = 42, .headdim = 7, .ngroups = 3, .in_bias = true, .out_bias = true,
                                               .D_has_hdim = true, .tied = false});
constexpr auto mamba2_wide = resolve(Mamba2BlockDims{.d_model = 10, .d_state = 6, .d_conv = 1, .d_inner = 80, .headdim = 40,
                                                     .conv_bias = false, .norm_before_gate = true, .dt_limit = {0.01, 0.5}});
constexpr auto mamba2_bare = resolve(Mamba2BlockDims{.d_model = 8, .d_state = 1, .d_conv = 2, .d_inner = 3, .headdim = 1,
                                                     .rmsnorm = false});
constexpr auto mamba3_odd = resolve(Mamba3Dims{.vocab_size = 37, .d_model = 13, .n_layers = 2, .d_state = 10, .d_inner = 42,
                                               .headdim = 7, .ngroups = 2, .rope_fraction = 1, .in_bias = true,
                                               .is_outproj_norm = true});
constexpr auto mamba3_mimo = resolve(Mamba3BlockDims{.d_model = 9, .d_state = 8, .d_inner = 60, .headdim = 20, .mimo_rank = 2,
                                                     .out_bias = true, .is_outproj_norm = true});
constexpr auto mamba3_rank_4 = resolve(Mamba3BlockDims{.d_model = 12, .d_state = 16, .headdim = 8, .mimo_rank = 4});

// A classifier with blocks of Mamba-1, Mamba-2 and Mamba-3, in which the channels of a head fill whole vectors.
constexpr auto block1 = resolve(krait::BlockDims{.d_model = 24});
constexpr auto block2 = resolve(Mamba2BlockDims{.d_model = 24, .d_state = 16, .d_inner = 64, .headdim = 32, .ngroups = 2});
constexpr auto block3 = resolve(Mamba3BlockDims{.d_model = 24, .d_state = 16, .headdim = 16});
struct Hybrid {
  KRAIT_PARAMS(Hybrid, (krait::Linear<krait::LinearDims{.d_in = 7, .d_out = 24, .bias = true}>, linear_in),
               (std::array<krait::ResidualBlock<block2>, 2>, layers2), (krait::ResidualBlock<block1>, layer1),
               (krait::ResidualBlock<block3>, layer3), (krait::MeanPool<24>, pool),
               (krait::Linear<krait::LinearDims{.d_in = 24, .d_out = 5}>, classifier));
};

constexpr Chunks few_chunks{1, 3, 16, 16};
}  // namespace

std::vector<Subject> models_with_heads() {
  std::vector<Subject> all;
  all.push_back(subject<krait::Mamba2<mamba2_odd>, few_chunks>("Mamba2, 6 heads of 7 channels, 3 groups", 3));
  all.push_back(subject<krait::Mamba2Block<mamba2_wide>, few_chunks>("Mamba2Block, 2 heads of 40 channels", 1));
  all.push_back(subject<krait::Mamba3<mamba3_odd>, few_chunks>("Mamba3, 6 heads of 7 channels, 2 groups", 1));
  all.push_back(subject<krait::Mamba3Block<mamba3_mimo>, few_chunks>("Mamba3Block, 3 heads of 20 channels, rank 2", 1));
  all.push_back(subject<krait::Stack<Hybrid>, few_chunks>(
      "Stack{Linear, ResidualBlocks of Mamba-2, Mamba-1 and Mamba-3, MeanPool, Linear}", 4));
#ifndef LAWS_QUICK
  all.push_back(subject<krait::Mamba2Block<mamba2_bare>, few_chunks>("Mamba2Block, 3 heads of 1 channel", 2));
  all.push_back(subject<krait::Mamba3Block<mamba3_rank_4>, few_chunks>("Mamba3Block, 3 heads of 8 channels, rank 4", 1));
#endif
  return all;
}

std::vector<Subject> heads_stored_otherwise() {
  using krait::Storage;
  std::vector<Subject> all;
  all.push_back(subject<krait::Mamba2<with_storage(mamba2_odd, Storage::int8)>, few_chunks>("Mamba2, int8", 3));
  all.push_back(subject<krait::Mamba3<with_storage(mamba3_odd, Storage::int8)>, few_chunks>("Mamba3, int8", 1));
#ifndef LAWS_QUICK
  all.push_back(subject<krait::Mamba2<with_storage(mamba2_odd, Storage::bf16)>, few_chunks>("Mamba2, bf16", 3));
  all.push_back(subject<krait::Mamba2<with_storage(mamba2_odd, Storage::f16)>, few_chunks>("Mamba2, f16", 3));
  all.push_back(subject<krait::Mamba3<with_storage(mamba3_odd, Storage::bf16)>, few_chunks>("Mamba3, bf16", 1));
  all.push_back(subject<krait::Mamba3<with_storage(mamba3_odd, Storage::f16)>, few_chunks>("Mamba3, f16", 1));
#endif
  return all;
}

}  // namespace laws
