// Tests token ids of every integer type, inside and outside the vocabulary.
#include <catch2/catch.hpp>
#include <cstdint>
#include <krait.hpp>
#include <limits>
#include <vector>

namespace {

template <std::size_t vocab_size>
using Table = krait::Embedding<vocab_size, 5>;
using Row = krait::Tensor<float, 5>;

template <std::size_t vocab_size>
Table<vocab_size> numbered() {
  Table<vocab_size> table{};
  for (std::size_t row = 0; row < vocab_size; ++row)
    for (std::size_t col = 0; col < 5; ++col) table.weight.set(row, col, static_cast<float>(row * 10 + col + 1));
  return table;
}

template <std::size_t vocab_size, class Token>
Row row_of(Token token) {
  static const Table<vocab_size> table = numbered<vocab_size>();
  krait::State<Table<vocab_size>> state{};
  Row y;
  y.values.fill(-1.0f);
  krait::step(table, state, token, y);
  std::vector<Row> rows(3, y);
  krait::prefill(table, state, std::vector<Token>(3, token), rows);
  for (const Row& row : rows) CHECK(row == y);
  return y;
}

template <std::size_t vocab_size, class Token>
void check_range() {
  using Limits = std::numeric_limits<Token>;
  CAPTURE(vocab_size, sizeof(Token), std::is_signed_v<Token>);
  const auto inside = [](std::size_t t) {
    const auto first = static_cast<float>(t * 10 + 1);
    return Row{{first, first + 1, first + 2, first + 3, first + 4}};
  };
  const Row zeros{};
  CHECK(row_of<vocab_size>(Token{0}) == inside(0));
  if constexpr (static_cast<std::uintmax_t>(Limits::max()) >= vocab_size) {
    CHECK(row_of<vocab_size>(static_cast<Token>(vocab_size - 1)) == inside(vocab_size - 1));
    CHECK(row_of<vocab_size>(static_cast<Token>(vocab_size)) == zeros);
    CHECK(row_of<vocab_size>(Limits::max()) == zeros);
  } else {
    CHECK(row_of<vocab_size>(Limits::max()) == inside(static_cast<std::size_t>(Limits::max())));
  }
  if constexpr (std::is_signed_v<Token>) {
    CHECK(row_of<vocab_size>(Token{-1}) == zeros);
    CHECK(row_of<vocab_size>(Token{-7}) == zeros);
    CHECK(row_of<vocab_size>(Limits::min()) == zeros);
  }
}

TEMPLATE_TEST_CASE("Embedding returns the weight's row of a token id in the vocabulary, and zeros for any other token id", "",
                   std::int8_t, std::uint8_t, std::int16_t, std::uint16_t, std::int32_t, std::uint32_t, std::int64_t,
                   std::uint64_t) {
  check_range<1, TestType>();
  check_range<100, TestType>();
  check_range<256, TestType>();
}

TEST_CASE("a token id of type char is the value of its byte, 0 to 255, even where char is signed") {
  for (const unsigned char byte : {0, 65, 127, 128, 233, 255}) {
    CAPTURE(byte);
    CHECK(row_of<256>(static_cast<char>(byte)) == row_of<256>(byte));
    CHECK(row_of<100>(static_cast<char>(byte)) == row_of<100>(byte));
  }
}

constexpr auto dims = krait::resolve({.vocab_size = 21, .d_model = 8, .n_layers = 1, .tied = false});
using Model = krait::Mamba<dims>;

TEST_CASE("a token id outside the vocabulary gives the same logits as a token whose embedding is all zeros") {
  Model model{};
  krait::for_each_param(model, [i = std::uint64_t{0}](auto, auto& param) mutable {
    for (std::size_t row = 0; row < param.rows; ++row)
      for (std::size_t col = 0; col < param.cols; ++col) param.set(row, col, krait::uniform(krait::key(1), i++, -1.0f, 1.0f));
  });
  for (std::size_t col = 0; col < dims.d_model; ++col) model.backbone.embedding.weight.set(6, col, 0.0f);
  krait::State<Model> inside_state{}, outside_state{};
  krait::Tensor<float, dims.vocab_size> inside, outside;
  const auto both = [&](int inner, auto outer) {
    krait::step(model, inside_state, inner, inside);
    krait::step(model, outside_state, outer, outside);
    CHECK(inside == outside);
  };
  both(3, 3);
  both(6, -1);
  both(6, std::uint64_t{1} << 63);
  both(6, std::int8_t{21});
  both(4, std::uint8_t{4});
}

}  // namespace
