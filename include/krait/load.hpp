// Defines load and load_file, which load a model's weights from a safetensors file. They are for hosts, not for
// microcontrollers, because they use the heap.
//
//   if (krait::Status status = krait::load_file("model.safetensors", model); !status.ok()) std::puts(status.message().c_str());
#ifndef KRAIT_LOAD_HPP
#define KRAIT_LOAD_HPP

#include "krait/core/begin.hpp"
#ifndef KRAIT_REFUSED

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "krait/core/half.hpp"
#include "krait/core/reflect.hpp"
#include "krait/core/status.hpp"
#include "krait/io/file.hpp"
#include "krait/io/names.hpp"
#include "krait/io/safetensors.hpp"
#include "krait/layout/params.hpp"

namespace krait {

// LoadOptions are the optional settings of load.
struct LoadOptions {
  // A prefix of the name of every parameter in the file, such as "model.". Tensors without the prefix are ignored.
  std::string_view prefix{};
  // Names of tensors to ignore, including the prefix. These tensors may have any dtype. A parameter of the model is loaded even
  // if this list contains its name.
  std::span<const std::string_view> ignore{};
};

}  // namespace krait

namespace krait::detail::inline KRAIT_BUILD {

// Returns the smallest magnitude that becomes infinity when it is rounded to the tensor's storage type, as the bits of a
// float32.
template <RowLayout order, std::size_t columns, std::size_t width, Storage storage>
constexpr std::uint32_t infinite_from(const Panels<order, columns, width, storage>*) {
  return storage == Storage::bf16 ? bf16_infinite_from : storage == Storage::f16 ? f16_infinite_from : 0x7F800000u;
}
constexpr std::uint32_t infinite_from(const void*) { return 0x7F800000u; }

// Match finds the tensor of each parameter in a safetensors file and checks it. `entries` contains the tensors found, in the
// order of for_each_param. After the first problem, which it keeps in `status`, Match checks nothing more.
class Match {
 public:
  Status status;
  std::vector<const safetensors::Entry*> entries;

  Match(const safetensors::File& file, const LoadOptions& options)
      : file_(file), options_(options), used_(file.entries.size()) {}

  // Finds the tensor of the parameter `name`, whose type is T, in the file and checks it.
  template <class T>
  void parameter(std::string_view name) {
    if (!status) return;
    const std::span<const std::size_t> shape = T::shape;
    const safetensors::Entry* entry = find(name);
    if (!entry) entry = find(hugging_face_name(name));
    if (!entry)
      status = {Problem::missing, key(name), "no tensor of this name",
                Text<80>("shape ") += safetensors::shape_text(shape)};
    // Only A_log may contain infinities: with A_log = -infinity, a state never decays; with A_log = infinity, a state is
    // forgotten after each token.
    else if (check(*entry, shape, is_decay_rates<T>, infinite_from(static_cast<const T*>(nullptr))))
      entries.push_back(entry);
  }

  // For a model with a tied head: if the file contains an output head, checks that its bits equal those of the embedding.
  void tied_head(std::span<const std::size_t> shape) {
    const safetensors::Entry* head = status ? find(head_name) : nullptr;
    if (!head || ignored(*head) || !check(*head, shape, false, infinite_from(nullptr))) return;
    const safetensors::Entry* embedding = find(embedding_name);
    if (!embedding) embedding = find(hugging_face_name(embedding_name));
    const std::size_t cols = shape[1];
    for (std::size_t i = 0; i < shape[0] * cols; ++i) {
      if (safetensors::element_bits(*head, i) == safetensors::element_bits(*embedding, i)) continue;
      status = {Problem::head_not_tied, head->name, place(i, shape) += " differs",
                "the embedding's bits, because dims.tied is true"};
      return;
    }
  }

