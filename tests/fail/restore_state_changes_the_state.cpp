// restore_state is given a const state.
// expect: krait::restore_state(bytes, fingerprint, state): state must be a krait::State<Model>, neither const nor a temporary
#include <krait/snapshot.hpp>

#include "given.hpp"

bool use(const krait::Snapshot<krait::State<Model>>& snapshot, [[maybe_unused]] const krait::State<Model>& constant) {
#ifdef RIGHT
  return krait::restore_state(snapshot.bytes(), krait::fingerprint(model), state).ok();
#else
  return krait::restore_state(snapshot.bytes(), krait::fingerprint(model), constant).ok();
#endif
}
