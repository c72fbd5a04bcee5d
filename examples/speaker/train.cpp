// Trains the speaker model, or evaluates a recipe by cross-validation on the training series.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include <krait/save.hpp>

#include "training.hpp"

using speaker::Model;
using speaker::Series;

int main(int argc, char** argv) {
  CLI::App app{"Trains the speaker model of this example."};
  speaker::Recipe recipe;
  std::string data = KRAIT_EXAMPLE_DATA, out = "speaker.safetensors";
  std::size_t folds = 0, without = 0, seeds = 1;
  app.add_option("--data", data, "training series (safetensors: frames, lengths, speakers)")->capture_default_str();
  app.add_option("--out", out, "the trained model, a safetensors file")->capture_default_str();
  app.add_option("--cross-validate", folds, "evaluate the recipe with this number of folds instead")
      ->check(CLI::Range(2, 100));
  app.add_option("--seeds", seeds, "trainings of each fold, with the seeds from --seed on")->capture_default_str();
  app.add_option("--without", without, "leave out the series of this speaker")->check(CLI::Range(1, 9));
  const auto option = [&](const char* name, auto& value) { app.add_option(name, value)->capture_default_str(); };
  option("--epochs", recipe.epochs), option("--batch", recipe.batch), option("--warmup", recipe.warmup);
  option("--rate", recipe.rate), option("--weight-decay", recipe.weight_decay), option("--smoothing", recipe.smoothing);
  option("--dropout", recipe.dropout), option("--crop", recipe.crop);
  option("--warp", recipe.warp), option("--stretch", recipe.stretch), option("--shift", recipe.shift);
  option("--noise", recipe.noise), option("--seed", recipe.seed);
  CLI11_PARSE(app, argc, argv);

  std::vector<Series> all;
  if (const krait::Status status = speaker::read_series(data, all); !status) {
    std::fprintf(stderr, "train: %s\n", status.message().c_str());
    return 1;
  }
  std::erase_if(all, [&](const Series& series) { return series.speaker + 1 == without; });
  if (all.size() < std::max<std::size_t>(folds, 1)) {
    std::fprintf(stderr, "train: %s: found %zu series, wanted at least %zu\n", data.c_str(), all.size(), folds + (folds == 0));
    return 1;
  }

  static Model<> model;
  if (folds > 0) {
    speaker::Evaluation sum;
    for (std::size_t seed = 0; seed < seeds; ++seed) {
      for (std::size_t fold = 0; fold < folds; ++fold) {
        speaker::train(speaker::part_of(all, fold, folds, false), recipe, model, [](std::size_t, float) {});
        const auto [wrong, nats] = speaker::evaluate(model, speaker::part_of(all, fold, folds, true));
        sum.wrong += wrong, sum.nats += nats;
        std::fprintf(stderr, "fold %zu/%zu: %zu wrong so far\n", fold + 1, folds, sum.wrong);
      }
      ++recipe.seed;
    }
    std::printf("wrong %zu of %zu, cross-entropy %.4f nats\n", sum.wrong, seeds * all.size(),
                sum.nats / static_cast<double>(seeds * all.size()));
    return 0;
  }
  speaker::train(all, recipe, model, [&](std::size_t epoch, float loss) {
    if (epoch % 10 > 0) return;
    std::fprintf(stderr, "epoch %zu/%zu  loss %.3f nats\n", epoch, recipe.epochs, static_cast<double>(loss));
  });
  const std::string source =
      "Japanese Vowels, by M. Kudo, J. Toyama and M. Shimbo, doi 10.24432/C5NS47, CC BY 4.0; training series";
  if (const krait::Status status = krait::save_file(model, out, {{"trained on", source}}); !status) {
    std::fprintf(stderr, "train: %s\n", status.message().c_str());
    return 1;
  }
}
