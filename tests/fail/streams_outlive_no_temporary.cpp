// The Streams refer to a temporary model, which does not outlive the declaration.
// expect: deleted
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::Streams<PoolingStack, 2> streams{pooling};
  streams.leave(1);
#else
  krait::Streams<PoolingStack, 2> streams{PoolingStack{}};
  streams.leave(1);
#endif
}
