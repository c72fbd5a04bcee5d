// The call passes two vectors of output gradients, but a stack that pools has one output.
// expect: dys must be one vector of d_out floats, because the model pools
#include "given.hpp"

struct ScoreParts {
  KRAIT_PARAMS(ScoreParts, (krait::MeanPool<64>, pool), (Linear<64, 256>, classifier));
};
using Scores = krait::Stack<ScoreParts>;
extern const Scores scores;
extern krait::Tape<Scores, 2> scores_tape;
extern krait::Gradients<Scores> scores_gradients;

void use() {
#ifdef RIGHT
  krait::backward(scores, scores_tape, logits, scores_gradients);
#else
  krait::backward(scores, scores_tape, both_logits, scores_gradients);
#endif
}
