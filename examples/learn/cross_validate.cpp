// Evaluates the settings of learning by cross-validation: each of the nine voices is the new one in turn, in five folds.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "../speaker/training.hpp"
#include "learner.hpp"

using speaker::Model;
using speaker::Series;

namespace {

std::vector<Series> of_speaker(const std::vector<Series>& all, std::size_t speaker, bool wanted) {
  std::vector<Series> found;
  for (const Series& series : all)
    if ((series.speaker == speaker) == wanted) found.push_back(series);
  return found;
}

// Returns `count` utterances of each speaker, spread evenly over that speaker's series: the first of each, then the second.
std::vector<learn::Utterance> stored(const std::vector<Series>& all, std::size_t count) {
  std::vector<learn::Utterance> kept;
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t speaker = 0; speaker < speaker::speakers; ++speaker) {
      std::vector<const Series*> own;
      for (const Series& series : all)
        if (series.speaker == speaker) own.push_back(&series);
      if (!own.empty()) kept.push_back({own[i * own.size() / count]->frames, speaker});
    }
  }
  return kept;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Evaluates the settings of learning a new voice by cross-validation on the training series."};
  learn::Settings settings;
  std::string data = KRAIT_EXAMPLE_DATA;
  std::size_t count = 24, folds = 5;
  app.add_option("--data", data, "training series (safetensors: frames, lengths, speakers)")->capture_default_str();
  app.add_option("--stored", count, "stored utterances of each old voice; 24: all")->capture_default_str();
  const auto option = [&](const char* name, auto& value) { app.add_option(name, value)->capture_default_str(); };
  option("--passes", settings.passes), option("--old", settings.old), option("--rate", settings.rate);
  option("--weight-decay", settings.weight_decay), option("--smoothing", settings.smoothing), option("--shift", settings.shift);
  CLI11_PARSE(app, argc, argv);

  std::vector<Series> all;
  if (const krait::Status status = speaker::read_series(data, all); !status) {
    std::fprintf(stderr, "cross_validate: %s\n", status.message().c_str());
    return 1;
  }
  const auto memory = std::make_unique<learn::Memory<Model<>>>();
  Model<>& model = memory->image.model;
  std::size_t new_wrong = 0, new_count = 0, before = 0, after = 0, old_count = 0;
  for (std::size_t voice = 0; voice < speaker::speakers; ++voice) {
    for (std::size_t fold = 0; fold < folds; ++fold) {
      const auto training = speaker::part_of(all, fold, folds, false), test = speaker::part_of(all, fold, folds, true);
      const auto old = of_speaker(training, voice, false), fresh = of_speaker(training, voice, true);
      const auto old_test = of_speaker(test, voice, false), new_test = of_speaker(test, voice, true);
      speaker::train(old, speaker::Recipe{}, model, [](std::size_t, float) {});
      before += speaker::evaluate(model, old_test).wrong;
      std::vector<learn::Utterance> utterances;
      for (const Series& series : fresh) utterances.push_back({series.frames, voice});
      const auto rehearsed = stored(old, count);
      learn::Course course(*memory, utterances, rehearsed, settings);
      for (std::size_t step = 0; step < course.steps(); ++step) course.step();
      after += speaker::evaluate(model, old_test).wrong;
      new_wrong += speaker::evaluate(model, new_test).wrong;
      new_count += new_test.size(), old_count += old_test.size();
    }
    std::fprintf(stderr, "voice %zu: new %zu wrong of %zu, old %zu wrong before, %zu after, so far\n", voice + 1, new_wrong,
                 new_count, before, after);
  }
  std::printf("new voice: %zu wrong of %zu; old voices: %zu wrong of %zu before, %zu after\n", new_wrong, new_count, before,
              old_count, after);
}
