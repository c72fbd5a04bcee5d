#include "krait/load.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cfloat>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "container.hpp"
#include "krait/save.hpp"
#include "krait/nn/linear.hpp"
#include "krait/nn/mamba.hpp"
#include "krait/nn/stack.hpp"

using krait::Problem;

namespace {

constexpr auto small =
    krait::resolve({.vocab_size = 3, .d_model = 2, .n_layers = 1, .d_state = 2, .d_conv = 2, .expand = 1});
using Tied = krait::Mamba<small>;
constexpr auto small_untied = [] { auto dims = small; return dims.tied = false, dims; }();
using Untied = krait::Mamba<small_untied>;

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

// Fills every parameter with random floats of magnitude `limit` or less. The first elements of each parameter are special
// numbers: zeros, the limits, the smallest normal float and denormals.
template <class Model>
Model& filled(Model& model, float limit = FLT_MAX) {
  model = {};
  std::uint64_t state = 1;
  const float rare[] = {0.0f, -0.0f, limit, -limit, FLT_MIN, FLT_TRUE_MIN, -FLT_TRUE_MIN, 1.0f};
  krait::for_each_param(model, [&]<class T>(std::string_view, T& tensor) {
    std::vector<float> values(T::rows * T::cols);
    for (float& value : values) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      value = std::bit_cast<float>(static_cast<std::uint32_t>(state >> 32));
      if (!(std::fabs(value) <= limit)) value = 1.0f;
    }
    std::copy_n(rare, std::min(std::size(rare), values.size()), values.begin());
    krait::assign(tensor, [&](std::size_t row, std::size_t col) { return values[row * T::cols + col]; });
  });
  return model;
}
template <class Model>
Model& marked(Model& model) { return std::memset(static_cast<void*>(&model), 0x5A, sizeof(Model)), model; }
template <class Model>
bool same_bytes(const Model& a, const Model& b) { return std::memcmp(&a, &b, sizeof(Model)) == 0; }

template <class Model>
void round_trip(float limit = FLT_MAX) {
  static Model model, loaded;
  filled(model, limit);
  const Bytes file = krait::save(model);
  const krait::Status status = krait::load(file, marked(loaded));
  CHECK(std::string(status.message()) == "no problem");
  CHECK(same_bytes(model, loaded));
  CHECK(krait::save(loaded) == file);
}

// Checks that load rejects the file with exactly this message and leaves every byte of the model unchanged.
template <class Model>
void refused(const Bytes& file, Problem problem, const std::string& where, const std::string& found,
             const std::string& wanted, const krait::LoadOptions& options = {}) {
  static Model model, before;
  marked(before);
  const krait::Status status = krait::load(file, marked(model), options);
  CHECK_FALSE(status);
  CHECK(status.problem == problem);
  CHECK(std::string(status.message()) ==
        where + ": " + std::string(krait::Status::what(problem)) + ": found " + found + ", wanted " + wanted);
  CHECK(same_bytes(model, before));
}

template <class Model>
Checkpoint good_checkpoint() {
  static Model model;
  return checkpoint(krait::save(filled(model)));
}

std::string f32(const std::vector<float>& numbers) {
  std::vector<std::uint32_t> bits;
  for (const float number : numbers) bits.push_back(std::bit_cast<std::uint32_t>(number));
  return little_endian_bytes(bits);
}
void put(StoredTensor& tensor, std::size_t i, float value) { tensor.data.replace(4 * i, 4, f32({value})); }

void rename(Checkpoint& tensors, const std::string& from, const std::string& to) {
  auto node = tensors.extract(from);
  node.key() = to;
  tensors.insert(std::move(node));
}

const std::string mixer = "backbone.layers.0.mixer.", embedding = "backbone.embedding.weight";
const std::string unknown_wanted = "a name of a parameter, or a name in LoadOptions::ignore";

struct Damage {
  std::string title;
  void (*damage)(Checkpoint&);
  Problem problem;
  std::string where, found, wanted;
};

