// Parses safetensors files (format: huggingface/safetensors, README "Format"). A file consists of the header's length in eight
// bytes, a JSON header with the name, dtype, shape and data offsets of each tensor, and the data. The parser is for hosts, not
// for microcontrollers, because it uses the heap.
#ifndef KRAIT_IO_SAFETENSORS_HPP
#define KRAIT_IO_SAFETENSORS_HPP

#include "krait/core/begin.hpp"
#ifndef KRAIT_REFUSED

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "krait/core/half.hpp"
#include "krait/core/status.hpp"

namespace krait::safetensors::inline KRAIT_BUILD {

// Dtype describes a dtype of safetensors 0.8 by its name and the number of bits of an element (safetensors/src/tensor.rs,
// Dtype::bitsize).
struct Dtype {
  std::string_view name;
  std::size_t bits;
};
inline constexpr Dtype dtypes[] = {
    {"F32", 32},    {"F16", 16},    {"BF16", 16},  {"F64", 64},        {"C64", 64},        {"BOOL", 8},
    {"I8", 8},      {"U8", 8},      {"I16", 16},   {"U16", 16},        {"I32", 32},        {"U32", 32},
    {"I64", 64},    {"U64", 64},    {"F8_E4M3", 8}, {"F8_E5M2", 8},    {"F8_E8M0", 8},     {"F8_E4M3FNUZ", 8},
    {"F8_E5M2FNUZ", 8}, {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"F4", 4}};

// OtherFormat describes a file format that users confuse with safetensors: the first bytes of its files, its name, and the file
// that the user should load.
struct OtherFormat {
  std::string_view magic, name, wanted;
};
inline constexpr std::string_view save_as_safetensors =
    "a file from safetensors.torch.save_model(model, \"model.safetensors\")";
inline constexpr OtherFormat other_formats[] = {
    {"PK\x03\x04", "a PyTorch pickle of torch.save, or another zip archive", save_as_safetensors},
    {"\x80\x02\x8A\x0A", "a PyTorch pickle of torch.save in the legacy format", save_as_safetensors},
    {"GGUF", "a GGUF file", "a safetensors file"},
    {"\x89HDF\r\n\x1A\n", "an HDF5 file", "a safetensors file"}};

// Entry is a tensor of a safetensors file. `data` refers to the parsed bytes, which are little-endian, row-major and unaligned.
// `dtype` may be a string that `dtypes` does not contain, because newer versions of the format may add dtypes. In this case,
// the size of `data` is not checked.
struct Entry {
  std::string name;
  std::string dtype;
  std::vector<std::uint64_t> shape;
  std::uint64_t begin = 0;  // offset in bytes from the start of the file's data
  std::uint64_t end = 0;    // offset of the first byte after the tensor
  std::span<const std::byte> data;
};

// File is the content of a parsed safetensors file.
struct File {
  std::vector<Entry> entries;                   // the tensors, sorted by name
  std::map<std::string, std::string> metadata;  // the strings of the header's __metadata__

  const Entry* find(std::string_view name) const {
    const auto found =
        std::partition_point(entries.begin(), entries.end(), [&](const Entry& entry) { return entry.name < name; });
    return found == entries.end() || found->name != name ? nullptr : &*found;
  }
};

// The largest header, in bytes, that the reference implementation of safetensors accepts.
inline constexpr std::uint64_t header_limit = 100'000'000;
// The largest number of extents in a shape, the same as PyTorch's. The limit bounds the memory that parsing a header takes.
inline constexpr std::size_t rank_limit = 64;

// Returns the unsigned integer that up to eight bytes represent in little-endian order.
inline std::uint64_t little_endian(std::span<const std::byte> bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | std::to_integer<std::uint64_t>(bytes[i]);
  return value;
}

// Returns a shape as a string, such as "[2, 3]".
template <class Extents>
Text<80> shape_text(const Extents& shape) {
  Text<80> text("[");
  bool first = true;
  for (const auto extent : shape) (text += first ? "" : ", ") += extent, first = false;
  return text += "]";
}

namespace detail {

// Returns a number in decimal, followed by `unit`.
inline Text<80> number(std::uint64_t value, std::string_view unit = "") { return (Text<80>() += value) += unit; }
// Returns a number with a unit in the singular or plural, such as "1 byte" or "2 bytes".
inline Text<80> count(std::uint64_t value, std::string_view unit) {
  return ((number(value, " ") += unit) += value == 1 ? "" : "s");
}

// HeaderReader receives the events of nlohmann-json's SAX parser for the header of a safetensors file. Its functions return
// false to stop parsing. It accepts only a JSON object of objects, whose values are strings and arrays of non-negative
// integers.
class HeaderReader {
 public:
  explicit HeaderReader(File& file) : file_(file) {}

