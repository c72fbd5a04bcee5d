// Defines Gradients, the memory for the gradient of a model's weights, and the functions that visit the trained parameters of a
// model together with their gradients.
#ifndef KRAIT_TRAIN_GRADIENTS_HPP
#define KRAIT_TRAIN_GRADIENTS_HPP

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "krait/core/reflect.hpp"
#include "krait/layout/params.hpp"
#include "krait/nn/stack.hpp"

namespace krait {

// Everything selects all parameters of a model for training. To select others, write a struct with a function trains(name),
// which returns whether the parameter with this name is trained; for_each_param gives the same names. All layers of a
// std::array are trained alike, so the function is called once for them, with the names of layer 0.
//   struct OutputOnly { static constexpr bool trains(std::string_view name) { return name.starts_with("classifier."); } };
// If the struct also has the constant input_gradient = true, the tape contains memory for the gradient of the model's input.
struct Everything {
  static constexpr bool input_gradient = true;
  static constexpr bool trains(std::string_view) { return true; }
};

namespace detail {

// Frozen takes the place of the gradient of a parameter that is not trained, or of a layer without trained parameters.
struct Frozen {};
template <class T>
inline constexpr bool is_trained = !std::is_same_v<std::remove_cvref_t<T>, Frozen>;

// Mask tells which of n parameters are trained, in the order of their declaration. The layers of an array count once.
template <std::size_t n>
struct Mask {
  std::array<bool, n == 0 ? 1 : n> trained{};
  KRAIT_INLINE constexpr bool any() const {
    for (std::size_t i = 0; i < n; ++i)
      if (trained[i]) return true;
    return false;
  }
};

}  // namespace detail
}  // namespace krait

namespace krait::detail::inline KRAIT_BUILD {

// Returns the number of parameters of T, where the layers of an array count once.
template <class T>
consteval std::size_t count_tensors() {
  std::size_t count = 0;
  const auto add = [&]<class Part>(NoPath, std::size_t) { count += Parameter<Part>; };
  visit_types<T>(NoPath{}, 1, add);
  return count;
}
template <class T, class Trained>
consteval Mask<count_tensors<T>()> mask_of() {
  Mask<count_tensors<T>()> mask;
  std::size_t i = 0;
  const auto ask = [&]<class Part>(const NamePath& path, std::size_t) {
    if constexpr (Parameter<Part>) mask.trained[i++] = Trained::trains(path.name);
  };
  visit_types<T>(NamePath{}, 1, ask);
  return mask;
}
// Returns the part of a mask that belongs to member i of the reflected struct T.
template <class T, std::size_t i, auto mask>
consteval auto mask_of_member() {
  Mask<count_tensors<Member<T, i>>()> part;
  const std::size_t first = []<std::size_t... before>(std::index_sequence<before...>) {
    return (std::size_t{0} + ... + count_tensors<Member<T, before>>());
  }(std::make_index_sequence<i>{});
  for (std::size_t j = 0; j < count_tensors<Member<T, i>>(); ++j) part.trained[j] = mask.trained[first + j];
  return part;
}

}  // namespace krait::detail::inline KRAIT_BUILD

