// The language model.
#if defined(KRAIT_OPS_MAMBA_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_OPS_MAMBA_INL_HPP
#undef KRAIT_OPS_MAMBA_INL_HPP
#else
#define KRAIT_OPS_MAMBA_INL_HPP
#endif

#include "krait/nn/mamba.hpp"
#include "krait/ops/mamba_block-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD {

// n tokens in; logits out: none, a row for the last token, or n rows.
template <std::size_t tokens, ModelDims dims, class Token>
HWY_INLINE void run(const Mamba<dims>& model, typename Mamba<dims>::State& state,
                    typename Mamba<dims>::template Scratch<tokens>& scratch, const Token* in, Rows<float> out,
                    std::size_t n, Emit emit) {
  NoState none;
  NoScratch<tokens> no_scratch;
  const auto& backbone = model.backbone;
  const Rows<float> x = rows_of(scratch.x);
  run<tokens>(backbone.embedding, none, no_scratch, in, x, n);
  for (std::size_t layer = 0; layer < dims.n_layers; ++layer)
    run<tokens>(backbone.layers[layer], state.layers[layer], scratch.block, x.as_const(), x, n);
  if (emit == Emit::nothing) return;
  const std::size_t first = emit == Emit::all ? 0 : n - 1;
  const Rows<float> wanted = x.from(first);
  run<tokens>(backbone.norm_f, none, no_scratch, wanted.as_const(), wanted, n - first);
  apply_weight<tokens, dims.vocab_size>(model.head(), nullptr, scratch.head, wanted.as_const(), out, n - first);
}

}  // namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD
HWY_AFTER_NAMESPACE();

#endif