// Damages to the checkpoint of a language model with a tied head, each with the error that load must return.
const Damage damages[] = {
    {"a bias missing", [](Checkpoint& c) { c.erase(mixer + "conv1d.bias"); },
     Problem::missing, mixer + "conv1d.bias", "no tensor of this name", "shape [2]"},
    {"the embedding missing", [](Checkpoint& c) { c.erase(embedding); },
     Problem::missing, embedding, "no tensor of this name", "shape [3, 2]"},
    {"nothing there at all", [](Checkpoint& c) { c.clear(); },
     Problem::missing, embedding, "no tensor of this name", "shape [3, 2]"},
    {"a layer more", [](Checkpoint& c) { c["backbone.layers.1.norm.weight"] = c["backbone.layers.0.norm.weight"]; },
     Problem::unknown, "backbone.layers.1.norm.weight", "shape [2]", unknown_wanted},
    {"a bias too many", [](Checkpoint& c) { c[mixer + "in_proj.bias"] = {"F32", {4}, f32({1, 2, 3, 4})}; },
     Problem::unknown, mixer + "in_proj.bias", "shape [4]", unknown_wanted},
    {"both names of the embedding", [](Checkpoint& c) { c["backbone.embeddings.weight"] = c[embedding]; },
     Problem::unknown, "backbone.embeddings.weight", "shape [3, 2]", unknown_wanted},
    {"a vocabulary padded", [](Checkpoint& c) { c[embedding] = {"F32", {4, 2}, f32(std::vector<float>(8))}; },
     Problem::bad_shape, embedding, "[4, 2]", "[3, 2]"},
    {"taps without their middle axis", [](Checkpoint& c) { c[mixer + "conv1d.weight"].shape = {2, 2}; },
     Problem::bad_shape, mixer + "conv1d.weight", "[2, 2]", "[2, 1, 2]"},
    {"a scalar for a vector", [](Checkpoint& c) { c[mixer + "D"] = {"F32", {}, f32({1})}; },
     Problem::bad_shape, mixer + "D", "[]", "[2]"},
    {"F64", [](Checkpoint& c) { c[mixer + "D"] = {"F64", {2}, std::string(16, '\0')}; },
     Problem::bad_dtype, mixer + "D", "F64", "F32, F16 or BF16"},
    {"eight bits", [](Checkpoint& c) { c[mixer + "D"] = {"F8_E4M3", {2}, std::string(2, '\0')}; },
     Problem::bad_dtype, mixer + "D", "F8_E4M3", "F32, F16 or BF16"},
    {"NaN in a weight", [](Checkpoint& c) { put(c[mixer + "in_proj.weight"], 5, not_a_number); },
     Problem::not_finite, mixer + "in_proj.weight", "element [2, 1] is NaN", "finite numbers"},
    {"infinity in a bias", [](Checkpoint& c) { put(c[mixer + "dt_proj.bias"], 1, infinity); },
     Problem::not_finite, mixer + "dt_proj.bias", "element [1] is infinite", "finite numbers"},
    {"minus infinity in the taps", [](Checkpoint& c) { put(c[mixer + "conv1d.weight"], 3, -infinity); },
     Problem::not_finite, mixer + "conv1d.weight", "element [1, 0, 1] is infinite", "finite numbers"},
    {"NaN in A_log", [](Checkpoint& c) { put(c[mixer + "A_log"], 3, not_a_number); },
     Problem::not_finite, mixer + "A_log", "element [1, 1] is NaN", "no NaN"},
    {"NaN as F16", [](Checkpoint& c) { c[mixer + "D"] = {"F16", {2}, std::string("\0\0\1\x7C", 4)}; },
     Problem::not_finite, mixer + "D", "element [1] is NaN", "finite numbers"},
    {"infinity as BF16", [](Checkpoint& c) { c[mixer + "D"] = {"BF16", {2}, std::string("\x80\xFF\0\0", 4)}; },
     Problem::not_finite, mixer + "D", "element [0] is infinite", "finite numbers"},
    {"NaN in the last parameter", [](Checkpoint& c) { put(c["backbone.norm_f.weight"], 1, -not_a_number); },
     Problem::not_finite, "backbone.norm_f.weight", "element [1] is NaN", "finite numbers"},
    {"a head of its own", [](Checkpoint& c) { put(c["lm_head.weight"] = c[embedding], 5, 3.0f); },
     Problem::head_not_tied, "lm_head.weight", "element [2, 1] differs", "the embedding's bits, because dims.tied is true"},
    {"a head that differs in a sign of zero", [](Checkpoint& c) { put(c["lm_head.weight"] = c[embedding], 0, -0.0f); },
     Problem::head_not_tied, "lm_head.weight", "element [0, 0] differs", "the embedding's bits, because dims.tied is true"},
    {"a head of another shape", [](Checkpoint& c) { (c["lm_head.weight"] = c[embedding]).shape = {2, 3}; },
     Problem::bad_shape, "lm_head.weight", "[2, 3]", "[3, 2]"},
    {"NaN in a head to be tied", [](Checkpoint& c) { put(c["lm_head.weight"] = c[embedding], 1, not_a_number); },
     Problem::not_finite, "lm_head.weight", "element [0, 1] is NaN", "finite numbers"},
    {"a bias of a head", [](Checkpoint& c) { c["lm_head.bias"] = {"F32", {3}, f32({1, 2, 3})}; },
     Problem::unknown, "lm_head.bias", "shape [3]", unknown_wanted},
};

