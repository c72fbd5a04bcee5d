// save_state is given the model instead of the model's fingerprint.
// expect: the second argument, fingerprint, must be the number that krait::fingerprint(model) returns
#include <krait/snapshot.hpp>

#include "given.hpp"

void use(krait::Snapshot<krait::State<Model>>& snapshot) {
#ifdef RIGHT
  krait::save_state(state, krait::fingerprint(model), snapshot);
#else
  krait::save_state(state, model, snapshot);
#endif
}