namespace krait::detail {

// GradientOf<T, mask>::type is the type of the gradient of T's parameters: T itself for a parameter, GradientMembers for a
// struct, std::array for an array of layers, and Frozen for a parameter, struct or array in which nothing is trained.
template <class T, auto mask>
struct GradientOf;
template <class T, auto mask, class Indices>
struct GradientMembers;
template <class T, auto mask, std::size_t... i>
struct GradientMembers<T, mask, std::index_sequence<i...>>
    : Slots<std::index_sequence<i...>, typename GradientOf<Member<T, i>, mask_of_member<T, i, mask>()>::type...> {
  static constexpr std::size_t members = sizeof...(i);
  KRAIT_INLINE constexpr GradientMembers() = default;
};
template <class T, auto mask>
struct GradientOf {
  using type = Frozen;
};
template <class T, auto mask>
  requires(mask.any() && Parameter<T>)
struct GradientOf<T, mask> {
  using type = T;
};
// The gradient of A_log is stored as it is, unlike A_log.
template <std::size_t d_inner, std::size_t d_state, auto mask>
  requires(mask.any())
struct GradientOf<DecayRates<d_inner, d_state>, mask> {
  using type = Strips<d_inner, d_state>;
};
template <std::size_t heads, auto mask>
  requires(mask.any())
struct GradientOf<HeadDecayRates<heads>, mask> {
  using type = Strips<heads, 1>;
};
template <class T, auto mask>
  requires(mask.any() && !Parameter<T> && Reflected<T>)
struct GradientOf<T, mask> {
  using type = GradientMembers<T, mask, MemberIndices<T>>;
};
template <class L, std::size_t n, auto mask>
  requires(mask.any())
struct GradientOf<std::array<L, n>, mask> {
  using type = std::array<typename GradientOf<L, mask>::type, n>;
};

template <std::size_t i, class T, class Owner>
KRAIT_INLINE const T& slot_object(const Slot<i, T, Owner>& slot) { return slot.object; }
// True if slot i of the Slots S contains an object.
template <std::size_t i, class S>
concept HasSlot = requires(S& slots) { requires !std::is_empty_v<std::remove_reference_t<decltype(slot_object<i>(slots))>>; };

// Returns the gradient of member i, or a Frozen if nothing in the member is trained.
template <std::size_t i, class G>
KRAIT_INLINE decltype(auto) gradient_of_member(G&& gradients) {
  if constexpr (HasSlot<i, std::remove_reference_t<G>>) return slot_object<i>(gradients);
  else return Frozen{};
}
// MemberGradient<i, G> is the type of the gradient of member i, if G is the type of the gradient of a struct; Frozen if G is.
template <std::size_t i, class G>
using MemberGradient = std::remove_cvref_t<decltype(gradient_of_member<i>(std::declval<G&>()))>;
// True if one of the members i is trained.
template <class G, std::size_t... i>
inline constexpr bool trains_any = (is_trained<MemberGradient<i, G>> || ...);

// True for the parameters to which weight decay applies: the weights of linear layers and embeddings.
template <class T>
inline constexpr bool decays = false;
template <RowLayout order, std::size_t d_in, Storage storage>
inline constexpr bool decays<Matrix<order, d_in, storage>> = true;

// Returns the address of a gradient's floats, or null for Frozen.
template <class G>
KRAIT_INLINE float* floats_of(G&& gradient) {
  if constexpr (is_trained<G>) return gradient.data();
  else return nullptr;
}

}  // namespace krait::detail

namespace krait::detail::inline KRAIT_BUILD {

// True if `Trained` selects only weights of linear layers and embeddings.
template <class T, class Trained>
consteval bool selects_matrices() {
  bool all = true;
  const auto ask = [&]<class Part>(const NamePath& path, std::size_t) {
    if constexpr (Parameter<Part>) all = all && (decays<Part> || !Trained::trains(path.name));
  };
  visit_types<T>(NamePath{}, 1, ask);
  return all;
}

// Calls f(path, parameter, gradient, others...) for every trained parameter of a model, in memory order. `gradient` is the
// tensor of this parameter in the model's Gradients, and `others` are its tensors in further objects of that type, such as the
// moments of an optimiser.
template <class Path, class F, class T, class G, class... Others>
constexpr void visit_trained(const Path& path, F& f, T& object, G& gradient, Others&... others) {
  using Plain = std::remove_const_t<T>;
  if constexpr (!is_trained<G>) {
  } else if constexpr (Parameter<Plain>) {
    f(path, object, gradient, others...);
  } else if constexpr (Reflected<Plain>) {
    const auto visit = [&]<std::size_t i>(std::integral_constant<std::size_t, i>) {
      if constexpr (is_trained<MemberGradient<i, G>>)
        visit_trained(member_path<Plain, i>(path), f, member_at<i>(object), slot_object<i>(gradient),
                      slot_object<i>(others)...);
    };
    [&]<std::size_t... i>(std::index_sequence<i...>) {
      (visit(std::integral_constant<std::size_t, i>{}), ...);
    }(MemberIndices<Plain>{});
  } else {
    for (std::size_t i = 0; i < object.size(); ++i) visit_trained(path.element(i), f, object[i], gradient[i], others[i]...);
  }
}

// Calls f(gradient, others...) for every tensor of one or several objects of the type of a model's gradients.
template <class F, class G, class... Others>
constexpr void visit_tensors(F& f, G& gradient, Others&... others) {
  using Plain = std::remove_const_t<G>;
  if constexpr (requires { Plain::members; }) {
    const auto visit = [&]<std::size_t i>(std::integral_constant<std::size_t, i>) {
      if constexpr (is_trained<MemberGradient<i, G>>) visit_tensors(f, slot_object<i>(gradient), slot_object<i>(others)...);
    };
    [&]<std::size_t... i>(std::index_sequence<i...>) {
      (visit(std::integral_constant<std::size_t, i>{}), ...);
    }(std::make_index_sequence<Plain::members>{});
  } else if constexpr (requires { Plain::rows; }) {
    f(gradient, others...);
  } else if constexpr (is_trained<Plain>) {
    for (std::size_t i = 0; i < gradient.size(); ++i) visit_tensors(f, gradient[i], others[i]...);
  }
}

// MuonShape is the shape [tokens, channels] of a weight as Muon processes it. `channels` is the shorter side of the weight, and
// `tokens` the longer side, because the kernels treat the matrix as that many tokens. Rows include padding.
template <class T>
struct MuonShape {
  static constexpr bool rows_are_tokens = T::padded_rows >= T::cols;
  static constexpr std::size_t tokens = rows_are_tokens ? T::padded_rows : T::cols;
  static constexpr std::size_t channels = rows_are_tokens ? T::cols : T::padded_rows;
};
// The sizes, in floats, of Muon's working memory: `matrix` is that of the largest weight matrix, and `square` that of the
// largest square of a matrix's shorter side.
struct MuonSizes {
  std::size_t matrix = 0, square = 0;
};
template <class G>
consteval MuonSizes muon_sizes_of() {
  MuonSizes sizes;
  const auto larger = [&](MuonSizes other) {
    sizes = {std::max(sizes.matrix, other.matrix), std::max(sizes.square, other.square)};
  };
  if constexpr (requires { G::members; }) {
    [&]<std::size_t... i>(std::index_sequence<i...>) {
      (larger(muon_sizes_of<MemberGradient<i, G>>()), ...);
    }(std::make_index_sequence<G::members>{});
  } else if constexpr (requires { G::rows; }) {
    constexpr std::size_t channels = padded(MuonShape<G>::channels);
    larger({MuonShape<G>::tokens * channels, channels * channels});
  } else if constexpr (is_trained<G>) {
    larger(muon_sizes_of<typename G::value_type>());
  }
  return sizes;
}
template <class Gradients>
consteval MuonSizes muon_sizes() { return muon_sizes_of<typename Gradients::Sums>(); }

}  // namespace krait::detail::inline KRAIT_BUILD

