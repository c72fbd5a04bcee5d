#include "krait/core/text.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "krait/core/status.hpp"

namespace {
std::string first_eight(std::string_view text) { return std::string(krait::Text<8>(text)); }
}  // namespace

TEST_CASE("a text that is too long is cut between two code points") {
  CHECK(first_eight("12345678") == "12345678");
  CHECK(first_eight("123456789") == "12345678");
  CHECK(first_eight("1234567\u00E4") == "1234567");
  CHECK(first_eight("123456\u20AC") == "123456");
  CHECK(first_eight("12345\U0001F40D") == "12345");
  CHECK(first_eight("1234\U0001F40D+") == "1234\U0001F40D");
}

TEST_CASE("a text that is not UTF-8 loses at most three bytes to the cut") {
  CHECK(first_eight(std::string(20, '\x80')) == std::string(5, '\x80'));
  CHECK(first_eight("1234" + std::string(20, '\x80')) == "1234\x80");
  CHECK(krait::Text<2>(std::string(20, '\x80')) == std::string_view());
  CHECK(first_eight(std::string(8, '\x80')) == std::string(8, '\x80'));
}

TEST_CASE("numbers and texts are appended until the room is full") {
  krait::Text<8> text("n = ");
  text += 123u;
  CHECK(std::string(text + "!!") == "n = 123!");
  CHECK(std::string(text += 45u) == "n = 1234");
}

TEST_CASE("a number that is no Problem is called an unknown problem") {
  CHECK(krait::Status::what(static_cast<krait::Problem>(255)) == "unknown problem");
}
