// A program written for other dims than the packed model's: keyword::model<Mine>() in a header made by krait pack.
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
