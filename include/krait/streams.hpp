// Defines step_streams and prefill_streams, which run a model on several sequences together, and Streams, which also contains
// the states of the sequences and the scratch.
#ifndef KRAIT_STREAMS_HPP
#define KRAIT_STREAMS_HPP

#include "krait/core/begin.hpp"
#ifndef KRAIT_REFUSED

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <span>
#include <utility>

#include "krait.hpp"
#include "krait/ops/streams-inl.hpp"

namespace krait::inline KRAIT_BUILD {
using HWY_NAMESPACE::prefill_streams;
using HWY_NAMESPACE::step_streams;
}  // namespace krait::inline KRAIT_BUILD

namespace krait {

// This primary template is selected if Model is not a layer or model, and causes a compile error.
template <class Model, std::size_t capacity, std::size_t chunk = std::clamp<std::size_t>(capacity, 1, 16)>
class Streams {
  static_assert(check::streams_model<Model>());

 public:
  static constexpr std::size_t full = capacity;
  explicit Streams(const Model&);
  check::Rejected join();
  check::Rejected leave(std::size_t);
  check::Rejected contains(std::size_t);
  check::Rejected size();
  check::Rejected state(std::size_t);
  check::Rejected step(const auto&...);
  check::Rejected prefill(const auto&...);
};

// Streams runs a model on up to `capacity` sequences (streams). A sequence may join and leave at any time. The object contains
// the states of the sequences and the scratch. It refers to the model, which must outlive it.
//   krait::Streams<Model, 100> streams{model};
//   const std::size_t id = streams.join();     // starts a sequence
//   streams.step(ids, tokens, logits);         // processes one token of each stream in ids
//   streams.leave(id);                         // ends the sequence
// `chunk` is the number of tokens that are processed at a time; a larger number is faster and needs a larger scratch. The size
// of the object is about capacity * (state_bytes + 2 addresses) + stream_scratch_bytes. It allocates nothing.
template <Layer Model, std::size_t capacity, std::size_t chunk>
class Streams<Model, capacity, chunk> {
  static_assert(check::got<capacity>::template at_least<1>, "krait::Streams<Model, capacity>: capacity must be at least 1");
  static_assert(check::got<chunk>::template at_least<1>, "krait::Streams<Model, capacity, chunk>: chunk must be at least 1");

 public:
  // The result of join() if `capacity` streams have joined already.
  static constexpr std::size_t full = capacity;

  KRAIT_INLINE explicit Streams(const Model& model) noexcept : model_(&model) {}
  explicit Streams(Model&&) = delete;  // the object must not refer to a temporary model

  // Starts a sequence and returns its id, the smallest number below `capacity` that is not in use. If all are in use, starts no
  // sequence and returns `full`.
  KRAIT_INLINE std::size_t join() noexcept {
    std::size_t id = 0;
    while (id < capacity && joined_[id]) ++id;
    if (id < capacity) {
      joined_[id] = true;
      states_[id] = {};
      ++size_;
    }
    return id;
  }
  // Ends the sequence with this id, so that join() may give the id to another sequence. Returns false if no sequence has this
  // id.
  KRAIT_INLINE bool leave(std::size_t id) noexcept {
    if (!contains(id)) return false;
    joined_[id] = false;
    --size_;
    return true;
  }
  KRAIT_INLINE bool contains(std::size_t id) const noexcept { return id < capacity && joined_[id]; }
  // Returns the number of streams that have joined and not left.
  KRAIT_INLINE std::size_t size() const noexcept { return size_; }
  // Returns the state of the stream with this id, which must have joined. To continue a saved sequence, assign the saved state
  // to the result.
  KRAIT_INLINE State<Model>& state(std::size_t id) noexcept { return states_[id]; }
  KRAIT_INLINE const State<Model>& state(std::size_t id) const noexcept { return states_[id]; }

  // Processes one token of each stream in `ids`: xs[i] is the token of stream ids[i]. `ids` is an array, vector or span of
  // distinct integers. `ys` and `executor` are as in krait::step_streams. Returns false, and processes nothing, if an element
  // of `ids` is not the id of a joined stream, or if `ids` and `xs` have different sizes.
  template <class Ids, class In, class Out, class... Threads>
    requires(sizeof...(Threads) <= 1)
  KRAIT_INLINE bool step(const Ids& ids, const In& xs, Out&& ys, Threads&&... executor) noexcept {
    if constexpr (!check::stream_ids<const Ids>()) return false;
    else return call<false, check::step_streams<Model, Chosen&, const In, Out, Work, Threads...>()>(ids, xs, ys, executor...);
  }

  // Processes a sequence of tokens of each stream in `ids`, as krait::prefill_streams does: xs[i] are the tokens of stream
  // ids[i]. Returns false in the same cases as step.
  template <class Ids, class In, class Out, class... Threads>
    requires(sizeof...(Threads) <= 1)
  KRAIT_INLINE bool prefill(const Ids& ids, const In& xs, Out&& ys, Threads&&... executor) noexcept {
    if constexpr (!check::stream_ids<const Ids>()) return false;
    else return call<true, check::prefill_streams<Model, Chosen&, const In, Out, Work, Threads...>()>(ids, xs, ys, executor...);
  }

  // These overloads give one clear compile error for a call of step or prefill with a wrong number of arguments.
  KRAIT_TAKES(step, 3, 4, "krait::Streams::step takes (ids, xs, ys[, executor])");
  KRAIT_TAKES(prefill, 3, 4, "krait::Streams::prefill takes (ids, xs, ys[, executor])");

 private:
  using Chosen = std::span<State<Model>* const>;
  using Work = StreamScratch<Model, chunk>;

  // Implements step or, if `several` is true, prefill. Does nothing if `accepted` is false, because the call was rejected at
  // compile time.
  template <bool several, bool accepted, class Ids, class In, class Out, class... Threads>
  KRAIT_INLINE bool call(const Ids& ids, const In& xs, Out& ys, Threads&... executor) noexcept {
    if constexpr (accepted) {
      if (!select(ids, std::size(xs))) return false;
      const Chosen chosen{chosen_.data(), std::size(ids)};
      if constexpr (several) krait::prefill_streams(*model_, chosen, xs, ys, scratch_, executor...);
      else krait::step_streams(*model_, chosen, xs, ys, scratch_, executor...);
    }
    return accepted;
  }

  template <class Ids>
  KRAIT_INLINE bool select(const Ids& ids, std::size_t sequences) noexcept {
    const std::size_t n = std::size(ids);
    if (n != sequences || n > capacity) return false;
    for (std::size_t i = 0; i < n; ++i) {
      const auto id = std::data(ids)[i];
      if (std::cmp_less(id, 0) || !std::cmp_less(id, capacity) || !joined_[static_cast<std::size_t>(id)]) return false;
      chosen_[i] = &states_[static_cast<std::size_t>(id)];
    }
    return true;
  }

  const Model* model_;
  std::size_t size_ = 0;
  std::array<bool, capacity> joined_{};
  std::array<State<Model>*, capacity> chosen_{};  // the states of the current call's streams
  std::array<State<Model>, capacity> states_{};
  Work scratch_;
};

}  // namespace krait

#endif  // KRAIT_REFUSED
#include "krait/core/end.hpp"

#endif
