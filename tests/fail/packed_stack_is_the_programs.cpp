// The program passes krait::packed a Stack other than the packed one.
// expect: krait::packed<Model>(model): Model must be the packed model's type
#include "given.hpp"
#include <krait/image.hpp>

struct Packed { KRAIT_PARAMS(Packed, (Linear<40, 64>, linear_in), (Block, mixer)); };
struct Mine { KRAIT_PARAMS(Mine, (Linear<42, 64>, linear_in), (Block, mixer)); };
extern const krait::Stack<Packed> packed;

void use() {
#ifdef RIGHT
  (void)krait::packed<krait::Stack<Packed>>(packed);
#else
  (void)krait::packed<krait::Stack<Mine>>(packed);
#endif
}
