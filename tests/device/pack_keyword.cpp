// pack_keyword CHECKPOINT STORAGE OUTPUT
#include <cstdio>
#include <fstream>
#include <string_view>

#include <krait/convert.hpp>
#include <krait/io/file.hpp>
#include <krait/io/load.hpp>

#include "../../examples/keyword/keyword.hpp"

int main(int, char** argv) {
  std::vector<std::byte> bytes;
  if (const krait::Status s = krait::read_file(argv[1], bytes); !s) return 1;
  static keyword::Model<krait::Storage::f32> model;
  constexpr std::string_view ignore[] = {"input", "input_unit", "logits", "logits_unit", "mixer_input", "mixer_output", "mixer_output_unit"};
  if (const krait::Status s = krait::load(model, bytes, {.ignore = ignore}); !s) { std::puts(std::string(std::string_view(s.message())).c_str()); return 1; }
  std::ofstream out(argv[3], std::ios::binary);
  const auto write = [&]<krait::Storage storage>() {
    static keyword::Model<storage> other;
    krait::convert(model, other);
    out.write(reinterpret_cast<const char*>(&other), sizeof(other));
  };
  const std::string_view storage = argv[2];
  if (storage == "f32") write.operator()<krait::Storage::f32>();
  if (storage == "bf16") write.operator()<krait::Storage::bf16>();
  if (storage == "f16") write.operator()<krait::Storage::f16>();
  if (storage == "int8") write.operator()<krait::Storage::int8>();
}