  // Reports an error if the file has a tensor that is neither a parameter of the model nor ignored.
  void nothing_else() {
    for (std::size_t i = 0; status && i < used_.size(); ++i) {
      const safetensors::Entry& entry = file_.entries[i];
      if (used_[i] || !entry.name.starts_with(options_.prefix) || ignored(entry)) continue;
      status = {Problem::unknown, entry.name, Text<80>("shape ") += safetensors::shape_text(entry.shape),
                "a name of a parameter, or a name in LoadOptions::ignore"};
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
  // Returns the indices of element i of a tensor as a string, such as "element [2, 3]".
  static Text<80> place(std::size_t i, std::span<const std::size_t> shape) {
    std::vector<std::size_t> at(shape.size());
    for (std::size_t axis = shape.size(); axis-- > 0; i /= shape[axis]) at[axis] = i % shape[axis];
    return Text<80>("element ") += safetensors::shape_text(at);
  }

  // Returns whether the dtype, shape and values of a tensor are valid; if not, sets `status`. Infinite values are valid only if
  // `infinity` is true. A value is infinite if its magnitude, as float32 bits, is at least `first_infinite`.
  bool check(const safetensors::Entry& entry, std::span<const std::size_t> shape, bool infinity,
             std::uint32_t first_infinite) {
    used_[static_cast<std::size_t>(&entry - file_.entries.data())] = true;
    if (!safetensors::holds_floats(entry)) {
      status = {Problem::bad_dtype, entry.name, entry.dtype.empty() ? "an empty string" : std::string_view(entry.dtype),
                "F32, F16 or BF16"};
    } else if (!std::equal(entry.shape.begin(), entry.shape.end(), shape.begin(), shape.end())) {
      status = {Problem::bad_shape, entry.name, safetensors::shape_text(entry.shape), safetensors::shape_text(shape)};
    } else {
      std::size_t count = 1;
      for (const std::size_t extent : shape) count *= extent;
      for (std::size_t i = 0; i < count && status; ++i) {
        const std::uint32_t bits = safetensors::element_bits(entry, i);
        const bool is_infinite = !bits_are_nan(bits) && (bits & 0x7FFFFFFFu) >= first_infinite;
        if (bits_are_nan(bits) || (is_infinite && !infinity))
          status = {Problem::not_finite, entry.name,
                    (place(i, shape) += bits_are_nan(bits)        ? " is NaN"
                                        : bits_are_infinite(bits) ? " is infinite"
                                                                  : " is infinite once rounded"),
                    infinity ? "no NaN" : "finite numbers"};
      }
    }
    return bool(status);
  }
};

// Loads a model that is not const.
template <class Model>
Status load_checked(const safetensors::File& file, Model& model, const LoadOptions& options) {
  Match match(file, options);
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

}  // namespace krait::detail::inline KRAIT_BUILD

namespace krait::inline KRAIT_BUILD {

// load(file, model, options) sets every parameter of a model from a parsed safetensors file, and sets the padding to 0.
//   - If the model's storage is f32, the values are exact; other storage types round them.
//   - Each tensor must have the name that mamba-ssm (for_each_param) or Hugging Face gives the parameter, the shape of the
//     parameter, and the dtype F32, F16 or BF16.
//   - NaN and values that round to infinity are refused, also with -ffast-math. Infinities are accepted only in A_log.
//   - The file of a model with a tied head may contain lm_head.weight if it has the same bits as the embedding.
//   - Any other tensor is refused unless options.ignore contains its name.
// load checks the whole file before it changes the model: if the Status is not ok, the model is unchanged. Works on machines of
// any byte order. Allocates a few words for each tensor.
template <class Model>
Status load(const safetensors::File& file, Model& model, const LoadOptions& options = {}) {
  if constexpr (std::is_const_v<Model>) {
    static_assert(check::weights_of<Model>::are_writable,
                  "krait::load(file, model): the model must not be const, because load writes its weights");
    return {};
  } else {
    return detail::load_checked(file, model, options);
  }
}

// load(bytes, model, options) parses the bytes of a safetensors file and loads the model. `bytes` may have any content; if it
// is invalid, the Status reports why.
template <class Model>
Status load(std::span<const std::byte> bytes, Model& model, const LoadOptions& options = {}) {
  safetensors::File file;
  if (Status status = safetensors::parse(bytes, file); !status) return status;
  return load(file, model, options);
}

// load_file(path, model, options) reads a safetensors file and loads the model. Allocates as many bytes as the file has.
template <class Model>
Status load_file(const std::filesystem::path& path, Model& model, const LoadOptions& options = {}) {
  FileBytes bytes;
  if (Status status = read_file(path, bytes); !status) return status;
  return load(bytes, model, options);
}

}  // namespace krait::inline KRAIT_BUILD

#endif  // KRAIT_REFUSED
#include "krait/core/end.hpp"

#endif
