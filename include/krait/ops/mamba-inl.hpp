// Runs Mamba, the language model.
#if defined(KRAIT_OPS_MAMBA_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_OPS_MAMBA_INL_HPP
#undef KRAIT_OPS_MAMBA_INL_HPP
#else
#define KRAIT_OPS_MAMBA_INL_HPP
#endif

#include "krait/nn/mamba.hpp"
#include "krait/ops/embedding-inl.hpp"
#include "krait/ops/linear-inl.hpp"
#include "krait/ops/residual_block-inl.hpp"
#include "krait/ops/norm-inl.hpp"

KRAIT_BEGIN_TARGET

// Applies the final norm to n tokens x in place, and writes their logits to `out`. On scalar targets (boards), this function is
// not inlined, so that its stack frame and the stack frame of a block never exist at the same time.
template <std::size_t tokens, class Model, class States>
KRAIT_OWN_FRAME void run_head(const Model& model, const States& state, Scratch<Model, tokens>& scratch, TokenSpan<float> x,
                              TokenSpan<float> out, std::size_t n) {
  NoState none;
  NoScratch<tokens> no_scratch;
  if constexpr (tokens == 1) n = 1;  // so that the compiled code has no loop over tokens
  run<tokens>(model.backbone.norm_f, none, no_scratch, x.as_const(), x, n);
  apply_weight<tokens, Model::vocab_size>(model.head(), nullptr, state, scratch.head, x.as_const(), out, n);
}

// Runs the embedding and the layers of the model on n tokens. Writes the output of the last layer, before the final norm, to
// scratch.x.
template <std::size_t tokens, auto dims, StatesOf<Mamba<dims>> States, class Token>
HWY_INLINE void run_layers(const Mamba<dims>& model, States& state, Scratch<Mamba<dims>, tokens>& scratch,
                           const Token* in, std::size_t n) {
  NoState none;
  NoScratch<tokens> no_scratch;
  const auto& backbone = model.backbone;
  const TokenSpan<float> x = scratch.x.span();
  run<tokens>(backbone.embedding, none, no_scratch, in, x, n);
  for (std::size_t layer = 0; layer < dims.n_layers; ++layer) {
    auto&& layer_state = part_of(state, [layer](auto& one) KRAIT_LAMBDA -> auto& { return one.layers[layer]; });
    run<tokens>(backbone.layers[layer], layer_state, scratch.block, x.as_const(), x, n);
  }
}

// Runs the model on n tokens. `emit` selects the logits that are written: the logits of no token, of the last token or of every
// token.
template <std::size_t tokens, auto dims, StatesOf<Mamba<dims>> States, class Token>
HWY_INLINE void run(const Mamba<dims>& model, States& state, Scratch<Mamba<dims>, tokens>& scratch,
                    const Token* in, TokenSpan<float> out, std::size_t n, Emit emit) {
  run_layers<tokens>(model, state, scratch, in, n);
  if (emit == Emit::nothing) return;
  const std::size_t first = emit == Emit::all ? 0 : n - 1;
  run_head<tokens>(model, state, scratch, scratch.x.span().from(first), out, n - first);
}

KRAIT_END_TARGET

#endif
