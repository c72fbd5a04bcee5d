// save_state is given a Snapshot of the model instead of its state.
// expect: snapshot must be a krait::Snapshot<krait::State<Model>>
#include <krait/snapshot.hpp>

#include "given.hpp"

#ifdef RIGHT
void use(krait::Snapshot<krait::State<Model>>& snapshot) {
#else
void use(krait::Snapshot<Model>& snapshot) {
#endif
  krait::save_state(state, krait::fingerprint(model), snapshot);
}
