// StepByLayer: a step of a language model in parts, for cooperative schedulers.
#ifndef KRAIT_STEP_BY_LAYER_HPP
#define KRAIT_STEP_BY_LAYER_HPP

#include "krait/core/begin.hpp"
#ifndef KRAIT_REFUSED

#include "krait.hpp"

namespace krait {

// A step of a krait::Mamba, one layer a call, so that other work can run between two layers. Logits and state equal those of
// krait::step, bit for bit.
//   krait::StepByLayer by_layer{model, state};
//   by_layer.begin(token);
//   while (by_layer.advance()) other_work();
//   by_layer.finish(logits);
// The longest part is one layer, or finish, whose head multiplies vocab_size * d_model weights. Between begin and finish, part
// of the state belongs to the previous token: do not save it or pass it to another call. Model and state must outlive the
// object, which holds one scratch: scratch_bytes<Model>. Allocates nothing, throws nothing.
template <class Model>
  requires requires { Model::model_dims; }
class StepByLayer {
 public:
  KRAIT_INLINE StepByLayer(const Model& model, State<Model>& state) noexcept : model_(&model), state_(&state) {}

  // Starts a token: reads its embedding. If a token is in progress, its remaining layers run first, so that the state has it.
  template <TokenId Token>
  KRAIT_INLINE void begin(Token token) noexcept {
    while (advance()) {
    }
    NoState none;
    NoScratch<1> no_scratch;
    run_layer<1>(model_->backbone.embedding, none, no_scratch, static_cast<const Token*>(&token), scratch_.x.span(), 1);
    next_ = 0;
  }

  // Runs the next layer. Returns whether layers remain; false without any effect if none did.
  KRAIT_INLINE bool advance() noexcept {
    if (next_ == Model::n_layers) return false;
    const TokenSpan<float> x = scratch_.x.span();
    run_layer<1>(model_->backbone.layers[next_], state_->layers[next_], scratch_.block, x.as_const(), x, 1);
    return ++next_ < Model::n_layers;
  }

  // Ends the token: runs the layers that remain, then writes vocab_size logits, unless they are krait::no_output. Requires
  // one begin for each finish that writes logits.
  template <class Out>
  KRAIT_INLINE void finish(Out&& logits) noexcept {
    if constexpr (check::output<Model, Out>()) {
      while (advance()) {
      }
      if constexpr (!detail::is_no_output<Out>)
        detail::run_head<1>(*model_, scratch_, scratch_.x.span(), TokenSpan<float>{std::data(logits), Model::d_out}, 1);
    }
  }

 private:
  const Model* model_;
  State<Model>* state_;
  std::size_t next_ = Model::n_layers;  // the next layer to run
  Scratch<Model> scratch_;
};

}  // namespace krait

#endif  // KRAIT_REFUSED
#include "krait/core/end.hpp"

#endif
