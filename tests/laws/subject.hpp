// A model behind a table of plain functions: a law is written and compiled once, and run on every one of them.
#ifndef KRAIT_TESTS_LAWS_SUBJECT_HPP
#define KRAIT_TESTS_LAWS_SUBJECT_HPP

#include <array>
#include <cstddef>
#include <cstring>
#include <krait/core/random.hpp>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <vector>

namespace laws {

// Zeroed memory, aligned as every model, state and scratch needs it.
class Bytes {
 public:
  explicit Bytes(std::size_t size) : size_(size), data_(static_cast<std::byte*>(::operator new(size, alignment))) {
    std::memset(data_.get(), 0, size);
  }
  Bytes(const Bytes& other) : Bytes(other.size_) { std::memcpy(data(), other.data(), size_); }
  Bytes& operator=(const Bytes& other) {
    std::memcpy(data(), other.data(), size_);  // of one size by construction
    return *this;
  }
  std::byte* data() { return data_.get(); }
  const std::byte* data() const { return data_.get(); }
  std::size_t size() const { return size_; }
  void fill(int byte) { std::memset(data(), byte, size_); }
  bool operator==(const Bytes& other) const { return size_ == other.size_ && std::memcmp(data(), other.data(), size_) == 0; }

 private:
  static constexpr std::align_val_t alignment{64};
  struct Free {
    void operator()(std::byte* p) const { ::operator delete(p, alignment); }
  };
  std::size_t size_;
  std::unique_ptr<std::byte, Free> data_;
};

// How many tokens a scratch is for; see Subject::prefill.
inline constexpr std::size_t chunk_count = 4;
using Chunks = std::array<std::size_t, chunk_count>;
inline constexpr Chunks usual_chunks{1, 3, 16, 64};

// Code that runs unoptimised or watched tries less: fewer draws, fewer models.
#ifdef LAWS_QUICK
inline constexpr bool quick = true;
#else
inline constexpr bool quick = false;
#endif

// The length of every law's sequence: a chunk of 64, and a tail that fills neither a chunk nor a tile.
inline constexpr std::size_t length = 70;

struct Subject {
  std::string name;             // the system and its dims
  std::size_t vocab_size;       // 0: takes rows, not tokens
  std::size_t d_in, d_out;      // floats of a row; d_in is 1 where tokens (int) are taken
  std::size_t d_conv;           // splits up to one longer than it are tried
  Chunks chunks;                // those that are the same stand side by side
  bool quick;                   // fewer draws
  std::size_t model_bytes, state_bytes;
  std::size_t scratch_bytes;    // of the largest chunk
  bool summarises;              // a prefill may ask for one row
  bool forward_gives_one_row;

  // Every parameter drawn anew, biases and norms included; the padding stays zero.
  void (*draw)(std::byte* model, krait::Key);
  void (*step)(const std::byte* model, std::byte* state, const void* x, float* y, std::byte* scratch);
  // With the scratch on the stack.
  void (*step_alone)(const std::byte* model, std::byte* state, const void* x, float* y);
  // n rows in, and room for `rows` rows out. Index: into chunks.
  std::size_t (*prefill[chunk_count])(const std::byte* model, std::byte* state, const void* xs, std::size_t n, float* ys,
                                      std::size_t rows, std::byte* scratch);
  // Only where it summarises: one row out.
  std::size_t (*prefill_last[chunk_count])(const std::byte* model, std::byte* state, const void* xs, std::size_t n, float* y,
                                           std::byte* scratch);
  std::size_t (*prefill_alone)(const std::byte* model, std::byte* state, const void* xs, std::size_t n, float* ys);
  void (*forward)(const std::byte* model, const void* xs, float* ys);  // `length` rows in

  // An index of every chunk that is another.
  std::vector<std::size_t> distinct_chunks() const {
    std::vector<std::size_t> indices;
    for (std::size_t i = 0; i < chunk_count; ++i)
      if (i == 0 || chunks[i] != chunks[i - 1]) indices.push_back(i);
    return indices;
  }
  bool takes_tokens() const { return vocab_size > 0; }
  std::size_t input_bytes() const { return takes_tokens() ? sizeof(int) : d_in * sizeof(float); }
};

std::vector<Subject> language_models();
std::vector<Subject> layers();
std::vector<Subject> stored_otherwise();

// All of them.
inline const std::vector<Subject>& subjects() {
  static const std::vector<Subject> all = [] {
    std::vector<Subject> subjects = language_models();
    for (const auto& more : {layers(), stored_otherwise()}) subjects.insert(subjects.end(), more.begin(), more.end());
    return subjects;
  }();
  return all;
}

}  // namespace laws

#endif
