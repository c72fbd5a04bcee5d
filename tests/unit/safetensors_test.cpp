#include "krait/io/safetensors.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>

#include "container.hpp"
#include "krait/load.hpp"
#include "krait/nn/linear.hpp"

using krait::Problem;

namespace {

// A layer with weight [2, 3] and bias [2]. The headers in this source file are written with ' in place of ", for legibility.
using Layer = krait::Linear<krait::LinearDims{.d_in = 3, .d_out = 2, .bias = true}>;
const std::string good_header = "{'weight':{'dtype':'F32','shape':[2,3],'data_offsets':[0,24]},"
                                "'bias':{'dtype':'F32','shape':[2],'data_offsets':[24,32]}}";

Container container(std::string header, std::size_t data_bytes = 32) {
  std::replace(header.begin(), header.end(), '\'', '"');
  return {header, std::string(data_bytes, '\0')};
}

Bytes raw(const std::string& content) {
  Bytes bytes(content.size());
  std::transform(content.begin(), content.end(), bytes.begin(), Container::to_byte);
  return bytes;
}

Layer* marked(Layer* layer) { return std::memset(static_cast<void*>(layer), 0x5A, sizeof(Layer)), layer; }

// Checks that load rejects the file with exactly this error and leaves every byte of the layer unchanged.
void refused(std::span<const std::byte> file, Problem problem, const std::string& where, const std::string& found,
             const std::string& wanted) {
  alignas(Layer) static Layer layer, before;
  marked(&before);
  const krait::Status status = krait::load(file, *marked(&layer));
  CHECK_FALSE(status);
  CHECK(status.problem == problem);
  CHECK(std::string(status.where) == where);
  CHECK(std::string(status.found) == found);
  CHECK(std::string(status.wanted) == wanted);
  const std::string what(krait::Status::what(problem));
  CHECK(std::string(status.message()) ==
        (where.empty() ? "" : where + ": ") + what + ": found " + found + ", wanted " + wanted);
  CHECK(std::memcmp(&layer, &before, sizeof(Layer)) == 0);
}

const std::string object_wanted = "a JSON object for each tensor name", numbers_wanted = "non-negative integers",
                  fields_wanted = "an entry with the fields dtype, shape and data_offsets",
                  arrays_wanted = "an array for shape and data_offsets",
                  negative = "a negative number in a shape or in data_offsets",
                  values_wanted = "strings as the values in __metadata__",
                  not_whole = "a number that is not an integer, or exceeds 2^64 - 1";

std::string repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

// A damage to a file: `replacement` replaces `part` of good_header (all of it if `part` is empty). `load` must return the error
// of the other members.
struct Damage {
  std::string title, part, replacement;
  Problem problem;
  std::string where, found, wanted;
};
const Damage damages[] = {
    // damages to the header as a whole
    {"no header", "", "", Problem::header_form, "", "a header that does not begin with {", "a JSON object"},
    {"a space first", "", " {}", Problem::header_form, "", "a header that does not begin with {", "a JSON object"},
    {"an array", "", "[]", Problem::header_form, "", "a header that does not begin with {", "a JSON object"},
    {"not closed", "}}", "}", Problem::header_not_json, "", "an error at character 120", "a JSON header in UTF-8"},
    {"more behind it", "}}", "}}}", Problem::header_not_json, "", "an error at character 121", "a JSON header in UTF-8"},
    {"a second object", "}}", "}}{}", Problem::header_not_json, "", "an error at character 121", "a JSON header in UTF-8"},
    {"a zero behind it", "}}", std::string("}}\0oddments", 11),
     Problem::header_not_json, "", "a zero byte at character 121", "a JSON header in UTF-8"},
    {"a zero in a name", "bias", std::string("bi\0as", 5),
     Problem::header_not_json, "", "a zero byte at character 66", "a JSON header in UTF-8"},
    {"no UTF-8 in a name", "bias", "bi\xFF" "as",
     Problem::header_not_json, "", "an error at character 66", "a JSON header in UTF-8"},
    {"half a character of UTF-8", "bias", "bia\xC3",
     Problem::header_not_json, "", "an error at character 68", "a JSON header in UTF-8"},
    {"half of a surrogate pair", "bias", "\\uD800",
     Problem::header_not_json, "", "an error at character 70", "a JSON header in UTF-8"},
    {"a comma too many", "[2,3]", "[2,3,]", Problem::header_not_json, "", "an error at character 39", "a JSON header in UTF-8"},
    {"a comment", "[2,3]", "[2,/**/3]", Problem::header_not_json, "", "an error at character 37", "a JSON header in UTF-8"},
    {"no names", "", "{}", Problem::hole, "data", "32 bytes at the end", "none"},
    // damages to an entry of the header
    {"null for an entry", "", "{'weight':null}", Problem::header_form, "weight", "null", object_wanted},
    {"true for an entry", "", "{'weight':true}", Problem::header_form, "weight", "a boolean, true or false", object_wanted},
    {"a string for an entry", "", "{'weight':'F32'}", Problem::header_form, "weight", "a string", object_wanted},
    {"a number for an entry", "", "{'weight':32}", Problem::header_form, "weight", "a number", object_wanted},
    {"an array for an entry", "", "{'weight':[]}", Problem::header_form, "weight", "an array", object_wanted},
    {"nested too deep", "", "{'weight':" + repeated("[", 100'000),
     Problem::header_form, "weight", "an array", object_wanted},
    {"objects nested too deep", "'F32'", "{'a':{'a':{'a':",
     Problem::header_form, "weight", "an object", "a string for the dtype"},
    {"no fields", "", "{'weight':{}}",
     Problem::header_form, "weight", "a tensor entry that lacks a required field", fields_wanted},
    {"no dtype", "'dtype':'F32',", "",
     Problem::header_form, "weight", "a tensor entry that lacks a required field", fields_wanted},
    {"no shape", "'shape':[2,3],", "",
     Problem::header_form, "weight", "a tensor entry that lacks a required field", fields_wanted},
    {"no offsets", ",'data_offsets':[0,24]", "",
     Problem::header_form, "weight", "a tensor entry that lacks a required field", fields_wanted},
    {"another field", "'dtype':", "'device':", Problem::header_form, "weight", "field device", fields_wanted},
    {"a field twice", "'dtype':", "'shape':[2,3],'dtype':",
     Problem::duplicate, "weight", "the field shape twice", "one"},
    // damages to a dtype
    {"null for a dtype", "'F32'", "null", Problem::header_form, "weight", "null", "a string for the dtype"},
    {"a number for a dtype", "'F32'", "32", Problem::header_form, "weight", "a number", "a string for the dtype"},
    {"an array for a dtype", "'F32'", "['F32']", Problem::header_form, "weight", "an array", "a string for the dtype"},
    {"an unknown dtype", "'F32'", "'F33'", Problem::bad_dtype, "weight", "F33", "F32, F16 or BF16"},
    {"an unknown dtype of another size", "'F32','shape':[2]", "'F33','shape':[7]",
     Problem::bad_dtype, "bias", "F33", "F32, F16 or BF16"},
    {"a dtype in lower case", "'F32'", "'f32'", Problem::bad_dtype, "weight", "f32", "F32, F16 or BF16"},
    {"an empty dtype", "'F32'", "''", Problem::bad_dtype, "weight", "an empty string", "F32, F16 or BF16"},
    {"a dtype of four bits", "'F32','shape':[2,3]", "'F4','shape':[16,3]",
     Problem::bad_dtype, "weight", "F4", "F32, F16 or BF16"},
    {"four bits, a byte too few", "'F32','shape':[2,3]", "'F4','shape':[17,3]",
     Problem::bad_shape, "weight", "204 bits for F4[17, 3]", "a whole number of bytes"},
    {"six bits, no whole byte", "'F32','shape':[2,3]", "'F6_E3M2','shape':[3]",
     Problem::bad_shape, "weight", "18 bits for F6_E3M2[3]", "a whole number of bytes"},
    {"six bits, a group too many", "'F32','shape':[2,3]", "'F6_E2M3','shape':[36]",
     Problem::bad_offsets, "weight", "24 bytes", "27 bytes for F6_E2M3[36]"},
    {"one byte, one element too many", "'F32','shape':[2]", "'F8_E8M0','shape':[9]",
     Problem::bad_offsets, "bias", "8 bytes", "9 bytes for F8_E8M0[9]"},
    {"complex numbers, one too few", "'F32','shape':[2,3]", "'C64','shape':[2]",
     Problem::bad_offsets, "weight", "24 bytes", "16 bytes for C64[2]"},
    {"an unknown dtype behind the data", "'F32','shape':[2],'data_offsets':[24,32]",
     "'F33','shape':[2],'data_offsets':[24,40]",
     Problem::bad_offsets, "bias", "[24, 40]", "ascending offsets of at most 32"},
    {"an unknown dtype over another tensor", "'F32','shape':[2],'data_offsets':[24,32]",
     "'F33','shape':[2],'data_offsets':[23,32]",
     Problem::overlap, "bias", "begin 23", "begin 24"},
    {"an unknown dtype with too many elements", "'F32','shape':[2]", "'F33','shape':[4294967296,4294967296]",
     Problem::bad_shape, "bias", "[4294967296, 4294967296]", "a tensor smaller than 2^64 bits"},
    {"a dtype of floats that does not load", "'dtype':'F32','shape':[2],", "'dtype':'F64','shape':[1],",
     Problem::bad_dtype, "bias", "F64", "F32, F16 or BF16"},
    {"a dtype of integers", "'F32','shape':[2,3]", "'I32','shape':[2,3]",
     Problem::bad_dtype, "weight", "I32", "F32, F16 or BF16"},
    // damages to a shape
    {"null for a shape", "[2,3]", "null", Problem::header_form, "weight", "null", arrays_wanted},
    {"a number for a shape", "[2,3]", "6", Problem::header_form, "weight", "a number", arrays_wanted},
    {"a string for a shape", "[2,3]", "'2,3'", Problem::header_form, "weight", "a string", arrays_wanted},
    {"an object for a shape", "[2,3]", "{}", Problem::header_form, "weight", "an object", arrays_wanted},
    {"an array in a shape", "[2,3]", "[[2,3]]", Problem::header_form, "weight", "an array", numbers_wanted},
    {"an object in a shape", "[2,3]", "[2,{}]", Problem::header_form, "weight", "an object", numbers_wanted},
    {"a string in a shape", "[2,3]", "[2,'3']", Problem::header_form, "weight", "a string", numbers_wanted},
    {"null in a shape", "[2,3]", "[2,null]", Problem::header_form, "weight", "null", numbers_wanted},
    {"false in a shape", "[2,3]", "[2,false]", Problem::header_form, "weight", "a boolean, true or false", numbers_wanted},
    {"a negative extent", "[2,3]", "[-2,-3]", Problem::header_form, "weight", negative, numbers_wanted},
    {"an extent that is not whole", "[2,3]", "[2,3.5]",
     Problem::header_form, "weight", not_whole, numbers_wanted},
    {"an extent with a point", "[2,3]", "[2,3.0]",
     Problem::header_form, "weight", not_whole, numbers_wanted},
    {"an extent of 2^64", "[2,3]", "[18446744073709551616]",
     Problem::header_form, "weight", not_whole, numbers_wanted},
    {"an extent beyond floats", "[2,3]", "[1e999]",
     Problem::header_not_json, "", "an error at character 39", "a JSON header in UTF-8"},
    {"a size over 64 bits", "[2,3]", "[4611686018427387905]",
     Problem::bad_shape, "weight", "[4611686018427387905]", "a tensor smaller than 2^64 bits"},
    {"a size that comes round to the right one", "[2,3]", "[4294967296,4294967296,6]",
     Problem::bad_shape, "weight", "[4294967296, 4294967296, 6]", "a tensor smaller than 2^64 bits"},
    {"too many extents", "[2,3]", "[2,3" + repeated(",1", 63) + "]",
     Problem::bad_shape, "weight", "more than 64 dimensions", "64 at most"},
    {"a shape too large for its data", "[2,3]", "[2,4]",
     Problem::bad_offsets, "weight", "24 bytes", "32 bytes for F32[2, 4]"},
    {"a shape of nothing", "[2,3]", "[2,0]", Problem::bad_offsets, "weight", "24 bytes", "0 bytes for F32[2, 0]"},
    {"a shape transposed", "[2,3]", "[3,2]", Problem::bad_shape, "weight", "[3, 2]", "[2, 3]"},
    {"a shape flat", "[2,3]", "[6]", Problem::bad_shape, "weight", "[6]", "[2, 3]"},
    {"an axis too many", "[2,3]", "[2,3,1]", Problem::bad_shape, "weight", "[2, 3, 1]", "[2, 3]"},
    // damages to data_offsets
    {"a number for offsets", "[0,24]", "0", Problem::header_form, "weight", "a number", arrays_wanted},
    {"no number in offsets", "[0,24]", "[]", Problem::bad_offsets, "weight", "0 numbers", "2: begin and end"},
    {"one number in offsets", "[0,24]", "[0]", Problem::bad_offsets, "weight", "1 number", "2: begin and end"},
    {"three numbers in offsets", "[0,24]", "[0,24,24]",
     Problem::bad_offsets, "weight", "3 numbers", "2: begin and end"},
    {"a negative offset", "[0,24]", "[-24,0]", Problem::header_form, "weight", negative, numbers_wanted},
    {"an offset that is not whole", "[0,24]", "[0,2.4e1]",
     Problem::header_form, "weight", not_whole, numbers_wanted},
    {"the end before the begin", "[0,24]", "[24,0]", Problem::bad_offsets, "weight", "[24, 0]",
     "ascending offsets of at most 32"},
    {"an end behind the data", "[24,32]", "[24,33]", Problem::bad_offsets, "bias", "[24, 33]",
     "ascending offsets of at most 32"},
    {"offsets near 2^64", "[24,32]", "[18446744073709551608,18446744073709551615]",
     Problem::bad_offsets, "bias", "[18446744073709551608, 18446744073709551615]", "ascending offsets of at most 32"},
    {"offsets that come round to the right size", "[24,32]", "[18446744073709551615,7]",
     Problem::bad_offsets, "bias", "[18446744073709551615, 7]", "ascending offsets of at most 32"},
    {"too few bytes", "[24,32]", "[24,28]", Problem::bad_offsets, "bias", "4 bytes", "8 bytes for F32[2]"},
    {"an overlap", "[24,32]", "[20,28]", Problem::overlap, "bias", "begin 20", "begin 24"},
    {"an overlap of all", "[24,32]", "[0,8]", Problem::overlap, "weight", "begin 0", "begin 8"},
    {"nothing within another's data", "'bias'", "'none':{'dtype':'U8','shape':[0],'data_offsets':[9,9]},'bias'",
     Problem::overlap, "none", "begin 9", "begin 24"},
    {"bytes over at the end", "{'dtype':'F32','shape':[2],'data_offsets':[24,32]}", "{'dtype':'F32','shape':[1],'data_offsets':[24,28]}",
     Problem::hole, "data", "4 bytes at the end", "none"},
    {"bytes over in between", "'F32','shape':[2],'data_offsets':[24,32]", "'F16','shape':[2],'data_offsets':[28,32]",
     Problem::hole, "bias", "4 bytes before it", "none"},
    {"bytes over at the begin", "'F32','shape':[2,3],'data_offsets':[0,24]", "'F16','shape':[2,3],'data_offsets':[12,24]",
     Problem::hole, "weight", "12 bytes before it", "none"},
    // damages to names
    {"a name twice", "'bias'", "'weight'", Problem::duplicate, "weight", "a second entry with the same name", "one"},
    {"a name twice, spelled differently", "'bias'", "'w\\u0065ight'",
     Problem::duplicate, "weight", "a second entry with the same name", "one"},
    {"a name misspelled", "'bias'", "'bia'", Problem::missing, "bias", "no tensor of this name", "shape [2]"},
    {"a name more", "'bias'", "'none':{'dtype':'U8','shape':[0],'data_offsets':[0,0]},'bias'",
     Problem::unknown, "none", "shape [0]", "a name of a parameter, or a name in LoadOptions::ignore"},
    {"an empty name", "'bias'", "'':{'dtype':'U8','shape':[0],'data_offsets':[0,0]},'bias'",
     Problem::unknown, "", "shape [0]", "a name of a parameter, or a name in LoadOptions::ignore"},
    // damages to __metadata__
    {"metadata twice", "{'weight'", "{'__metadata__':{},'__metadata__':{},'weight'",
     Problem::duplicate, "__metadata__", "a second entry with the same name", "one"},
    {"a key of metadata twice", "{'weight'", "{'__metadata__':{'a':'','a':''},'weight'",
     Problem::duplicate, "a", "a second value", "one"},
    {"metadata that is a string", "{'weight'", "{'__metadata__':'a','weight'",
     Problem::header_form, "__metadata__", "a string", object_wanted},
    {"a number in metadata", "{'weight'", "{'__metadata__':{'a':1},'weight'",
     Problem::header_form, "a", "a number", values_wanted},
    {"an object in metadata", "{'weight'", "{'__metadata__':{'a':{}},'weight'",
     Problem::header_form, "a", "an object", values_wanted},
    {"an array in metadata", "{'weight'", "{'__metadata__':{'a':[]},'weight'",
     Problem::header_form, "a", "an array", values_wanted},
};

}  // namespace

TEST_CASE("load accepts a safetensors header with its entries in any order, with white space and with metadata") {
  static Layer layer;
  for (const std::string& header :
       {good_header, good_header + "   ",
        std::string("{ '__metadata__' : {'by':'hand', 'to':''},\n'bias':{'data_offsets':[24,32],'shape':[2],'dtype':'F32'},\t"
                    "'weight':{'shape':[2,3],'dtype':'F32','data_offsets':[0,24]} }")}) {
    CAPTURE(header);
    CHECK(krait::load(container(header).bytes(), *marked(&layer)));
    CHECK(layer.weight.values == decltype(layer.weight.values){});
  }
}

TEST_CASE("load rejects every kind of damaged safetensors header, names the fault, and leaves the layer unchanged") {
  for (const Damage& damage : damages) {
    std::string header = good_header;
    const std::size_t at = damage.part.empty() ? 0 : header.find(damage.part);
    REQUIRE(at != std::string::npos);
    header.replace(at, damage.part.empty() ? header.size() : damage.part.size(), damage.replacement);
    INFO(damage.title << ": " << header.substr(0, 200));
    refused(container(header).bytes(), damage.problem, damage.where, damage.found, damage.wanted);
  }
}

TEST_CASE("parse rejects a tensor of 2^64 bits or more, but accepts any shape that contains a 0, as a tensor of 0 bytes") {
  using Shape = std::vector<std::uint64_t>;
  const auto file = [](const Shape& shape, std::size_t data_bytes) {
    return file_of({{"other", {"U8", shape, std::string(data_bytes, '\0')}}});
  };
  const auto problem_of = [](const Bytes& bytes) {
    krait::safetensors::File parsed;
    return krait::safetensors::parse(bytes, parsed).problem;
  };
  const std::uint64_t large = std::uint64_t{1} << 40, largest = ~std::uint64_t{0};
  for (Shape shape : {Shape{0, large, large}, {0, 3, largest}, {0, 0, largest, largest}}) {
    std::sort(shape.begin(), shape.end());
    do {
      CHECK(problem_of(file(shape, 0)) == Problem::none);
      CHECK(problem_of(file(shape, 1)) == Problem::bad_offsets);
    } while (std::next_permutation(shape.begin(), shape.end()));
  }
  const std::uint64_t half = std::uint64_t{1} << 31;  // 2^31 * 2^30 bytes are 2^64 bits
  for (Shape shape : {Shape{1, half / 2, half}, {1, large, large}, {1, 2, largest}}) {
    std::sort(shape.begin(), shape.end());
    do {
      for (const std::size_t data_bytes : {0u, 1u, 2u}) CHECK(problem_of(file(shape, data_bytes)) == Problem::bad_shape);
    } while (std::next_permutation(shape.begin(), shape.end()));
  }
  CHECK(problem_of(file({half / 2, half - 1}, 1)) == Problem::bad_offsets);
}

TEST_CASE("a tensor that is listed in `ignore` or does not start with the prefix may have any dtype, even an unknown one") {
  struct Size {
    std::string dtype;
    std::uint64_t elements, bytes;
  };
  const Size sizes[] = {
      {"F4", 6, 3},      {"F6_E2M3", 16, 12}, {"F6_E3M2", 4, 3}, {"F8_E4M3", 3, 3}, {"F8_E5M2", 3, 3}, {"F8_E8M0", 3, 3},
      {"F8_E4M3FNUZ", 3, 3}, {"F8_E5M2FNUZ", 3, 3}, {"BOOL", 3, 3}, {"U8", 3, 3}, {"I8", 3, 3}, {"U16", 3, 6}, {"I16", 3, 6},
      {"U32", 3, 12},    {"I32", 3, 12},  {"U64", 3, 24},  {"I64", 3, 24},  {"F16", 3, 6},  {"BF16", 3, 6},  {"F32", 3, 12},
      {"F64", 3, 24},    {"C64", 3, 24},  {"I4", 5, 3},    {"F128", 1, 0},  {"", 7, 1}};
  const std::string_view ignore[] = {"other"};
  static Layer layer;
  for (const Size& size : sizes) {
    CAPTURE(size.dtype);
    Checkpoint tensors{{"other", {size.dtype, {size.elements}, std::string(size.bytes, '\xFF')}},
                       {"bias", {"F32", {2}, std::string(8, '\0')}}, {"weight", {"F32", {2, 3}, std::string(24, '\0')}}};
    CHECK(krait::load(file_of(tensors), layer, {.ignore = ignore}));
    CHECK(krait::load(file_of(tensors), layer).problem == Problem::unknown);
    Checkpoint inside{{"other", tensors["other"]}};
    for (const std::string name : {"bias", "weight"}) inside["layer." + name] = tensors[name];
    CHECK(krait::load(file_of(inside), layer, {.prefix = "layer."}));
    if (std::none_of(std::begin(krait::safetensors::dtypes), std::end(krait::safetensors::dtypes),
                     [&](const auto& dtype) { return dtype.name == size.dtype; }))
      continue;
    tensors["other"].data += '\0';
    CHECK(krait::load(file_of(tensors), layer, {.ignore = ignore}).problem == Problem::bad_offsets);
  }
}

TEST_CASE("the error for a PyTorch pickle, GGUF or HDF5 file names its format, and a text is no safetensors file") {
  const std::string save = "a file from safetensors.torch.save_model(model, \"model.safetensors\")",
                    ours = "a safetensors file", zip = "a PyTorch pickle of torch.save, or another zip archive",
                    legacy = "a PyTorch pickle of torch.save in the legacy format";
  const std::tuple<std::string, std::string, std::string> files[] = {
      {std::string("PK\3\4\0\0\x08\x08\0\0", 10), zip, save},
      {"PK\3\4", zip, save}, {std::string("PK\3\4\0\0\0\0\0", 9), zip, save},
      {"\x80\2\x8A\x0A\x6C\xFC\x9C\x46\xF9", legacy, save}, {"\x80\2\x8A\x0A", legacy, save},
      {std::string("GGUF\3\0\0\0{", 9), "a GGUF file", ours}, {"\x89HDF\r\n\x1A\n\1", "an HDF5 file", ours}};
  for (const auto& [begin, found, wanted] : files) {
    refused(raw(begin), Problem::other_format, "", found, wanted);
    refused(raw(begin + std::string(100, 'a')), Problem::other_format, "", found, wanted);
  }
  refused(raw("# Krait, a text"), Problem::other_format, "", "other bytes at the start",
          "the length of a header in 8 bytes, then {");
  refused(raw("PK\3"), Problem::truncated, "header length", "3 bytes", "8 bytes");
  // The length field of a header of 0x04034B50 bytes starts with the same bytes as a zip archive.
  std::string text = good_header;
  std::replace(text.begin(), text.end(), '\'', '"');
  text.resize(0x04034B50, ' ');
  static Layer layer;
  CHECK(krait::load(Container{text, std::string(32, '\0')}.bytes(), *marked(&layer)));
}

TEST_CASE("an error message is printable ASCII: a ? replaces each other code point and each invalid byte") {
  const auto shown = [](std::string_view where) {
    const std::string text(krait::Status{Problem::missing, where, "a", "b"}.message());
    return text.substr(0, text.find(": parameter is missing: found a, wanted b"));
  };
  for (int first = 0; first < 256; ++first) {
    const char c = static_cast<char>(first);
    CHECK(shown(std::string("<") + c + ">") == (first >= ' ' && first <= '~' ? std::string("<") + c + ">" : "<?>"));
  }
  CHECK(shown("\u00E4\u20AC\U0001F40D\u007F\u0080\u07FF\u0800\uFFFF\U00010000\U0010FFFF") == std::string(10, '?'));
  CHECK(shown("a\xC3+") == "a?+");
  CHECK(shown("\xE2\x82+") == "??+");          // the third byte is missing
  CHECK(shown("\xC0\xAF\xE0\x80\xAF+") == "?????+");  // overlong encodings
  CHECK(shown("\xED\xA0\x80+") == "???+");      // a UTF-16 surrogate
  CHECK(shown("\xF4\x90\x80\x80+") == "????+");  // above U+10FFFF
  CHECK(shown("\xF8\x88\x80\x80\x80\xFE\xFF+") == "???????+");
  const krait::Status status{Problem::bad_dtype, "w", "F\u00E4\n", "b\xFF"};
  CHECK(std::string(status.message()) == "w: dtype is not supported: found F??, wanted b?");
}

TEST_CASE("load rejects a safetensors file truncated at any byte") {
  const Bytes file = container(good_header).bytes();
  const std::size_t data_begin = file.size() - 32;
  for (std::size_t size = 0; size < file.size(); ++size) {
    CAPTURE(size);
    const auto cut = std::span(file).first(size);
    const auto number = [](std::size_t count) { return std::to_string(count); };
    const auto bytes = [](std::size_t count) { return std::to_string(count) + (count == 1 ? " byte" : " bytes"); };
    if (size < 8)
      refused(cut, Problem::truncated, "header length", bytes(size), "8 bytes");
    else if (size < data_begin)
      refused(cut, Problem::truncated, "header", bytes(size - 8), bytes(data_begin - 8));
    else
      refused(cut, Problem::bad_offsets, "bias", "[24, 32]", "ascending offsets of at most " + number(size - data_begin));
  }
}

TEST_CASE("load rejects a file with a byte after the last tensor") {
  refused(container(good_header, 33).bytes(), Problem::hole, "data", "1 byte at the end", "none");
}

TEST_CASE("load rejects a header length above 100,000,000 bytes or beyond the end of the file") {
  Bytes file = container(good_header).bytes();
  const auto with_length = [&](std::uint64_t length) {
    for (std::size_t i = 0; i < 8; ++i) file[i] = static_cast<std::byte>(length >> 8 * i & 0xFF);
    return std::span<const std::byte>(file);
  };
  for (const std::uint64_t length : {std::uint64_t{100'000'001}, ~std::uint64_t{0} - 7, ~std::uint64_t{0}})
    refused(with_length(length), Problem::header_too_large, "", std::to_string(length) + " bytes", "100000000 bytes at most");
  refused(with_length(100'000'000), Problem::truncated, "header", std::to_string(file.size() - 8) + " bytes",
          "100000000 bytes");
}

TEST_CASE("a failed parse leaves the safetensors::File of an earlier parse unchanged") {
  krait::safetensors::File file;
  const Bytes good = container(good_header).bytes(), bad = container("{'weight':0}").bytes();
  REQUIRE(krait::safetensors::parse(good, file));
  CHECK_FALSE(krait::safetensors::parse(bad, file));
  REQUIRE(file.entries.size() == 2);
  REQUIRE(file.find("weight") != nullptr);
  CHECK(file.find("weight")->data.data() == good.data() + 8 + good_header.size());
  CHECK(file.find("weights") == nullptr);
}

TEST_CASE("an error message cuts a long tensor name between two characters, and shows control characters as ?") {
  const std::string long_name = std::string(95, 'a') + "\xC3\xA4";
  refused(container("{'" + long_name + "':0}").bytes(), Problem::header_form, std::string(95, 'a'), "a number",
          object_wanted);
  const Bytes file = container("{'\\u001b[31m\\u0000':0}").bytes();
  krait::safetensors::File parsed;
  CHECK(std::string(krait::safetensors::parse(file, parsed).message()) ==
        "?[31m?: header does not follow the safetensors format: found a number, wanted a JSON object for each tensor name");
}

namespace {
// Returns a tensor that contains the 65,536 values of a 16-bit type.
krait::safetensors::Entry all_halves(const Bytes& file) {
  krait::safetensors::File parsed;
  REQUIRE(krait::safetensors::parse(file, parsed));
  return *parsed.find("all");
}
Bytes all_halves_file(const std::string& dtype) {
  std::vector<std::uint16_t> all(65536);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint16_t>(i);
  return file_of({{"all", {dtype, {65536}, little_endian_bytes(all)}}});
}
}  // namespace

TEST_CASE("safetensors::element converts all 65,536 F16 numbers exactly") {
  const Bytes file = all_halves_file("F16");
  const auto entry = all_halves(file);
  for (std::uint32_t i = 0; i < 65536; ++i) {
    const int exponent = static_cast<int>(i >> 10 & 31), mantissa = static_cast<int>(i & 1023);
    const float value = krait::safetensors::element(entry, i);
    const bool right = exponent == 31 && mantissa != 0 ? std::isnan(value)
                       : exponent == 31                ? std::isinf(value)
                       : exponent == 0                 ? std::fabs(value) == std::ldexp(mantissa, -24)
                                                       : std::fabs(value) == std::ldexp(1024 + mantissa, exponent - 25);
    if (!right || std::signbit(value) != (i >= 32768)) FAIL("F16 " << i << " became " << value);
  }
}

TEST_CASE("safetensors::element converts each of the 65,536 BF16 numbers to the float32 with the same upper 16 bits") {
  const Bytes file = all_halves_file("BF16");
  const auto entry = all_halves(file);
  for (std::uint32_t i = 0; i < 65536; ++i)
    if (const auto bits = std::bit_cast<std::uint32_t>(krait::safetensors::element(entry, i)); bits != i << 16)
      FAIL("BF16 " << i << " became " << bits);
}
