// Defines StepByLayer, which divides a step of a language model into one call for each layer, for cooperative schedulers.
#ifndef KRAIT_STEP_BY_LAYER_HPP
#define KRAIT_STEP_BY_LAYER_HPP

#include "krait/core/begin.hpp"
#ifndef KRAIT_REFUSED

#include "krait.hpp"

namespace krait {

// This primary template is selected if Model is not a language model, and causes a compile error.
template <class Model>
class StepByLayer {
  static_assert(check::step_by_layer_model<Model>());

 public:
  StepByLayer(const Model&, const auto&);
  void begin(const auto&);
  bool advance();
  void finish(const auto&);
};

// StepByLayer runs a step of a krait::Mamba one layer at a time, so that a program can do other work between two layers. Logits
// and state equal those of krait::step, bit for bit.
//   krait::StepByLayer by_layer{model, state};
//   by_layer.begin(token);
//   while (by_layer.advance()) other_work();
//   by_layer.finish(logits);
// The longest call is either advance(), which runs one layer, or finish(), which runs the output head with vocab_size * d_model
// multiply-adds. Between begin() and finish(), the layers that have not run still have the state after the previous token, so
// the state must not be saved or passed to another call. The model and the state must outlive the StepByLayer, which contains a
// scratch of scratch_bytes<Model> bytes. Allocates nothing, throws nothing.
template <LanguageModel Model>
class StepByLayer<Model> {
 public:
  template <class S>
  KRAIT_INLINE StepByLayer(const Model& model, S&& state) noexcept : model_(&model) {
    if constexpr (check::state<Model, S>()) state_ = &state;
  }

  // Starts a token by reading its embedding. If some layers have not processed the previous token yet, begin() runs them first,
  // so that no layer misses a token.
  template <class Token>
  KRAIT_INLINE void begin(const Token& token) noexcept {
    if constexpr (check::input<Model, const Token>()) {
      while (advance()) {
      }
      NoState none;
      NoScratch<1> no_scratch;
      run_layer<1>(model_->backbone.embedding, none, no_scratch, &token, scratch_.x.span(), 1);
      next_ = 0;
    }
  }

  // Runs the next layer, if there is one. Returns true if further layers remain.
  KRAIT_INLINE bool advance() noexcept {
    if (next_ == Model::n_layers) return false;
    const TokenSpan<float> x = scratch_.x.span();
    run_layer<1>(model_->backbone.layers[next_], state_->layers[next_], scratch_.block, x.as_const(), x, 1);
    return ++next_ < Model::n_layers;
  }

  // Ends a token: runs the remaining layers, then writes vocab_size logits, or nothing for krait::no_output. Before each
  // finish() that writes logits, begin() must have been called.
  template <class Out>
  KRAIT_INLINE void finish(Out&& logits) noexcept {
    if constexpr (check::output<Model, Out>()) {
      while (advance()) {
      }
      if constexpr (!detail::is_no_output<Out>)
        detail::run_head<1>(*model_, *state_, scratch_, scratch_.x.span(),
                            TokenSpan<float>{std::data(logits), Model::d_out}, 1);
    }
  }

 private:
  const Model* model_;
  State<Model>* state_ = nullptr;
  std::size_t next_ = Model::n_layers;  // the index of the next layer to run
  Scratch<Model> scratch_;
};

template <class Model, class S>
StepByLayer(const Model&, S&&) -> StepByLayer<Model>;

}  // namespace krait

#endif  // KRAIT_REFUSED
#include "krait/core/end.hpp"

#endif
