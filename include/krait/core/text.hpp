// Text of bounded length in an object of its own: names and messages without a heap.
#ifndef KRAIT_CORE_TEXT_HPP
#define KRAIT_CORE_TEXT_HPP

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "krait/core/platform.hpp"

namespace krait::detail::inline KRAIT_BUILD {

// Appends `more` to text of `size` characters in room for `capacity`. What does not fit is cut off between two code points.
constexpr void append(char* text, std::size_t& size, std::size_t capacity, std::string_view more) {
  std::size_t fits = more.size() < capacity - size ? more.size() : capacity - size;
  if (fits < more.size())
    while (fits > 0 && (more[fits] & 0xC0) == 0x80) --fits;
  for (std::size_t i = 0; i < fits; ++i) text[size++] = more[i];
}
template <std::unsigned_integral Number>
constexpr void append_decimal(char* text, std::size_t& size, std::size_t capacity, Number number) {
  char digits[20]{};  // of a 64-bit number
  std::size_t first = sizeof(digits);
  do digits[--first] = static_cast<char>('0' + number % 10u);
  while ((number = static_cast<Number>(number / 10u)) > 0);
  append(text, size, capacity, std::string_view(digits + first, sizeof(digits) - first));
}

}  // namespace krait::detail::inline KRAIT_BUILD

namespace krait {

// What does not fit is cut off, between two characters of UTF-8.
template <std::size_t capacity>
struct Text {
  std::array<char, capacity> characters{};
  std::size_t size = 0;

  KRAIT_INLINE constexpr Text() {}
  template <std::convertible_to<std::string_view> T>
  KRAIT_INLINE constexpr Text(const T& text) {
    *this += std::string_view(text);
  }

  KRAIT_INLINE constexpr operator std::string_view() const { return {characters.data(), size}; }
  KRAIT_INLINE constexpr Text& operator+=(std::string_view more) {
    detail::append(characters.data(), size, capacity, more);
    return *this;
  }
  KRAIT_INLINE constexpr Text& operator+=(std::unsigned_integral auto number) {
    detail::append_decimal(characters.data(), size, capacity, number);
    return *this;
  }
  KRAIT_INLINE constexpr Text operator+(const auto& more) const { return Text(*this) += more; }
};

}  // namespace krait

#endif
