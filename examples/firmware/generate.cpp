// Runs the text model on a board, with int8 weights in flash. Prints each character as soon as it is generated.
#include "firmware.hpp"

#include <krait.hpp>

#include "generate_int8.hpp"  // made by krait pack --type int8 --name weights

namespace {

using Model = weights::Model;
constexpr std::string_view prompt = "In the beginning";
constexpr std::size_t tokens = 240;

// All RAM that the program uses, except the stack.
constinit krait::State<Model> state{};
constinit krait::Scratch<Model> scratch{};
constinit krait::Tensor<float, Model::vocab_size> logits{};

void generate() {
  krait::Sampler sampler{.temperature = 0.7f, .seed = krait::key(1)};
  firmware::print(prompt);
  for (const char c : prompt) krait::step(weights::model(), state, static_cast<unsigned char>(c), logits, scratch);
  for (std::size_t i = 0; i < tokens; ++i) {
    const auto token = static_cast<unsigned char>(krait::sample(logits, sampler));
    const auto character = static_cast<char>(token);
    firmware::print({&character, 1});
    krait::step(weights::model(), state, token, logits, scratch);
  }
  firmware::print("\n");
}

}  // namespace

int main() {
  const std::size_t stack = firmware::stack_used(generate);
  (firmware::Line() << "state " << krait::state_bytes<Model> << " scratch " << krait::scratch_bytes<Model> << " logits "
                    << sizeof(logits) << " stack " << stack).print();
  firmware::exit(0);
}
