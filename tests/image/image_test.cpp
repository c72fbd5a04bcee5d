// Tests images and snapshots. A written image is viewed in place and gives the same bits. An image that is damaged, truncated
// or of another model is rejected with an error that names the fault.
#include <algorithm>
#include <array>
#include <boost/crc.hpp>
#include <catch2/catch.hpp>
#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "classifier.hpp"
#include "krait.hpp"
#include "krait/image.hpp"
#include "krait/init.hpp"
#include "krait/snapshot.hpp"

namespace {

using krait::Problem, krait::Status, krait::Storage;
using Bytes = std::vector<std::byte>;

// The sizes are odd, so that every tensor contains padding, and some f16 tensors are followed by 32 bytes of padding.
template <Storage storage = Storage::f32>
inline constexpr auto dims = krait::resolve(
    krait::ModelDims{.vocab_size = 19, .d_model = 13, .n_layers = 2, .d_state = 3, .in_bias = true, .storage = storage});
using Small = krait::Mamba<dims<>>;

template <class Model>
const krait::Image<Model>& image_of(std::uint64_t seed) {
  static Model model;
  static krait::Image<Model> image;
  model = krait::init<Model>(krait::key(seed));
  krait::write_image(model, image);
  return image;
}

// A copy of an image in 64-byte aligned memory that is 128 bytes larger than the image.
template <class Model>
struct alignas(64) Room {
  std::array<std::byte, sizeof(krait::Image<Model>) + 128> bytes{};
  explicit Room(const krait::Image<Model>& image) { std::memcpy(bytes.data(), image.bytes().data(), sizeof(image)); }
  std::span<const std::byte> first(std::size_t count) const { return std::span(bytes).first(count); }
};

template <class Model>
Status view(std::span<const std::byte> bytes) {
  const krait::Image<Model>* image = nullptr;
  Status status = krait::view_image(bytes, image);
  CHECK((image != nullptr) == bool(status));
  return status;
}

template <class Model>
std::string refusal(std::span<const std::byte> bytes) {
  return std::string(view<Model>(bytes).message());
}

template <class Model>
auto input() {
  if constexpr (krait::TakesTokens<Model>) return std::array{3, 1, 18, 7, 0, 2};
  else {
    krait::Tensor<float, 6, Model::d_in> xs;
    for (std::size_t t = 0; t < xs.size(); ++t)
      for (std::size_t i = 0; i < Model::d_in; ++i) xs[t][i] = static_cast<float>((7 * t + 3 * i) % 11) / 5.0f - 1.0f;
    return xs;
  }
}

template <class Model>
void views_in_place() {
  static Model model;
  model = krait::init<Model>(krait::key(7));
  const Room<Model> room(image_of<Model>(7));
  const krait::Image<Model>* image = nullptr;
  REQUIRE(krait::view_image(room.bytes, image));
  CHECK(static_cast<const void*>(image) == static_cast<const void*>(room.bytes.data()));
  CHECK(krait::forward(image->model, input<Model>()) == krait::forward(model, input<Model>()));
  CHECK(image->header.fingerprint == krait::fingerprint(model));
  CHECK(image->header.fingerprint == krait::fingerprint(image->model));
}

template <class Model>
void padding_is_zero() {
  static Model clean, dirty;
  static krait::Image<Model> first, second;
  clean = krait::init<Model>(krait::key(3));
  std::memset(static_cast<void*>(&dirty), 0xA5, sizeof(Model));
  std::memset(static_cast<void*>(&second), 0x5A, sizeof(second));
  krait::detail::for_each_run(clean, [](std::size_t offset, std::span<const std::byte> values) {
    std::memcpy(reinterpret_cast<std::byte*>(&dirty) + offset, values.data(), values.size());
  });
  krait::write_image(clean, first);
  krait::write_image(dirty, second);
  CHECK(std::memcmp(&first, &second, sizeof(first)) == 0);
  CHECK(krait::fingerprint(clean) == krait::fingerprint(dirty));
  krait::write_image(first.model, first);  // the model to write is already in the image
  CHECK(std::memcmp(&first, &second, sizeof(first)) == 0);
}

template <template <Storage> class F>
void for_each_storage() {
#ifndef IMAGE_QUICK
  F<Storage::f32>()();
  F<Storage::bf16>()();
  F<Storage::int8>()();
#endif
  F<Storage::f16>()();  // f16 tensors are followed by padding
}

// Blocks of Mamba-2 and Mamba-3 are tested with only two storage types, because each takes 2 s to compile.
template <Storage storage>
inline constexpr bool heads_too = storage == Storage::f16 || storage == Storage::int8;

template <Storage storage>
struct ViewsInPlace {
  void operator()() {
    views_in_place<krait::Mamba<dims<storage>>>();
    views_in_place<Classifier<storage>>();
    if constexpr (heads_too<storage>) views_in_place<Heads<storage>>();
  }
};
template <Storage storage>
struct PaddingIsZero {
  void operator()() {
    padding_is_zero<krait::Mamba<dims<storage>>>();
    padding_is_zero<Classifier<storage>>();
    if constexpr (heads_too<storage>) padding_is_zero<Heads<storage>>();
  }
};

template <krait::ModelDims other>
std::string other_model() {
  static const Room<Small> room(image_of<Small>(1));
  return refusal<krait::Mamba<krait::resolve(other)>>(room.bytes);
}
constexpr krait::ModelDims with(auto change) {
  krait::ModelDims changed = dims<>;
  change(changed);
  return changed;
}

}  // namespace

