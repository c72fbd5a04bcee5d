// Weights from a safetensors file into a model.
#ifndef KRAIT_IO_LOAD_HPP
#define KRAIT_IO_LOAD_HPP

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "krait/core/reflect.hpp"
#include "krait/core/status.hpp"
#include "krait/io/safetensors.hpp"
#include "krait/nn/params.hpp"

namespace krait {

struct LoadOptions {
  // What stands before each parameter's name in the file. Tensors that do not begin so are then not looked at.
  std::string_view prefix{};
  // Names (prefix included) of tensors that may stand in the file without being a parameter.
  std::span<const std::string_view> ignore{};
};

namespace detail {

// Which parameters may hold infinities: A_log alone, where they mean something (see DecayRates).
template <class T>
inline constexpr bool takes_infinity = false;
template <std::size_t d_inner, std::size_t d_state>
inline constexpr bool takes_infinity<DecayRates<d_inner, d_state>> = true;

// What becomes of a value as a tensor of this type stores it, where that may be an infinity.
template <class T>
constexpr float rounded(float value) {
  if constexpr (requires { T::rounded(value); }) return T::rounded(value);
  else return value;
}

inline constexpr std::string_view embedding_name = "backbone.embedding.weight";
inline constexpr std::string_view head_name = "lm_head.weight";

// What a parameter is called by Hugging Face, where that differs from mamba-ssm.
inline std::string_view hugging_face_name(std::string_view name) {
  return name == embedding_name ? "backbone.embeddings.weight" : name;
}

// Finds the tensor of each parameter, in the order of the walk, and keeps the first thing that is wrong.
class Match {
 public:
  Status status;
  std::vector<const safetensors::Entry*> entries;

  Match(const safetensors::File& file, const LoadOptions& options)
      : file_(file), options_(options), used_(file.entries.size()) {}

  template <class T>
  void parameter(std::string_view name) {
    if (!status) return;
    const std::span<const std::size_t> shape = T::shape;
    const safetensors::Entry* entry = find(name);
    if (!entry) entry = find(hugging_face_name(name));
    if (!entry)
      status = {Problem::missing, key(name), "no tensor of this name",
                Text<80>("shape ") += safetensors::shape_text(shape)};
    else if (check(*entry, shape, takes_infinity<T>, rounded<T>))
      entries.push_back(entry);
  }

  // A tied head may stand in the file if it is the embedding to the bit.
  void tied_head(std::span<const std::size_t> shape) {
    const safetensors::Entry* head = status ? find(head_name) : nullptr;
    if (!head || ignored(*head) || !check(*head, shape, false, rounded<void>)) return;
    const safetensors::Entry* embedding = find(embedding_name);
    if (!embedding) embedding = find(hugging_face_name(embedding_name));
    const std::size_t cols = shape[1];
    for (std::size_t i = 0; i < shape[0] * cols; ++i) {
      if (std::bit_cast<std::uint32_t>(safetensors::element(*head, i)) ==
          std::bit_cast<std::uint32_t>(safetensors::element(*embedding, i)))
        continue;
      status = {Problem::head_not_tied, head->name, place(i, shape) += " differs",
                "the embedding's weight to the bit: dims.tied"};
      return;
    }
  }

  void nothing_else() {
    for (std::size_t i = 0; status && i < used_.size(); ++i) {
      const safetensors::Entry& entry = file_.entries[i];
      if (used_[i] || !entry.name.starts_with(options_.prefix) || ignored(entry)) continue;
      status = {Problem::unknown, entry.name, Text<80>("shape ") += safetensors::shape_text(entry.shape),
                "the model's parameters alone: LoadOptions::ignore lets others pass"};
    }
  }

 private:
  const safetensors::File& file_;
  const LoadOptions& options_;
  std::vector<bool> used_;

  std::string key(std::string_view name) const { return std::string(options_.prefix).append(name); }
  const safetensors::Entry* find(std::string_view name) const { return file_.find(key(name)); }
  bool ignored(const safetensors::Entry& entry) const {
    return std::find(options_.ignore.begin(), options_.ignore.end(), entry.name) != options_.ignore.end();
  }
  // "element [2, 3]" of the i-th.
  static Text<80> place(std::size_t i, std::span<const std::size_t> shape) {
    std::vector<std::size_t> at(shape.size());
    for (std::size_t axis = shape.size(); axis-- > 0; i /= shape[axis]) at[axis] = i % shape[axis];
    return Text<80>("element ") += safetensors::shape_text(at);
  }

  bool check(const safetensors::Entry& entry, std::span<const std::size_t> shape, bool infinity,
             float (*stored)(float)) {
    used_[static_cast<std::size_t>(&entry - file_.entries.data())] = true;
    if (!safetensors::holds_floats(entry)) {
      status = {Problem::bad_dtype, entry.name, entry.dtype, "F32, F16 or BF16"};
    } else if (!std::equal(entry.shape.begin(), entry.shape.end(), shape.begin(), shape.end())) {
      status = {Problem::bad_shape, entry.name, safetensors::shape_text(entry.shape), safetensors::shape_text(shape)};
    } else {
      std::size_t count = 1;
      for (const std::size_t extent : shape) count *= extent;
      for (std::size_t i = 0; i < count && status; ++i) {
        const float value = safetensors::element(entry, i);
        const bool is_infinite = !std::isnan(value) && std::isinf(stored(value));
        if (std::isnan(value) || (is_infinite && !infinity))
          status = {Problem::not_finite, entry.name,
                    (place(i, shape) += std::isnan(value)   ? " is NaN"
                                        : std::isinf(value) ? " is infinite"
                                                            : " is infinite once rounded"),
                    infinity ? "no NaN" : "finite numbers"};
      }
    }
    return bool(status);
  }
};

}  // namespace detail

// load(model, file): writes every parameter of the model from the tensors of a parsed safetensors file, exactly or, where
// the model's storage is not f32, rounded, and zeros to the padding between them. Tensors bear mamba-ssm's names
// (for_each_param's) or Hugging Face's, have the very shape that the model wants, and are F32, F16 or BF16 without NaN or
// what would round to an infinity; infinities are for A_log alone. A tied model's file may hold lm_head.weight if that is
// the embedding to the bit. Any other tensor is refused unless options.ignore names it. All of this is checked before
// anything is written: where the Status is not ok, the model is as it was. Works on any byte order; allocates a few words
// for each tensor.
template <class Model>
Status load(Model& model, const safetensors::File& file, const LoadOptions& options = {}) {
  detail::Match match(file, options);
  for_each_param(std::as_const(model), [&]<class T>(std::string_view name, const T&) {
    match.template parameter<T>(name);
  });
  if constexpr (requires { requires Model::model_dims.tied; })
    match.tied_head(std::array{Model::model_dims.vocab_size, Model::model_dims.d_model});
  match.nothing_else();
  if (!match.status) return match.status;

  auto entry = match.entries.begin();
  for_each_param(model, [&]<class T>(std::string_view, T& tensor) {
    assign(tensor, [&](std::size_t row, std::size_t col) {
      return safetensors::element(**entry, row * T::cols + col);
    });
    ++entry;
  });
  return {};
}

// load(model, bytes): the same from the bytes of a safetensors file, which may be any bytes at all.
template <class Model>
Status load(Model& model, std::span<const std::byte> bytes, const LoadOptions& options = {}) {
  safetensors::File file;
  if (Status status = safetensors::parse(bytes, file); !status) return status;
  return load(model, file, options);
}

}  // namespace krait

#endif
