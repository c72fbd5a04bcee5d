// Defines Session, which runs a model on one sequence and contains the memory that this needs.
#ifndef KRAIT_SESSION_HPP
#define KRAIT_SESSION_HPP

#include "krait/core/begin.hpp"
#ifndef KRAIT_REFUSED

#include "krait.hpp"

namespace krait {

// This primary template is selected if Model is not a layer or model, and causes a compile error.
template <class Model, std::size_t chunk = 1>
class Session {
  static_assert(check::session_model<Model>());

 public:
  explicit Session(const Model&);
  check::Rejected step(const auto&...);
  check::Rejected prefill(const auto&...);
};

// Session runs a model on one sequence. A session contains the state, the scratch and the last output, and refers to the model.
//   krait::Session session{model};
//   const auto& logits = session.step(token);
// `chunk` is the number of tokens that prefill processes at a time; a larger number is faster and needs a larger scratch. The
// model must outlive the session. The size of a session is state_bytes + scratch_bytes + the size of one output. It allocates
// nothing.
template <Layer Model, std::size_t chunk>
class Session<Model, chunk> {
 public:
  using Output = Tensor<float, Model::d_out>;

  KRAIT_INLINE explicit Session(const Model& model) noexcept : model_(&model) {}
  explicit Session(Model&&) = delete;  // a session must not refer to a temporary model

  // Processes one token and returns its output, which is valid until the next call.
  template <class In>
  KRAIT_INLINE const Output& step(const In& x) noexcept {
    krait::step(*model_, state_, x, output_, scratch_);
    return output_;
  }

  // Processes one token without computing an output, so output() does not change. Only for language models and for stacks with
  // a pooling layer.
  template <class In>
  KRAIT_INLINE void step(const In& x, NoOutput) noexcept {
    krait::step(*model_, state_, x, no_output, scratch_);
  }

  // Processes the tokens xs and returns the output of the last one. If xs is empty, nothing changes. Only for language models
  // and for stacks with a pooling layer.
  template <class In>
  KRAIT_INLINE const Output& prefill(const In& xs) noexcept {
    if constexpr (check::session_prefill<Model>()) krait::prefill(*model_, state_, xs, output_, scratch_);
    return output_;
  }

  // These overloads cause one compile error for a call of step or prefill with a wrong number of arguments.
  template <class... Arguments>
    requires(sizeof...(Arguments) != 1)
  check::Rejected step(const Arguments&...) noexcept {
    static_assert(check::arguments<Arguments...>::fit,
                  "krait::Session::step takes (x), or (x, krait::no_output), and returns the output");
    return {};
  }
  template <class... Arguments>
    requires(sizeof...(Arguments) != 1)
  check::Rejected prefill(const Arguments&...) noexcept {
    static_assert(check::arguments<Arguments...>::fit, "krait::Session::prefill takes (xs) and returns the output of the last token");
    return {};
  }

  // Starts a new sequence: sets the state and the output to their initial values.
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
