// One object that holds what a stream needs: a model by reference, its state, its scratch and the last answer.
#ifndef KRAIT_SESSION_HPP
#define KRAIT_SESSION_HPP

#include "krait/core/begin.hpp"
#ifndef KRAIT_REFUSED

#include "krait.hpp"

namespace krait {

// Session session{model}; const auto& logits = session.step(token);
// `chunk` is how many tokens its scratch is for: 1 makes prefill go token by token; with more, step takes one of its own
// on the stack. The model must outlive it. Holds state_bytes + scratch_bytes + one output row, nothing else; no heap.
template <Layer Model, std::size_t chunk = 1>
class Session {
 public:
  using Output = Tensor<float, Model::d_out>;

  KRAIT_INLINE explicit Session(const Model& model) noexcept : model_(&model) {}
  explicit Session(Model&&) = delete;  // a temporary would be gone after this line

  // One token or row in, the answer out; valid until the next call.
  template <class In>
  KRAIT_INLINE const Output& step(const In& x) noexcept {
    if constexpr (chunk == 1) {
      krait::step(*model_, state_, x, output_, scratch_);
    } else {
      krait::step(*model_, state_, x, output_);
    }
    return output_;
  }

  // One whose answer is not wanted, for models that summarise: output() stays.
  template <class In>
    requires Summarising<Model>
  KRAIT_INLINE void step(const In& x, NoOutput) noexcept {
    if constexpr (chunk == 1) krait::step(*model_, state_, x, no_output, scratch_);
    else krait::step(*model_, state_, x, no_output);
  }

  // Any number of tokens at once, for models that summarise; the answer to the last. An empty xs changes nothing.
  template <class In>
    requires Summarising<Model>
  KRAIT_INLINE const Output& prefill(const In& xs) noexcept {
    krait::prefill(*model_, state_, xs, output_, scratch_);
    return output_;
  }

  // Back to a fresh sequence.
  KRAIT_INLINE void reset() noexcept {
    state_ = {};
    output_ = {};
  }

  KRAIT_INLINE const Output& output() const noexcept { return output_; }
  KRAIT_INLINE const State<Model>& state() const noexcept { return state_; }
  KRAIT_INLINE void restore(const State<Model>& saved) noexcept { state_ = saved; }

 private:
  const Model* model_;
  State<Model> state_{};
  Scratch<Model, chunk> scratch_;
  Output output_{};
};

template <class Model>
Session(const Model&) -> Session<Model>;

}  // namespace krait

#endif  // KRAIT_REFUSED
#include "krait/core/end.hpp"

#endif