struct Parts {
  KRAIT_PARAMS(Parts, (krait::Linear<krait::LinearDims{.d_in = 5, .d_out = 3, .bias = true}>, linear_in),
               (krait::Linear<krait::LinearDims{.d_in = 3, .d_out = 17}>, classifier));
};

// A stack of blocks of Mamba-2 and Mamba-3 with every kind of parameter.
template <krait::Storage storage>
struct HeadsParts {
  static constexpr krait::Mamba2BlockDims dims2{.d_model = 3, .d_state = 5, .d_inner = 20, .headdim = 5, .ngroups = 2,
                                                .in_bias = true, .storage = storage};
  static constexpr krait::Mamba3BlockDims dims3{.d_model = 3, .d_state = 6, .d_inner = 20, .headdim = 5, .mimo_rank = 2,
                                                .out_bias = true, .is_outproj_norm = true, .storage = storage};
  KRAIT_PARAMS(HeadsParts, (krait::Mamba2Block<dims2>, two), (krait::Mamba3Block<dims3>, three));
};
template <krait::Storage storage>
using Heads = krait::Stack<HeadsParts<storage>>;

}  // namespace

TEST_CASE("saving and loading a model gives the same bits, with all padding zero") {
  round_trip<Tied>();
#ifndef LOAD_QUICK
  round_trip<Untied>();
  round_trip<krait::Mamba<krait::noxton({.vocab_size = 17, .d_model = 20, .n_layers = 2})>>();
  round_trip<krait::Mamba<krait::resolve({.vocab_size = 67, .d_model = 7, .n_layers = 3, .d_state = 1, .d_conv = 1,
                                          .d_inner = 33, .dt_rank = 1, .in_bias = true, .x_bias = true,
                                          .out_bias = true, .norm_bias = true, .tied = false})>>();
  constexpr krait::SsmDims odd{.d_inner = 19, .d_model = 5, .d_state = 3, .dt_rank = 2, .x_bias = true};
  round_trip<krait::SelectiveStateSpace<krait::resolve(odd)>>();
  round_trip<Heads<krait::Storage::f32>>();
#endif
  round_trip<krait::Stack<Parts>>();
}

#ifndef LOAD_QUICK
TEST_CASE("saving and loading bf16, f16 and int8 weights gives the same bits") {
  constexpr auto odd = krait::resolve({.vocab_size = 67, .d_model = 7, .n_layers = 2, .d_state = 3, .tied = false});
  round_trip<krait::Mamba<krait::with_storage(odd, krait::Storage::bf16)>>(0x1.FEp127f);
  round_trip<krait::Mamba<krait::with_storage(odd, krait::Storage::f16)>>(65504.0f);
  round_trip<krait::Mamba<krait::with_storage(odd, krait::Storage::int8)>>();
  round_trip<Heads<krait::Storage::bf16>>(0x1.FEp127f);
  round_trip<Heads<krait::Storage::f16>>(65504.0f);
  round_trip<Heads<krait::Storage::int8>>();
}
#endif

