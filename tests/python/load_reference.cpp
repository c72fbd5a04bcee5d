// Writes what the C++ API computes, for load_test.py. Arguments: speaker FRAMES CHECKPOINT OUTPUT, or language TOKENS
// CHECKPOINT OUTPUT. OUTPUT.<storage type> receives the outputs of single steps, and the snapshot after them.
#include <array>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <krait.hpp>
#include <krait/image_file.hpp>
#include <krait/load.hpp>
#include <krait/snapshot.hpp>

#include "../../examples/speaker/speaker.hpp"

namespace {

constexpr krait::ModelDims language_dims(krait::Storage storage) {
  return krait::resolve(krait::ModelDims{.vocab_size = 64, .d_model = 32, .n_layers = 2, .storage = storage});
}

bool done(const krait::Status& status) {
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.message().c_str());
  return status.ok();
}

template <class Model, class Token>
bool run(const std::vector<std::byte>& inputs, const std::string& checkpoint, const std::string& output) {
  const auto model = std::make_unique<Model>();
  constexpr std::array<std::string_view, 2> others{"tokens", "logits"};  // tensors of a reference vector
  if (!done(krait::load_file(checkpoint, *model, {.ignore = others}))) return false;
  std::vector<Token> tokens(inputs.size() / sizeof(Token));
  std::memcpy(static_cast<void*>(tokens.data()), inputs.data(), tokens.size() * sizeof(Token));
  std::vector<krait::Tensor<float, Model::d_out>> outputs(tokens.size());
  krait::State<Model> state;
  for (std::size_t i = 0; i < tokens.size(); ++i) krait::step(*model, state, tokens[i], outputs[i]);
  krait::Snapshot<krait::State<Model>> snapshot;
  krait::save_state(state, krait::fingerprint(*model), snapshot);
  std::vector<std::byte> bytes(outputs.size() * sizeof(outputs[0]));
  std::memcpy(bytes.data(), outputs.data(), bytes.size());
  bytes.insert(bytes.end(), snapshot.bytes().begin(), snapshot.bytes().end());
  return done(krait::write_file(bytes, output));
}

template <krait::Storage storage>
bool run_one(std::string_view kind, const std::vector<std::byte>& inputs, const std::string& checkpoint,
             const std::string& output) {
  if (kind == "speaker") return run<speaker::Model<storage>, speaker::Frame>(inputs, checkpoint, output);
  return run<krait::Mamba<language_dims(storage)>, std::int64_t>(inputs, checkpoint, output);
}

}  // namespace

int main(int, char** argv) {
  std::vector<std::byte> inputs;
  if (!done(krait::read_file(argv[2], inputs))) return 1;
  const std::string checkpoint = argv[3], output = argv[4];
  bool good = run_one<krait::Storage::int8>(argv[1], inputs, checkpoint, output + ".int8");
#ifdef ALL_STORAGE_TYPES
  good &= run_one<krait::Storage::f32>(argv[1], inputs, checkpoint, output + ".f32");
  good &= run_one<krait::Storage::bf16>(argv[1], inputs, checkpoint, output + ".bf16");
  good &= run_one<krait::Storage::f16>(argv[1], inputs, checkpoint, output + ".f16");
#endif
  return good ? 0 : 1;
}
