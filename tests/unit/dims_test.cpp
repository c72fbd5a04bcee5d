#include <array>
#include <catch2/catch.hpp>
#include <limits>
#include <type_traits>

#include "krait.hpp"

namespace {
constexpr auto small = krait::resolve({.vocab_size = 256, .d_model = 128});
using Model = krait::Mamba<small>;

// Checks at compile time that sizes have their defaults, that equal dims give the same type, and that models are aligned
// aggregates.
static_assert(small.d_inner == 256 && small.dt_rank == 8 && small.n_layers == 4 && small.d_state == 16 && small.d_conv == 4);
static_assert(krait::resolve(small) == small);
static_assert(std::is_same_v<Model, krait::Mamba<krait::resolve({.vocab_size = 256, .d_model = 128, .d_inner = 256})>>);
static_assert(std::is_same_v<Model, krait::Mamba<krait::resolve({.vocab_size = 256, .d_model = 128, .expand = 2})>>);
static_assert(krait::resolve(krait::BlockDims{.d_model = 17}).dt_rank == 2);
static_assert(krait::resolve(krait::SsmDims{.d_inner = 17}).dt_rank == 2);
static_assert(krait::noxton({.vocab_size = 30, .d_model = 20}).vocab_size == 32);

template <class T>
constexpr bool plain_aggregate = std::is_aggregate_v<T> && std::is_trivially_copyable_v<T>;
static_assert(plain_aggregate<Model> && plain_aggregate<krait::Scratch<Model>>);
static_assert(std::is_trivially_copyable_v<krait::State<Model>>);
static_assert(sizeof(Model) % 64 == 0 && alignof(Model) == 64);

// HasBias<T> is true if the layer T has a member `bias`. A layer has this member only if `bias` of its dims is true.
template <class T>
concept HasBias = requires(T layer) { layer.bias; };
static_assert(HasBias<krait::Linear<krait::LinearDims{.d_in = 3, .d_out = 5, .bias = true}>>);
static_assert(!HasBias<krait::Linear<krait::LinearDims{.d_in = 3, .d_out = 5}>>);

struct Parts {
  KRAIT_PARAMS(Parts, (krait::Linear<krait::LinearDims{.d_in = 40, .d_out = 64}>, linear_in), (krait::MeanPool<64>, pool),
               (krait::Linear<krait::LinearDims{.d_in = 64, .d_out = 10}>, classifier));
};
using Stack = krait::Stack<Parts>;
static_assert(std::is_trivially_copyable_v<krait::State<Stack>> && std::is_trivially_copyable_v<krait::Scratch<Stack>>);
static_assert(krait::multiply_adds_per_step<Stack> == 40 * 64 + 64 * 10);
}  // namespace

TEST_CASE("parameter_count gives 499,328 for vocab_size 256, d_model 128 and 4 layers, as noxton's checkpoint has") {
  STATIC_REQUIRE(krait::parameter_count<Model> == 499328);
}

TEST_CASE("flash_bytes, state_bytes, scratch_bytes and multiply_adds_per_step are compile-time constants of the model") {
  STATIC_REQUIRE(krait::flash_bytes<Model> == sizeof(Model));
  STATIC_REQUIRE(krait::state_bytes<Model> == 4 * (256 * 3 + 256 * 16) * sizeof(float));
  STATIC_REQUIRE(krait::scratch_bytes<Model> < 8 * 1024);
  STATIC_REQUIRE(krait::state_bytes<krait::RmsNorm<krait::NormDims{.d_model = 8}>> == 0);
  STATIC_REQUIRE(krait::multiply_adds_per_step<Model> ==
                 4 * (512 * 128 + 256 * 4 + 40 * 256 + 8 * 256 + 3 * 256 * 16 + 256 + 256 + 128 * 256 + 128) + 128 + 256 * 128);
}

TEST_CASE("resolve gives the same dims at run time as at compile time") {
  const auto check = [](std::size_t d_model) {
    constexpr krait::ModelDims given{.vocab_size = 30, .d_model = 20, .n_layers = 2, .expand = 3};
    constexpr krait::ModelDims resolved = krait::resolve(given), noxton = krait::noxton(given);
    constexpr krait::BlockDims block = krait::block_dims(resolved);
    constexpr krait::SsmDims ssm = krait::ssm_dims(block);
    krait::ModelDims model = given;
    model.d_model = d_model;
    CHECK(krait::resolve(model) == resolved);
    CHECK(krait::noxton(model) == noxton);
    CHECK(krait::resolve(krait::BlockDims{.d_model = d_model, .expand = 3}) == block);
    CHECK(krait::block_dims(krait::resolve(model)) == block);
    CHECK(krait::ssm_dims(krait::block_dims(krait::resolve(model))) == ssm);
    CHECK(krait::norm_dims(krait::block_dims(krait::resolve(model))) == krait::NormDims{.d_model = 20});
    CHECK(krait::ssm_dims(krait::block_dims({.d_model = d_model, .dt_b_c_eps = 1e-6})).dt_b_c_eps == krait::Real(1e-6));
    CHECK(krait::block_dims({.d_model = d_model, .norm = krait::NormKind::layer}).norm == krait::NormKind::layer);
    CHECK(krait::resolve(krait::SsmDims{.d_inner = d_model}) == krait::SsmDims{.d_inner = 20, .dt_rank = 2});
    CHECK(krait::with_storage(model, krait::Storage::int8).storage == krait::Storage::int8);
  };
  check(20);
}