  Status status;

  bool start_object(std::size_t) {
    if (place_ == Place::start) return enter(Place::file);
    if (place_ == Place::file) return enter(is_metadata_ ? Place::metadata : Place::entry);
    return wrong("an object");  // the format has no objects within the object of a tensor
  }
  bool end_object() {
    if (place_ == Place::entry && fields_ != (has_dtype | has_shape | has_offsets))
      return refuse(Problem::header_form, name_, "a tensor entry that lacks a required field",
                    "an entry with the fields dtype, shape and data_offsets");
    place_ = place_ == Place::file ? Place::start : Place::file;
    return true;
  }
  bool key(std::string& key) {
    if (place_ == Place::file) {
      name_ = key;
      is_metadata_ = key == "__metadata__";
      fields_ = 0;
      if (is_metadata_ && std::exchange(had_metadata_, true))
        return refuse(Problem::duplicate, key, "a second entry with the same name", "one");
      if (!is_metadata_) file_.entries.push_back({.name = key, .dtype = {}, .shape = {}, .data = {}});
      return true;
    }
    if (place_ == Place::metadata) {
      name_ = key;
      return file_.metadata.emplace(key, "").second || refuse(Problem::duplicate, key, "a second value", "one");
    }
    field_ = key == "dtype" ? has_dtype : key == "shape" ? has_shape : key == "data_offsets" ? has_offsets : 0;
    if (field_ == 0)
      return refuse(Problem::header_form, name_, Text<80>("field ") += key,
                    "an entry with the fields dtype, shape and data_offsets");
    if ((fields_ & field_) != 0) return refuse(Problem::duplicate, name_, (Text<80>("the field ") += key) += " twice", "one");
    fields_ |= field_;
    return true;
  }
  bool string(std::string& value) {
    if (place_ == Place::metadata) return file_.metadata[name_] = value, true;
    if (place_ != Place::entry || field_ != has_dtype) return wrong("a string");
    file_.entries.back().dtype = value;
    return true;
  }
  bool start_array(std::size_t) {
    if (place_ != Place::entry || field_ == has_dtype) return wrong("an array");
    count_ = 0;
    return enter(Place::numbers);
  }
  bool end_array() {
    place_ = Place::entry;
    if (field_ == has_offsets && count_ != 2)
      return refuse(Problem::bad_offsets, name_, count(count_, "number"), "2: begin and end");
    return true;
  }
  bool number_unsigned(std::uint64_t value) {
    if (place_ != Place::numbers) return wrong("a number");
    Entry& entry = file_.entries.back();
    if (field_ == has_shape && entry.shape.size() == rank_limit)
      return refuse(Problem::bad_shape, name_, (Text<80>("more than ") += rank_limit) += " dimensions",
                    number(rank_limit, " at most"));
    if (field_ == has_shape) entry.shape.push_back(value);
    else if (count_ < 2) (count_ == 0 ? entry.begin : entry.end) = value;
    ++count_;
    return true;
  }
  bool number_integer(std::int64_t) { return wrong("a negative number in a shape or in data_offsets"); }
  bool number_float(double, const std::string&) { return wrong("a number that is not an integer, or exceeds 2^64 - 1"); }
  bool null() { return wrong("null"); }
  bool boolean(bool) { return wrong("a boolean, true or false"); }
  bool binary(std::vector<std::uint8_t>&) { return wrong("bytes"); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) {
    return refuse(Problem::header_not_json, "", Text<80>("an error at character ") += std::uint64_t{position},
                  "a JSON header in UTF-8");
  }

