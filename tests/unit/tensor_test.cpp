#include "krait/core/tensor.hpp"
#include "krait/layout/panels.hpp"

#include <catch2/catch.hpp>
#include <set>
#include <utility>

#include "krait/layout/params.hpp"

namespace {
// Every logical element has a place of its own within the padded array.
template <class Matrix>
void check_places() {
  std::set<std::size_t> places;
  for (std::size_t row = 0; row < Matrix::rows; ++row)
    for (std::size_t col = 0; col < Matrix::cols; ++col) places.insert(Matrix::offset(row, col));
  CHECK(places.size() == Matrix::rows * Matrix::cols);
  CHECK(*places.rbegin() < Matrix::padded_rows * Matrix::cols);
}
}  // namespace

TEST_CASE("no two elements of a matrix in panels share a place") {
  check_places<krait::Matrix<krait::plain(1), 1>>();
  check_places<krait::Matrix<krait::plain(40), 256>>();
  check_places<krait::Matrix<krait::plain(80), 7>>();
  check_places<krait::Matrix<krait::plain(130), 3>>();
  check_places<krait::Matrix<krait::RowLayout{.groups = 2, .channels = 23}, 10>>();
  check_places<krait::Matrix<krait::RowLayout{.lead = 3, .groups = 2, .channels = 20, .per_channel = 5}, 4>>();
  check_places<krait::Strips<23, 7>>();
}

TEST_CASE("a matrix of 80 rows has a panel of 64 and one of 16, not two of 64") {
  using Matrix = krait::Matrix<krait::plain(80), 5>;
  CHECK(sizeof(Matrix) == 80 * 5 * sizeof(float));
  CHECK(Matrix::offset(0, 1) == 64);
  CHECK(Matrix::offset(64, 0) == 64 * 5);
  CHECK(Matrix::offset(64, 1) == 64 * 5 + 16);
}

TEST_CASE("in_proj's z rows begin at a whole block") {
  constexpr krait::RowLayout order{.groups = 2, .channels = 23};
  CHECK(order.rows() == 46);
  CHECK(order.padded_rows() == 64);
  CHECK(order.place(22) == 22);
  CHECK(order.place(23) == 32);
}

TEST_CASE("an A_log that was stored comes back as one that stores the same bits") {
  for (int i = -2000; i <= 2000; ++i) {
    const float A_log = static_cast<float>(i) * 0.0731f;
    const float rate = krait::DecayRates<1, 1>::stored(A_log);
    CHECK(krait::DecayRates<1, 1>::stored(krait::DecayRates<1, 1>::recovered(rate)) == rate);
  }
}

TEST_CASE("a decay rate saturates where A_log leaves float32's range") {
  using Rates = krait::DecayRates<1, 1>;
  const float infinity = std::numeric_limits<float>::infinity();
  CHECK(Rates::stored(1e4f) == -FLT_MAX);
  CHECK(Rates::stored(infinity) == -FLT_MAX);
  CHECK(Rates::stored(-1e4f) == 0.0f);
  CHECK(std::signbit(Rates::stored(-1e4f)));
  CHECK(Rates::stored(-infinity) == 0.0f);
  CHECK(std::isnan(Rates::stored(std::numeric_limits<float>::quiet_NaN())));
}

TEST_CASE("a NaN in A_log comes back as NaN") {
  using Rates = krait::DecayRates<1, 1>;
  CHECK(std::isnan(Rates::recovered(Rates::stored(std::numeric_limits<float>::quiet_NaN()))));
}

TEST_CASE("a Tensor is a range of its rows, and a row of its elements") {
  krait::Tensor<float, 2, 3> x{{{{{1, 2, 3}}, {{4, 5, 6}}}}};
  for (auto& row : x)
    for (float& element : row) element *= 2;
  float sum = 0;
  for (const auto& row : std::as_const(x))
    for (const float element : row) sum += element;
  CHECK(x[1][2] == 12);
  CHECK(sum == 42);
}

TEST_CASE("set replaces the value that was there") {
  krait::Matrix<krait::plain(2), 3, krait::Storage::bf16> matrix{};
  for (const float value : {-1.5f, 0.75f})
    for (std::size_t col = 0; col < 3; ++col) matrix.set(1, col, value);
  for (std::size_t col = 0; col < 3; ++col) CHECK(matrix.get(1, col) == 0.75f);
}

TEST_CASE("a Tensor's shape is in its type") {
  const krait::Tensor<float, 2, 3> x{{{{{1, 2, 3}}, {{4, 5, 6}}}}};
  CHECK(x[1][2] == 6);
  CHECK(x.size() == 2);
  CHECK(x[0].size() == 3);
  STATIC_REQUIRE(sizeof(x) == 6 * sizeof(float));
}
