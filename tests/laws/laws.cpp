// Laws are properties that every model must have, whatever its layers and dims. Each test runs on every model of subjects(). In
// a law, "the same bits" means that outputs and states are compared as bytes. The scratch is filled with NaN before every call,
// so a law fails if a function reads scratch memory that it has not written.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>

#include "subject.hpp"

namespace laws {
namespace {

// A random number generator that draws the same numbers on every machine.
class Draws {
 public:
  explicit Draws(std::uint64_t seed) : key_(krait::key(seed)) {}
  std::size_t below(std::size_t n) { return krait::random_bits(key_, count_++) % n; }
  float within(float limit) { return krait::uniform(key_, count_++, -limit, limit); }

 private:
  krait::Key key_;
  std::uint64_t count_ = 0;
};

// A sequence of `length` random inputs: token ids, or vectors of d_in floats between -2 and 2.
struct Sequence {
  const Subject& subject;
  Bytes bytes{length * subject.input_bytes()};

  Sequence(const Subject& s, std::uint64_t seed) : subject(s) {
    Draws draws(seed);
    for (std::size_t t = 0; t < length; ++t) redraw(t, draws);
  }
  void redraw(std::size_t t, Draws& draws) {
    if (subject.takes_tokens()) {
      reinterpret_cast<int*>(bytes.data())[t] = static_cast<int>(draws.below(subject.vocab_size));
    } else {
      for (std::size_t i = 0; i < subject.d_in; ++i) row(t)[i] = draws.within(2.0f);
    }
  }
  float* row(std::size_t t) { return reinterpret_cast<float*>(bytes.data()) + t * subject.d_in; }
  const void* at(std::size_t t) const { return bytes.data() + t * subject.input_bytes(); }
};

// A model with random weights, and a scratch that dirty_scratch() fills with NaN.
struct Model {
  const Subject& subject;
  Bytes weights{subject.model_bytes};
  Bytes scratch{subject.scratch_bytes};

  Model(const Subject& s, std::uint64_t seed) : subject(s) { s.draw(weights.data(), krait::key(seed)); }
  std::byte* dirty_scratch() {
    scratch.fill(0xFF);
    return scratch.data();
  }
  void step(Bytes& state, const void* x, float* y) { step(state, x, y, dirty_scratch()); }
  void step(Bytes& state, const void* x, float* y, std::byte* borrowed) {
    subject.step(weights.data(), state.data(), x, y, borrowed);
  }
};

// `count` output vectors of d_out floats, followed by guard bytes. guard_whole() is false if the guard bytes have changed.
struct Rows {
  std::size_t d_out, count;
  Bytes bytes{(count * d_out + guard) * sizeof(float)};

  Rows(const Subject& s, std::size_t n) : d_out(s.d_out), count(n) { bytes.fill(0xA5); }
  float* row(std::size_t t) { return reinterpret_cast<float*>(bytes.data()) + t * d_out; }
  const float* row(std::size_t t) const { return reinterpret_cast<const float*>(bytes.data()) + t * d_out; }
  bool guard_whole() const {
    for (std::size_t i = count * d_out * sizeof(float); i < bytes.size(); ++i)
      if (bytes.data()[i] != std::byte{0xA5}) return false;
    return true;
  }
  static constexpr std::size_t guard = 80;  // in floats; longer than a panel of outputs, which has at most 64
};

bool same_row(const Rows& a, std::size_t at_a, const Rows& b, std::size_t at_b) {
  return std::memcmp(a.row(at_a), b.row(at_b), a.d_out * sizeof(float)) == 0;
}
bool same_rows(const Rows& a, const Rows& b, std::size_t n) {
  return std::memcmp(a.row(0), b.row(0), n * a.d_out * sizeof(float)) == 0;
}

// The results of a loop of single steps: every output, and the state after every token (states[0] is the fresh state).
struct Steps {
  Rows outputs;
  std::vector<Bytes> states;