 private:
  enum class Place { start, file, metadata, entry, numbers };
  static constexpr unsigned has_dtype = 1, has_shape = 2, has_offsets = 4;

  bool enter(Place place) { return place_ = place, true; }
  bool refuse(Problem problem, std::string_view where, std::string_view found, std::string_view wanted) {
    if (status) status = {problem, where, found, wanted};
    return false;
  }
  bool wrong(std::string_view found) {
    return refuse(Problem::header_form, name_, found,
                  place_ == Place::file       ? "a JSON object for each tensor name"
                  : place_ == Place::metadata ? "strings as the values in __metadata__"
                  : place_ == Place::numbers  ? "non-negative integers"
                  : field_ == has_dtype       ? "a string for the dtype"
                                              : "an array for shape and data_offsets");
  }

  File& file_;
  Place place_ = Place::start;
  bool is_metadata_ = false, had_metadata_ = false;
  std::string name_;
  unsigned field_ = 0, fields_ = 0;
  std::uint64_t count_ = 0;
};

// Computes `size`, the size of a tensor in bits: `bits`, the size of an element, times all extents of the shape. Returns false
// if the size is 2^64 or more. If any extent is 0, the size is 0.
inline bool size_in_bits(std::span<const std::uint64_t> shape, std::uint64_t bits, std::uint64_t& size) {
  size = std::find(shape.begin(), shape.end(), 0u) == shape.end() ? bits : 0;
  for (const std::uint64_t extent : shape) {
    if (size == 0) break;
    if (size > std::numeric_limits<std::uint64_t>::max() / extent) return false;
    size *= extent;
  }
  return true;
}

// Checks that the offsets of an entry are within the file and match its shape and dtype, and sets entry.data. If `dtypes` does
// not contain the dtype, the size is not checked.
inline Status check_entry(Entry& entry, std::span<const std::byte> data) {
  const auto* dtype =
      std::find_if(std::begin(dtypes), std::end(dtypes), [&](const Dtype& known) { return known.name == entry.dtype; });
  const bool is_known = dtype != std::end(dtypes);
  std::uint64_t bits = 0;
  if (!size_in_bits(entry.shape, is_known ? dtype->bits : 1, bits))
    return {Problem::bad_shape, entry.name, shape_text(entry.shape), "a tensor smaller than 2^64 bits"};
  const auto described = [&](std::uint64_t value, std::string_view unit) {
    return ((count(value, unit) += " for ") += entry.dtype) += shape_text(entry.shape);
  };
  if (is_known && bits % 8 != 0)
    return {Problem::bad_shape, entry.name, described(bits, "bit"), "a whole number of bytes"};
  if (entry.begin > entry.end || entry.end > data.size())
    return {Problem::bad_offsets, entry.name, shape_text(std::array{entry.begin, entry.end}),
            Text<80>("ascending offsets of at most ") += std::uint64_t{data.size()}};
  const std::uint64_t size = entry.end - entry.begin;
  if (is_known && size != bits / 8)
    return {Problem::bad_offsets, entry.name, count(size, "byte"), described(bits / 8, "byte")};
  entry.data = data.subspan(static_cast<std::size_t>(entry.begin), static_cast<std::size_t>(size));
  return {};
}

}  // namespace detail

// parse(bytes, file) parses and checks a safetensors file. `bytes` must outlive `file`. If the Status is not ok, `file` is
// unchanged. Unknown dtypes are accepted. parse refuses
//   - files of other formats
//   - a header that is truncated, larger than header_limit, invalid JSON or not of the format's structure
//   - duplicate names, and shapes that do not match the offsets
//   - data that is out of range, overlaps or has gaps
// For any content, parsing n tensors takes O(n log n) time and at most nine times the header's size in memory, as measured.
inline Status parse(std::span<const std::byte> bytes, File& file) {
  using detail::count;
  const std::uint64_t length = little_endian(bytes.first(std::min<std::size_t>(bytes.size(), 8)));
  // The first bytes of a zip archive are also a valid header length, so the test also reads the next byte: a header begins with
  // '{'.
  if (length > header_limit || bytes.size() <= 8 || bytes[8] != std::byte{'{'})
    for (const OtherFormat& other : other_formats)
      if (std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()).starts_with(other.magic))
        return {Problem::other_format, "", other.name, other.wanted};
  if (bytes.size() < 8) return {Problem::truncated, "header length", count(bytes.size(), "byte"), "8 bytes"};
  if (length > header_limit && (bytes.size() == 8 || bytes[8] != std::byte{'{'}))
    return {Problem::other_format, "", "other bytes at the start", "the length of a header in 8 bytes, then {"};
  if (length > header_limit)
    return {Problem::header_too_large, "", count(length, "byte"), detail::number(header_limit, " bytes at most")};
  if (length > bytes.size() - 8)
    return {Problem::truncated, "header", count(bytes.size() - 8, "byte"), count(length, "byte")};
  const auto* text = reinterpret_cast<const char*>(bytes.data()) + 8;
  const auto* text_end = text + length;
  if (length == 0 || *text != '{')
    return {Problem::header_form, "", "a header that does not begin with {", "a JSON object"};
  // nlohmann-json stops at a zero byte and would ignore the rest of the header.
  if (const auto* zero = std::find(text, text_end, '\0'); zero != text_end)
    return {Problem::header_not_json, "", Text<80>("a zero byte at character ") += static_cast<std::uint64_t>(zero - text + 1),
            "a JSON header in UTF-8"};

