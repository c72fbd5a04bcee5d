#include "krait/core/tensor.hpp"
#include "krait/layout/panels.hpp"

#include <catch2/catch.hpp>
#include <set>
#include <utility>

#include "krait/layout/params.hpp"

namespace {
// Checks that every element (row, col) has a different offset, and that all offsets are within the padded array.
template <class Matrix>
void check_places() {
  std::set<std::size_t> places;
  for (std::size_t row = 0; row < Matrix::rows; ++row)
    for (std::size_t col = 0; col < Matrix::cols; ++col) places.insert(Matrix::offset(row, col));
  CHECK(places.size() == Matrix::rows * Matrix::cols);
  CHECK(*places.rbegin() < Matrix::padded_rows * Matrix::cols);
}
}  // namespace

TEST_CASE("no two elements of a matrix stored in panels have the same offset") {
  check_places<krait::Matrix<krait::plain(1), 1>>();
  check_places<krait::Matrix<krait::plain(40), 256>>();
  check_places<krait::Matrix<krait::plain(80), 7>>();
  check_places<krait::Matrix<krait::plain(130), 3>>();
  check_places<krait::Matrix<krait::RowLayout{.groups = 2, .channels = 23}, 10>>();
  check_places<krait::Matrix<krait::RowLayout{.lead = 3, .groups = 2, .channels = 20, .per_channel = 5}, 4>>();
  check_places<krait::Strips<23, 7>>();
}

TEST_CASE("a weight matrix of 80 rows is stored as a panel of 64 rows and one of 16, not as two panels of 64") {
  using Matrix = krait::Matrix<krait::plain(80), 5>;
  CHECK(sizeof(Matrix) == 80 * 5 * sizeof(float));
  CHECK(Matrix::offset(0, 1) == 64);
  CHECK(Matrix::offset(64, 0) == 64 * 5);
  CHECK(Matrix::offset(64, 1) == 64 * 5 + 16);
}

TEST_CASE("in_proj's rows for z start at a multiple of 16 in memory, such as row 32 for 23 channels") {
  constexpr krait::RowLayout order{.groups = 2, .channels = 23};
  CHECK(order.rows() == 46);
  CHECK(order.padded_rows() == 64);
  CHECK(order.place(22) == 22);
  CHECK(order.place(23) == 32);
}

TEST_CASE("an A_log that `get` returns is stored as the same bits when it is passed to `set` again") {
  for (int i = -2000; i <= 2000; ++i) {
    const float A_log = static_cast<float>(i) * 0.0731f;
    const float rate = krait::DecayRates<1, 1>::stored(A_log);
    CHECK(krait::DecayRates<1, 1>::stored(krait::DecayRates<1, 1>::recovered(rate)) == rate);
  }
}

TEST_CASE("the stored decay rate saturates at -FLT_MAX and -0 if exp(A_log) is outside the range of float32") {
  using Rates = krait::DecayRates<1, 1>;
  const float infinity = std::numeric_limits<float>::infinity();
  CHECK(Rates::stored(1e4f) == -FLT_MAX);
  CHECK(Rates::stored(infinity) == -FLT_MAX);
  CHECK(Rates::stored(-1e4f) == 0.0f);
  CHECK(std::signbit(Rates::stored(-1e4f)));
  CHECK(Rates::stored(-infinity) == 0.0f);
  CHECK(std::isnan(Rates::stored(std::numeric_limits<float>::quiet_NaN())));
}

TEST_CASE("a NaN in A_log is still NaN after storing and reading it back") {
  using Rates = krait::DecayRates<1, 1>;
  CHECK(std::isnan(Rates::recovered(Rates::stored(std::numeric_limits<float>::quiet_NaN()))));
}

TEST_CASE("range-based for loops iterate over a Tensor's rows and over a row's elements") {
  krait::Tensor<float, 2, 3> x{{{{{1, 2, 3}}, {{4, 5, 6}}}}};
  for (auto& row : x)
    for (float& element : row) element *= 2;
  float sum = 0;
  for (const auto& row : std::as_const(x))
    for (const float element : row) sum += element;
  CHECK(x[1][2] == 12);
  CHECK(sum == 42);
}

TEST_CASE("setting an element of a bf16 matrix a second time replaces the first value") {
  krait::Matrix<krait::plain(2), 3, krait::Storage::bf16> matrix{};
  for (const float value : {-1.5f, 0.75f})
    for (std::size_t col = 0; col < 3; ++col) matrix.set(1, col, value);
  for (std::size_t col = 0; col < 3; ++col) CHECK(matrix.get(1, col) == 0.75f);
}

TEST_CASE("a Tensor's size and shape follow from its type, and it has no other members than its elements") {
  const krait::Tensor<float, 2, 3> x{{{{{1, 2, 3}}, {{4, 5, 6}}}}};
  CHECK(x[1][2] == 6);
  CHECK(x.size() == 2);
  CHECK(x[0].size() == 3);
  STATIC_REQUIRE(sizeof(x) == 6 * sizeof(float));
}
