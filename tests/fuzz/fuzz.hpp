// Defines the checks and mutations that all fuzz targets share. A target is a file format, given as a struct with these
// members:
//   Model                              a small model
//   load(model, file)                  reads a file into a model and returns a krait::Status
//   save(model)                        returns the file as Bytes
//   good(random)                       returns a valid file
//   damaged(file, random, max_size)    returns a copy with one fault in a structure that random bytes would hardly reach
// FUZZ_TARGET(Format) defines the functions that libFuzzer calls.
#ifndef KRAIT_TESTS_FUZZ_FUZZ_HPP
#define KRAIT_TESTS_FUZZ_FUZZ_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "krait/core/status.hpp"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace fuzz {

using Bytes = std::vector<std::byte>;
using Random = std::minstd_rand;

inline std::size_t below(Random& random, std::size_t count) { return random() % count; }

inline void require(bool holds, const char* sentence) {
  if (holds) return;
  std::fprintf(stderr, "violated: %s\n", sentence);
  std::abort();
}

// Changes a part of a file by libFuzzer's own mutations.
template <class Sequence>
void mutate_bytes(Sequence& part, std::size_t max_size) {
  std::vector<std::uint8_t> room(std::max({part.size(), max_size, std::size_t{1}}));
  std::copy_n(reinterpret_cast<const std::uint8_t*>(part.data()), part.size(), room.data());
  const std::size_t size = LLVMFuzzerMutate(room.data(), part.size(), room.size());
  const auto* begin = reinterpret_cast<const typename Sequence::value_type*>(room.data());
  part.assign(begin, begin + size);
}

// Loads a file and returns whether it was accepted. Aborts if a rejected file changes the model, or if an accepted model is not
// the same, to the bit, after saving and loading it.
template <class Format>
bool accepts(std::span<const std::byte> file) {
  using Model = typename Format::Model;
  static Model model, before, again;
  std::memset(static_cast<void*>(&model), 0x5A, sizeof(Model));
  std::memcpy(static_cast<void*>(&before), &model, sizeof(Model));
  const krait::Status status = Format::load(model, file);
  if (!status) {
    const std::string message(status.message());
    require(message.find(": found ") != message.npos && message.find(", wanted ") != message.npos,
            "an error message names what was found and what was wanted");
    require(std::memcmp(&model, &before, sizeof(Model)) == 0, "a rejected file leaves the model unchanged");
    return false;
  }
  const Bytes saved = Format::save(model);
  std::memset(static_cast<void*>(&again), 0xA5, sizeof(Model));
  require(bool(Format::load(again, saved)), "a saved model loads");
  require(std::memcmp(&model, &again, sizeof(Model)) == 0, "a saved model loads to the same bits");
  require(Format::save(again) == saved, "the same model gives the same file");
  return true;
}

template <class Format, class... Others>
void check(std::span<const std::byte> file) {
  if (accepts<Format>(file)) (accepts<Others>(file), ...);
}

// Mutates a file: three times in four with Format::damaged, otherwise with libFuzzer's mutations of bytes. An input of fewer
// than 8 bytes is replaced by a valid file, so an empty corpus is enough to start.
template <class Format, class... Others>
std::size_t mutate(std::uint8_t* data, std::size_t size, std::size_t max_size, unsigned seed) {
  Random random(seed);
  const auto* begin = reinterpret_cast<const std::byte*>(data);
  Bytes file(begin, begin + size);
  if (size < 8) file = Format::good(random);
  else if (below(random, 4) == 0) mutate_bytes(file, max_size);
  else file = Format::damaged(file, random, max_size);
  size = std::min(file.size(), max_size);
  std::memcpy(data, file.data(), size);
  return size;
}

}  // namespace fuzz

// FUZZ_TARGET(Format, Others...) defines libFuzzer's functions. Files that Format accepts are also tested with the Others.
#define FUZZ_TARGET(...)                                                                                     \
  extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {                        \
    fuzz::check<__VA_ARGS__>({reinterpret_cast<const std::byte*>(data), size});                              \
    return 0;                                                                                                \
  }                                                                                                          \
  extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size, \
                                                 unsigned seed) {                                            \
    return fuzz::mutate<__VA_ARGS__>(data, size, max_size, seed);                                            \
  }

#endif
