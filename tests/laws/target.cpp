// Checks that the compiler flags select the Highway target in the name of the test.
#include <catch2/catch.hpp>
#include <krait.hpp>
#include <string>

TEST_CASE("the compiler flags of this program select the Highway target named in WANTED_TARGET") {
  CAPTURE(krait::target_name(), krait::has_fma);
#ifdef WANTED_TARGET
  CHECK(std::string(krait::target_name()) == WANTED_TARGET);
#endif
  SUCCEED();
}
