// A member whose parameter has a longer name than there is room for.
// expect: a parameter's name
// expect: not be longer than 96 characters
#include "given.hpp"

#ifdef RIGHT
#define NAME linear_in
#else
#define NAME linear_in_in_in_in_in_in_in_in_in_in_in_in_in_in_in_in_in_in_in_in_in_in_in_in_in_in_in_in_in_in_the_end
#endif

struct Parts {
  KRAIT_PARAMS(Parts,
    (Linear<12, 64>, NAME),
    (Linear<64, 9>, classifier));
};

void use(krait::Stack<Parts>& mine) {
  krait::for_each_param(mine, [](std::string_view, auto&) {});
}
