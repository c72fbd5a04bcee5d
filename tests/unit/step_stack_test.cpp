// Checks on the host that step uses at most krait::step_stack_bytes of stack. The test fills the stack of a thread with a
// pattern, calls step, and looks for the lowest byte that changed.
#include <pthread.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "../device/stacks.hpp"

namespace {

constexpr std::size_t stack_size = 1 << 20;
alignas(4096) unsigned char stack[stack_size];
constexpr unsigned char paint = 0xA5;
constexpr std::size_t spared = 128;  // bytes below the frame that are not filled, because they contain the frame of paint_below
bool good = true;

// Fills the thread's stack with the pattern, from its lowest address up to the caller's frame.
[[gnu::noinline]] void paint_below(const unsigned char* frame) {
  std::memset(stack, paint, static_cast<std::size_t>(frame - stack) - spared);
}

template <class F>
[[gnu::noinline]] std::size_t painted_stack(F& f) {
  const auto* const frame = static_cast<const unsigned char*>(__builtin_frame_address(0));
  f();  // a first call, not measured, in which the dynamic linker resolves symbols on the same stack
  paint_below(frame);
  f();
  const unsigned char* lowest = stack;
  while (lowest < frame && *lowest == paint) ++lowest;
  return static_cast<std::size_t>(frame - lowest);
}

struct Paint {
  template <class Model>
  void operator()(std::string_view name, std::type_identity<Model>) const {
    const auto model = std::make_unique<Model>();
    const auto state = std::make_unique<krait::State<Model>>();
    const auto scratch = std::make_unique<krait::Scratch<Model>>();
    krait::Tensor<float, Model::d_out> y{};
    const stacks::Input<Model> x{};
    auto step = [&] { krait::step(*model, *state, x, y, *scratch); };
    const std::size_t used = painted_stack(step), bound = krait::step_stack_bytes<Model>;
    std::printf("%.*s: %zu bytes of stack, krait::step_stack_bytes %zu\n", static_cast<int>(name.size()), name.data(), used, bound);
    good = good && used <= bound && used > spared;
  }
};

void* run(void*) {
  stacks::for_each<krait::Storage::f32>(Paint{});
#ifndef __OPTIMIZE__  // these take long to compile with optimisation, and differ from f32 only in how weights are read
  stacks::for_each<krait::Storage::bf16>(Paint{});
  stacks::for_each<krait::Storage::f16>(Paint{});
#endif
  stacks::for_each<krait::Storage::int8>(Paint{});
  return nullptr;
}

}  // namespace

int main() {
  pthread_attr_t attributes;
  pthread_t thread;
  if (pthread_attr_init(&attributes) != 0 || pthread_attr_setstack(&attributes, stack, stack_size) != 0 ||
      pthread_create(&thread, &attributes, run, nullptr) != 0 || pthread_join(thread, nullptr) != 0)
    return std::puts("cannot create a thread with its own stack"), 1;
  return good ? 0 : 1;
}
