// Functions for programs on bare boards: print text, end the program, count instructions, and measure the stack of a call. They
// use semihosting and the core's own counters instead of stdio, so that the program needs neither a heap nor the C library's
// files. On a machine with an operating system, the same programs run, but the counts are 0.
#ifndef KRAIT_EXAMPLES_FIRMWARE_HPP
#define KRAIT_EXAMPLES_FIRMWARE_HPP

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <krait/core/text.hpp>

#ifdef __unix__
#include <cstdio>
#include <cstdlib>
#endif

namespace firmware {

#ifdef __unix__

inline void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }
[[noreturn]] inline void exit(std::uint32_t code) { std::exit(static_cast<int>(code)); }
inline void start_counter() {}
inline std::uint32_t ticks() { return 0; }
inline std::uint32_t ticks_between(std::uint32_t, std::uint32_t) { return 0; }
inline void known_loop(std::uint32_t) {}
template <class F>
std::size_t stack_used(F f) {
  f();
  return 0;
}

#else

// Makes a semihosting call: the debugger (or QEMU) executes `operation` with the data that `argument` points to.
inline std::uint32_t semihost(std::uint32_t operation, const void* argument) {
#if defined(__riscv)
  register std::uint32_t a0 asm("a0") = operation;
  register const void* a1 asm("a1") = argument;
  asm volatile(
      ".balign 16\n.option push\n.option norvc\nslli zero, zero, 0x1f\nebreak\nsrai zero, zero, 7\n.option pop"
      : "+r"(a0) : "r"(a1) : "memory");
  return a0;
#else
  register std::uint32_t r0 asm("r0") = operation;
  register const void* r1 asm("r1") = argument;
  asm volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
#endif
}

// Prints at most 198 characters, none of which may be the null character.
inline void print(std::string_view text) {
  constexpr std::uint32_t write0 = 0x04;
  krait::Text<200> terminated = krait::Text<198>(text);
  terminated += std::string_view("\0", 1);
  semihost(write0, terminated.characters.data());
}

[[noreturn]] inline void exit(std::uint32_t code) {
  constexpr std::uint32_t exit_extended = 0x20, application_exit = 0x20026;
  const std::uint32_t reason[2] = {application_exit, code};
  for (;;) semihost(exit_extended, reason);
}

// ticks() returns the value of the core's own counter, and ticks_between(before, after) the ticks between two values. On an Arm
// core, the counter is SysTick, which has 24 bits and counts cycles of the clock; with QEMU's `-icount shift=0` an instruction
// takes a nanosecond, so a tick is 10^9 / (clock in Hz) instructions. On RISC-V, the counter is minstret, which counts
// instructions.
#if defined(__riscv)
inline void start_counter() {}
inline std::uint32_t ticks() {
  std::uint32_t count;
  asm volatile("csrr %0, minstret" : "=r"(count)::"memory");
  return count;
}
inline std::uint32_t ticks_between(std::uint32_t before, std::uint32_t after) { return after - before; }
#else
inline volatile std::uint32_t& system_register(std::uintptr_t address) {
  return *reinterpret_cast<volatile std::uint32_t*>(address);
}
inline void start_counter() {
  system_register(0xE000E014) = 0xFFFFFF;  // SYST_RVR: counts down from the largest value
  system_register(0xE000E018) = 0;         // SYST_CVR
  system_register(0xE000E010) = 5;         // SYST_CSR: the core's clock, no interrupt
}
inline std::uint32_t ticks() {
  asm volatile("" ::: "memory");
  return system_register(0xE000E018);
}
inline std::uint32_t ticks_between(std::uint32_t before, std::uint32_t after) { return (before - after) & 0xFFFFFF; }
#endif

// Executes exactly 4 * rounds + 1 instructions, so that a program can measure how many instructions one tick is.
inline void known_loop(std::uint32_t rounds) {
#if defined(__riscv)
  asm volatile("1: nop\nnop\naddi %0, %0, -1\nbnez %0, 1b" : "+r"(rounds));
#else
  asm volatile(".syntax unified\n1: nop\nnop\nsubs %0, #1\nbne 1b" : "+l"(rounds)::"cc");
#endif
}

// stack_used(f) calls f() and returns the bytes of stack that the call used. It fills the free stack with a pattern before the
// call, and afterwards searches for the lowest word that the call has overwritten. The linker script defines the symbols
// __stack, the upper end of the stack, and __stack_size.
extern "C" std::byte __stack;
extern "C" std::byte __stack_size;
inline std::uint32_t* stack_pointer() {
  std::uint32_t* pointer;
#if defined(__riscv)
  asm volatile("mv %0, sp" : "=r"(pointer));
#else
  asm volatile("mov %0, sp" : "=r"(pointer));
#endif
  return pointer;
}
template <class F>
[[gnu::noinline]] void call(F& f) {
  f();
}
template <class F>
[[gnu::noinline]] std::size_t stack_used(F f) {
  constexpr std::uint32_t paint = 0xA5C3A5C3;
  std::byte* const bottom = &__stack - reinterpret_cast<std::uintptr_t>(&__stack_size);
  auto* const first = reinterpret_cast<volatile std::uint32_t*>(bottom);
  const volatile std::uint32_t* const here = stack_pointer();
  for (auto* word = first; word < here; ++word) *word = paint;
  call(f);
  auto* word = first;
  while (word < here && *word == paint) ++word;
  return static_cast<std::size_t>(here - word) * sizeof(*word);
}

#endif

// Line collects the text of a line, as in Line() << "error " << hex(bits), until print() prints it.
class Line {
 public:
  Line& operator<<(std::string_view words) {
    text_ += words;
    return *this;
  }
  Line& operator<<(std::unsigned_integral auto number) {
    text_ += number;
    return *this;
  }
  void print() const { firmware::print(text_ + "\n"); }

 private:
  krait::Text<197> text_;
};

inline krait::Text<16> hex(std::unsigned_integral auto number) {
  krait::Text<16> text;
  for (int shift = 8 * static_cast<int>(sizeof(number)) - 4; shift >= 0; shift -= 4)
    text += std::string_view(&"0123456789abcdef"[number >> shift & 15], 1);
  return text;
}
inline krait::Text<16> bits(float value) { return hex(std::bit_cast<std::uint32_t>(value)); }

}  // namespace firmware

#endif
