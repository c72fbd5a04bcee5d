// A byte-level language model from a checkpoint: continues a prompt by sampling or by beam search, or scores files.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <memory>
#include <numbers>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "krait.hpp"
#include "krait/convert.hpp"
#include "krait/load.hpp"
#include "krait/session.hpp"
#include "krait/streams.hpp"

namespace {

// The dims are part of the model's type. A checkpoint with other dims is rejected with an error that contains both shapes.
#ifdef KRAIT_EXAMPLE_MAMBA2
constexpr auto dims = krait::resolve(krait::Mamba2Dims{
    .vocab_size = 256, .d_model = 128, .n_layers = 4, .d_state = 48, .headdim = 16});
template <krait::Storage storage>
using Model = krait::Mamba2<krait::with_storage(dims, storage)>;
#else
constexpr auto dims = krait::resolve({.vocab_size = 256, .d_model = 128, .n_layers = 4});
template <krait::Storage storage>
using Model = krait::Mamba<krait::with_storage(dims, storage)>;
#endif

using Sampler = krait::FilteredSampler<dims.vocab_size>;
using Logits = krait::Tensor<float, dims.vocab_size>;
using Bytes = std::span<const unsigned char>;

// The number of bytes of a prompt or text that one call processes. The results do not depend on it.
constexpr std::size_t chunk = 64;

Bytes bytes_of(const auto& text) { return {reinterpret_cast<const unsigned char*>(text.data()), text.size()}; }

// Returns the bits per byte of bytes 2 to N of each text, each byte predicted from all before it. The texts are processed
// together, `chunk` bytes of each at a time.
template <class Model>
std::vector<double> bits_per_byte(const Model& model, std::span<const Bytes> texts) {
  std::vector<krait::State<Model>> states(texts.size());
  const auto scratch = std::make_unique<krait::StreamScratch<Model, chunk>>();
  std::vector<std::array<Logits, chunk>> logits(texts.size());
  std::vector<double> bits(texts.size());
  for (std::size_t at = 0;; at += chunk) {
    std::vector<Bytes> pieces(texts.size());  // empty for a text that has ended, so that its sequence gets no token
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const Bytes read = texts[i].first(texts[i].size() - 1);  // the last byte is predicted but not read
      pieces[i] = read.subspan(std::min(at, read.size()), std::min(chunk, read.size() - std::min(at, read.size())));
      bytes += pieces[i].size();
    }
    if (bytes == 0) break;
    krait::prefill_streams(model, states, pieces, logits, *scratch);
    for (std::size_t i = 0; i < texts.size(); ++i)
      for (std::size_t t = 0; t < pieces[i].size(); ++t)
        bits[i] -= static_cast<double>(krait::log_probability(logits[i][t], texts[i][at + t + 1])) / std::numbers::ln2;
  }
  for (std::size_t i = 0; i < texts.size(); ++i) bits[i] /= static_cast<double>(texts[i].size() - 1);
  return bits;
}

void print_speed(std::size_t tokens, std::chrono::steady_clock::time_point start) {
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  if (tokens > 0 && std::cout)
    std::fprintf(stderr, "%zu tokens, %.0f tokens/s (%s)\n", tokens, static_cast<double>(tokens) / took.count(),
                 krait::target_name());
}

// Writes the prompt and `tokens` sampled bytes to standard output, each byte as soon as it is sampled. Ends early if standard
// output cannot be written, for example because a pipe is closed.
template <class Model>
void generate(const Model& model, Bytes prompt, std::size_t tokens, Sampler sampler) {
  krait::Session<Model, chunk> session{model};
  std::cout.write(reinterpret_cast<const char*>(prompt.data()), static_cast<std::streamsize>(prompt.size())).flush();
  auto logits = session.prefill(prompt);
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < tokens && std::cout; ++i) {
    const std::size_t token = krait::sample(logits, sampler);
    std::cout.put(static_cast<char>(token)).flush();
    logits = session.step(token);
  }
  std::cout << std::endl;
  print_speed(tokens, start);
}

