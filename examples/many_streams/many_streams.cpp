// Runs one model on a hundred sensors. Each sensor plays recorded series of speech, one frame per tick. A series joins the
// streams at its first frame and leaves them at its last frame, whose scores identify the speaker. Afterwards all series are
// processed alone, one after the other, which must give the same bits.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include <krait/streams.hpp>

#include "../speaker/series.hpp"
#include "threads.hpp"

namespace {

constexpr std::size_t sensors = 100;
constexpr int rounds = 10;  // each round is measured, and the fastest is printed
using Model = speaker::Model<>;
using Streams = krait::Streams<Model, sensors, sensors>;
using Clock = std::chrono::steady_clock;

struct Sensor {
  std::size_t series;  // the number of the current or, during a pause, the next series
  std::size_t pause;   // ticks until the series begins
  std::size_t frame = 0;
  std::size_t stream = Streams::full;
};

// Returns the pause before a series, 0 to 19 ticks.
std::size_t pause_before(std::size_t series) { return krait::random_bits(krait::key(1), series) % 20; }

// Plays all series, where sensor s plays the series s, s + sensors, ... Writes the scores of each series, and returns the
// largest number of streams at the same time.
std::size_t play_together(const std::vector<speaker::Series>& all, Streams& streams, Threads& threads,
                          std::vector<speaker::Scores>& scores_of) {
  std::vector<Sensor> playing;
  for (std::size_t s = 0; s < std::min(sensors, all.size()); ++s) playing.push_back({.series = s, .pause = pause_before(s)});
  std::size_t most = 0;
  while (!playing.empty()) {
    std::vector<Sensor*> active;
    for (Sensor& sensor : playing) {
      if (sensor.pause > 0) --sensor.pause;
      else active.push_back(&sensor);
    }
    // Only streams that end need an output. They are moved to the front, because `step` writes the outputs of the first
    // streams.
    const auto ends = [&](const Sensor* sensor) { return sensor->frame + 1 == all[sensor->series].frames.size(); };
    const auto ending = static_cast<std::size_t>(std::partition(active.begin(), active.end(), ends) - active.begin());

    std::vector<std::size_t> ids;
    std::vector<speaker::Frame> frames;
    for (Sensor* sensor : active) {
      if (sensor->frame == 0) sensor->stream = streams.join();
      ids.push_back(sensor->stream);
      frames.push_back(all[sensor->series].frames[sensor->frame++]);
    }
    std::vector<speaker::Scores> scores(ending);
    streams.step(ids, frames, scores, threads);
    most = std::max(most, streams.size());

    for (std::size_t i = 0; i < ending; ++i) {
      streams.leave(ids[i]);
      scores_of[active[i]->series] = scores[i];
      const std::size_t next = active[i]->series + sensors;
      *active[i] = {.series = next, .pause = next < all.size() ? pause_before(next) : 0};
    }
    std::erase_if(playing, [&](const Sensor& sensor) { return sensor.series >= all.size(); });
  }
  return most;
}

void play_alone(const std::vector<speaker::Series>& all, const Model& model, std::vector<speaker::Scores>& scores_of) {
  krait::Scratch<Model> scratch;
  for (std::size_t i = 0; i < all.size(); ++i) {
    krait::State<Model> state;
    for (std::size_t t = 0; t + 1 < all[i].frames.size(); ++t)
      krait::step(model, state, all[i].frames[t], krait::no_output, scratch);
    krait::step(model, state, all[i].frames.back(), scores_of[i], scratch);
  }
}

template <class Play>
void measure(const char* name, const std::vector<speaker::Series>& all, const std::vector<speaker::Scores>& scores_of,
             Play play) {
  double best = 1e9;
  for (int round = 0; round < rounds; ++round) {
    const auto start = Clock::now();
    play();
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  std::size_t right = 0, tokens = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    right += speaker::likeliest(scores_of[i]) == all[i].speaker;
    tokens += all[i].frames.size();
  }
  std::printf("%s: %zu of %zu right, %.0f tokens/s\n", name, right, all.size(), static_cast<double>(tokens) / best);
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t count = 1;
  CLI::App app{"Runs the speaker model on the series of a hundred sensors together."};
  app.add_option("--threads", count, "number of threads")->check(CLI::Range(1, 64))->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  static Model model;
  std::vector<speaker::Series> all;
  if (!speaker::load_files("many_streams", KRAIT_EXAMPLE_MODEL, KRAIT_EXAMPLE_DATA, model, all)) return 1;

  static Streams streams{model};
  Threads threads{count};
  std::vector<speaker::Scores> together(all.size()), alone(all.size());
  std::size_t most = 0;
  measure("together", all, together, [&] { most = play_together(all, streams, threads, together); });
  measure("alone", all, alone, [&] { play_alone(all, model, alone); });
  const bool equal = std::memcmp(together.data(), alone.data(), all.size() * sizeof(speaker::Scores)) == 0;
  std::printf("up to %zu streams at a time; the scores have %s bits\n", most, equal ? "the same" : "other");
  return equal ? 0 : 1;
}
