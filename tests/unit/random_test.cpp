#include "krait/core/random.hpp"

#include <catch2/catch.hpp>

TEST_CASE("threefry2x32 with 20 rounds gives Random123's known answers") {
  // The expected numbers are from the file kat_vectors of Random123.
  CHECK(krait::threefry({0, 0}, 0) == krait::Key{0x6b200159u, 0x99ba4efeu});
  CHECK(krait::threefry({0xffffffffu, 0xffffffffu}, 0xffffffffffffffffu) == krait::Key{0x1cb996fcu, 0xbb002be7u});
  CHECK(krait::threefry({0x13198a2eu, 0x03707344u}, 0x243f6a8885a308d3u) == krait::Key{0xc4923a9cu, 0x483df7a0u});
}

TEST_CASE("uniform draws are within their bounds and have the expected mean") {
  double sum = 0;
  for (std::uint64_t i = 0; i < 10000; ++i) {
    const float u = krait::uniform(krait::key(3), i, -0.25f, 0.5f);
    REQUIRE((u >= -0.25f && u < 0.5f));
    sum += static_cast<double>(u);
  }
  CHECK(sum / 10000 == Approx(0.125).margin(0.01));
}

TEST_CASE("normal draws have mean 0 and standard deviation 1") {
  double sum = 0, squares = 0;
  for (std::uint64_t i = 0; i < 20000; ++i) {
    const double x = static_cast<double>(krait::normal(krait::key(5), i));
    sum += x, squares += x * x;
  }
  CHECK(sum / 20000 == Approx(0).margin(0.03));
  CHECK(squares / 20000 == Approx(1).margin(0.04));
}
