// Checks that the library's functions allocate no heap memory. The program replaces the C library's allocation functions. While
// the flag `armed` is set, the replacements end the program with exit code 42. The program sets the flag while it calls every
// function for every kind of layer. With an argument, it instead allocates memory while the flag is set, to show that
// allocations are detected: no_heap malloc|calloc|realloc|aligned|free|new|string.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include <unistd.h>

#include "every_layer.hpp"
#include <krait/init.hpp>

#ifndef __GLIBC__
int main() { return 77; }  // "skipped" in Meson, because the functions below are glibc's
#else
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);
}

namespace {

constexpr int bitten = 42;  // the exit code after an allocation while `armed` is set
volatile bool armed = false;
std::size_t allocations = 0;

void notice() {
  ++allocations;
  if (armed) _exit(bitten);
}

struct Armed {
  Armed() { armed = true; }
  ~Armed() { armed = false; }
};

}  // namespace

extern "C" {
void* malloc(std::size_t size) { notice(); return __libc_malloc(size); }
void* calloc(std::size_t count, std::size_t size) { notice(); return __libc_calloc(count, size); }
void* realloc(void* at, std::size_t size) { notice(); return __libc_realloc(at, size); }
void* memalign(std::size_t alignment, std::size_t size) { notice(); return __libc_memalign(alignment, size); }
void* aligned_alloc(std::size_t alignment, std::size_t size) { notice(); return __libc_memalign(alignment, size); }
int posix_memalign(void** at, std::size_t alignment, std::size_t size) {
  notice();
  *at = __libc_memalign(alignment, size);
  return *at == nullptr;
}
void free(void* at) {
  if (at != nullptr) notice();
  __libc_free(at);
}
}

namespace {

void* volatile kept;  // volatile, so that compilers do not remove the allocations

void take_memory(std::string_view how) {
  void* const before = std::malloc(8);
  std::size_t size = 1000;
  const Armed trap;
  if (how == "malloc") kept = std::malloc(size);
  if (how == "calloc") kept = std::calloc(size, 2);
  if (how == "realloc") kept = std::realloc(before, size);
  if (how == "aligned") kept = std::aligned_alloc(64, 1024);
  if (how == "free") std::free(before);
  if (how == "new") kept = new char[size];
  if (how == "string") kept = std::string(size, 'x').data();
}

}  // namespace

int main(int count, char** words) {
  if (count > 1) {
    take_memory(words[1]);
    return 0;  // the allocation was not detected
  }
  int layers = 0;
  float sum = 0.0f;
  every_layer::for_each_layer([&]<class Layer>() {
    static Layer layer;
    layer = krait::init<Layer>(krait::key(5));
    {
      const Armed trap;
      sum += every_layer::use(layer);
    }
    ++layers;
  });
  std::printf("no heap allocation in any function of %d layers (sum of outputs: %g)\n", layers, static_cast<double>(sum));
  return allocations == 0 ? 1 : 0;  // printf allocates, so 0 allocations mean that the replacements are not called
}
#endif
