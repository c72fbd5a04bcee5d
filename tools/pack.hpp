// The functions of the program that krait-pack generates: load a checkpoint, write its model as an image, print its sizes.
#ifndef KRAIT_TOOLS_PACK_HPP
#define KRAIT_TOOLS_PACK_HPP

#include <cstddef>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "krait/image.hpp"
#include "krait/load.hpp"
#include "krait/nn/mamba.hpp"
#include "krait/nn/pooling.hpp"
#include "krait/nn/stack.hpp"

namespace pack {

inline bool done(const krait::Status& status) {
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.message().c_str());
  return status.ok();
}

// A parameter of a model: its name, its shape, and its offset and size in bytes within the model.
struct Param {
  std::string name;
  std::vector<std::size_t> shape;
  std::size_t offset;
  std::size_t bytes;
};
// A model's memory in bytes, its multiply-adds per step and its parameters.
struct Sizes {
  std::size_t flash, state, scratch, multiply_adds, parameters;
  std::vector<Param> params;
};

template <class Model>
Sizes sizes() {
  Sizes all{krait::flash_bytes<Model>, krait::state_bytes<Model>, krait::scratch_bytes<Model>,
            krait::multiply_adds_per_step<Model>, krait::parameter_count<Model>, {}};
  const auto model = std::make_unique<Model>();
  krait::for_each_param(*model, [&]<class T>(std::string_view name, const T& tensor) {
    const auto offset = reinterpret_cast<const std::byte*>(&tensor) - reinterpret_cast<const std::byte*>(model.get());
    all.params.push_back({std::string(name), {T::shape.begin(), T::shape.end()}, static_cast<std::size_t>(offset), sizeof(T)});
  });
  return all;
}

inline nlohmann::ordered_json as_json(const Sizes& sizes) {
  auto params = nlohmann::ordered_json::array();
  for (const Param& param : sizes.params)
    params.push_back({{"name", param.name}, {"shape", param.shape}, {"offset", param.offset}, {"bytes", param.bytes}});
  return {{"flash", sizes.flash},
          {"state", sizes.state},
          {"scratch", sizes.scratch},
          {"multiply_adds", sizes.multiply_adds},
          {"parameters", sizes.parameters},
          {"params", params}};
}

// The main function. Arguments: CHECKPOINT IMAGE [NAME TO IGNORE]... Loads CHECKPOINT, writes IMAGE, and prints a JSON object
// with the image's fingerprint and format version, and the model's sizes with every storage type.
template <template <krait::Storage> class Packed, krait::Storage storage>
int run(int argc, char** argv) {
  using Model = typename Packed<storage>::Model;
  const std::vector<std::string_view> ignore(argv + 3, argv + argc);
  const auto image = std::make_unique<krait::Image<Model>>();
  if (!done(krait::load_file(argv[1], image->model, {.ignore = ignore}))) return 1;
  krait::write_image(image->model, *image);
  if (!done(krait::write_file(image->bytes(), argv[2]))) return 1;

  nlohmann::ordered_json all{{"fingerprint", image->header.fingerprint},
                             {"version", krait::ImageHeader::wanted.version},
                             {"model_at", sizeof(*image) - sizeof(Model)}};
  using enum krait::Storage;
  all["f32"] = as_json(sizes<typename Packed<f32>::Model>());
  all["bf16"] = as_json(sizes<typename Packed<bf16>::Model>());
  all["f16"] = as_json(sizes<typename Packed<f16>::Model>());
  all["int8"] = as_json(sizes<typename Packed<int8>::Model>());
  std::puts(all.dump().c_str());
  return 0;
}

}  // namespace pack

#endif
