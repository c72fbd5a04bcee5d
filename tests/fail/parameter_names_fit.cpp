// The name of a parameter, NAME.weight, has 97 characters, one more than the limit.
// expect: a parameter's full name
// expect: must not exceed 96 characters
#include "given.hpp"

#ifdef RIGHT
#define NAME linear_in_in_in_in_in_in_in_in_in_in_in_in_in_in_in_in_in_in_in_in_in_in_in_in_in_in_in_i
#else
#define NAME linear_in_in_in_in_in_in_in_in_in_in_in_in_in_in_in_in_in_in_in_in_in_in_in_in_in_in_in_in
#endif

struct Parts {
  KRAIT_PARAMS(Parts,
    (Linear<12, 64>, NAME),
    (Linear<64, 9>, classifier));
};

void use(krait::Stack<Parts>& mine) {
  krait::for_each_param(mine, [](std::string_view, auto&) {});
}
