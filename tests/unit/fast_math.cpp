// Compiled with -ffast-math, this program loads files that contain NaN or infinities. `load` must reject each file and leave
// the layer unchanged. The numbers are written as bit patterns, because with -ffast-math a compiler may assume that no float is
// NaN or infinite.
#include <cstdio>
#include <cstring>
#include <string>

#include "container.hpp"
#include "krait/load.hpp"
#include "krait/nn/linear.hpp"

namespace {

constexpr std::size_t count = 67;  // more than one panel
int failures = 0;

struct Number {
  const char* title;
  std::string dtype, bytes;
};

Number f32(const char* title, std::uint32_t bits) { return {title, "F32", little_endian_bytes(std::vector{bits})}; }
Number half(const char* title, const char* dtype, std::uint16_t bits) {
  return {title, dtype, little_endian_bytes(std::vector{bits})};
}

// Returns a file with one tensor, all of whose elements are finite except element `at`.
Bytes file_with(const Number& number, std::size_t at, const std::string& name, std::vector<std::uint64_t> shape) {
  std::string data(number.bytes.size() * count, '\0');
  data.replace(number.bytes.size() * at, number.bytes.size(), number.bytes);
  return file_of({{name, {number.dtype, shape, data}}});
}

template <class Model>
void expect(bool accepted, const char* model_title, const Number& number, const std::string& name,
            std::vector<std::uint64_t> shape) {
  static Model model, before;
  for (const std::size_t at : {std::size_t{0}, std::size_t{31}, count - 1}) {
    std::memset(static_cast<void*>(&before), 0x5A, sizeof(Model));
    std::memcpy(static_cast<void*>(&model), &before, sizeof(Model));
    const krait::Status status = krait::load(file_with(number, at, name, shape), model);
    const bool unchanged = std::memcmp(&model, &before, sizeof(Model)) == 0;
    if (bool(status) == accepted && unchanged != accepted &&
        (accepted || status.problem == krait::Problem::not_finite))
      continue;
    std::printf("%s, %s as %s at %zu: wanted %s, found: %s\n", model_title, number.title, number.dtype.c_str(), at,
                accepted ? "no problem" : "a refusal", std::string(status.message()).c_str());
    ++failures;
  }
}

template <krait::Storage storage>
void check_storage(const char* title) {
  using Layer = krait::Linear<krait::LinearDims{.d_in = 1, .d_out = count, .storage = storage}>;
  const Number refused[] = {
      f32("NaN", 0x7FC00000u), f32("-NaN", 0xFFC00000u), f32("signalling NaN", 0x7F800001u), f32("infinity", 0x7F800000u),
      f32("-infinity", 0xFF800000u), half("NaN", "F16", 0x7E00), half("signalling NaN", "F16", 0xFC01),
      half("infinity", "F16", 0x7C00), half("-infinity", "F16", 0xFC00), half("NaN", "BF16", 0x7FC0),
      half("signalling NaN", "BF16", 0xFF81), half("infinity", "BF16", 0x7F80), half("-infinity", "BF16", 0xFF80)};
  for (const Number& number : refused) expect<Layer>(false, title, number, "weight", {count, 1});
  constexpr bool is_bf16 = storage == krait::Storage::bf16, is_f16 = storage == krait::Storage::f16;
  expect<Layer>(!is_f16, title, f32("65520", 0x477FF000u), "weight", {count, 1});
  expect<Layer>(!is_f16, title, half("-2^16", "BF16", 0xC780), "weight", {count, 1});
  expect<Layer>(!is_f16 && !is_bf16, title, f32("the largest F32", 0x7F7FFFFFu), "weight", {count, 1});
  expect<Layer>(true, title, f32("65519", 0x477FEF00u), "weight", {count, 1});
  expect<Layer>(true, title, half("the largest F16", "F16", 0x7BFF), "weight", {count, 1});
}

using Rates = krait::DecayRates<count, 1>;
struct Core { KRAIT_PARAMS(Core, (Rates, A_log)); };

}  // namespace

int main() {
  check_storage<krait::Storage::f32>("f32");
  check_storage<krait::Storage::bf16>("bf16");
  check_storage<krait::Storage::f16>("f16");
  check_storage<krait::Storage::int8>("int8");
  for (const Number& nan : {f32("NaN", 0x7FC00000u), half("NaN", "F16", 0x7E00), half("NaN", "BF16", 0xFFC0)})
    expect<Core>(false, "A_log", nan, "A_log", {count, 1});
  std::printf("%d failures\n", failures);
  return failures == 0 ? 0 : 1;
}
