// Defines Container, a safetensors file as header and data, for tests that build or damage a file.
#ifndef KRAIT_TESTS_UNIT_CONTAINER_HPP
#define KRAIT_TESTS_UNIT_CONTAINER_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

using Bytes = std::vector<std::byte>;

struct Container {
  std::string header;
  std::string data;

  static std::byte to_byte(char c) { return static_cast<std::byte>(c); }
  Bytes bytes() const {
    Bytes file(8 + header.size() + data.size());
    for (std::size_t i = 0; i < 8; ++i) file[i] = static_cast<std::byte>(std::uint64_t{header.size()} >> 8 * i & 0xFF);
    const auto after_header = std::transform(header.begin(), header.end(), file.begin() + 8, to_byte);
    std::transform(data.begin(), data.end(), after_header, to_byte);
    return file;
  }
  // Splits a file into header and data. If the file is shorter than its header length requires, the whole file becomes data.
  static Container of(std::span<const std::byte> file) {
    std::uint64_t length = 0;
    for (std::size_t i = 0; i < 8 && i < file.size(); ++i) length |= std::to_integer<std::uint64_t>(file[i]) << 8 * i;
    const auto* text = reinterpret_cast<const char*>(file.data());
    if (file.size() < 8 || length > file.size() - 8) return {"", std::string(text, file.size())};
    const auto data_begin = static_cast<std::size_t>(8 + length);
    return {std::string(text + 8, data_begin - 8), std::string(text + data_begin, file.size() - data_begin)};
  }
};

// A checkpoint as a map from names to tensors. file_of writes the tensors in alphabetical order.
struct StoredTensor {
  std::string dtype;
  std::vector<std::uint64_t> shape;
  std::string data;
};
using Checkpoint = std::map<std::string, StoredTensor>;

inline Checkpoint checkpoint(std::span<const std::byte> file) {
  const Container parts = Container::of(file);
  const auto header = nlohmann::json::parse(parts.header);
  Checkpoint tensors;
  for (const auto& [name, entry] : header.items()) {
    const std::size_t begin = entry["data_offsets"][0], end = entry["data_offsets"][1];
    tensors[name] = {entry["dtype"], entry["shape"], parts.data.substr(begin, end - begin)};
  }
  return tensors;
}

inline Bytes file_of(const Checkpoint& tensors) {
  nlohmann::json header = nlohmann::json::object();
  std::string data;
  for (const auto& [name, tensor] : tensors) {
    const std::size_t begin = data.size();
    data += tensor.data;
    header[name] = {{"dtype", tensor.dtype}, {"shape", tensor.shape}, {"data_offsets", {begin, data.size()}}};
  }
  return Container{header.dump(), data}.bytes();
}

// Returns the numbers as little-endian bytes.
template <class T>
std::string little_endian_bytes(const std::vector<T>& numbers) {
  std::string bytes;
  for (const T number : numbers)
    for (std::size_t i = 0; i < sizeof(T); ++i) bytes.push_back(static_cast<char>(number >> 8 * i & 0xFF));
  return bytes;
}

#endif