  Steps(Model& model, const Sequence& xs) : outputs(model.subject, length) {
    Bytes state(model.subject.state_bytes);
    states.push_back(state);
    for (std::size_t t = 0; t < length; ++t) {
      model.step(state, xs.at(t), outputs.row(t));
      states.push_back(state);
    }
  }
};

// A part of a sequence that one prefill processes: its number of tokens, and an index into Subject::chunks.
struct Piece {
  std::size_t size, chunk;
};
// Cuts a sequence of `length` tokens into random pieces: empty pieces, pieces of 1 to d_conv + 1 tokens, and pieces of up to 50
// tokens.
std::vector<Piece> random_split(const Subject& s, Draws& draws) {
  std::vector<Piece> pieces;
  for (std::size_t left = length; left > 0;) {
    const std::size_t kind = draws.below(8);
    std::size_t size = kind == 0 ? 0 : kind < 5 ? 1 + draws.below(s.d_conv + 1) : 1 + draws.below(50);
    size = std::min(size, left);
    pieces.push_back({size, draws.below(chunk_count)});
    left -= size;
  }
  return pieces;
}
std::string words(const Chunks& chunks, const std::vector<Piece>& pieces) {
  std::string s = "split (pieces x chunk):";
  for (const Piece& p : pieces) s += " " + std::to_string(p.size) + "x" + std::to_string(chunks[p.chunk]);
  return s;
}

TEST_CASE("forward returns the same bits as single steps over the same sequence") {
  for (const Subject& s : subjects()) {
    INFO(s.name);
    Model model(s, 1);
    const Sequence xs(s, 2);
    const Steps steps(model, xs);
    Rows forward(s, s.forward_gives_one_row ? 1 : length);
    s.forward(model.weights.data(), xs.at(0), forward.row(0));
    if (s.forward_gives_one_row) CHECK(same_row(forward, 0, steps.outputs, length - 1));
    else CHECK(forward.bytes == steps.outputs.bytes);
    CHECK(forward.guard_whole());
  }
}

TEST_CASE("prefill gives the same outputs and state, to the bit, as single steps, with every chunk size") {
  for (const Subject& s : subjects()) {
    INFO(s.name);
    Model model(s, 1);
    const Sequence xs(s, 2);
    const Steps steps(model, xs);
    for (const std::size_t chunk : s.distinct_chunks()) {
      INFO("chunk " << s.chunks[chunk]);
      Bytes state(s.state_bytes);
      Rows ys(s, length);
      const std::size_t taken =
          s.prefill[chunk](model.weights.data(), state.data(), xs.at(0), length, ys.row(0), length, model.dirty_scratch());
      CHECK(taken == length);
      CHECK(ys.bytes == steps.outputs.bytes);
      CHECK(state == steps.states.back());
    }
    Bytes state(s.state_bytes);
    Rows ys(s, length);
    CHECK(s.prefill_alone(model.weights.data(), state.data(), xs.at(0), length, ys.row(0)) == length);
    CHECK(ys.bytes == steps.outputs.bytes);
    CHECK(state == steps.states.back());
  }
}

// The states of several streams of one model: `alone`, if each stream is processed alone, and `together`, if they are processed
// together.
struct Streams {
  Model& model;
  std::vector<Bytes> alone, together;

