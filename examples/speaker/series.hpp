// Reads the speaker model and the test series of JapaneseVowels from their files.
#ifndef SERIES_HPP
#define SERIES_HPP

#include <array>
#include <cstddef>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include <krait/load.hpp>

#include "speaker.hpp"

namespace speaker {

struct Series {
  std::vector<Frame> frames;
  std::size_t speaker;
};

// The data file: frames [all frames, 12] F32, one series after the other; lengths and speakers [series] U8.
inline krait::Status read_series(const std::string& path, std::vector<Series>& all) {
  std::vector<std::byte> bytes;
  if (krait::Status status = krait::read_file(path, bytes); !status) return status;
  krait::safetensors::File file;
  if (krait::Status status = krait::safetensors::parse(bytes, file); !status) return status;
  const auto* frames = file.find("frames");
  const auto* lengths = file.find("lengths");
  const auto* speakers = file.find("speakers");
  for (const auto& [name, tensor] : {std::pair{"frames", frames}, {"lengths", lengths}, {"speakers", speakers}})
    if (!tensor) return {krait::Problem::missing, name, "no tensor of this name", "frames, lengths and speakers"};
  if (frames->dtype != "F32") return {krait::Problem::bad_dtype, "frames", frames->dtype, "F32"};
  for (const auto* tensor : {lengths, speakers})
    if (tensor->dtype != "U8") return {krait::Problem::bad_dtype, tensor->name, tensor->dtype, "U8"};

  std::size_t total = 0;
  for (const std::byte length : lengths->data) total += std::to_integer<std::size_t>(length);
  if (frames->data.size() != total * sizeof(Frame))
    return {krait::Problem::bad_shape, "frames", krait::safetensors::shape_text(frames->shape),
            krait::safetensors::shape_text(std::array{total, channels}) += ", by the lengths"};
  if (speakers->shape != lengths->shape)
    return {krait::Problem::bad_shape, "speakers", krait::safetensors::shape_text(speakers->shape),
            krait::safetensors::shape_text(lengths->shape) += ", as the lengths"};
  std::size_t at = 0;
  for (std::size_t i = 0; i < lengths->data.size(); ++i) {
    Series series{std::vector<Frame>(std::to_integer<std::size_t>(lengths->data[i])),
                  std::to_integer<std::size_t>(speakers->data[i])};
    for (Frame& frame : series.frames)
      for (float& value : frame) value = krait::safetensors::element(*frames, at++);
    all.push_back(std::move(series));
  }
  return {};
}

// Loads the trained model and all series. If a file is not valid, prints why to standard error and returns false.
inline bool load_files(const char* program, const std::string& model_file, const std::string& data_file, Model<>& model,
                       std::vector<Series>& all) {
  const auto succeeded = [program](const krait::Status& status, const std::string& file) {
    if (status.ok()) return true;
    std::cerr << program << ": ";
    if (status.problem != krait::Problem::cannot_read) std::cerr << file << ": ";  // this problem's message names the file
    std::cerr << status.message().c_str() << '\n';
    return false;
  };
  return succeeded(krait::load_file(model_file, model), model_file) && succeeded(read_series(data_file, all), data_file);
}

}  // namespace speaker

#endif
