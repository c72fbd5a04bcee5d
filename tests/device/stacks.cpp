// Prints the stack that a step uses, for models of many kinds and dims. The weights are zeros, because stack frames do not
// depend on them.
#include "stacks.hpp"

#include "../../examples/firmware/firmware.hpp"

namespace {

struct Paint {
  template <class Model>
  void operator()(std::string_view name, std::type_identity<Model>) const {
    static constinit Model model{};
    static constinit krait::State<Model> state{};
    static constinit krait::Scratch<Model> scratch{};
    static constinit krait::Tensor<float, Model::d_out> y{};
    static constinit stacks::Input<Model> x{};
    const std::size_t used = firmware::stack_used([] {
      krait::step(model, state, x, y, scratch);
      krait::step(model, state, x, y, scratch);  // again, because the first token of a convolution has no output to process
    });
    (firmware::Line() << name << " stack " << used << " bound " << krait::step_stack_bytes<Model>).print();
  }
};

}  // namespace

int main() {
  stacks::for_each<krait::Storage::STACKS_STORAGE>(Paint{});
  firmware::exit(0);
}