namespace krait {

// Gradients<Model> is the gradient of a loss with respect to the weights of a model: one float for each weight, in the layout
// of the weights. backward adds to it, so several windows can be summed. `Gradients<Model> g;` and `g = {}` are zero. For A_log
// the gradient is that of A_log, although the weight stores A log2(e). Parameters that Trained does not select take no memory.
template <class Model, class Trained = Everything>
struct Gradients {
  using Sums = typename detail::GradientOf<Model, detail::mask_of<Model, Trained>()>::type;
  using Selection = Trained;
  Sums sums{};
  KRAIT_INLINE constexpr Gradients() = default;
};

// Moments<Model> is the memory of AdamW: the running means of the gradients and of their squares. `Moments<Model> m;` starts
// them.
template <class Model, class Trained = Everything>
struct Moments {
  using Selection = Trained;
  Gradients<Model, Trained> first, second;
  float beta1_power = 1.0f, beta2_power = 1.0f;  // beta1^t and beta2^t after t steps
  KRAIT_INLINE constexpr Moments() = default;
};

// AdamW contains the settings of a step of AdamW. The defaults are PyTorch's. Weight decay applies to the weights of linear
// layers and embeddings only, not to biases, norms, convolutions, A_log and D.
struct AdamW {
  float rate = 1e-3f;
  float beta1 = 0.9f;
  float beta2 = 0.999f;
  float eps = 1e-8f;
  float weight_decay = 0.01f;
};

// Muon contains the settings of a step of Muon.
struct Muon {
  float rate = 1e-3f;
  float momentum = 0.95f;
  float weight_decay = 0.01f;
};

// MuonMemory<Model, Trained> is the memory that Muon keeps between steps: the running mean of the gradients of the matrices
// that Trained selects. It also contains working memory for the largest of these matrices. In `MuonMemory<Model, Trained> m;`,
// the mean is zero.
template <class Model, class Trained>
struct MuonMemory {
  using Selection = Trained;
  static constexpr auto sizes = detail::muon_sizes<Gradients<Model, Trained>>();
  Gradients<Model, Trained> mean;
  alignas(64) std::array<float, sizes.matrix> x{}, product{};    // [rows][columns], the shorter side padded to a multiple of 16
  alignas(64) std::array<float, sizes.square> gram{}, rows{};    // x^T x in panels and in rows
  KRAIT_INLINE constexpr MuonMemory() = default;
};

// The sizes in bytes of a model's gradients and moments.
template <class Model, class Trained = Everything>
inline constexpr std::size_t gradient_bytes = sizeof(Gradients<Model, Trained>);
template <class Model, class Trained = Everything>
inline constexpr std::size_t moment_bytes = sizeof(Moments<Model, Trained>);

}  // namespace krait

namespace krait::inline KRAIT_BUILD {

// for_each_gradient(model, gradients, f) calls f(name, gradient) for every trained parameter of a model, in memory order. The
// name is that of for_each_param. The gradient has rows, cols and get(row, col).
template <class Model, class Trained, class F>
constexpr void for_each_gradient(const Model& model, const Gradients<Model, Trained>& gradients, F&& f) {
  const auto call = [&](const detail::NamePath& path, const auto&, const auto& gradient) { f(path.name, gradient); };
  detail::visit_trained(detail::NamePath{}, call, model, gradients.sums);
}

}  // namespace krait::inline KRAIT_BUILD

#endif
