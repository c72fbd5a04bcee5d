// Defines the models with bf16, f16 and int8 weights that the law tests run on; the other files cover f32. Inputs have odd and
// even sizes, and outputs fill more than two panels. This file is compiled without optimisation on every target, because the
// bits do not depend on optimisation. Layers with the same dims occur in several models, so that they are compiled only once.
#include "make_subject.hpp"

namespace laws {
namespace {
using krait::BlockDims;
using krait::LinearDims;
using krait::resolve;
using krait::SsmDims;
using krait::Storage;
using krait::StridedConv1dDims;

template <Storage storage>
constexpr auto untied = resolve({.vocab_size = 131, .d_model = 33, .n_layers = 2, .d_state = 3, .d_conv = 3, .d_inner = 67, .dt_rank = 5,
                                 .in_bias = true, .x_bias = true, .norm_bias = true, .tied = false, .norm_eps = 1e-2, .storage = storage});
template <Storage storage>
constexpr auto tied = resolve({.vocab_size = 140, .d_model = 16, .n_layers = 1, .d_state = 2, .storage = storage});
template <Storage storage>
constexpr auto block = block_dims(untied<storage>);
template <Storage storage>
constexpr auto core = ssm_dims(block<storage>);
template <Storage storage>
constexpr auto own = resolve(SsmDims{.d_inner = 17, .d_model = 33, .d_state = 3, .dt_rank = 2, .out_bias = true, .storage = storage});

template <Storage storage>
struct Parts {
  KRAIT_PARAMS(Parts, (krait::Embedding<29, 10, storage>, embedding),
               (krait::Linear<LinearDims{.d_in = 10, .d_out = 33, .storage = storage}>, linear_in),
               (krait::MambaBlock<block<storage>>, mixer), (krait::LastPool<33>, pool),
               (krait::Linear<LinearDims{.d_in = 33, .d_out = 131, .bias = true, .storage = storage}>, classifier));
};

// A chunk of 2 tokens is smaller than a tile, so its tokens are processed one by one; 64 is the default. Other chunk sizes are
// not tested, because each takes as much compile time as these.
constexpr Chunks two_kinds{2, 64, 64, 64};

template <Storage storage>
void add_systems(std::vector<Subject>& to, const std::string& of) {
  const auto add_one = [&]<class Model>(std::type_identity<Model>, const std::string& name, std::size_t d_conv) {
    to.push_back(subject<Model, two_kinds>(of + " " + name, d_conv));
  };
#ifndef LAWS_QUICK  // quick builds leave out these models, most of which consist of a MambaBlock
  add_one(std::type_identity<krait::SelectiveStateSpaceModel<core<storage>>>{},
          "SelectiveStateSpaceModel" + describe(core<storage>), 1);
  add_one(std::type_identity<krait::SelectiveStateSpace<own<storage>>>{}, "SelectiveStateSpace" + describe(own<storage>), 1);
  add_one(std::type_identity<krait::Mamba<tied<storage>>>{}, "Mamba" + describe(tied<storage>), 4);
  add_one(std::type_identity<krait::Mamba<untied<storage>>>{}, "Mamba" + describe(untied<storage>), 3);
  add_one(std::type_identity<krait::Stack<Parts<storage>>>{}, "Stack{Embedding, Linear, MambaBlock, LastPool, Linear}", 3);
#endif
  add_one(std::type_identity<krait::PositionalEmbedding<37, 13, storage>>{}, "PositionalEmbedding", 1);
  add_one(std::type_identity<krait::StridedConv1d<StridedConv1dDims{
              .channels = 7, .d_out = 33, .kernel = 9, .stride = 3, .storage = storage}>>{}, "StridedConv1d", 3);
  add_one(std::type_identity<krait::MambaBlock<block<storage>>>{}, "MambaBlock" + describe(block<storage>), 3);
}

// Adds a Linear layer of one storage type. With 16-bit weights, the tile of one token is two panels wide if d_in is at most
// 256, so 256 and 257 inputs are both tested. The default of 144 outputs fills two panels of 64 and a narrow one of 16.
template <Storage storage, std::size_t d_in, std::size_t d_out = 144>
void add_linear(std::vector<Subject>& to, const std::string& of) {
  constexpr Chunks chunks{1, 2, 3, 64};
  to.push_back(subject<krait::Linear<LinearDims{.d_in = d_in, .d_out = d_out, .bias = d_in % 2 == 1, .storage = storage}>, chunks>(
      of + " Linear{d_in " + std::to_string(d_in) + ", d_out " + std::to_string(d_out) + "}"));
}
}  // namespace

std::vector<Subject> stored_otherwise() {
  std::vector<Subject> all;
  add_linear<Storage::int8, 77, 150>(all, "int8");
#ifdef LAWS_QUICK
  add_systems<Storage::int8>(all, "int8");
  add_linear<Storage::bf16, 33>(all, "bf16");
#else
  add_linear<Storage::bf16, 256>(all, "bf16");
  add_linear<Storage::bf16, 257>(all, "bf16");
  add_linear<Storage::f16, 256>(all, "f16");
  add_linear<Storage::f16, 257>(all, "f16");
  add_systems<Storage::bf16>(all, "bf16");
  add_systems<Storage::f16>(all, "f16");
  add_systems<Storage::int8>(all, "int8");
#endif
  for (Subject& s : all) s.quick = true;
  return all;
}

}  // namespace laws
