// The program passes krait::packed a model type whose d_model differs from the packed model's.
// expect: krait::packed<Model>(model): the packed model must have the dims of Model; they differ in d_model
// expect: 32
// expect: 64
#include "given.hpp"
#include <krait/image.hpp>

#ifdef RIGHT
using Mine = Model;
#else
using Mine = krait::Mamba<krait::resolve(krait::ModelDims{.vocab_size = 256, .d_model = 32, .n_layers = 2})>;
#endif

const Mine& use() { return krait::packed<Mine>(model); }
