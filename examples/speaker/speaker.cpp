// Recognises the speakers of the test series of JapaneseVowels, frame by frame, with weights of each storage type.
#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "krait/convert.hpp"
#include "series.hpp"
#include "speaker.hpp"

namespace {

using krait::Storage;
using speaker::Series;
constexpr std::array storages{Storage::f32, Storage::bf16, Storage::f16, Storage::int8};
constexpr std::array storage_names{"f32", "bf16", "f16", "int8"};
constexpr std::size_t early_frames = 7;  // the length of the shortest series

// Returns the trained model with its weights rounded to a storage type.
template <Storage storage>
const speaker::Model<storage>& stored(const speaker::Model<>& trained) {
  static speaker::Model<storage> model;
  krait::convert(trained, model);
  return model;
}

template <Storage storage>
void print_accuracy(const speaker::Model<>& trained, const std::vector<Series>& all) {
  using Model = speaker::Model<storage>;
  const Model& model = stored<storage>(trained);
  krait::State<Model> state;
  krait::Scratch<Model> scratch;
  speaker::Scores scores;
  std::size_t right = 0, soon = 0;
  for (const Series& series : all) {
    const std::size_t heard = speaker::classify(
        model, state, scratch, series.frames, scores, [&](std::size_t frame, const speaker::Scores& so_far) {
          if (frame + 1 == early_frames) soon += speaker::likeliest(so_far) == series.speaker;
        });
    right += heard == series.speaker;
  }
  const auto share = [&](std::size_t count) { return 100.0 * static_cast<double>(count) / static_cast<double>(all.size()); };
  std::printf("%-7s  %3zu of %zu  %5.2f %%  %14.2f %%  %5zu  %5zu  %7zu\n", storage_names[static_cast<std::size_t>(storage)],
              right, all.size(), share(right), share(soon), krait::flash_bytes<Model>, krait::state_bytes<Model>,
              krait::scratch_bytes<Model>);
}

// Prints, after each frame of a series, the likeliest speaker and its probability (softmax of the scores).
template <Storage storage>
void print_frames(const speaker::Model<>& trained, const Series& series) {
  using Model = speaker::Model<storage>;
  krait::State<Model> state;
  krait::Scratch<Model> scratch;
  speaker::Scores last;
  std::printf("speaker %zu speaks\n", series.speaker + 1);
  speaker::classify(stored<storage>(trained), state, scratch, series.frames, last,
                    [](std::size_t frame, const speaker::Scores& scores) {
                      const std::size_t heard = speaker::likeliest(scores);
                      double sum = 0;
                      for (const float score : scores) sum += std::exp(static_cast<double>(score - scores[heard]));
                      std::printf("frame %2zu: speaker %zu, %3.0f %%\n", frame + 1, heard + 1, 100 / sum);
                    });
}

// Calls f(constant), where the constant's value is a storage type: the type named `wanted`, or each type if `wanted` is empty.
template <std::size_t... i, class F>
void for_each_storage(std::index_sequence<i...>, const std::string& wanted, F f) {
  ((wanted.empty() || wanted == storage_names[i] ? f(std::integral_constant<Storage, storages[i]>{}) : void()), ...);
}

}  // namespace

int main(int argc, char** argv) {
  std::string model_file = KRAIT_EXAMPLE_MODEL, data_file = KRAIT_EXAMPLE_DATA, storage;
  std::size_t number = 0;
  CLI::App app{"Tells nine speakers apart by their vowels, frame by frame."};
  app.add_option("--model", model_file, "checkpoint (safetensors)")->capture_default_str();
  app.add_option("--data", data_file, "series (safetensors: frames, lengths, speakers)")->capture_default_str();
  app.add_option("--storage", storage, "storage type of the weights; default: all types, one after the other")
      ->check(CLI::IsMember(std::vector<std::string>(storage_names.begin(), storage_names.end())));
  app.add_option("--series", number, "print the answer after each frame of this series; 0: print the accuracy over all series")->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  static speaker::Model<> trained;
  std::vector<Series> all;
  if (!speaker::load_files("speaker", model_file, data_file, trained, all)) return 1;
  if (number > all.size()) {
    std::cerr << "speaker: --series: found " << number << ", wanted at most " << all.size() << '\n';
    return 1;
  }
  if (number == 0) std::printf("storage  right       share    after %zu frames  flash  state  scratch\n", early_frames);
  for_each_storage(std::make_index_sequence<storages.size()>{}, storage, [&](auto type) {
    if (number == 0) print_accuracy<type.value>(trained, all);
    else print_frames<type.value>(trained, all[number - 1]);
  });
}
