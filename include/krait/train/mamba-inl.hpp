// Training of Mamba, the language model: the forward pass fills a tape, and the backward pass computes the gradients from it.
#if defined(KRAIT_TRAIN_MAMBA_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_TRAIN_MAMBA_INL_HPP
#undef KRAIT_TRAIN_MAMBA_INL_HPP
#else
#define KRAIT_TRAIN_MAMBA_INL_HPP
#endif

#include "krait/ops/mamba-inl.hpp"
#include "krait/train/stack-inl.hpp"

KRAIT_BEGIN_TARGET

template <std::size_t tokens, krait::detail::DimsOfModel auto dims, class Tape, class Work, class Token>
HWY_INLINE void record(const Mamba<dims>& model, State<Mamba<dims>>& state, Tape& tape, Work& work, const Token* in,
                       TokenSpan<float> out, std::size_t n) {
  using Recording = typename Tape::Owner;
  NoState none;
  NoScratch<tokens> no_scratch;
  const TokenSpan<float> x = tape.x.span();
  if constexpr (Recording::layers_needed) {
    const TokenSpan<float> embedded = tape.layers.x.span();
    run<tokens>(model.backbone.embedding, none, no_scratch, in, embedded, n);
    clear_padding(embedded, dims.d_model, n);
    auto& layers_work = work.part.template start<typename Recording::Layers::template Work<tokens>>();
    record<tokens>(model.backbone.layers, state.layers, tape.layers.layers, layers_work, embedded.as_const(), x, n);
  } else {
    auto& scratch = work.part.template start<Scratch<Mamba<dims>, tokens>>();
    run_layers<tokens>(model, state, scratch, in, n);
    for (std::size_t t = 0; t < n; ++t) copy_floats(scratch.x.span()[t], x[t], dims.d_model);
  }
  clear_padding(x, dims.d_model, n);
  const TokenSpan<float> normed = work.dx_out.span();
  run<tokens>(model.backbone.norm_f, none, no_scratch, x.as_const(), normed, n);
  apply_weight<tokens, dims.vocab_size>(model.head(), nullptr, none, no_scratch, normed.as_const(), out, n);
}

// The gradient of a tied weight gets the terms of the head first, then those of the embedding.
template <std::size_t tokens, bool, krait::detail::DimsOfModel auto dims, class Tape, class Work, class Token, class G>
HWY_INLINE void backward(const Mamba<dims>& model, Tape& tape, Work& work, const Token* in, TokenSpan<float> dout,
                         TokenSpan<float>, G& gradients, State<Mamba<dims>>* dstate, std::size_t n) {
  using krait::detail::gradient_of_member;
  using Recording = typename Tape::Owner;
  constexpr std::size_t rows = padded(dims.vocab_size);
  NoState none;
  NoScratch<tokens> no_scratch;
  auto&& backbone = gradient_of_member<0>(gradients);
  auto&& embedding = gradient_of_member<0>(backbone);
  auto&& norm = gradient_of_member<2>(backbone);
  const TokenSpan<float> x = tape.x.span(), dx = work.dx_out.span(), dinput = work.dinput.span();
  {
    auto& head = work.part.template start<typename Recording::template HeadWork<tokens>>();
    const TokenSpan<float> normed = head.normed.span();
    run<tokens>(model.backbone.norm_f, none, no_scratch, x.as_const(), normed, n);
    const auto head_gradient = [&](auto&& owner) KRAIT_LAMBDA {
      if (float* weight = krait::detail::floats_of(gradient_of_member<0>(owner)))
        linear_weight_gradient(normed.as_const(), dout.as_const(), n, weight, rows, dims.d_model);
    };
    if constexpr (dims.tied) head_gradient(embedding);
    else head_gradient(gradient_of_member<1>(gradients));
    if constexpr (!Recording::layers_needed && !krait::detail::is_trained<decltype(norm)>) return;
    linear_input_gradient(model.head().data(), rows, dims.d_model, dout.as_const(), dinput, n, false,
                          head.columns.values.data());
    apply_norm_backward(model.backbone.norm_f, x.as_const(), dinput.as_const(), dx, norm, n, false);
    clear_padding(dx, dims.d_model, n);
  }
  if constexpr (Recording::layers_needed) {
    auto&& layers = gradient_of_member<1>(backbone);
    auto& layers_work = work.part.template start<typename Recording::Layers::template Work<tokens>>();
    backward<tokens, Recording::layers_dx>(model.backbone.layers, tape.layers.layers, layers_work,
                                           tape.layers.x.span().as_const(), dx, dinput, layers,
                                           dstate ? &dstate->layers : nullptr, n);
    backward<tokens, false>(model.backbone.embedding, no_scratch, no_scratch, in, dinput, dinput, embedding, &none, n);
  }
}

KRAIT_END_TARGET

#endif
