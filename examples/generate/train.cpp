// Trains the byte-level language model of this example, with checkpoints from which training resumes to the same bits.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <numbers>
#include <string>
#include <type_traits>
#include <vector>

#include <krait.hpp>
#include <krait/image.hpp>
#include <krait/init.hpp>
#include <krait/load.hpp>
#include <krait/save.hpp>
#include <krait/train.hpp>

#include "../many_streams/threads.hpp"

namespace {

using Mamba1 = krait::Mamba<krait::resolve({.vocab_size = 256, .d_model = 128, .n_layers = 4})>;
using Mamba2 = krait::Mamba2<krait::resolve(krait::Mamba2Dims{.vocab_size = 256, .d_model = 128, .n_layers = 4, .d_state = 48,
                                                              .headdim = 16})>;
constexpr std::size_t streams = 8, window = 512;

// Muon trains these weights, AdamW all others.
struct Hidden {
  static constexpr bool trains(std::string_view name) {
    return name.ends_with("in_proj.weight") || name.ends_with("x_proj.weight") || name.ends_with("out_proj.weight");
  }
};
struct Others {
  static constexpr bool trains(std::string_view name) { return !Hidden::trains(name); }
};

// The settings on which the bits of the result depend.
struct Settings {
  std::uint64_t steps = 20000, warmup = 300, seed = 0, held_out = 200000;
  float rate = 8e-3f, weight_decay = 0.1f, reset = 0.01f;
  std::uint32_t text = 0;  // CRC-32 of the text
  bool operator==(const Settings&) const = default;
};

// Everything that training changes. A checkpoint consists of the bytes of a Run and their CRC-32.
template <class M>
struct Run {
  using Model = M;
  Settings settings;
  std::uint64_t step = 0;       // steps made
  std::uint64_t pass = 0;       // passes over the text, each from a random place
  std::uint64_t at = 0;         // bytes of each stream read in this pass
  double loss = 0.0;            // running mean, bits per byte
  std::array<krait::State<Model>, streams> states{};
  Model model;
  krait::MuonMemory<Model, Hidden> muon;
  krait::Moments<Model, Others> adamw;
};
static_assert(std::is_trivially_copyable_v<Run<Mamba1>> && std::is_trivially_copyable_v<Run<Mamba2>>);

using Text = std::vector<std::byte>;

[[noreturn]] void fail(const std::string& message) {
  std::fprintf(stderr, "train: %s\n", message.c_str());
  std::exit(1);
}
void check(const krait::Status& status) {
  if (!status.ok()) fail(status.message().c_str());
}

// Returns draw number i, from 0 to 1, of the random numbers for a purpose.
float draw(const Settings& settings, std::uint64_t purpose, std::uint64_t i) {
  return krait::uniform(krait::split(krait::key(settings.seed), purpose), i);
}

std::uint32_t checksum(std::span<const std::byte> bytes) { return krait::crc32(bytes); }

template <class Model>
void save_checkpoint(const Run<Model>& run, const std::string& path) {
  const auto bytes = std::as_bytes(std::span(&run, 1));
  std::vector<std::byte> file(bytes.begin(), bytes.end());
  const std::uint32_t sum = checksum(bytes);
  const auto tail = std::as_bytes(std::span(&sum, 1));
  file.insert(file.end(), tail.begin(), tail.end());
  check(krait::write_file(file, path));
}
template <class Model>
void load_checkpoint(const std::string& path, Run<Model>& run) {
  std::vector<std::byte> file;
  check(krait::read_file(path, file));
  std::uint32_t sum = 0;
  if (file.size() != sizeof(run) + sizeof(sum))
    fail(path + ": found " + std::to_string(file.size()) + " bytes, wanted a checkpoint of " + std::to_string(sizeof(run) + 4));
  std::memcpy(&sum, file.data() + sizeof(run), sizeof(sum));
  if (sum != checksum(std::span(file).first(sizeof(run)))) fail(path + ": the checkpoint is damaged: its checksum is wrong");
  const Settings wanted = run.settings;
  std::memcpy(static_cast<void*>(&run), file.data(), sizeof(run));
  if (run.settings != wanted) fail(path + ": the checkpoint is of another text or of other settings");
}

// Returns the mean of -log2 p(byte | all bytes before it) of the bytes 2 to N of a text.
template <class Model>
double bits_per_byte(const Model& model, std::span<const std::byte> text) {
  static krait::State<Model> state;
  static krait::Tensor<float, 64, Model::vocab_size> logits;
  state = {};
  double bits = 0.0;
  const std::span ids(reinterpret_cast<const unsigned char*>(text.data()), text.size());
  for (std::size_t at = 0, n; at + 1 < ids.size(); at += n) {
    n = krait::prefill(model, state, ids.subspan(at, std::min<std::size_t>(64, ids.size() - 1 - at)), logits);
    for (std::size_t i = 0; i < n; ++i) bits -= static_cast<double>(krait::log_probability(logits[i], ids[at + i + 1]));
  }
  return bits * std::numbers::log2e / static_cast<double>(ids.size() - 1);
}

// Makes one step: the gradients of a window of each stream, then Muon and AdamW.
template <class Model>
void step(Run<Model>& run, std::span<const std::byte> text, std::vector<krait::Worker<Model, window>>& workers,
          krait::Gradients<Model>& gradients, Threads& threads) {
  const std::size_t length = (text.size() - 1) / streams;
  if (run.at + window > length) run.at = 0, ++run.pass;
  const auto start = static_cast<std::size_t>(draw(run.settings, 1, run.pass) * static_cast<float>(text.size()));
  std::array<float, streams> losses;
  krait::clear_gradients(gradients);
  krait::accumulate(streams, workers, gradients, [&](krait::Worker<Model, window>& worker, std::size_t i) {
    static thread_local krait::Tensor<float, window, Model::vocab_size> logits;
    std::array<unsigned char, window + 1> bytes;
    for (std::size_t t = 0; t <= window; ++t)
      bytes[t] = std::to_integer<unsigned char>(text[(start + i * length + run.at + t) % text.size()]);
    if (run.at == 0 || draw(run.settings, 2, run.step * streams + i) < run.settings.reset) run.states[i] = {};
    const std::span<const unsigned char, window + 1> ids(bytes);
    krait::record(run.model, run.states[i], ids.first<window>(), logits, worker.tape);
    losses[i] = krait::cross_entropy(logits, ids.last<window>(), logits);
    krait::backward(run.model, worker.tape, logits, worker.gradients);
  }, threads);
  ++run.step, run.at += window;
  double bits = 0.0;
  for (const float loss : losses) bits += static_cast<double>(loss) * std::numbers::log2e / streams;
  if (!std::isfinite(bits)) fail("step " + std::to_string(run.step) + ": the loss is not finite");
  run.loss = run.step == 1 ? bits : run.loss + 0.02 * (bits - run.loss);
  krait::scale_gradients(gradients, 1.0f / streams);
  krait::clip_by_norm(gradients, 1.0f);
  const float rate = run.settings.rate * krait::linear_schedule(run.step, run.settings.warmup, run.settings.steps);
  krait::muon(run.model, gradients, run.muon, {.rate = rate, .weight_decay = run.settings.weight_decay});
  krait::adamw(run.model, gradients, run.adamw, {.rate = rate, .beta2 = 0.99f, .weight_decay = run.settings.weight_decay});
}

// What the command line selects.
struct Options {
  Settings settings;
  std::string text = "kjv.txt", out = "kjv.safetensors", checkpoint;
  std::size_t threads = 1, log = 100;
  double minutes = 5.0;
  std::uint64_t stop = 0;
};

// Trains a model, from the start or from a checkpoint.
template <class Model>
void train(const Options& options) {
  const auto run = std::make_unique<Run<Model>>();
  run->settings = options.settings;
  Settings& settings = run->settings;
  Text text;
  check(krait::read_file(options.text, text));
  if (text.size() < settings.held_out + streams * (window + 1)) fail(options.text + ": the text is too short");
  settings.text = checksum(text);
  const std::span<const std::byte> training = std::span(text).first(text.size() - settings.held_out);
  const std::span<const std::byte> held_out = std::span(text).last(settings.held_out);
  krait::init_for_training(krait::key(settings.seed), run->model);
  if (!options.checkpoint.empty() && std::filesystem::exists(options.checkpoint)) {
    load_checkpoint(options.checkpoint, *run);
    std::fprintf(stderr, "resumed after step %llu\n", static_cast<unsigned long long>(run->step));
  }

  std::vector<krait::Worker<Model, window>> workers(std::min(options.threads, streams));
  const auto gradients = std::make_unique<krait::Gradients<Model>>();
  Threads threads(workers.size());
  const auto seconds = [] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  };
  const double begin = seconds();
  const std::uint64_t first = run->step, last = options.stop > 0 ? std::min(options.stop, settings.steps) : settings.steps;
  double saved = begin;
  while (run->step < last) {
    step(*run, training, workers, *gradients, threads);
    if (run->step % options.log == 0 || run->step == last) {
      const double each = (seconds() - begin) / static_cast<double>(run->step - first);
      std::fprintf(stderr, "step %llu/%llu  %.0f bytes/s  loss %.4f bits/byte  %.1f minutes to go\n",
                   static_cast<unsigned long long>(run->step), static_cast<unsigned long long>(settings.steps),
                   streams * window / each, run->loss, each * static_cast<double>(settings.steps - run->step) / 60);
    }
    if (!options.checkpoint.empty() && (seconds() - saved > 60 * options.minutes || run->step == last)) {
      save_checkpoint(*run, options.checkpoint);
      saved = seconds();
    }
  }
  if (run->step < settings.steps) return;
  check(krait::save_file(run->model, options.out));
  if (held_out.size() > 1)
    std::printf("%.6f bits per byte on the %zu bytes held out\n", bits_per_byte(run->model, held_out), held_out.size());
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Trains the byte-level Mamba language model of this example."};
  Options options;
  Settings& settings = options.settings;
  bool mamba2 = false;
  app.add_flag("--mamba2", mamba2, "train a Mamba-2, with d_state 48 and headdim 16");
  app.add_option("--text", options.text, "the text; its last bytes are held out");
  app.add_option("--out", options.out, "the trained model, a safetensors file");
  app.add_option("--checkpoint", options.checkpoint, "where to save checkpoints; an existing one is resumed");
  app.add_option("--minutes", options.minutes, "between two checkpoints");
  app.add_option("--threads", options.threads, "does not change the bits")->check(CLI::Range(1, 64));
  app.add_option("--log", options.log, "steps between two lines of progress")->check(CLI::PositiveNumber);
  app.add_option("--stop", options.stop, "save a checkpoint and end after this step");
  app.add_option("--steps", settings.steps)->capture_default_str();
  app.add_option("--warmup", settings.warmup)->capture_default_str();
  app.add_option("--rate", settings.rate, "learning rate")->capture_default_str();
  app.add_option("--weight-decay", settings.weight_decay)->capture_default_str();
  app.add_option("--reset", settings.reset, "chance that a stream's state becomes zero at a step")->capture_default_str();
  app.add_option("--held-out", settings.held_out, "bytes at the end of the text")->capture_default_str();
  app.add_option("--seed", settings.seed)->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  if (mamba2) train<Mamba2>(options);
  else train<Mamba1>(options);
}