TEST_CASE("krait::crc32 gives the same checksum as Boost's CRC-32, in one call and continued in a second") {
  Bytes bytes(1000);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * i % 251 + i);
  for (const std::size_t size : {0, 1, 2, 3, 63, 64, 65, 999, 1000}) {
    boost::crc_32_type boosts;
    boosts.process_bytes(bytes.data(), size);
    const auto all = std::span<const std::byte>(bytes).first(size);
    CHECK(krait::crc32(all) == boosts.checksum());
    CHECK(krait::crc32(all.subspan(size / 3), krait::crc32(all.first(size / 3))) == boosts.checksum());
  }
  constexpr std::array digits{std::byte{'1'}, std::byte{'2'}, std::byte{'3'}};
  static_assert(krait::crc32(digits) == 0x884863D2);
}

TEST_CASE("a model's structure text lists every parameter with its name, storage type and shape") {
  CHECK(std::string_view(krait::structure<Classifier<Storage::int8>>) ==
        "model [5] to [3]\n"
        "linear_in.weight int8 [9, 5]\n"
        "linear_in.bias f32 [9]\n"
        "layers array of 2\n"
        "layers.0.norm eps 10000000e-12\n"
        "layers.0.norm.weight f32 [9]\n"
        "layers.0.mixer.in_proj.weight int8 [36, 9] in 2 groups\n"
        "layers.0.mixer.conv1d.weight f32 [18, 1, 4]\n"
        "layers.0.mixer.conv1d.bias f32 [18]\n"
        "layers.0.mixer.x_proj.weight int8 [9, 18]\n"
        "layers.0.mixer.dt_proj.weight int8 [18, 1]\n"
        "layers.0.mixer.dt_proj.bias f32 [18]\n"
        "layers.0.mixer.A_log f32 [18, 4]\n"
        "layers.0.mixer.D f32 [18]\n"
        "layers.0.mixer.out_proj.weight int8 [9, 18]\n"
        "pool layer [9] with a state of 64 bytes\n"
        "classifier.weight int8 [3, 9]\n");
}

TEST_CASE("view_image returns the model without copying it, and the model gives the original's bits, in every storage type") {
  for_each_storage<ViewsInPlace>();
}

TEST_CASE("the bytes of an image and the fingerprint do not depend on the bytes in the model's padding") {
  for_each_storage<PaddingIsZero>();
}