  Streams(Model& m, std::size_t n) : model(m), alone(n, Bytes(m.subject.state_bytes)), together(alone) {}
  std::vector<std::byte*> chosen(const std::vector<std::size_t>& ids) {
    std::vector<std::byte*> states;
    for (const std::size_t id : ids) states.push_back(together[id].data());
    return states;
  }
};

TEST_CASE("streams processed together give the same bits as each stream alone, whichever streams join, leave or get outputs") {
  for (const Subject& s : subjects()) {
    INFO(s.name);
    Model model(s, 1);
    const Sequence xs(s, 2);
    Draws draws(6);
    Streams streams(model, length);
    for (const std::size_t most : {1, 2, 3, 16, 17, 70}) {
      std::vector<std::size_t> ids(length);
      std::iota(ids.begin(), ids.end(), 0);
      for (std::size_t i = 0; i < most; ++i) std::swap(ids[i], ids[i + draws.below(length - i)]);
      ids.resize(most);
      INFO(most << " streams");
      // Steps of one token for each stream: stream i gets token i of the sequence.
      const std::size_t wanted = draws.below(most + 1);
      Rows each(s, length), ys(s, length);
      for (std::size_t i = 0; i < most; ++i) model.step(streams.alone[ids[i]], xs.at(i), each.row(i));
      s.step_streams(model.weights.data(), streams.chosen(ids).data(), most, xs.at(0), ys.row(0), wanted);
      CHECK(same_rows(ys, each, wanted));
      CHECK(Rows(s, length - wanted).bytes == [&] {
        Rows rest(s, length - wanted);
        std::memcpy(rest.row(0), ys.row(wanted), (length - wanted) * s.d_out * sizeof(float));
        return rest.bytes;
      }());
      CHECK(streams.alone == streams.together);
      // Prefills of sequences of different lengths, some empty, which together have at most `length` tokens.
      std::vector<std::size_t> counts;
      for (std::size_t i = 0, left = length; i < most; ++i, left -= counts.back())
        counts.push_back(std::min(left, draws.below(2 * length / most + 2)));
      Rows all(s, length), last(s, length), ragged(s, length);
      std::size_t t = 0;
      for (std::size_t i = 0; i < most; ++i)
        for (std::size_t end = t + counts[i]; t < end; ++t) {
          model.step(streams.alone[ids[i]], xs.at(t), all.row(t));
          if (t + 1 == end) std::memcpy(last.row(i), all.row(t), s.d_out * sizeof(float));
        }
      s.prefill_streams(model.weights.data(), streams.chosen(ids).data(), counts, xs.at(0), ragged.row(0), most);
      CHECK(ragged.bytes == (s.summarises ? last : all).bytes);
      CHECK(streams.alone == streams.together);
    }
  }
}

TEST_CASE("a sequence split at random among several prefills gives the same bits as single steps, states included") {
  for (const Subject& s : subjects()) {
    INFO(s.name);
    Model model(s, 3);
    const Sequence xs(s, 4);
    const Steps steps(model, xs);
    Draws draws(5);
    for (int attempt = 0; attempt < (s.quick ? 4 : 20); ++attempt) {
      const std::vector<Piece> pieces = random_split(s, draws);
      INFO(words(s.chunks, pieces));
      Bytes state(s.state_bytes);
      Rows ys(s, length);
      bool states_agree = true;
      std::size_t t = 0;
      for (const Piece& p : pieces) {
        s.prefill[p.chunk](model.weights.data(), state.data(), xs.at(t), p.size, ys.row(t), p.size, model.dirty_scratch());
        t += p.size;
        states_agree = states_agree && state == steps.states[t];
      }
      CHECK(states_agree);
      CHECK(ys.bytes == steps.outputs.bytes);
    }
  }
}

TEST_CASE("prefills of 1 to d_conv + 1 tokens, and of one more or less than a tile or chunk, give the same bits as steps") {
  for (const Subject& s : subjects()) {
    INFO(s.name);
    Model model(s, 3);
    const Sequence xs(s, 4);
    const Steps steps(model, xs);
    std::vector<std::size_t> sizes{16, 17, 21, 65, 15, 18, 19, 20, 22, 23, 63, 64};
    if (s.quick) sizes.resize(4);
    for (std::size_t n = 1; n <= s.d_conv + 1; ++n) sizes.push_back(n);
    for (const std::size_t n : sizes)
      for (const std::size_t chunk : s.distinct_chunks()) {
        INFO(n << " tokens, chunk " << s.chunks[chunk]);
        Bytes state(s.state_bytes);
        Rows ys(s, n);
        s.prefill[chunk](model.weights.data(), state.data(), xs.at(0), n, ys.row(0), n, model.dirty_scratch());
        CHECK(same_rows(ys, steps.outputs, n));
        CHECK(state == steps.states[n]);
        CHECK(ys.guard_whole());
      }
  }
}

TEST_CASE("a prefill with one output vector writes the last token's output, and leaves the same state as with all outputs") {
  for (const Subject& s : subjects()) {
    if (!s.summarises) continue;
    INFO(s.name);
    Model model(s, 6);
    const Sequence xs(s, 7);
    const Steps steps(model, xs);
    for (const std::size_t chunk : s.distinct_chunks())
      for (const std::size_t n : {std::size_t{1}, std::size_t{2}, s.d_conv, std::size_t{16}, std::size_t{65}, length}) {
        INFO(n << " tokens, chunk " << s.chunks[chunk]);
        Bytes state(s.state_bytes);
        Rows y(s, 1);
        CHECK(s.prefill_last[chunk](model.weights.data(), state.data(), xs.at(0), n, y.row(0), model.dirty_scratch()) == n);
        CHECK(same_row(y, 0, steps.outputs, n - 1));
        CHECK(y.guard_whole());
        CHECK(state == steps.states[n]);
      }
  }
}

TEST_CASE("a prefill of 70 tokens into 5 output vectors processes 5 tokens and returns 5") {
  for (const Subject& s : subjects()) {
    INFO(s.name);
    Model model(s, 6);
    const Sequence xs(s, 7);
    const Steps steps(model, xs);
    Bytes state(s.state_bytes);
    Rows ys(s, 5);
    CHECK(s.prefill[1](model.weights.data(), state.data(), xs.at(0), length, ys.row(0), 5, model.dirty_scratch()) == 5);
    CHECK(same_rows(ys, steps.outputs, 5));
    CHECK(state == steps.states[5]);
    CHECK(ys.guard_whole());
  }
}

TEST_CASE("a prefill of zero tokens returns 0 and changes neither state nor output") {
  for (const Subject& s : subjects()) {
    INFO(s.name);
    Model model(s, 6);
    const Sequence xs(s, 7);
    const Steps steps(model, xs);
    Rows y(s, 1);
    const Rows untouched = y;
    Bytes state = steps.states[9];
    for (const std::size_t chunk : s.distinct_chunks()) {
      CHECK(s.prefill[chunk](model.weights.data(), state.data(), nullptr, 0, y.row(0), 1, model.dirty_scratch()) == 0);
      if (s.summarises)
        CHECK(s.prefill_last[chunk](model.weights.data(), state.data(), nullptr, 0, y.row(0), model.dirty_scratch()) == 0);
    }
    CHECK(state == steps.states[9]);
    CHECK(y.bytes == untouched.bytes);
  }
}

TEST_CASE("a step that places its scratch on the call stack gives the same bits as one that takes the caller's scratch") {
  for (const Subject& s : subjects()) {
    INFO(s.name);
    Model model(s, 6);
    const Sequence xs(s, 7);
    const Steps steps(model, xs);
    Bytes state(s.state_bytes);
    Rows ys(s, length);
    for (std::size_t t = 0; t < length; ++t) s.step_alone(model.weights.data(), state.data(), xs.at(t), ys.row(t));
    CHECK(ys.bytes == steps.outputs.bytes);
    CHECK(state == steps.states.back());
  }
}

TEST_CASE("a state copied as bytes continues its sequence with the same bits, even after the original was overwritten") {
  for (const Subject& s : subjects()) {
    INFO(s.name);
    Model model(s, 8);
    const Sequence xs(s, 9), others(s, 10);
    const Steps steps(model, xs);
    Draws draws(11);
    for (int attempt = 0; attempt < 5; ++attempt) {
      const std::size_t cut = draws.below(length + 1);
      INFO("saved after " << cut << " tokens");
      Bytes state(s.state_bytes);
      Rows ys(s, length), ignored(s, length);
      s.prefill[2](model.weights.data(), state.data(), xs.at(0), cut, ys.row(0), cut, model.dirty_scratch());
      const Bytes saved = state;
      s.prefill[1](model.weights.data(), state.data(), others.at(0), length, ignored.row(0), length, model.dirty_scratch());
      state.fill(0xFF);
      Bytes elsewhere = saved;
      s.prefill[3](model.weights.data(), elsewhere.data(), xs.at(cut), length - cut, ys.row(cut), length - cut,
                   model.dirty_scratch());
      CHECK(ys.bytes == steps.outputs.bytes);
      CHECK(elsewhere == steps.states.back());
    }
  }
}

TEST_CASE("two models that take turns with one shared scratch give the same bits as each model alone") {
  for (const Subject& s : subjects()) {
    INFO(s.name);
    Model one(s, 12), two(s, 13);
    const Sequence xs(s, 14), zs(s, 15);
    const Steps alone_one(one, xs), alone_two(two, zs);
    Bytes state_one(s.state_bytes), state_two(s.state_bytes), shared(s.scratch_bytes);
    Rows ys_one(s, length), ys_two(s, length);
    Draws draws(16);
    std::size_t t = 0, u = 0;
    while (t < length || u < length) {
      const bool first = u == length || (t < length && draws.below(2) == 0);
      if (first) one.step(state_one, xs.at(t), ys_one.row(t), shared.data()), ++t;
      else two.step(state_two, zs.at(u), ys_two.row(u), shared.data()), ++u;
    }
    CHECK(ys_one.bytes == alone_one.outputs.bytes);
    CHECK(ys_two.bytes == alone_two.outputs.bytes);
    CHECK(state_one == alone_one.states.back());
    CHECK(state_two == alone_two.states.back());
  }
}

TEST_CASE("a prefill is causal: changing later tokens does not change the outputs of earlier tokens") {
  for (const Subject& s : subjects()) {
    INFO(s.name);
    Model model(s, 17);
    const Sequence xs(s, 18);
    Draws draws(19);
    Rows before(s, length);
    Bytes fresh(s.state_bytes);
    Bytes state = fresh;
    s.prefill[3](model.weights.data(), state.data(), xs.at(0), length, before.row(0), length, model.dirty_scratch());
    for (const std::size_t from : {std::size_t{1}, 1 + draws.below(length - 1), 1 + draws.below(length - 1), length - 1}) {
      INFO("changed from token " << from << " on");
      Sequence changed = xs;
      for (std::size_t t = from; t < length; ++t) changed.redraw(t, draws);
      Rows after(s, length);
      state = fresh;
      s.prefill[3](model.weights.data(), state.data(), changed.at(0), length, after.row(0), length, model.dirty_scratch());
      CHECK(same_rows(after, before, from));
    }
  }
}

TEST_CASE("a used state that is overwritten with zeros starts a new sequence, with the same bits as a new state") {
  for (const Subject& s : subjects()) {
    INFO(s.name);
    Model model(s, 20);
    const Sequence xs(s, 21), others(s, 22);
    const Steps steps(model, xs);
    Bytes state(s.state_bytes);
    Rows ys(s, length);
    s.prefill[3](model.weights.data(), state.data(), others.at(0), length, ys.row(0), length, model.dirty_scratch());
    state = Bytes(s.state_bytes);
    s.prefill[0](model.weights.data(), state.data(), xs.at(0), length, ys.row(0), length, model.dirty_scratch());
    CHECK(ys.bytes == steps.outputs.bytes);
    CHECK(state == steps.states.back());
  }
}

TEST_CASE("step leaves every byte of the model's weights unchanged") {
  for (const Subject& s : subjects()) {
    INFO(s.name);
    Model model(s, 23);
    const Bytes before = model.weights;
    const Steps steps(model, Sequence(s, 24));
    CHECK(model.weights == before);
  }
}

TEST_CASE("NaN, infinities, denormals and huge inputs in one sequence do not change another sequence that shares its scratch") {
  constexpr float odd[] = {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                           -std::numeric_limits<float>::infinity(), std::numeric_limits<float>::denorm_min(),
                           -1e-40f, 1e30f, -1e30f, std::numeric_limits<float>::max(), std::numeric_limits<float>::lowest(),
                           -0.0f};
  for (const Subject& s : subjects()) {
    if (s.takes_tokens()) continue;
    INFO(s.name);
    Model model(s, 25);
    const Sequence xs(s, 26);
    const Steps steps(model, xs);
    for (std::size_t first = 0; first < std::size(odd); ++first) {
      INFO("from " << odd[first] << " on");
      Sequence poisoned = xs;
      for (std::size_t t = 0; t < length; ++t)
        poisoned.row(t)[t % s.d_in] = odd[(first + t) % std::size(odd)];
      for (std::size_t i = 0; i < s.d_in; ++i) poisoned.row(0)[i] = odd[first];
      Bytes state(s.state_bytes), other(s.state_bytes);
      Rows poisoned_ys(s, length), prefilled(s, length), ys(s, length);
      for (std::size_t t = 0; t < length; ++t) {
        model.step(state, poisoned.at(t), poisoned_ys.row(t));
        model.step(other, xs.at(t), ys.row(t));
      }
      CHECK(ys.bytes == steps.outputs.bytes);  // the sequence that used the same scratch is unaffected
      state = Bytes(s.state_bytes);
      s.prefill[2](model.weights.data(), state.data(), xs.at(0), length, prefilled.row(0), length, model.dirty_scratch());
      CHECK(prefilled.bytes == steps.outputs.bytes);  // a fresh state gives the usual outputs again
    }
  }
}

TEST_CASE("all token ids outside the vocabulary (negative or too large) give the same finite outputs and the same state") {
  for (const Subject& s : subjects()) {
    if (!s.takes_tokens()) continue;
    INFO(s.name);
    Model model(s, 27);
    const Sequence xs(s, 28);
    const int outside[] = {-1, static_cast<int>(s.vocab_size), -2, 1 << 20, std::numeric_limits<int>::max(),
                           std::numeric_limits<int>::min()};
    Rows first(s, 1), y(s, 1), ys(s, std::size(outside));
    Bytes fresh(s.state_bytes);
    Bytes after_first = fresh;
    model.step(after_first, &outside[0], first.row(0));
    for (std::size_t i = 0; i < s.d_out; ++i) CHECK(std::isfinite(first.row(0)[i]));
    for (const int token : outside) {
      INFO("token " << token);
      Bytes state = fresh;
      model.step(state, &token, y.row(0));
      CHECK(same_row(y, 0, first, 0));
      CHECK(state == after_first);
    }
    Bytes stepped = fresh, prefilled = fresh;
    bool agree = true;
    s.prefill[2](model.weights.data(), prefilled.data(), outside, std::size(outside), ys.row(0), std::size(outside),
                 model.dirty_scratch());
    for (std::size_t t = 0; t < std::size(outside); ++t) {
      model.step(stepped, &outside[t], y.row(0));
      agree = agree && same_row(y, 0, ys, t);
    }
    CHECK(agree);
    CHECK(stepped == prefilled);
  }
}

}  // namespace
}  // namespace laws
