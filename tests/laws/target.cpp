// The laws must run on the target that they are said to run on.
#include <catch2/catch.hpp>
#include <krait.hpp>
#include <string>

TEST_CASE("the flags give the target they are meant to") {
  CAPTURE(krait::target_name(), krait::has_fma);
#ifdef WANTED_TARGET
  CHECK(std::string(krait::target_name()) == WANTED_TARGET);
#endif
  SUCCEED();
}
