// A byte-level language model from a checkpoint: continues a prompt, or scores a file.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <memory>
#include <numbers>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "krait.hpp"
#include "krait/convert.hpp"
#include "krait/load.hpp"
#include "krait/session.hpp"

namespace {

// The dims are the type's: a checkpoint of others is refused, with both shapes.
constexpr auto dims = krait::resolve({.vocab_size = 256, .d_model = 128, .n_layers = 4});
template <krait::Storage storage>
using Model = krait::Mamba<krait::with_storage(dims, storage)>;

// Bytes taken at a time from a prompt or a text: the answers do not depend on it.
constexpr std::size_t chunk = 64;

std::span<const unsigned char> bytes_of(const auto& text) {
  return {reinterpret_cast<const unsigned char*>(text.data()), text.size()};
}

// Bits per byte of bytes 2 to N, each predicted from all before it: one sequence, its state carried through.
template <class Model>
double bits_per_byte(const Model& model, std::span<const unsigned char> text) {
  krait::State<Model> state{};
  const auto scratch = std::make_unique<krait::Scratch<Model, chunk>>();
  krait::Tensor<float, chunk, dims.vocab_size> logits;
  double bits = 0;
  for (std::size_t at = 0; at + 1 < text.size();) {
    const std::size_t n = std::min(chunk, text.size() - 1 - at);
    krait::prefill(model, state, text.subspan(at, n), logits, *scratch);
    for (std::size_t t = 0; t < n; ++t, ++at) {
      const float most = *std::max_element(logits[t].begin(), logits[t].end());
      double sum = 0;
      for (const float logit : logits[t]) sum += std::exp(static_cast<double>(logit - most));
      bits += (std::log(sum) + most - logits[t][text[at + 1]]) / std::numbers::ln2;
    }
  }
  return bits / static_cast<double>(text.size() - 1);
}

// The prompt, then `tokens` bytes more, to standard output as they come. Ends early where nobody takes them.
template <class Model>
void generate(const Model& model, std::span<const unsigned char> prompt, std::size_t tokens, krait::Sampler sampler) {
  krait::Session<Model, chunk> session{model};
  std::cout.write(reinterpret_cast<const char*>(prompt.data()), static_cast<std::streamsize>(prompt.size())).flush();
  auto logits = session.prefill(prompt);
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < tokens && std::cout; ++i) {
    const std::size_t token = krait::sample(logits, sampler);
    std::cout.put(static_cast<char>(token)).flush();
    logits = session.step(token);
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  std::cout << std::endl;
  if (tokens > 0 && std::cout)
    std::fprintf(stderr, "%zu tokens, %.0f tokens/s (%s)\n", tokens, static_cast<double>(tokens) / took.count(),
                 krait::target_name());
}

// use(model) of the trained model with its weights in the storage type of that name.
template <class Use>
void with_stored(const Model<krait::Storage::f32>& trained, std::string_view name, Use use) {
  const auto convert = [&]<krait::Storage storage>(std::integral_constant<krait::Storage, storage>) {
    const auto model = std::make_unique<Model<storage>>();
    krait::convert(trained, *model);
    use(*model);
  };
  if (name == "bf16") convert(std::integral_constant<krait::Storage, krait::Storage::bf16>{});
  else if (name == "f16") convert(std::integral_constant<krait::Storage, krait::Storage::f16>{});
  else if (name == "int8") convert(std::integral_constant<krait::Storage, krait::Storage::int8>{});
  else use(trained);
}

int complain(std::string_view file, std::string_view what) {
  std::cerr << "generate: " << file << (file.empty() ? "" : ": ") << what << '\n';
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  std::string model_file = KRAIT_EXAMPLE_MODEL, prompt, score_file, storage = "f32";
  std::size_t tokens = 400;
  std::uint64_t seed = 0;
  krait::Sampling sampling{.temperature = 0.7f};

  CLI::App app{"Continues a text with a byte-level Mamba model trained on the King James Bible, or scores one."};
  const CLI::Validator number{[](const std::string& text) {  // CLI::Range lets NaN pass
    return text.find_first_of("nN") == text.npos ? "" : text + " is no number";
  }, ""};
  const CLI::Validator share = CLI::Range(0.0, 1.0) & number;
  app.add_option("--model", model_file, "checkpoint (safetensors): vocab_size 256, d_model 128, 4 layers")
      ->capture_default_str();
  auto* prompt_option = app.add_option("--prompt", prompt, "what to continue; left out: standard input");
  app.add_option("--tokens", tokens, "bytes to write")->check(CLI::Range(0, 100'000'000))->capture_default_str();
  app.add_option("--temperature", sampling.temperature, "0: always the likeliest byte")
      ->check(CLI::Range(0.0, 100.0) & number)->capture_default_str();
  app.add_option("--top-k", sampling.top_k, "keep the k likeliest; 0: all")
      ->check(CLI::Range(0, 256))->capture_default_str();
  app.add_option("--top-p", sampling.top_p, "keep the likeliest that reach this share; 1: all")
      ->check(share)->capture_default_str();
  app.add_option("--min-p", sampling.min_p, "keep those at least this share as likely as the likeliest")
      ->check(share)->capture_default_str();
  app.add_option("--seed", seed, "the same seed gives the same text")
      ->check(CLI::NonNegativeNumber)->capture_default_str();
  app.add_option("--storage", storage, "what the weights are rounded to")
      ->check(CLI::IsMember({"f32", "bf16", "f16", "int8"}))->capture_default_str();
  auto* score_option = app.add_option("--score", score_file, "print the bits per byte of this file and stop")
                           ->excludes(prompt_option);
  CLI11_PARSE(app, argc, argv);

  const auto model = std::make_unique<Model<krait::Storage::f32>>();
  if (const krait::Status status = krait::load_file(model_file, *model); !status.ok())  // a file that cannot be read is named anyway
    return complain(status.problem == krait::Problem::cannot_read ? "" : model_file, status.message());

  if (score_option->count() > 0) {
    std::vector<std::byte> text;
    if (const krait::Status status = krait::read_file(score_file, text); !status.ok()) return complain("", status.message());
    if (text.size() < 2) return complain(score_file, "has 1 byte; a score needs at least 2");
    with_stored(*model, storage, [&](const auto& stored) {
      std::printf("%.6f bits per byte over bytes 2 to %zu\n", bits_per_byte(stored, bytes_of(text)), text.size());
    });
    return 0;
  }

  if (prompt_option->count() == 0) prompt.assign(std::istreambuf_iterator<char>(std::cin), {});
  if (prompt.empty()) return complain("", "the prompt is empty: give --prompt TEXT, or text on standard input");
  errno = 0;
  with_stored(*model, storage, [&](const auto& stored) {
    generate(stored, bytes_of(prompt), tokens, {.sampling = sampling, .seed = krait::key(seed)});
  });
  if (!std::cout && errno != EPIPE) return complain("", "standard output cannot be written");
  return 0;
}