  File read;
  detail::HeaderReader reader(read);
  if (!nlohmann::json::sax_parse(text, text_end, &reader)) return reader.status;

  std::sort(read.entries.begin(), read.entries.end(), [](const Entry& a, const Entry& b) { return a.name < b.name; });
  const auto twice = std::adjacent_find(read.entries.begin(), read.entries.end(),
                                        [](const Entry& a, const Entry& b) { return a.name == b.name; });
  if (twice != read.entries.end()) return {Problem::duplicate, twice->name, "a second entry with the same name", "one"};

  const auto data = bytes.subspan(static_cast<std::size_t>(8 + length));
  std::vector<const Entry*> by_place;
  for (Entry& entry : read.entries) {
    if (const Status status = detail::check_entry(entry, data); !status) return status;
    by_place.push_back(&entry);
  }
  std::sort(by_place.begin(), by_place.end(), [](const Entry* a, const Entry* b) {
    return std::tie(a->begin, a->end, a->name) < std::tie(b->begin, b->end, b->name);
  });
  std::uint64_t at = 0;
  for (const Entry* entry : by_place) {
    if (entry->begin < at)
      return {Problem::overlap, entry->name, Text<80>("begin ") += entry->begin, Text<80>("begin ") += at};
    if (entry->begin > at)
      return {Problem::hole, entry->name, count(entry->begin - at, "byte") += " before it", "none"};
    at = entry->end;
  }
  if (at != data.size()) return {Problem::hole, "data", count(data.size() - at, "byte") += " at the end", "none"};
  file = std::move(read);
  return {};
}

// element_bits(entry, i) and element(entry, i) return element i of an F32, F16 or BF16 tensor, converted to float32.
// element_bits returns the bits of the float32, and element a float. The conversion is exact, and works on machines of any byte
// order.
inline std::uint32_t element_bits(const Entry& entry, std::size_t i) {
  if (entry.dtype == "F32") return static_cast<std::uint32_t>(little_endian(entry.data.subspan(4 * i, 4)));
  const auto half = static_cast<std::uint16_t>(little_endian(entry.data.subspan(2 * i, 2)));
  return entry.dtype == "F16" ? bits_from_f16(half) : bits_from_bf16(half);
}
inline float element(const Entry& entry, std::size_t i) { return __builtin_bit_cast(float, element_bits(entry, i)); }

// Returns true if element() can read the dtype of an entry.
inline bool holds_floats(const Entry& entry) {
  return entry.dtype == "F32" || entry.dtype == "F16" || entry.dtype == "BF16";
}

}  // namespace krait::safetensors::inline KRAIT_BUILD

#endif  // KRAIT_REFUSED
#include "krait/core/end.hpp"

#endif