TEST_CASE("two models have different fingerprints if a weight differs (even 0 and -0), or if only their types differ") {
  static Small model;
  model = krait::init<Small>(krait::key(1));
  const std::uint32_t first = krait::fingerprint(model);
  model.backbone.norm_f.weight.set(2, 0, 0.0f);
  const std::uint32_t second = krait::fingerprint(model);
  model.backbone.norm_f.weight.set(2, 0, -0.0f);
  CHECK(first != second);
  CHECK(second != krait::fingerprint(model));

  static krait::Linear<krait::LinearDims{.d_in = 8, .d_out = 16}> linear{};
  static krait::Embedding<16, 8> embedding{};
  static_assert(sizeof(linear) == sizeof(embedding));
  CHECK(krait::fingerprint(linear) != krait::fingerprint(embedding));
}

TEST_CASE("view_image accepts an image that is followed by other bytes") {
  Room<Small> room(image_of<Small>(1));
  room.bytes.back() = std::byte{0xFF};
  CHECK(view<Small>(room.bytes));
  CHECK(view<Small>(room.first(sizeof(krait::Image<Small>))));
}

TEST_CASE("a model's structure text gives the eps of the norms of dt, B and C only if the model has these norms") {
  constexpr krait::BlockDims dims{.d_model = 2, .d_state = 1, .d_inner = 1, .dt_rank = 1};
  constexpr krait::BlockDims normed{.d_model = 2, .d_state = 1, .d_inner = 1, .dt_rank = 1, .dt_b_c_eps = 1e-6};
  const std::string without(std::string_view(krait::structure<krait::MambaBlock<dims>>));
  const std::string with(std::string_view(krait::structure<krait::MambaBlock<normed>>));
  CHECK_THAT(with, Catch::Contains(" dt, B, C eps 1000000e-12\n"));
  CHECK_THAT(without, !Catch::Contains("eps"));
  CHECK(with.size() == without.size() + std::string(" dt, B, C eps 1000000e-12\n").size());
}

// Returns the part of the structure text that describes a block of Mamba-2 or Mamba-3 with changed dims.
template <auto dims, class Change>
std::string kind_with(Change) {
  constexpr auto changed = [] {
    auto copy = dims;
    Change{}(copy);
    return copy;
  }();
  return std::string(krait::ResidualBlock<changed>::Mixer::structure_kind);
}

TEST_CASE("the structure texts of Mamba-2 and Mamba-3 blocks list the dims that the parameters' shapes do not determine") {
  constexpr krait::Mamba2BlockDims two{.d_model = 4, .d_state = 4, .d_inner = 16, .headdim = 4};
  constexpr krait::Mamba3BlockDims three{.d_model = 4, .d_state = 8, .d_inner = 16, .headdim = 4};
  CHECK_THAT(std::string(std::string_view(krait::structure<krait::Mamba2Block<two>>)),
             Catch::StartsWith("model [4] to [4]\n mamba2 headdim 4 ngroups 1 mixer_norm_eps 925353388 dt_limit 0 2139095040\n"
                               "in_proj.weight f32 [44, 4]"));
  CHECK_THAT(std::string(std::string_view(krait::structure<krait::Mamba3Block<three>>)),
             Catch::StartsWith("model [4] to [4]\n mamba3 headdim 4 ngroups 1 angles 2 A_floor 953267991 "
                               "mixer_norm_eps 925353388\nin_proj.weight f32 [62, 4]"));
  std::vector<std::string> texts{
      kind_with<two>([](auto&) {}),
      kind_with<two>([](auto& d) { d.headdim = 8; }),
      kind_with<two>([](auto& d) { d.ngroups = 2; }),
      kind_with<two>([](auto& d) { d.norm_before_gate = true; }),
      kind_with<two>([](auto& d) { d.mixer_norm_eps = 1e-6; }),
      kind_with<two>([](auto& d) { d.dt_limit[0] = 1e-3; }),
      kind_with<two>([](auto& d) { d.dt_limit[1] = 0.5; }),
      kind_with<three>([](auto&) {}),
      kind_with<three>([](auto& d) { d.headdim = 8; }),
      kind_with<three>([](auto& d) { d.ngroups = 2; }),
      kind_with<three>([](auto& d) { d.rope_fraction = 1; }),
      kind_with<three>([](auto& d) { d.A_floor = 1e-3; }),
      kind_with<three>([](auto& d) { d.mixer_norm_eps = 1e-6; })};
  std::sort(texts.begin(), texts.end());
  CHECK(std::adjacent_find(texts.begin(), texts.end()) == texts.end());
}

