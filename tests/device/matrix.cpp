// The program that matrix.py runs on boards: runs steps of the speaker and keyword models. Prints a hash of every frame's
// scores, a hash of the last state, the ticks of a step and the stack that a step uses. If MATRIX_FPU_MODES is defined as a
// list of values of the register FPSCR, the program runs only the speaker, once with each of these values.
#include "../../examples/firmware/firmware.hpp"

#include "speaker.hpp"

#include MATRIX_SPEAKER
#include "series.hpp"
#ifdef MATRIX_KEYWORD
#include MATRIX_KEYWORD
#include "recording.hpp"
#endif

namespace {

// Returns the FNV-1a hash of bytes, continued from `h`.
std::uint32_t hash(const void* data, std::size_t bytes, std::uint32_t h = 0x811C9DC5u) {
  for (std::size_t i = 0; i < bytes; ++i) h = (h ^ static_cast<const unsigned char*>(data)[i]) * 0x01000193u;
  return h;
}

template <class Model>
struct Memory {
  static constinit inline krait::State<Model> state{};
  static constinit inline krait::Scratch<Model> scratch{};
  static constinit inline krait::Tensor<float, Model::d_out> scores{};
};

// ticks_of_step is not inlined, so that all frames execute the same instructions.
template <class Model>
[[gnu::noinline]] std::uint32_t ticks_of_step(const Model& model, const krait::Tensor<float, Model::d_in>& x) {
  using M = Memory<Model>;
  const std::uint32_t before = firmware::ticks();
  krait::step(model, M::state, x, M::scores, M::scratch);
  return firmware::ticks_between(before, firmware::ticks());
}

template <class Model>
void show(std::string_view name, const Model& model, const auto& frames, std::size_t from, std::size_t to) {
  using M = Memory<Model>;
  M::state = {};
  const std::size_t stack =
      firmware::stack_used([&] { krait::step(model, M::state, frames[from], M::scores, M::scratch); });
  std::uint32_t scores = hash(&M::scores, sizeof(M::scores)), least = 0xFFFFFFFFu, most = 0;
  for (std::size_t t = from + 1; t < to; ++t) {
    const std::uint32_t ticks = ticks_of_step(model, frames[t]);
    least = std::min(least, ticks), most = std::max(most, ticks);
    scores = hash(&M::scores, sizeof(M::scores), scores);
  }
  (firmware::Line() << name << " scores " << firmware::hex(scores) << " state "
                    << firmware::hex(hash(&M::state, sizeof(M::state))) << " least " << least << " most " << most << " stack "
                    << stack << " bound " << krait::step_stack_bytes<Model>).print();
}

void show_speaker(std::string_view name) {
  for (std::size_t i = 0, at = 0; i < series::count; at += series::lengths[i++])
    show(name, weights::model(), series::frames, at, at + series::lengths[i]);
}

}  // namespace

int main() {
  firmware::start_counter();
#ifdef MATRIX_FPU_MODES
  for (const std::uint32_t mode : {MATRIX_FPU_MODES}) {
    asm volatile("vmsr fpscr, %0" : : "r"(mode) : "memory");
    show_speaker(firmware::hex(mode));
  }
#else
  show_speaker("speaker");
#ifdef MATRIX_KEYWORD
  show("keyword", keyword::model(), recording::frames, 0, std::size(recording::frames));
#endif
#endif
  firmware::exit(0);
}
