#include "krait/core/text.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "krait/core/status.hpp"

namespace {
std::string first_eight(std::string_view text) { return std::string(krait::Text<8>(text)); }
}  // namespace

TEST_CASE("Text cuts UTF-8 that exceeds its capacity between two code points") {
  CHECK(first_eight("12345678") == "12345678");
  CHECK(first_eight("123456789") == "12345678");
  CHECK(first_eight("1234567\u00E4") == "1234567");
  CHECK(first_eight("123456\u20AC") == "123456");
  CHECK(first_eight("12345\U0001F40D") == "12345");
  CHECK(first_eight("1234\U0001F40D+") == "1234\U0001F40D");
}

TEST_CASE("cutting invalid UTF-8 to a Text's capacity drops at most three bytes more than necessary") {
  CHECK(first_eight(std::string(20, '\x80')) == std::string(5, '\x80'));
  CHECK(first_eight("1234" + std::string(20, '\x80')) == "1234\x80");
  CHECK(krait::Text<2>(std::string(20, '\x80')) == std::string_view());
  CHECK(first_eight(std::string(8, '\x80')) == std::string(8, '\x80'));
}

TEST_CASE("Text appends numbers and strings until its capacity is reached, and drops the rest") {
  krait::Text<8> text("n = ");
  text += 123u;
  CHECK(std::string(text + "!!") == "n = 123!");
  CHECK(std::string(text += 45u) == "n = 1234");
}

TEST_CASE("Status::what returns \"unknown problem\" for a number that is not an enumerator of Problem") {
  CHECK(krait::Status::what(static_cast<krait::Problem>(255)) == "unknown problem");
}