TEST_CASE("view_image rejects an image if any single bit of its header or structure text is flipped") {
  Room<Small> room(image_of<Small>(1));
  const std::size_t before_model = sizeof(krait::Image<Small>) - sizeof(Small);
  for (std::size_t at = 0; at < before_model; ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      INFO("byte " << at << ", bit " << bit);
      room.bytes[at] ^= static_cast<std::byte>(1u << bit);
      const Problem problem = view<Small>(room.bytes).problem;
      room.bytes[at] ^= static_cast<std::byte>(1u << bit);
      const bool says_size = at >= offsetof(krait::ImageHeader, structure_bytes) && at < offsetof(krait::ImageHeader, fingerprint);
      if (at < 8) CHECK(problem == Problem::not_an_image);
      else if (at < 12) CHECK(problem == Problem::bad_byte_order);
      else if (at < 16) CHECK(problem == Problem::bad_version);
      else if (says_size) CHECK((problem == Problem::bad_checksum || problem == Problem::truncated));
      else CHECK(problem == Problem::bad_checksum);
    }
  }
  CHECK(view<Small>(room.bytes));
}

TEST_CASE("view_image rejects an image if any single byte of its model is changed") {
  Room<Small> room(image_of<Small>(1));
  for (std::size_t at = sizeof(krait::Image<Small>) - sizeof(Small); at < sizeof(krait::Image<Small>); ++at) {
    room.bytes[at] ^= std::byte{0x10};
    const Status status = view<Small>(room.bytes);
    room.bytes[at] ^= std::byte{0x10};
    REQUIRE(status.problem == Problem::bad_checksum);
    REQUIRE(std::string_view(status.where) == "image's model");
    REQUIRE(std::string(status.message()).starts_with("image's model: data is damaged (its CRC-32 is wrong): found "));
  }
}

TEST_CASE("view_image rejects an image truncated at any byte; the error gives the number of bytes found and wanted") {
  const Room<Small> room(image_of<Small>(1));
  constexpr std::size_t whole = sizeof(krait::Image<Small>), before_model = whole - sizeof(Small);
  for (std::size_t size = 0; size < whole; ++size) {
    const auto number = [](std::size_t n) { return std::to_string(n); };
    const std::string said = size < 64            ? number(size) + " bytes, wanted 64 bytes of header"
                             : size < before_model ? number(size - 64) + " bytes of structure, wanted " +
                                                         number(krait::structure<Small>.size) + " padded to a multiple of 64"
                                                   : number(size - before_model) + " bytes of model, wanted " +
                                                         number(sizeof(Small)) + " bytes of model";
    REQUIRE(refusal<Small>(room.first(size)) == "image: data is incomplete: found " + said);
  }
}

TEST_CASE("view_image rejects an image at an address that is not a multiple of 64") {
  static Room<Small> room(image_of<Small>(1));
  for (const std::size_t shift : {1, 4, 16, 32, 63}) {
    std::memmove(room.bytes.data() + shift, image_of<Small>(1).bytes().data(), sizeof(krait::Image<Small>));
    CHECK(refusal<Small>(std::span<const std::byte>(room.bytes).subspan(shift)) ==
          "image: address is not aligned: found " + std::to_string(shift) + " bytes after a multiple of 64, wanted a multiple of 64: use krait::ImageFile, krait::FileBytes or alignas(64)");
  }
}

TEST_CASE("view_image rejects an image of another format version or byte order, and a file that is not an image") {
  Room<Small> room(image_of<Small>(1));
  auto& header = reinterpret_cast<krait::Image<Small>*>(room.bytes.data())->header;
  header.format.version = 1;
  CHECK(refusal<Small>(room.bytes) == "image: layout version differs from this library's: found 1, wanted 2");
  header.format.byte_order = 0x04030201;
  CHECK(refusal<Small>(room.bytes) == "image: byte order differs from this machine's: found numbers in the opposite byte order, "
        "wanted this machine's byte order");
  std::memcpy(header.format.magic.data(), "\x7F" "ELF\2\1\1", 8);
  CHECK(refusal<Small>(room.bytes) == "image: magic bytes are wrong: found ?ELF????, wanted KRAIT???");
}

