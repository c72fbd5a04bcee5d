#include "krait/core/text.hpp"

#include <array>
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstring>
#include <string>

#include "krait/core/status.hpp"
#include "krait/version.hpp"

namespace {
std::string first_eight(std::string_view text) { return std::string(krait::Text<8>(text)); }
}  // namespace

TEST_CASE("Text cuts UTF-8 that exceeds its capacity between two code points, never within one") {
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

TEST_CASE("Text::c_str() is zero-terminated, even if the text fills its capacity") {
  const krait::Text<8> full("123456789"), empty;
  CHECK(std::strlen(full.c_str()) == 8);
  CHECK(std::strlen(empty.c_str()) == 0);
  const krait::Text<0> none("1");
  CHECK(std::strlen(none.c_str()) == 0);
  krait::Text<300> longer(std::string(300, 'x'));
  CHECK(std::strlen(longer.c_str()) == 300);
  longer.clear();
  CHECK((longer.size == 0 && std::strlen(longer.c_str()) == 0));
  const krait::Text<70'000> longest(std::string(70'001, 'x'));
  CHECK((longest.size == 70'000 && std::strlen(longest.c_str()) == 70'000));
}

TEST_CASE("Status::ok() is true without a problem, and printf can print message().c_str()") {
  const krait::Status good, bad{krait::Problem::missing, "x.weight", "no tensor of this name", "shape [2]"};
  CHECK((good.ok() && good && !bad.ok() && !bad));
  std::array<char, 100> printed{};
  std::snprintf(printed.data(), printed.size(), "%s", bad.message().c_str());
  CHECK(std::string(printed.data()) == "x.weight: parameter is missing: found no tensor of this name, wanted shape [2]");
  CHECK(std::string(good.message().c_str()) == "no problem");
}

TEST_CASE("KRAIT_VERSION and KRAIT_VERSION_STRING equal the build systems' version") {
  constexpr int major = KRAIT_VERSION / 10000, minor = KRAIT_VERSION / 100 % 100, patch = KRAIT_VERSION % 100;
  CHECK(std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch) == KRAIT_VERSION_STRING);
  CHECK(std::string(KRAIT_MESON_VERSION) == KRAIT_VERSION_STRING);
}

TEST_CASE("Status::what returns \"unknown problem\" for a number that is not an enumerator of Problem") {
  CHECK(krait::Status::what(static_cast<krait::Problem>(255)) == "unknown problem");
}
