// Defines save and save_file, which save a model's weights as a safetensors file. They are for hosts, not for microcontrollers,
// because they use the heap.
#ifndef KRAIT_SAVE_HPP
#define KRAIT_SAVE_HPP

#include "krait/core/begin.hpp"
#ifndef KRAIT_REFUSED

#include <bit>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "krait/core/reflect.hpp"
#include "krait/core/status.hpp"
#include "krait/io/file.hpp"

namespace krait::detail::inline KRAIT_BUILD {
// Appends the `count` least significant bytes of `value` to `bytes`, in little-endian order.
inline void append_little_endian(std::vector<std::byte>& bytes, std::uint64_t value, int count) {
  for (int i = 0; i < count; ++i) bytes.push_back(static_cast<std::byte>(value >> 8 * i & 0xFF));
}
}  // namespace krait::detail::inline KRAIT_BUILD

namespace krait::inline KRAIT_BUILD {

// save(model, metadata) returns the bytes of a safetensors file that contains every parameter as F32, under the name that
// for_each_param gives it, in memory order. The same model and metadata give the same bytes on every machine.
//   - Loading the bytes gives the same model, bit for bit, provided that load(), assign() or set() wrote the weights and that
//     load() accepts them: it rejects NaN and, except in A_log, infinities.
//   - A saved A_log may differ from the A_log that was loaded, because the model stores -exp(A_log) log2(e). Loading the saved
//     A_log gives the same stored bits.
//   - Bytes of `metadata` that are not valid UTF-8 are replaced by U+FFFD.
// Allocates memory for the file and for its header.
template <class Model>
std::vector<std::byte> save(const Model& model, const std::map<std::string, std::string>& metadata = {}) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();  // keeps the order in which keys are added
  if (!metadata.empty()) {
    const auto utf8 = nlohmann::json(metadata).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    // dump replaces invalid bytes. Keys that differed only in such bytes are then equal, and parse keeps only one of them.
    header["__metadata__"] = nlohmann::json::parse(utf8);
  }
  std::uint64_t data_bytes = 0;
  for_each_param(model, [&]<class T>(std::string_view name, const T&) {
    const std::uint64_t begin = data_bytes;
    data_bytes += T::rows * T::cols * sizeof(float);
    header[std::string(name)] = {{"dtype", "F32"}, {"shape", T::shape}, {"data_offsets", {begin, data_bytes}}};
  });
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // spaces align the data to 8 bytes

  std::vector<std::byte> file;
  file.reserve(8 + text.size() + static_cast<std::size_t>(data_bytes));
  detail::append_little_endian(file, text.size(), 8);
  for (const char c : text) file.push_back(static_cast<std::byte>(c));
  for_each_param(model, [&]<class T>(std::string_view, const T& tensor) {
    for (std::size_t row = 0; row < T::rows; ++row)
      for (std::size_t col = 0; col < T::cols; ++col)
        detail::append_little_endian(file, __builtin_bit_cast(std::uint32_t, tensor.get(row, col)), 4);
  });
  return file;
}

// save_file(model, path, metadata) saves a model as a safetensors file. If writing fails, an existing file is unchanged.
template <class Model>
Status save_file(const Model& model, const std::filesystem::path& path, const std::map<std::string, std::string>& metadata = {}) {
  return write_file(save(model, metadata), path);
}

}  // namespace krait::inline KRAIT_BUILD

#endif  // KRAIT_REFUSED
#include "krait/core/end.hpp"

#endif
