// Defines Text, a string of bounded length that requires no heap. Names and messages use it.
#ifndef KRAIT_CORE_TEXT_HPP
#define KRAIT_CORE_TEXT_HPP

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "krait/core/platform.hpp"

namespace krait::inline KRAIT_BUILD {

// Text<capacity> contains at most `capacity` bytes of UTF-8 and a terminating zero. Appended text that does not fit is
// truncated after a complete code point. For this, up to three bytes that would fit are dropped, because a code point has at
// most three continuation bytes. The limit of three bytes also holds for text that is not UTF-8.
template <std::size_t capacity>
struct Text {
  static constexpr std::size_t max_size = capacity;
  std::array<char, capacity + 1> characters{};
  std::conditional_t<(capacity < 0xFFFF), std::uint16_t, std::uint32_t> size = 0;  // excludes the terminating zero

  constexpr Text() = default;
  template <std::convertible_to<std::string_view> T>
  constexpr Text(const T& text) noexcept {
    *this += std::string_view(text);
  }

  constexpr operator std::string_view() const noexcept { return {characters.data(), size}; }
  // Returns a pointer to the zero-terminated text, which is stored in this object.
  constexpr const char* c_str() const noexcept { return characters.data(); }
  // Makes the text empty.
  constexpr void clear() noexcept { *this = {}; }
  // Appends text, which is truncated if the capacity is exceeded.
  constexpr Text& operator+=(std::string_view more) noexcept {
    std::size_t fits = more.size() < capacity - size ? more.size() : capacity - size;
    if (fits < more.size())
      for (int back = 0; back < 3 && fits > 0 && (more[fits] & 0xC0) == 0x80; ++back) --fits;
    for (std::size_t i = 0; i < fits; ++i) characters[size++] = more[i];
    return *this;
  }
  // Appends an unsigned integer in decimal.
  constexpr Text& operator+=(std::unsigned_integral auto number) noexcept {
    if (number >= 10) *this += number / 10u;
    return *this += std::string_view(&"0123456789"[number % 10u], 1);
  }
  constexpr Text operator+(const auto& more) const noexcept { return Text(*this) += more; }
};

}  // namespace krait::inline KRAIT_BUILD

#endif
