// Defines Subject, which gives access to a model through a table of function pointers, so that each law is compiled once and
// runs on every model.
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

// A block of memory, zeroed and aligned to 64 bytes, as models, states and scratches require.
class Bytes {
 public:
  explicit Bytes(std::size_t size) : size_(size), data_(static_cast<std::byte*>(::operator new(size, alignment))) {
    std::memset(data_.get(), 0, size);
  }
  Bytes(const Bytes& other) : Bytes(other.size_) { std::memcpy(data(), other.data(), size_); }
  Bytes& operator=(const Bytes& other) {
    std::memcpy(data(), other.data(), size_);  // both have the same size, because only blocks of one model are assigned
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

// Chunk sizes: the numbers of tokens that the scratches of Subject::prefill can hold.
inline constexpr std::size_t chunk_count = 4;
using Chunks = std::array<std::size_t, chunk_count>;
inline constexpr Chunks usual_chunks{1, 3, 16, 64};

// Builds without optimisation or with sanitizers are slow, so they test fewer models with fewer random splits.
#ifdef LAWS_QUICK
inline constexpr bool quick = true;
#else
inline constexpr bool quick = false;
#endif

// Every test sequence has 70 tokens: one chunk of 64, and 6 more that fill neither a chunk nor a tile.
inline constexpr std::size_t length = 70;

struct Subject {
  std::string name;             // the model's type and dims
  std::size_t vocab_size;       // 0 if the inputs are vectors of floats instead of token ids
  std::size_t d_in, d_out;      // floats of an input and of an output; d_in is 1 for token ids (int)
  std::size_t d_conv;           // the laws test pieces of up to d_conv + 1 tokens
  Chunks chunks;                // the chunk sizes to test; equal ones are next to each other
  bool quick;                   // test fewer random splits
  std::size_t model_bytes, state_bytes;
  std::size_t scratch_bytes;    // size of the scratch for the largest chunk
  bool summarises;              // prefill may write one output vector instead of all
  bool forward_gives_one_row;

  // Sets every parameter, biases and norms included, to a random number. The padding stays zero.
  void (*draw)(std::byte* model, krait::Key);
  void (*step)(const std::byte* model, std::byte* state, const void* x, float* y, std::byte* scratch);
  // Calls step without a scratch: step then places it on the call stack.
  void (*step_alone)(const std::byte* model, std::byte* state, const void* x, float* y);
  // prefill[i] reads n inputs and writes at most `rows` outputs, with a scratch for chunks[i] tokens.
  std::size_t (*prefill[chunk_count])(const std::byte* model, std::byte* state, const void* xs, std::size_t n, float* ys,
                                      std::size_t rows, std::byte* scratch);
  // prefill_last[i] reads n inputs and writes one output, the last. It returns 0 if the model does not summarise.
  std::size_t (*prefill_last[chunk_count])(const std::byte* model, std::byte* state, const void* xs, std::size_t n, float* y,
                                           std::byte* scratch);
  std::size_t (*prefill_alone)(const std::byte* model, std::byte* state, const void* xs, std::size_t n, float* ys);
  void (*forward)(const std::byte* model, const void* xs, float* ys);  // reads `length` inputs
  // step_streams reads one input for each of n streams and writes the outputs of the first `rows` streams. prefill_streams
  // reads counts[i] inputs of stream i, one stream after the other in xs. It writes the last output of each of the first `rows`
  // streams if the model summarises, and otherwise all outputs, one stream after the other. Both use a scratch of their own.
  void (*step_streams)(const std::byte* model, std::byte* const* states, std::size_t n, const void* xs, float* ys,
                       std::size_t rows);
  void (*prefill_streams)(const std::byte* model, std::byte* const* states, const std::vector<std::size_t>& counts,
                          const void* xs, float* ys, std::size_t rows);

  // Indices into `chunks`, one for each different chunk size.
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
std::vector<Subject> models_with_heads();
std::vector<Subject> heads_stored_otherwise();

// All models that the laws run on.
inline const std::vector<Subject>& subjects() {
  static const std::vector<Subject> all = [] {
    std::vector<Subject> subjects = language_models();
    for (const auto& more : {layers(), stored_otherwise(), models_with_heads(), heads_stored_otherwise()})
      subjects.insert(subjects.end(), more.begin(), more.end());
    return subjects;
  }();
  return all;
}

}  // namespace laws

#endif