// Writes the prompt and the continuation of `tokens` bytes with the largest probability that beam search finds. The beams are
// streams: one call of step_streams processes the last byte of each. If several of the best continuations have the same
// beginning, their beam forks, and its state is copied.
template <class Model>
void search(const Model& model, Bytes prompt, std::size_t tokens, std::size_t beams) {
  struct Beam {
    krait::State<Model>* state;
    double log_probability;
    std::string text;
  };
  struct Candidate {
    std::size_t beam, byte;
    double log_probability;
  };
  std::vector<krait::State<Model>> memory(beams);
  std::vector<Logits> logits(beams);
  const auto scratch = std::make_unique<krait::StreamScratch<Model, chunk>>();
  krait::prefill(model, memory[0], prompt, logits[0], scratch->model);
  std::vector<Beam> live{{&memory[0], 0.0, {}}};
  std::vector<krait::State<Model>*> free;  // states that no beam uses
  for (std::size_t i = 1; i < beams; ++i) free.push_back(&memory[i]);

  const auto start = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < tokens; ++i) {
    std::vector<Candidate> best;
    for (std::size_t beam = 0; beam < live.size(); ++beam) {
      const Logits& row = logits[beam];
      const auto top = static_cast<std::size_t>(std::max_element(row.begin(), row.end()) - row.begin());
      const double offset = live[beam].log_probability + static_cast<double>(krait::log_probability(row, top) - row[top]);
      for (std::size_t byte = 0; byte < row.size(); ++byte)
        best.push_back({beam, byte, offset + static_cast<double>(row[byte])});
    }
    const std::size_t kept = std::min(beams, best.size());
    std::partial_sort(best.begin(), best.begin() + static_cast<std::ptrdiff_t>(kept), best.end(),
                      [](const Candidate& a, const Candidate& b) {  // the first of equally likely candidates
                        return std::tuple(-a.log_probability, a.beam, a.byte) < std::tuple(-b.log_probability, b.beam, b.byte);
                      });
    best.resize(kept);

    // The first continuation of a beam takes over the beam's state. Its other continuations get copies, in free states.
    std::vector<krait::State<Model>*> states(best.size(), nullptr), left;
    for (const Beam& beam : live) left.push_back(beam.state);
    for (std::size_t k = 0; k < best.size(); ++k) std::swap(states[k], left[best[k].beam]);
    for (krait::State<Model>* state : left)
      if (state != nullptr) free.push_back(state);
    std::vector<Beam> next;
    std::vector<std::size_t> bytes;
    for (std::size_t k = 0; k < best.size(); ++k) {
      if (states[k] == nullptr) {
        states[k] = free.back();
        free.pop_back();
        *states[k] = *live[best[k].beam].state;
      }
      next.push_back({states[k], best[k].log_probability, live[best[k].beam].text + static_cast<char>(best[k].byte)});
      bytes.push_back(best[k].byte);
    }
    live = std::move(next);
    krait::step_streams(model, states, bytes, logits, *scratch);
  }
  std::cout.write(reinterpret_cast<const char*>(prompt.data()), static_cast<std::streamsize>(prompt.size()));
  std::cout << live[0].text << std::endl;
  print_speed(tokens, start);
}