TEST_CASE("view_image rejects an image of a model with other dims, and the error names the first parameter that differs") {
  CHECK(other_model<with([](auto& d) { d.vocab_size = 20; })>() ==
        "model: data belongs to another model: found tokens below 19 to [19], wanted tokens below 20 to [20]");
  CHECK(other_model<with([](auto& d) { d.d_model = 14; })>() ==
        "backbone.embedding.weight: data belongs to another model: found f32 [19, 13], wanted f32 [19, 14]");
#ifndef IMAGE_QUICK
  CHECK(other_model<with([](auto& d) { d.n_layers = 3; })>() ==
        "backbone.layers: data belongs to another model: found array of 2, wanted array of 3");
  CHECK(other_model<with([](auto& d) { d.d_state = 4; })>() ==
        "backbone.layers.0.mixer.x_proj.weight: data belongs to another model: found f32 [7, 26], wanted f32 [9, 26]");
  CHECK(other_model<with([](auto& d) { d.d_conv = 3; })>() ==
        "backbone.layers.0.mixer.conv1d.weight: data belongs to another model: found f32 [26, 1, 4], wanted f32 [26, 1, 3]");
  CHECK(other_model<with([](auto& d) { d.d_inner = 25; })>() ==
        "backbone.layers.0.mixer.in_proj.weight: data belongs to another model: found f32 [52, 13] in 2 groups, "
        "wanted f32 [50, 13] in 2 groups");
  CHECK(other_model<with([](auto& d) { d.dt_rank = 2; })>() ==
        "backbone.layers.0.mixer.x_proj.weight: data belongs to another model: found f32 [7, 26], wanted f32 [8, 26]");
#endif
  CHECK(other_model<with([](auto& d) { d.in_bias = false; })>() ==
        "backbone.layers.0.mixer.conv1d.weight: data belongs to another model: found backbone.layers.0.mixer.in_proj.bias f32 [52] in 2 groups, wanted f32 [26, 1, 4]");
  CHECK(other_model<with([](auto& d) { d.norm_bias = true; })>() ==
        "backbone.layers.0.norm.bias: data belongs to another model: found backbone.layers.0.mixer.in_proj.weight f32 [52, 13] in 2 groups, wanted f32 [13]");
  CHECK(other_model<with([](auto& d) { d.norm_eps = 1e-6; })>() ==
        "backbone.layers.0.norm: data belongs to another model: found eps 10000000e-12, wanted eps 1000000e-12");
  CHECK(other_model<with([](auto& d) { d.norm = krait::NormKind::layer; })>() ==
        "backbone.layers.0.norm: data belongs to another model: found eps 10000000e-12, wanted layer_norm eps 10000000e-12");
  CHECK(other_model<with([](auto& d) { d.tied = false; })>() ==
        "lm_head.weight: data belongs to another model: found no parameter of this name, wanted f32 [19, 13]");
  CHECK(other_model<with([](auto& d) { d.storage = Storage::int8; })>() ==
        "backbone.embedding.weight: data belongs to another model: found f32 [19, 13], wanted int8 [19, 13]");
}

TEST_CASE("view_image rejects an image with a parameter that the model does not have") {
  using Untied = krait::Mamba<with([](auto& d) { d.tied = false; })>;
  const Room<Untied> room(image_of<Untied>(1));
  CHECK(refusal<Small>(room.bytes) ==
        "lm_head.weight: data belongs to another model: found f32 [19, 13], wanted no parameter of this name");
}

