// A translation unit that two_marches.py compiles several times, for different processors. It uses the whole library, but
// krait/io only if WITH_FILES is defined. UNIT is the name of the Highway target that the unit is compiled for, or main.
#include <array>
#include <cstdio>
#include <cstring>
#include <span>

#include <krait.hpp>
#include <krait/convert.hpp>
#include <krait/image.hpp>
#include <krait/init.hpp>
#include <krait/session.hpp>
#include <krait/snapshot.hpp>
#include <krait/step_by_layer.hpp>
#include <krait/streams.hpp>
#include <krait/train.hpp>
#ifdef WITH_FILES
#include <krait/image_file.hpp>
#include <krait/load.hpp>
#include <krait/save.hpp>
#endif

inline constexpr auto dims = krait::resolve({.vocab_size = 40, .d_model = 24, .n_layers = 2, .tied = false});
inline constexpr auto ssm_dims = krait::resolve(krait::SsmDims{.d_inner = 16, .d_model = 8, .d_state = 4});
using Model = krait::Mamba<dims>;
using Small = krait::Mamba<krait::with_storage(dims, krait::Storage::int8)>;
struct Parts {
  KRAIT_PARAMS(Parts, (krait::Linear<krait::LinearDims{.d_in = 5, .d_out = 16, .storage = krait::Storage::bf16}>, linear_in),
               (krait::SelectiveStateSpace<ssm_dims>, ssm), (krait::MeanPool<8>, pool),
               (krait::Linear<krait::LinearDims{.d_in = 8, .d_out = 3, .storage = krait::Storage::f16}>, classifier));
};
using Classifier = krait::Stack<Parts>;
struct Answer {
  std::array<float, 60> values;
};

const char* AVX3(const Model& model, Answer& answer);
const char* AVX2(const Model& model, Answer& answer);

namespace krait_unit {
namespace {
template <class M>
float use(const M& model, krait::Tensor<float, M::d_out>& y) {
  krait::Session session{model};
  std::array tokens{1, 2, 3};
  for (const int token : tokens) session.step(token);
  y = session.prefill(tokens);
  krait::State<M> state;
  krait::StepByLayer by_layer{model, state};
  by_layer.begin(4);
  by_layer.finish(y);
  krait::Streams<M, 2> streams{model};
  const std::array ids{streams.join(), streams.join()};
  krait::Tensor<float, 2, M::d_out> both;
  streams.step(ids, std::array{5, 6}, both);
  streams.prefill(ids, std::array{tokens, tokens}, both);
  krait::Sampler sampler{.temperature = 0.7f, .seed = krait::key(1)};
  krait::FilteredSampler<M::d_out> filtered{
      .temperature = 0.7f, .top_k = 5, .top_p = 0.9f, .min_p = 0.01f, .seed = krait::key(1)};
  krait::apply_penalties(y, tokens, {.repetition = 1.1f, .frequency = 0.1f, .presence = 0.1f});
  const auto drawn = krait::sample(both[1], sampler) + krait::sample(y, sampler) + krait::sample(y, filtered) +
                     krait::is_finite(session.state());
  return static_cast<float>(drawn) + krait::log_probability(y, 1) + krait::forward(model, tokens)[2][1];
}
}  // namespace
}  // namespace krait_unit

#if defined(__AVX2__)
const char* UNIT(const Model& model, Answer& answer) {
  auto* to = answer.values.data();
  krait::Tensor<float, 40> y;
  *to++ = krait_unit::use(model, y);
  for (std::size_t i = 0; i < 5; ++i) *to++ = y[i];

  static Small small;
  krait::convert(model, small);
  *to++ = krait_unit::use(small, y);
  static Classifier classifier;
  krait::init(krait::key(5), classifier);
  krait::State<Classifier> state{};
  krait::Tensor<float, 7, 5> frames{};
  krait::Tensor<float, 3> classes;
  krait::prefill(classifier, state, frames, classes);
  *to++ = classes[1];

  static Model trained;
  trained = model;
  static krait::Worker<Model, 3> worker;
  static krait::Gradients<Model> gradients;
  static krait::Moments<Model> moments;
  krait::accumulate(1, std::span(&worker, 1), gradients, [&](auto& one, std::size_t) {
    krait::Tensor<float, 3, 40> logits;
    krait::State<Model> start;
    krait::record(trained, start, std::array{1, 2, 3}, logits, one.tape);
    *to++ = krait::cross_entropy(logits, std::array{2, 3, 4}, logits);
    krait::backward(trained, one.tape, logits, one.gradients);
  });
  *to++ = krait::clip_by_norm(gradients, 1.0f);
  krait::adamw(trained, gradients, moments, {});
  krait::for_each_gradient(trained, gradients, [&](std::string_view, const auto& gradient) { *to = gradient.get(0, 0); });
  ++to;

  static krait::Image<Small> image;
  const krait::Image<Small>* view = nullptr;
  krait::write_image(small, image);
  krait::Snapshot<krait::State<Classifier>> snapshot;
  krait::save_state(state, krait::fingerprint(classifier), snapshot);
  *to++ = krait::view_image(image.bytes(), view) && krait::restore_state(snapshot.bytes(), krait::fingerprint(classifier), state);
#ifdef WITH_FILES
  static Model loaded;
  const std::vector<std::byte> file = krait::save(model);
  const krait::Status status = krait::load(std::span(file).subspan(1), loaded);
  krait::ImageFile<Small> image_file;
  *to++ = image_file.open("y").ok() && krait::load_file("x", loaded).ok() && krait::save_file(loaded, "x").ok();
  *to++ = krait::load(file, loaded) && krait::write_file(file, "x") && !status && !status.message().operator std::string_view().empty();
#endif
  *to++ = krait::normal(krait::key(9), 3) + static_cast<float>(krait::parameter_count<Model> + krait::default_chunk<Model>());
  return krait::target_name();
}

#else
int main() {
  static const Model model = krait::init<Model>(krait::key(0));
  static Answer answer{};
  std::printf("%s is AVX2\n", AVX2(model, answer));
  for (const float value : answer.values)
    if (!(value - value == 0.0f)) return 1;
  // The AVX-512 unit is linked but not called.
  return AVX3 == nullptr;
}
#endif