// Calls use(model) with a copy of the trained model whose weights have the storage type `name`.
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
  std::string model_file = KRAIT_EXAMPLE_MODEL, prompt, storage = "f32";
  std::vector<std::string> score_files;
  std::size_t tokens = 400, beams = 0;
  std::uint64_t seed = 0;
  Sampler sampler{.temperature = 0.7f};

  CLI::App app{"Continues a text with a byte-level model trained on the King James Bible, or scores texts."};
  const CLI::Validator number{[](const std::string& text) {  // CLI::Range accepts NaN
    return text.find_first_of("nN") == text.npos ? "" : text + " is no number";
  }, ""};
  const CLI::Validator share = CLI::Range(0.0, 1.0) & number;
  app.add_option("--model", model_file, "checkpoint (safetensors): vocab_size 256, d_model 128, 4 layers")
      ->capture_default_str();
  auto* prompt_option = app.add_option("--prompt", prompt, "the text to continue; default: standard input");
  app.add_option("--tokens", tokens, "bytes to write")->check(CLI::Range(0, 100'000'000))->capture_default_str();
  auto* temperature = app.add_option("--temperature", sampler.temperature, "randomness of the bytes; 0: always the likeliest byte")
      ->check(CLI::Range(0.0, 100.0) & number)->capture_default_str();
  auto* top_k = app.add_option("--top-k", sampler.top_k, "keep the k likeliest bytes; 0: all bytes")
      ->check(CLI::Range(0, 256))->capture_default_str();
  auto* top_p = app.add_option("--top-p", sampler.top_p, "keep the likeliest bytes that together have this share; 1: all")
      ->check(share)->capture_default_str();
  auto* min_p = app.add_option("--min-p", sampler.min_p, "keep bytes at least this share as likely as the likeliest")
      ->check(share)->capture_default_str();
  auto* seed_option = app.add_option("--seed", seed, "the same seed gives the same text")
      ->check(CLI::NonNegativeNumber)->capture_default_str();
  app.add_option("--storage", storage, "storage type to which the weights are rounded")
      ->check(CLI::IsMember({"f32", "bf16", "f16", "int8"}))->capture_default_str();
  auto* beams_option = app.add_option("--beams", beams, "write the likeliest continuation that this many beams find")
                           ->check(CLI::Range(1, 1024));
  for (auto* option : {temperature, top_k, top_p, min_p, seed_option}) beams_option->excludes(option);
  auto* score_option = app.add_option("--score", score_files, "print the bits per byte of each of these files and stop")
                           ->excludes(prompt_option)->excludes(beams_option);
  CLI11_PARSE(app, argc, argv);

  const auto model = std::make_unique<Model<krait::Storage::f32>>();
  // The message of cannot_read already contains the name of the file.
  if (const krait::Status status = krait::load_file(model_file, *model); !status.ok())
    return complain(status.problem == krait::Problem::cannot_read ? "" : model_file, status.message());

  if (score_option->count() > 0) {
    std::vector<std::vector<std::byte>> files(score_files.size());
    std::vector<Bytes> texts;
    for (std::size_t i = 0; i < files.size(); ++i) {
      if (const krait::Status status = krait::read_file(score_files[i], files[i]); !status.ok())
        return complain("", status.message());
      if (files[i].size() < 2) return complain(score_files[i], "has 1 byte; a score needs at least 2");
      texts.push_back(bytes_of(files[i]));
    }
    with_stored(*model, storage, [&](const auto& stored) {
      const std::vector<double> bits = bits_per_byte(stored, texts);
      for (std::size_t i = 0; i < texts.size(); ++i)
        std::printf("%s%s%.6f bits per byte over bytes 2 to %zu\n", texts.size() > 1 ? score_files[i].c_str() : "",
                    texts.size() > 1 ? ": " : "", bits[i], texts[i].size());
    });
    return 0;
  }

  if (prompt_option->count() == 0) prompt.assign(std::istreambuf_iterator<char>(std::cin), {});
  if (prompt.empty()) return complain("", "the prompt is empty: give --prompt TEXT, or text on standard input");
  sampler.seed = krait::key(seed);
  errno = 0;
  with_stored(*model, storage, [&](const auto& stored) {
    if (beams > 0) search(stored, bytes_of(prompt), tokens, beams);
    else generate(stored, bytes_of(prompt), tokens, sampler);
  });
  if (!std::cout && errno != EPIPE) return complain("", "standard output cannot be written");
  return 0;
}