TEST_CASE("view_image rejects an image of a stack with MeanPool if the program's stack has LastPool") {
  struct Last {
    KRAIT_PARAMS(Last, (krait::Linear<krait::LinearDims{.d_in = 5, .d_out = 9}>, linear_in), (krait::LastPool<9>, pool));
  };
  struct Mean {
    KRAIT_PARAMS(Mean, (krait::Linear<krait::LinearDims{.d_in = 5, .d_out = 9}>, linear_in), (krait::MeanPool<9>, pool));
  };
  static_assert(sizeof(krait::Stack<Last>) == sizeof(krait::Stack<Mean>));
  const Room<krait::Stack<Mean>> room(image_of<krait::Stack<Mean>>(1));
  CHECK(refusal<krait::Stack<Last>>(room.bytes) ==
        "pool: data belongs to another model: found layer [9] with a state of 64 bytes, "
        "wanted layer [9] with a state of 0 bytes");
}

template <class Layer, std::size_t width = 9>
struct Between {
  KRAIT_PARAMS(Between, (krait::Linear<krait::LinearDims{.d_in = 5, .d_out = width}>, a), (Layer, b));
};

TEST_CASE("layers of the same shape that compute different functions have different structure texts") {
  CHECK(std::string_view(krait::structure<krait::Stack<Between<krait::Relu<9>>>>) ==
        "model [5] to [9]\na.weight f32 [9, 5]\nb relu layer [9] with a state of 0 bytes\n");
  CHECK(std::string_view(krait::structure<krait::Stack<Between<krait::GeluTanh<9>>>>) ==
        "model [5] to [9]\na.weight f32 [9, 5]\nb gelu_tanh layer [9] with a state of 0 bytes\n");
}

TEST_CASE("a Residual and its layer have different structure texts, so an image of one is not accepted for the other") {
  using Layer = krait::RmsNorm<krait::NormDims{.d_model = 9}>;
  using Twice = krait::Residual<krait::Residual<krait::Stack<Between<krait::Residual<krait::Relu<5>>, 5>>>>;
  CHECK(std::string_view(krait::structure<krait::Stack<Between<krait::Residual<Layer>>>>) ==
        "model [5] to [9]\na.weight f32 [9, 5]\nb residual eps 10000000e-12\nb.weight f32 [9]\n");
  CHECK(std::string_view(krait::structure<Twice>) ==
        "model [5] to [5]\n residual residual\na.weight f32 [5, 5]\nb residual relu layer [5] with a state of 0 bytes\n");
  const Room<Layer> room(image_of<Layer>(1));
  CHECK(refusal<krait::Residual<Layer>>(room.bytes) ==
        "data belongs to another model: found eps 10000000e-12, wanted residual eps 10000000e-12");
}

TEST_CASE("convolutions of the same weight shape but different padding have different structure texts") {
  CHECK(std::string_view(krait::structure<krait::StridedConv1d<krait::StridedConv1dDims{
            .channels = 2, .d_out = 9, .kernel = 6, .stride = 2, .padding = 2, .bias = false}>>) ==
        "model [4] to [9]\n strided_conv1d with a warm_up of 1\nweight f32 [9, 12]\n");
  CHECK(std::string_view(krait::structure<krait::StridedConv1d<krait::StridedConv1dDims{
            .channels = 2, .d_out = 9, .kernel = 6, .stride = 2, .padding = 4, .bias = false}>>) ==
        "model [4] to [9]\n strided_conv1d\nweight f32 [9, 12]\n");
}

TEST_CASE("layers whose weights have the same shape but different layouts have different structure texts") {
  CHECK(std::string_view(krait::structure<krait::Stack<Between<krait::PositionalEmbedding<6, 9>>>>) ==
        "model [5] to [9]\na.weight f32 [9, 5]\nb positional_embedding\nb.weight f32 [6, 9]\n");
}

TEST_CASE("view_image rejects a header with a valid checksum but the wrong size of the model") {
  Room<Small> room(image_of<Small>(1));
  auto& image = *reinterpret_cast<krait::Image<Small>*>(room.bytes.data());
  image.header.model_bytes += 64;
  image.header.checksum = krait::detail::header_checksum(image.header, std::as_bytes(std::span(image.text)));
  CHECK(refusal<Small>(room.bytes) == "model: data belongs to another model: found " + std::to_string(sizeof(Small) + 64) +
                                          " bytes, wanted " + std::to_string(sizeof(Small)) + " bytes");
}