// The expected values are the defaults of the constructors in state-spaces/mamba, mamba_ssm/modules/mamba2.py and mamba3.py,
// and of MambaConfig.
TEST_CASE("the dims of Mamba-2 and Mamba-3 have the defaults of mamba-ssm") {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  STATIC_REQUIRE(krait::resolve(krait::Mamba2Dims{.vocab_size = 50280, .d_model = 768, .n_layers = 24}) ==
                 krait::Mamba2Dims{.vocab_size = 50280, .d_model = 768, .n_layers = 24, .d_state = 128, .d_conv = 4,
                                   .expand = 0, .d_inner = 1536, .headdim = 64, .ngroups = 1, .in_bias = false,
                                   .conv_bias = true, .out_bias = false, .norm_bias = false, .D_has_hdim = false,
                                   .rmsnorm = true, .norm_before_gate = false, .dt_limit = {0, infinity},
                                   .mixer_norm_eps = 1e-5,
                                   .norm = krait::NormKind::rms, .tied = true, .norm_eps = 1e-5,
                                   .storage = krait::Storage::f32});
  STATIC_REQUIRE(krait::resolve(krait::Mamba3Dims{.vocab_size = 50280, .d_model = 768, .n_layers = 24}) ==
                 krait::Mamba3Dims{.vocab_size = 50280, .d_model = 768, .n_layers = 24, .d_state = 128, .expand = 0,
                                   .d_inner = 1536, .headdim = 64, .ngroups = 1, .mimo_rank = 1, .rope_fraction = 0.5,
                                   .in_bias = false, .out_bias = false, .norm_bias = false, .is_outproj_norm = false,
                                   .A_floor = 1e-4, .mixer_norm_eps = 1e-5, .norm = krait::NormKind::rms, .tied = true,
                                   .norm_eps = 1e-5, .storage = krait::Storage::f32});
  constexpr auto block2 = krait::resolve(krait::Mamba2BlockDims{.d_model = 768});
  constexpr auto block3 = krait::resolve(krait::Mamba3BlockDims{.d_model = 768});
  STATIC_REQUIRE(block2 == krait::block_dims(krait::resolve(krait::Mamba2Dims{.vocab_size = 50280, .d_model = 768})));
  STATIC_REQUIRE(block3 == krait::block_dims(krait::resolve(krait::Mamba3Dims{.vocab_size = 50280, .d_model = 768})));
  // in_proj of mamba-ssm has 2 d_inner + 2 ngroups d_state rows and, besides these, nheads rows in Mamba-2, and 3 nheads +
  // num_rope_angles rows in Mamba-3.
  STATIC_REQUIRE(decltype(krait::Mamba2Block<block2>{}.in_proj.weight)::rows == 2 * 1536 + 2 * 128 + 24);
  STATIC_REQUIRE(decltype(krait::Mamba3Block<block3>{}.in_proj.weight)::rows == 2 * 1536 + 2 * 128 + 3 * 24 + 32);
}

TEST_CASE("resolve and block_dims keep every value that is given in the dims of Mamba-2 and Mamba-3") {
  krait::Mamba2Dims two{.vocab_size = 30, .d_model = 12, .n_layers = 3, .d_state = 5, .d_conv = 2, .expand = 3, .headdim = 4,
                        .ngroups = 3, .in_bias = true, .conv_bias = false, .out_bias = true, .norm_bias = true,
                        .D_has_hdim = true, .rmsnorm = false, .norm_before_gate = true, .dt_limit = {0.1, 0.2},
                        .mixer_norm_eps = 1e-3, .norm = krait::NormKind::layer, .tied = false, .norm_eps = 1e-2,
                        .storage = krait::Storage::f16};
  two = krait::resolve(two);
  CHECK(two.d_inner == 36);
  CHECK(krait::resolve(krait::block_dims(two)) ==
        krait::Mamba2BlockDims{.d_model = 12, .d_state = 5, .d_conv = 2, .d_inner = 36, .headdim = 4, .ngroups = 3,
                               .in_bias = true, .conv_bias = false, .out_bias = true, .norm_bias = true, .D_has_hdim = true,
                               .rmsnorm = false, .norm_before_gate = true, .dt_limit = {0.1, 0.2}, .mixer_norm_eps = 1e-3,
                               .norm = krait::NormKind::layer, .norm_eps = 1e-2, .storage = krait::Storage::f16});

  krait::Mamba3Dims three{.vocab_size = 30, .d_model = 12, .n_layers = 3, .d_state = 10, .headdim = 4, .ngroups = 3,
                          .mimo_rank = 2, .rope_fraction = 0.7, .in_bias = true, .out_bias = true, .norm_bias = true,
                          .is_outproj_norm = true, .A_floor = 1e-3, .mixer_norm_eps = 1e-3, .norm = krait::NormKind::layer,
                          .tied = false, .norm_eps = 1e-2, .storage = krait::Storage::bf16};
  three = krait::resolve(three);
  CHECK(three.d_inner == 24);
  CHECK(krait::resolve(krait::block_dims(three)) ==
        krait::Mamba3BlockDims{.d_model = 12, .d_state = 10, .d_inner = 24, .headdim = 4, .ngroups = 3, .mimo_rank = 2,
                               .rope_fraction = 0.7, .in_bias = true, .out_bias = true, .norm_bias = true,
                               .is_outproj_norm = true, .A_floor = 1e-3, .mixer_norm_eps = 1e-3,
                               .norm = krait::NormKind::layer, .norm_eps = 1e-2, .storage = krait::Storage::bf16});
  CHECK(krait::angles_of(three) == 3);  // 10 * 0.7 gives 7 states, although 0.7f is below 0.7
}

TEST_CASE("the scratch of a recurrence has room for the largest object that shares its memory") {
  using Ssm = krait::SelectiveStateSpaceModel<krait::SsmDims{.d_inner = 4, .d_state = 2, .dt_rank = 1}>;
  using Large = std::array<float, 1000>;
  CHECK(sizeof(Ssm::InnerScratch<1, Large>) >= sizeof(Large));
}