TEST_CASE("load rejects a number that rounding to bf16 or f16 would make infinite") {
  using Bf16 = krait::Linear<krait::LinearDims{.d_in = 2, .d_out = 1, .storage = krait::Storage::bf16}>;
  using F16 = krait::Linear<krait::LinearDims{.d_in = 2, .d_out = 1, .storage = krait::Storage::f16}>;
  static Bf16 bf16;
  static F16 f16;
  const auto file = [](float value) { return file_of({{"weight", {"F32", {1, 2}, f32({1.0f, value})}}}); };
  CHECK(krait::load(file(0x1.FEFFFEp127f), bf16));
  CHECK(bf16.weight.get(0, 1) == 0x1.FEp127f);
  const std::string found = "element [0, 1] is infinite once rounded";
  refused<Bf16>(file(0x1.FFp127f), Problem::not_finite, "weight", found, "finite numbers");
  CHECK(krait::load(file(-65519.0f), f16));
  CHECK(f16.weight.get(0, 1) == -65504.0f);
  refused<F16>(file(-65520.0f), Problem::not_finite, "weight", found, "finite numbers");
}

TEST_CASE("int8 weights near the largest float32 stay finite, and those of 1e-38 or less become about zero") {
  using Int8 = krait::Linear<krait::LinearDims{.d_in = 3, .d_out = 4, .storage = krait::Storage::int8}>;
  static Int8 layer;
  const float tiny = 1e-38f, small_one = 1e-36f;
  REQUIRE(krait::load(file_of({{"weight", {"F32", {4, 3}, f32({FLT_MAX, -FLT_MAX, 1.0f, tiny, 0.0f, -tiny,
      FLT_TRUE_MIN, 0.0f, 0.0f, small_one, -small_one / 2, 0.0f})}}}), layer));
  const auto& weight = layer.weight;
  CHECK(weight.get(0, 0) == Approx(FLT_MAX));
  CHECK(weight.get(0, 0) == -weight.get(0, 1));
  CHECK(weight.get(0, 2) == 0.0f);
  for (const std::size_t row : {1, 2})
    for (const std::size_t col : {0, 1, 2}) CHECK(std::fabs(weight.get(row, col)) <= 1.1e-38f);
  CHECK(weight.get(3, 0) / small_one == Approx(1.0f));
  CHECK(weight.get(3, 1) / small_one == Approx(-0.5f).margin(0.005f));
}

TEST_CASE("load rejects every kind of damaged checkpoint, names the fault, and leaves the model unchanged") {
  for (const Damage& damage : damages) {
    INFO(damage.title);
    Checkpoint tensors = good_checkpoint<Tied>();
    damage.damage(tensors);
    refused<Tied>(file_of(tensors), damage.problem, damage.where, damage.found, damage.wanted);
  }
}

TEST_CASE("load rejects a checkpoint without lm_head.weight if the model's head is not tied to the embedding") {
  Checkpoint tensors = good_checkpoint<Untied>();
  tensors.erase("lm_head.weight");
  refused<Untied>(file_of(tensors), Problem::missing, "lm_head.weight", "no tensor of this name", "shape [3, 2]");
}

TEST_CASE("load accepts both names of the embedding: backbone.embedding (mamba-ssm) and backbone.embeddings (Hugging Face)") {
  static Tied model, loaded;
  filled(model);
  Checkpoint tensors = checkpoint(krait::save(model));
  rename(tensors, "backbone.embedding.weight", "backbone.embeddings.weight");
  CHECK(krait::load(file_of(tensors), marked(loaded)));
  CHECK(same_bytes(model, loaded));
  tensors["lm_head.weight"] = tensors["backbone.embeddings.weight"];  // mamba-ssm stores even a tied head
  CHECK(krait::load(file_of(tensors), marked(loaded)));
  CHECK(same_bytes(model, loaded));
}

