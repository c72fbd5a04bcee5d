// The laws on a board: forward, prefill in uneven pieces and step give the same bits, with every storage type, and so do
// other boards. Prints a hash of what each answers and of the state behind it, and the last row itself.
#include "../../examples/firmware/firmware.hpp"

#include <cstring>

#include <krait.hpp>
#include <krait/convert.hpp>

#include "block.hpp"  // block_odd_all_biases as krait-pack makes it
#include "tied.hpp"   // mamba_tied
#include "data.hpp"   // their inputs

namespace {

using krait::Storage;

// FNV-1a over bytes.
std::uint32_t hash(const void* data, std::size_t bytes) {
  std::uint32_t h = 0x811C9DC5u;
  for (std::size_t i = 0; i < bytes; ++i) h = (h ^ static_cast<const unsigned char*>(data)[i]) * 0x01000193u;
  return h;
}

template <class Model, class From, class Inputs>
void show(std::string_view name, const From& packed, const Inputs& inputs) {
  constexpr std::size_t length = krait::detail::row_extent<Inputs>;
  static Model model;
  static krait::State<Model> stepped, prefilled;
  static krait::Tensor<float, length, Model::d_out> rows;
  static krait::Scratch<Model, std::min(length, krait::default_chunk<Model>())> scratch;  // as forward's
  krait::convert(packed, model);

  rows = krait::forward(model, inputs);
  const std::uint32_t forward = hash(&rows, sizeof(rows));

  rows = {};
  prefilled = {};
  for (std::size_t t = 0, piece = 1; t < length; t += piece, piece = piece * 3 % 11) {
    piece = piece < length - t ? piece : length - t;
    krait::prefill(model, prefilled, std::span(inputs.data() + t, piece), std::span(rows.data() + t, piece), scratch);
  }
  const std::uint32_t prefill = hash(&rows, sizeof(rows));

  rows = {};
  stepped = {};
  for (std::size_t t = 0; t < length; ++t) krait::step(model, stepped, inputs[t], rows[t]);
  const std::uint32_t steps = hash(&rows, sizeof(rows));

  (firmware::Line() << name << " weights " << firmware::hex(hash(&model, sizeof(model))) << " forward "
                    << firmware::hex(forward) << " prefill " << firmware::hex(prefill) << " steps " << firmware::hex(steps)
                    << " state " << firmware::hex(hash(&stepped, sizeof(stepped))) << " prefill_state "
                    << firmware::hex(hash(&prefilled, sizeof(prefilled)))).print();
  for (std::size_t i = 0; i < Model::d_out; i += 8) {
    firmware::Line line;
    line << "last";
    for (std::size_t k = i; k < i + 8 && k < Model::d_out; ++k) line << " " << firmware::bits(rows[length - 1][k]);
    line.print();
  }
}

constexpr krait::BlockDims block_dims{.d_model = 10, .d_state = 7, .d_conv = 3, .d_inner = 23, .dt_rank = 3, .in_bias = true,
                                      .conv_bias = true, .x_bias = true, .dt_bias = true, .out_bias = true};
constexpr krait::ModelDims tied_dims = krait::resolve({.vocab_size = 64, .d_model = 32, .n_layers = 2});

template <Storage storage>
void show_all(std::string_view name) {
  using Block = krait::MambaBlock<krait::with_storage(block_dims, storage)>;
  using Tied = krait::Mamba<krait::with_storage(tied_dims, storage)>;
  show<Block>(krait::Text<40>("block_odd_all_biases ") + name, block::model<krait::MambaBlock<block_dims>>(), data::rows);
  if constexpr (storage == Storage::int8)  // one is enough: the speaker is another, and compiling takes its time
    show<Tied>(krait::Text<40>("mamba_tied ") + name, tied::model<krait::Mamba<tied_dims>>(), data::tokens);
}

}  // namespace

int main() {
  (firmware::Line() << "fma " << (krait::has_fma ? 1u : 0u)).print();
  show_all<Storage::f32>("f32");
  show_all<Storage::bf16>("bf16");
  show_all<Storage::f16>("f16");
  show_all<Storage::int8>("int8");
  firmware::exit(0);
}
