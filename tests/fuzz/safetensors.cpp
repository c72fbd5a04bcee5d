// A fuzz target that calls krait::load with arbitrary bytes, as a safetensors file of a small language model, for every storage
// type.
#include <algorithm>
#include <iterator>
#include <string>

#include "../unit/container.hpp"
#include "fuzz.hpp"
#include "krait/load.hpp"
#include "krait/save.hpp"
#include "krait/nn/mamba.hpp"

namespace {

using fuzz::below, fuzz::Random, krait::safetensors::dtypes;
const std::string embedding = "backbone.embedding.weight";

constexpr auto dims =
    krait::resolve({.vocab_size = 3, .d_model = 2, .n_layers = 1, .d_state = 2, .d_conv = 2, .expand = 1});

bool is_tensor(const nlohmann::json& entry) {
  return entry.is_object() && entry.contains("dtype") && entry.contains("shape") && entry["shape"].is_array();
}

// Sets the data_offsets of every entry to the size that its dtype and shape require, so that the loader reads the values.
void lay_out(nlohmann::json& header, std::string& data) {
  std::string laid_out;
  for (auto& [name, entry] : header.items()) {
    if (!is_tensor(entry)) continue;
    std::size_t bits = 0;
    for (const auto& dtype : dtypes)
      if (entry["dtype"] == dtype.name) bits = dtype.bits;
    for (const auto& extent : entry["shape"]) bits *= extent.is_number_unsigned() ? extent.get<std::size_t>() : 0;
    const std::size_t size = bits / 8;
    if (size > 1024) continue;
    const auto& offsets = entry["data_offsets"];
    const bool placed = offsets.is_array() && !offsets.empty() && offsets[0].is_number_unsigned();
    const std::size_t from = placed ? offsets[0].get<std::size_t>() : 0;
    const std::size_t begin = laid_out.size();
    laid_out += data.substr(std::min(from, data.size()), size);
    laid_out.resize(begin + size, '\0');
    entry["data_offsets"] = {begin, laid_out.size()};
  }
  data = laid_out;
}

// Changes one property of a tensor in the header. In most cases, the offsets are then corrected to match.
Container restructured(nlohmann::json header, std::string data, Random& random) {
  const auto any = [&] {
    return std::next(header.begin(), static_cast<std::ptrdiff_t>(below(random, header.size())));
  };
  const auto chosen = any();
  const std::string name = chosen.key();
  nlohmann::json entry = *chosen;
  switch (below(random, 8)) {
    case 0: header.erase(name); break;
    case 1: header[name + "."] = entry; break;
    case 2: header["lm_head.weight"] = header.value(embedding, entry); break;
    case 3: header.erase(name), header[name == embedding ? "backbone.embeddings.weight" : embedding] = entry; break;
    case 4: header["__metadata__"] = {{"a", name}}; break;
    case 5: std::swap(*chosen, *any()); break;
    case 6:
      if (is_tensor(entry)) (*chosen)["dtype"] = dtypes[below(random, std::size(dtypes))].name;
      break;
    case 7:
      if (is_tensor(entry)) (*chosen)["shape"].push_back(below(random, 4));
      break;
  }
  if (below(random, 4) != 0) lay_out(header, data);
  return {header.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace), data};
}

template <krait::Storage storage>
struct Safetensors {
  using Model = krait::Mamba<krait::with_storage(dims, storage)>;

  static krait::Status load(Model& model, std::span<const std::byte> file) { return krait::load(file, model); }
  static Bytes save(const Model& model) { return krait::save(model); }

  static Bytes good(Random& random) {
    static Model model;
    model = {};
    krait::for_each_param(model, [&](std::string_view, auto& tensor) {
      const std::size_t any = below(random, 2048);
      krait::assign(tensor, [&](std::size_t row, std::size_t col) {
        return static_cast<float>((any + 37 * row + 11 * col) % 2048) / 64.0f - 16.0f;  // called twice per element by `load`
      });
    });
    return krait::save(model);
  }

  // The header length is always correct, so that the damage is not rejected because of it.
  static Bytes damaged(const Bytes& file, Random& random, std::size_t max_size) {
    Container parts = Container::of(file);
    const std::size_t room = max_size - std::min(max_size, 8 + parts.data.size());
    const auto header = nlohmann::json::parse(parts.header, nullptr, false);
    if (below(random, 4) == 0)
      fuzz::mutate_bytes(parts.data, parts.data.size());
    else if (below(random, 3) == 0 || !header.is_object() || header.empty())
      fuzz::mutate_bytes(parts.header, room);
    else
      parts = restructured(header, parts.data, random);
    return parts.bytes();
  }
};

}  // namespace

using krait::Storage;
FUZZ_TARGET(Safetensors<Storage::f32>, Safetensors<Storage::bf16>, Safetensors<Storage::f16>,
            Safetensors<Storage::int8>)
