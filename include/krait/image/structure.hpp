// Defines `structure`, a text that lists the names, shapes and storage types of a model's parameters.
#ifndef KRAIT_IMAGE_STRUCTURE_HPP
#define KRAIT_IMAGE_STRUCTURE_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "krait/core/reflect.hpp"
#include "krait/core/text.hpp"
#include "krait/layout/panels.hpp"
#include "krait/nn/residual.hpp"

namespace krait::detail::inline KRAIT_BUILD {

using StructureLine = Text<192>;

// describe_tensor appends the description of a tensor to a line, such as " f32 [256, 64] in 2 groups". In this example,
// describe_storage appends " f32", the storage type, and describe_order appends " in 2 groups", the row layout.
template <RowLayout order, std::size_t columns, std::size_t width, Storage storage>
constexpr void describe_storage(StructureLine& line, const Panels<order, columns, width, storage>*) {
  constexpr std::array<std::string_view, 4> names{"f32", "bf16", "f16", "int8"};
  (line += " ") += names[static_cast<std::size_t>(storage)];
}
template <RowLayout order, std::size_t columns, std::size_t width, Storage storage>
constexpr void describe_order(StructureLine& line, const Panels<order, columns, width, storage>*) {
  if (order.groups > 0) ((line += " in ") += order.groups) += " groups";
}
template <class T>
constexpr void describe_tensor(StructureLine& line) {
  constexpr const T* tensor = nullptr;
  describe_storage(line, tensor);
  std::string_view before = " [";
  for (const std::size_t extent : T::shape) (line += std::exchange(before, ", ")) += extent;
  line += "]";
  describe_order(line, tensor);
}

// Appends the constant structure_kind of a layer, such as " gelu_tanh". A layer defines this constant if its parameters, state
// and eps do not distinguish it from layers that compute another function. For a Residual, describe_kind appends " residual"
// and the structure_kind of its layer.
template <class Part>
constexpr void describe_kind(StructureLine& line) {
  if constexpr (is_residual<Part>) {
    line += " residual";
    describe_kind<typename Part::Branch>(line);
  } else if constexpr (requires { Part::structure_kind; }) {
    if (!Part::structure_kind.empty()) (line += " ") += Part::structure_kind;
    if constexpr (warm_up<Part> > 0) (line += " with a warm_up of ") += warm_up<Part>;
  }
}
// Returns the eps of a layer's norms of dt, B and C, or 0 if the layer has no such norms.
template <class Part>
constexpr float dt_b_c_eps_of() {
  if constexpr (requires { Part::dt_b_c_eps; }) return Part::dt_b_c_eps;
  else return 0.0f;
}

// Appends lines of text to `sink`: one for every part of a model that affects the meaning of the model's bytes. The layers of
// an array are described once.
template <class Model, class Sink>
constexpr void describe_model(Sink& sink) {
  StructureLine title(TakesTokens<Model> ? "model tokens below " : "model [");
  sink += ((((title += Model::d_in) += TakesTokens<Model> ? "" : "]") += " to [") += Model::d_out) += "]\n";
  const auto describe = [&]<class Part>(const NamePath& path, std::size_t) {
    StructureLine line(path.name);
    if constexpr (Parameter<Part>) {
      describe_tensor<Part>(line);
      sink += line += "\n";
    } else if constexpr (Reflected<Part>) {
      const std::size_t name_size = line.size;
      describe_kind<Part>(line);
      if constexpr (constexpr double eps = dt_b_c_eps_of<Part>(); eps > 0)
        ((line += " dt, B, C eps ") += static_cast<std::uint64_t>(eps * 1e12 + 0.5)) += "e-12";
      else if constexpr (requires { Part::eps; })
        ((line += " eps ") += static_cast<std::uint64_t>(double{Part::eps} * 1e12 + 0.5)) += "e-12";
      if (line.size > name_size) sink += line += "\n";
    } else if constexpr (requires { std::tuple_size<Part>::value; }) {
      sink += ((line += " array of ") += std::tuple_size_v<Part>) += "\n";
    } else if constexpr (Layer<Part>) {
      describe_kind<Part>(line);
      sink += ((((line += " layer [") += Part::d_out) += "] with a state of ") += state_bytes<Part>) += " bytes\n";
    }
  };
  visit_types<Model>(NamePath{}, 1, describe);
}

// TextLength takes the place of a Text in a call of describe_model. It only counts the characters that are appended.
struct TextLength {
  std::size_t size = 0;
  constexpr void operator+=(std::string_view more) { size += more.size(); }
};
template <class Model>
consteval std::size_t structure_length() {
  TextLength length;
  describe_model<Model>(length);
  return length.size;
}
template <class Model>
consteval auto make_structure() {
  Text<structure_length<Model>()> text;
  describe_model<Model>(text);
  return text;
}

}  // namespace krait::detail::inline KRAIT_BUILD

namespace krait {

// structure<Model> is a text that describes a model. It is made at compile time and has lines such as "mixer.in_proj.weight f32
// [256, 64] in 2 groups". Models with equal structures have the same parameters in the same layout, so an image of one model is
// also an image of the other.
template <Layer Model>
inline constexpr auto structure = detail::make_structure<Model>();

}  // namespace krait

#endif
