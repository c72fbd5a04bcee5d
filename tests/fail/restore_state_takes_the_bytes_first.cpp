// restore_state is given a snapshot instead of its bytes.
// expect: krait::restore_state(bytes, fingerprint, state): bytes must be a std::span<const std::byte>, such as snapshot.bytes()
#include <krait/snapshot.hpp>

#include "given.hpp"

bool use(const krait::Snapshot<krait::State<Model>>& snapshot) {
#ifdef RIGHT
  return krait::restore_state(snapshot.bytes(), krait::fingerprint(model), state).ok();
#else
  return krait::restore_state(snapshot, krait::fingerprint(model), state).ok();
#endif
}