namespace {

template <class Model>
void continues_with_the_same_bits() {
  static Model model;
  model = krait::init<Model>(krait::key(5));
  const auto xs = input<Model>();
  krait::State<Model> state{};
  krait::Tensor<float, Model::d_out> through{}, resumed{};
  for (std::size_t t = 0; t < 3; ++t) krait::step(model, state, xs[t], through);
  krait::Snapshot<krait::State<Model>> snapshot;
  krait::save_state(state, krait::fingerprint(model), snapshot);
  for (std::size_t t = 3; t < 6; ++t) krait::step(model, state, xs[t], through);

  krait::State<Model> again{};
  krait::step(model, again, xs[5], resumed);  // starts another sequence, which restore_state overwrites
  REQUIRE(krait::restore_state(snapshot.bytes(), krait::fingerprint(model), again));
  for (std::size_t t = 3; t < 6; ++t) krait::step(model, again, xs[t], resumed);
  CHECK(resumed == through);
  if constexpr (krait::state_bytes<Model> > 0) CHECK(std::memcmp(&state, &again, sizeof(state)) == 0);
}

}  // namespace

TEST_CASE("a state restored from a snapshot continues its sequence with the same bits") {
  continues_with_the_same_bits<Small>();
  continues_with_the_same_bits<krait::Mamba<dims<Storage::int8>>>();
  continues_with_the_same_bits<Classifier<Storage::f32>>();
  continues_with_the_same_bits<Heads<Storage::f16>>();
  continues_with_the_same_bits<krait::Linear<krait::LinearDims{.d_in = 5, .d_out = 9}>>();  // a layer without state
}

TEST_CASE("restore_state rejects a damaged or truncated snapshot or one of another model, and leaves the state unchanged") {
  using State = krait::State<Small>;
  static State state{}, before;
  krait::Snapshot<State> snapshot;
  krait::save_state(state, 1234, snapshot);
  std::memset(static_cast<void*>(&state), 0x33, sizeof(state));
  before = state;
  const auto refusal = [&](std::span<const std::byte> bytes, std::uint32_t fingerprint) {
    const Status status = krait::restore_state(bytes, fingerprint, state);
    CHECK(std::memcmp(&state, &before, sizeof(state)) == 0);
    return std::string(status.message());
  };
  CHECK(refusal(snapshot.bytes(), 1235) == "snapshot: data belongs to another model: found 1234 as fingerprint, wanted 1235");

  for (std::size_t size = 0; size < sizeof(snapshot); ++size)
    REQUIRE(refusal(snapshot.bytes().first(size), 1234).starts_with("snapshot: data is incomplete: found "));

  Bytes bytes(snapshot.bytes().begin(), snapshot.bytes().end());
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      bytes[at] ^= static_cast<std::byte>(1u << bit);
      const Problem problem = krait::restore_state(bytes, 1234, state).problem;
      bytes[at] ^= static_cast<std::byte>(1u << bit);
      const bool says_size = at >= offsetof(krait::SnapshotHeader, state_bytes) && at < offsetof(krait::SnapshotHeader, checksum);
      const Problem wanted = at < 8 ? Problem::not_an_image : at < 12 ? Problem::bad_byte_order : at < 16 ? Problem::bad_version
                                                                                               : Problem::bad_checksum;
      REQUIRE((problem == wanted || (says_size && problem == Problem::truncated)));
    }
  }
  CHECK(std::memcmp(&state, &before, sizeof(state)) == 0);

  krait::State<Classifier<Storage::f32>> other{};
  krait::Snapshot<krait::State<Classifier<Storage::f32>>> other_snapshot;
  krait::save_state(other, 1234, other_snapshot);
  CHECK(refusal(other_snapshot.bytes(), 1234) == "snapshot: data belongs to another model: found " + std::to_string(sizeof(other)) +
                                                     " bytes of state, wanted " + std::to_string(sizeof(state)) + " bytes of state");
  bytes.insert(bytes.begin(), std::byte{});  // a snapshot may be at an unaligned address
  CHECK(krait::restore_state(std::span(bytes).subspan(1), 1234, state));
}
