// What every fuzz target asks of a format, and how it comes by its inputs. A target is a struct with
//   Model                              a small one
//   load(model, file), save(model)     the format's, with a Status and Bytes
//   good(random)                       a file that is accepted
//   damaged(file, random, max_size)    one that is a little off, deeper down than chance would get
// and FUZZ_TARGET, which makes libFuzzer's functions of it.
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
  std::fprintf(stderr, "not so: %s\n", sentence);
  std::abort();
}

// libFuzzer's own mutations, of a part.
template <class Sequence>
void mutate_bytes(Sequence& part, std::size_t max_size) {
  std::vector<std::uint8_t> room(std::max({part.size(), max_size, std::size_t{1}}));
  std::copy_n(reinterpret_cast<const std::uint8_t*>(part.data()), part.size(), room.data());
  const std::size_t size = LLVMFuzzerMutate(room.data(), part.size(), room.size());
  const auto* begin = reinterpret_cast<const typename Sequence::value_type*>(room.data());
  part.assign(begin, begin + size);
}

// A file is refused and the model keeps its bytes, or it is accepted, and then what is saved loads to the same bits.
// Returns whether it was.
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
            "a refusal says what was found and what was wanted");
    require(std::memcmp(&model, &before, sizeof(Model)) == 0, "a refused file leaves the model as it was");
    return false;
  }
  const Bytes saved = Format::save(model);
  std::memset(static_cast<void*>(&again), 0xA5, sizeof(Model));
  require(bool(Format::load(again, saved)), "what is saved is accepted");
  require(std::memcmp(&model, &again, sizeof(Model)) == 0, "what is saved loads to the same bits");
  require(Format::save(again) == saved, "the same model gives the same file");
  return true;
}

template <class Format, class... Others>
void check(std::span<const std::byte> file) {
  if (accepts<Format>(file)) (accepts<Others>(file), ...);
}

// Three times in four the format's own damage, else any bytes. What is too small to be a file becomes a good one: so a
// corpus begins with nothing.
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

// FUZZ_TARGET(Format, Others...): the Others are asked about the files that Format accepts.
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
