// The call passes a sequence of outputs, but a stack that pools has one output.
// expect: ys must be one vector of d_out floats, because the model pools
#include "given.hpp"

struct ScoreParts {
  KRAIT_PARAMS(ScoreParts, (krait::MeanPool<64>, pool), (Linear<64, 256>, classifier));
};
using Scores = krait::Stack<ScoreParts>;
extern const Scores scores;
extern krait::State<Scores> scores_state;
extern krait::Tape<Scores, 2> scores_tape;

void use() {
#ifdef RIGHT
  krait::record(scores, scores_state, xs, logits, scores_tape);
#else
  krait::record(scores, scores_state, xs, both_logits, scores_tape);
#endif
}