TEST_CASE("load reads Mamba-2 with the tensor names of transformers, and Mamba-3 with those of mamba-ssm") {
  static krait::Mamba2<krait::resolve(krait::Mamba2Dims{.vocab_size = 3, .d_model = 4, .n_layers = 1, .d_state = 2,
                                                        .d_conv = 2, .headdim = 4})> two, two_loaded;
  static krait::Mamba3<krait::resolve(krait::Mamba3Dims{.vocab_size = 3, .d_model = 4, .n_layers = 1, .d_state = 4,
                                                        .headdim = 4, .mimo_rank = 2, .is_outproj_norm = true})> three,
      three_loaded;
  const auto check = [](auto& model, auto& loaded, std::string embedding, std::vector<std::string> of_mixer) {
    filled(model);
    Checkpoint tensors = checkpoint(krait::save(model));
    rename(tensors, "backbone.embedding.weight", embedding);
    std::vector<std::string> names = {embedding, "backbone.norm_f.weight", "backbone.layers.0.norm.weight"}, found;
    for (const std::string& name : of_mixer) names.push_back(mixer + name);
    for (const auto& [name, tensor] : tensors) found.push_back(name);
    std::sort(names.begin(), names.end());
    CHECK(found == names);
    CHECK(krait::load(file_of(tensors), marked(loaded)));
    CHECK(same_bytes(model, loaded));
  };
  check(two, two_loaded, "backbone.embeddings.weight",
        {"A_log", "D", "conv1d.bias", "conv1d.weight", "dt_bias", "in_proj.weight", "norm.weight", "out_proj.weight"});
  check(three, three_loaded, "backbone.embedding.weight",
        {"B_bias", "B_norm.weight", "C_bias", "C_norm.weight", "D", "dt_bias", "in_proj.weight", "mimo_o", "mimo_x",
         "mimo_z", "norm.weight", "out_proj.weight"});
}

TEST_CASE("a tied model loads a file whose lm_head equals the embedding, or differs from it but is listed in `ignore`") {
  static Tied model, loaded;
  filled(model);
  Checkpoint tensors = checkpoint(krait::save(model));
  tensors["lm_head.weight"] = tensors["backbone.embedding.weight"];
  CHECK(krait::load(file_of(tensors), marked(loaded)));
  CHECK(same_bytes(model, loaded));

  put(tensors["lm_head.weight"], 0, not_a_number);
  const std::string_view ignore[] = {"lm_head.weight"};
  CHECK(krait::load(file_of(tensors), marked(loaded), {.ignore = ignore}));
  CHECK(same_bytes(model, loaded));
}

TEST_CASE("load with a prefix reads only tensors whose names start with it, and skips all other tensors") {
  static Tied model, loaded;
  filled(model);
  Checkpoint tensors{{"optimizer.step", {"I64", {}, std::string(8, '\1')}},
                     {"backbone.norm_f.weight", {"F32", {2}, f32({not_a_number, not_a_number})}}};
  for (const auto& [name, tensor] : checkpoint(krait::save(model))) tensors["model." + name] = tensor;
  CHECK(krait::load(file_of(tensors), marked(loaded), {.prefix = "model."}));
  CHECK(same_bytes(model, loaded));

  rename(tensors, "model.backbone.embedding.weight", "model.backbone.embeddings.weight");
  tensors["model.lm_head.weight"] = tensors["model.backbone.embeddings.weight"];
  CHECK(krait::load(file_of(tensors), marked(loaded), {.prefix = "model."}));
  CHECK(same_bytes(model, loaded));

  tensors["model.other"] = tensors["optimizer.step"];
  refused<Tied>(file_of(tensors), Problem::unknown, "model.other", "shape []", unknown_wanted, {.prefix = "model."});
  const std::string_view without_prefix[] = {"other"}, with_prefix[] = {"nothing", "model.other"};
  refused<Tied>(file_of(tensors), Problem::unknown, "model.other", "shape []", unknown_wanted,
                {"model.", without_prefix});
  CHECK(krait::load(file_of(tensors), marked(loaded), {"model.", with_prefix}));
  CHECK(same_bytes(model, loaded));

  tensors.erase("model." + mixer + "D");
  refused<Tied>(file_of(tensors), Problem::missing, "model." + mixer + "D", "no tensor of this name", "shape [2]",
                {"model.", with_prefix});
}

