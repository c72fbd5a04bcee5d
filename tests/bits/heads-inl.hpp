// Runs language models of Mamba-2 and Mamba-3 with f32 and int8 weights. In one model, the channels of a head fill whole
// vectors; in one, a head has 5 channels; one has a MIMO block.
#if defined(KRAIT_TESTS_BITS_HEADS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_TESTS_BITS_HEADS_INL_HPP
#undef KRAIT_TESTS_BITS_HEADS_INL_HPP
#else
#define KRAIT_TESTS_BITS_HEADS_INL_HPP
#endif

#include <krait/core/random.hpp>
#include <krait/nn/mamba.hpp>
#include <krait/ops/calls-inl.hpp>

HWY_BEFORE_NAMESPACE();
namespace bits {
namespace HWY_NAMESPACE {

// Calls use(prefilled, stepped, state) with the logits of a prefill, the logits of single steps, which must be equal, and the
// state after the tokens. The weights and inputs are uniform random numbers, which are equal on every machine.
template <class Model, class Use>
HWY_NOINLINE void heads_of(Use use) {
  constexpr std::size_t length = 19;
  static Model model;
  static krait::Tensor<float, length, Model::d_out> prefilled, stepped;
  static krait::State<Model> state;
  static krait::Scratch<Model, 16> scratch;
  std::uint64_t number = 0;
  krait::for_each_param(model, [&](std::string_view, auto& tensor) {
    const krait::Key key = krait::split(krait::key(7), number++);
    krait::assign(tensor, [&](std::size_t row, std::size_t col) {
      return krait::uniform(key, row * tensor.cols + col, -0.5f, 0.7f);
    });
  });
  std::array<int, length> tokens;
  for (std::size_t t = 0; t < length; ++t) tokens[t] = static_cast<int>(5 * t % Model::vocab_size);
  state = {};
  for (std::size_t t = 0; t < length; ++t) krait::HWY_NAMESPACE::step(model, state, tokens[t], stepped[t]);
  state = {};
  krait::HWY_NAMESPACE::prefill(model, state, tokens, prefilled, scratch);
  use(prefilled, stepped, state);
}

inline constexpr auto mamba2 = krait::resolve(krait::Mamba2Dims{.vocab_size = 23, .d_model = 24, .n_layers = 2, .d_state = 6,
                                                                .headdim = 16, .dt_limit = {0.01, 2.0}});
inline constexpr auto mamba2_odd = krait::resolve(krait::Mamba2Dims{
    .vocab_size = 23, .d_model = 7, .n_layers = 1, .d_state = 3, .d_inner = 20, .headdim = 5, .ngroups = 2, .D_has_hdim = true,
    .storage = krait::Storage::int8});
inline constexpr auto mamba3 = krait::resolve(krait::Mamba3Dims{.vocab_size = 23, .d_model = 24, .n_layers = 2, .d_state = 12,
                                                                .headdim = 16, .storage = krait::Storage::int8});
inline constexpr auto mamba3_odd = krait::resolve(krait::Mamba3Dims{
    .vocab_size = 23, .d_model = 7, .n_layers = 1, .d_state = 6, .d_inner = 20, .headdim = 5, .ngroups = 2, .mimo_rank = 2,
    .rope_fraction = 1, .is_outproj_norm = true});
template <class Use>
void mamba2_models(Use use) {
  heads_of<krait::Mamba2<mamba2>>(use);
  heads_of<krait::Mamba2<mamba2_odd>>(use);
}
template <class Use>
void mamba3_models(Use use) {
  heads_of<krait::Mamba3<mamba3>>(use);
  heads_of<krait::Mamba3<mamba3_odd>>(use);
}

}  // namespace HWY_NAMESPACE
}  // namespace bits
HWY_AFTER_NAMESPACE();

#endif
