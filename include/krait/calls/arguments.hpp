// Defines the types that step, prefill and forward accept as inputs and outputs.
#ifndef KRAIT_CALLS_ARGUMENTS_HPP
#define KRAIT_CALLS_ARGUMENTS_HPP

#include <array>
#include <concepts>
#include <cstddef>
#include <iterator>
#include <span>
#include <type_traits>

#include "krait/core/tensor.hpp"
#include "krait/nn/layer.hpp"

namespace krait {

namespace detail {

// extent<T> is the number of elements of T, an array, std::array, Tensor or std::span type. It is 0 if the type does not fix
// the number, and for all other types.
template <class T>
inline constexpr std::size_t extent = 0;
template <class T, std::size_t n>
inline constexpr std::size_t extent<T[n]> = n;
template <class T, std::size_t n>
inline constexpr std::size_t extent<std::array<T, n>> = n;
template <class T, std::size_t n, std::size_t... rest>
inline constexpr std::size_t extent<Tensor<T, n, rest...>> = n;
template <class T, std::size_t n>
inline constexpr std::size_t extent<std::span<T, n>> = n == std::dynamic_extent ? 0 : n;

// length_of<T> is extent<T> for a type that may be const or a reference.
template <class T>
inline constexpr std::size_t length_of = extent<std::remove_cvref_t<T>>;

// element<T> is the type of the elements of a contiguous range of type T.
template <class T>
using element = std::remove_reference_t<decltype(*std::data(std::declval<T&>()))>;

// Contiguous is satisfied by the types of contiguous ranges that have a size, such as an array, vector, span or Tensor.
template <class T>
concept Contiguous = requires(T& range) {
  std::data(range);
  { std::size(range) } -> std::convertible_to<std::size_t>;
};

}  // namespace detail

// TokenId is satisfied by all integer types except bool. A token id is the index of a token in the vocabulary. A char stands
// for its byte, 0 to 255.
template <class T>
concept TokenId = std::integral<T> && !std::same_as<std::remove_cv_t<T>, bool>;

// TokenIdSequence is satisfied by contiguous ranges of token ids, such as an array, vector or span of integers, and a string,
// string_view or vector of chars. It is not satisfied by a string literal, because that contains a terminating zero.
template <class T>
concept TokenIdSequence = detail::Contiguous<T> && TokenId<detail::element<T>> &&
                          !(std::is_array_v<T> && std::same_as<std::remove_cv_t<detail::element<T>>, char>);

namespace detail {
template <class Token>
using ByteIfChar = std::conditional_t<std::is_same_v<std::remove_cv_t<Token>, char>, unsigned char, Token>;

// Returns a token id as an unsigned number. A negative id becomes a number so large that it is outside the vocabulary. A char
// is treated as a byte of text, 0 to 255, even where char is signed.
template <class Token>
KRAIT_INLINE constexpr auto unsigned_token(Token token) {
  using Unsigned = std::make_unsigned_t<std::common_type_t<Token, std::ptrdiff_t>>;
  return static_cast<Unsigned>(static_cast<ByteIfChar<Token>>(token));
}
}  // namespace detail

// FloatVector is satisfied by contiguous ranges of floats whose length is part of their type: krait::Tensor<float, n>,
// std::array<float, n>, float[n], std::span<float, n>.
template <class T>
concept FloatVector = detail::Contiguous<T> && std::same_as<std::remove_cv_t<detail::element<T>>, float> &&
                      (detail::extent<std::remove_cv_t<T>> > 0);

// VectorSequence is satisfied by contiguous ranges of float vectors of equal length: krait::Tensor<float, L, n>, or an array,
// vector or span of krait::Tensor<float, n>.
template <class T>
concept VectorSequence = detail::Contiguous<T> && FloatVector<detail::element<T>> &&
                         sizeof(detail::element<T>) == detail::length_of<detail::element<T>> * sizeof(float);

namespace detail {

// True if the memory that an argument T&& refers to exists after the call: the argument is not a temporary (T is an lvalue
// reference), or it is a std::span.
template <class T>
inline constexpr bool exists_after_the_call = std::is_lvalue_reference_v<T> ||
                                              std::ranges::enable_borrowed_range<std::remove_cvref_t<T>>;

// True for the type of krait::no_output.
template <class Out>
inline constexpr bool is_no_output = std::is_same_v<std::remove_cvref_t<Out>, NoOutput>;

// emit_for<Out> selects the outputs that a call computes, depending on Out, the type of the output argument. For a sequence of
// vectors, every token's output is computed; for one vector, only the last token's; for krait::no_output, none.
template <class Out>
inline constexpr Emit emit_for = VectorSequence<std::remove_reference_t<Out>> ? Emit::all
                                 : is_no_output<Out>                          ? Emit::nothing
                                                                              : Emit::last;

}  // namespace detail

}  // namespace krait

#endif