TEST_CASE("load requires every parameter of the model, even if its name is listed in `ignore`") {
  static Tied model, loaded;
  filled(model);
  Checkpoint tensors = checkpoint(krait::save(model));
  const std::string name = mixer + "D";
  const std::string_view ignore[] = {name};
  CHECK(krait::load(file_of(tensors), marked(loaded), {.ignore = ignore}));
  CHECK(same_bytes(model, loaded));
  tensors.erase(name);
  refused<Tied>(file_of(tensors), Problem::missing, name, "no tensor of this name", "shape [2]", {.ignore = ignore});
}

TEST_CASE("load converts every finite F16 and BF16 number to float32 exactly") {
  using Square = krait::Linear<krait::LinearDims{.d_in = 256, .d_out = 256}>;
  static Square half, single;
  for (const std::string dtype : {"F16", "BF16"}) {
    std::vector<std::uint16_t> halves(65536);
    std::vector<float> values(65536);
    const std::uint32_t exponents = dtype == "F16" ? 0x7C00 : 0x7F80;
    for (std::uint32_t i = 0; i < 65536; ++i) {
      if ((i & exponents) == exponents) continue;  // NaN and infinities are replaced by 0
      halves[i] = static_cast<std::uint16_t>(i);
      const int exponent = static_cast<int>(i >> 10 & 31), mantissa = static_cast<int>(i & 1023);
      const double size = exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
      values[i] = dtype == "BF16" ? std::bit_cast<float>(i << 16) : static_cast<float>(i < 32768 ? size : -size);
    }
    REQUIRE(krait::load(file_of({{"weight", {dtype, {256, 256}, little_endian_bytes(halves)}}}), marked(half)));
    REQUIRE(krait::load(file_of({{"weight", {"F32", {256, 256}, f32(values)}}}), marked(single)));
    CHECK(same_bytes(half, single));
    CHECK(half.weight.get(1, 3) == values[259]);
  }
}

TEST_CASE("load accepts an infinite A_log, and saving and loading any A_log gives the same stored bits") {
  using Rates = krait::DecayRates<1, 4096>;
  struct Core { KRAIT_PARAMS(Core, (Rates, A_log)); };
  static Core core, loaded;
  core = {};
  const float ends[] = {infinity, -infinity, FLT_MAX, -FLT_MAX, 88.0f, 88.5f, 89.0f, -103.0f, -104.0f, -105.0f, -0.0f};
  for (std::size_t i = 0; i < 4096; ++i)
    core.A_log.set(0, i, i < std::size(ends) ? ends[i] : static_cast<float>(i) * 0.05f - 110.0f);
  CHECK(krait::load(krait::save(core), marked(loaded)));
  CHECK(same_bytes(core, loaded));

  Checkpoint tensors = checkpoint(krait::save(core));
  put(tensors["A_log"], 0, infinity);
  put(tensors["A_log"], 1, -infinity);
  CHECK(krait::load(file_of(tensors), marked(loaded)));
  CHECK(same_bytes(core, loaded));
}

TEST_CASE("save writes tensors in memory order, aligns the data to 8 bytes and includes the given metadata") {
  static Tied model;
  const Bytes file = krait::save(filled(model), {{"dims", "{\"d_model\": 2}"}, {"by", "a \"test\"\n"}});
  krait::safetensors::File parsed;
  REQUIRE(krait::safetensors::parse(file, parsed));
  CHECK(parsed.metadata == std::map<std::string, std::string>{{"by", "a \"test\"\n"}, {"dims", "{\"d_model\": 2}"}});
  std::uint64_t at = 0;
  krait::for_each_param(model, [&]<class T>(std::string_view name, const T&) {
    const auto* entry = parsed.find(name);
    REQUIRE(entry != nullptr);
    CHECK(entry->begin == at);
    at = entry->end;
  });
  CHECK((file.size() - at) % 8 == 0);
}

TEST_CASE("save replaces invalid UTF-8 in metadata by U+FFFD, and writes keys that become equal only once") {
  static Tied model;
  const Bytes file = krait::save(filled(model), {{"a\xFF", "b\xFF"}, {"a\xFE", "b"}});
  krait::safetensors::File parsed;
  const krait::Status status = krait::safetensors::parse(file, parsed);
  CHECK(std::string(status.message()) == "no problem");
  REQUIRE(parsed.metadata.size() == 1);
  CHECK(parsed.metadata.begin()->first == "a\xEF\xBF\xBD");
}
