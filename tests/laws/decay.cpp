// Tests extreme values of A_log and dt. Without an input (x = 0), every step computes h = decay * h exactly.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cfloat>
#include <cmath>
#include <cstring>
#include <krait.hpp>
#include <limits>

namespace {

constexpr float inf = std::numeric_limits<float>::infinity();

// A model with the recurrence of Mamba-1. constant(A_log, dt) returns a model whose dt, B and C do not depend on x; B and C are
// 0.75, 1.0 and 1.25 for the three states. poison(model, i) sets one of three parameters of channel or head 1 to NaN.
struct Mamba1 {
  static constexpr auto dims = krait::resolve(
      krait::SsmDims{.d_inner = 17, .d_state = 3, .dt_rank = 1, .x_bias = true, .dt_bias = true});
  using Model = krait::SelectiveStateSpaceModel<dims>;
  using State = krait::State<Model>;
  static constexpr std::size_t heads = dims.d_inner, headdim = 1;
  static Model constant(float A_log, float dt) {
    Model model{};
    for (std::size_t n = 0; n < 2 * dims.d_state; ++n)
      model.x_proj.bias.set(1 + n, 0, 0.75f + 0.25f * static_cast<float>(n % dims.d_state));
    for (std::size_t c = 0; c < dims.d_inner; ++c) {
      model.dt_proj.bias.set(c, 0, dt);
      for (std::size_t n = 0; n < dims.d_state; ++n) model.A_log.set(c, n, A_log);
    }
    return model;
  }
  static float h(const State& state, std::size_t head, std::size_t, std::size_t n) { return state.h.get(head, n); }
  static void poison(Model& model, int which, float nan) {
    if (which == 0) model.A_log.set(1, 1, nan);
    if (which == 1) model.dt_proj.bias.set(1, 0, nan);
    if (which == 2) model.D.set(1, 0, nan);
  }
};

// Sets in_proj so that each x is the block's input, and B and C are constants, the biases.
template <class Block>
void set_in_proj(Block& block, std::size_t first_of_B) {
  constexpr auto dims = Block::block_dims;
  for (std::size_t c = 0; c < dims.d_inner; ++c) block.in_proj.weight.set(dims.d_inner + c, 0, 1.0f);
  for (std::size_t n = 0; n < 2 * dims.d_state; ++n)
    block.in_proj.bias.set(first_of_B + n, 0, 0.75f + 0.25f * static_cast<float>(n % dims.d_state));
}

// A block of Mamba-2 with two heads.
struct Mamba2 {
  static constexpr auto dims = krait::resolve(krait::Mamba2BlockDims{
      .d_model = 1, .d_state = 3, .d_conv = 1, .d_inner = 34, .headdim = 17, .in_bias = true, .conv_bias = false,
      .rmsnorm = false});
  using Model = krait::Mamba2Block<dims>;
  using State = krait::State<Model>;
  static constexpr std::size_t heads = 2, headdim = dims.headdim;
  static Model constant(float A_log, float dt) {
    Model model{};
    set_in_proj(model, 2 * dims.d_inner);
    krait::assign(model.conv1d.weight, [](std::size_t, std::size_t) { return 1.0f; });
    for (std::size_t head = 0; head < heads; ++head) model.dt_bias.set(head, 0, dt), model.A_log.set(head, 0, A_log);
    return model;
  }
  static float h(const State& state, std::size_t head, std::size_t c, std::size_t n) { return state.h.get(head, c, n); }
  static void poison(Model& model, int which, float nan) {
    if (which == 0) model.A_log.set(1, 0, nan);
    if (which == 1) model.dt_bias.set(1, 0, nan);
    if (which == 2) model.D.set(1, 0, nan);
  }
};

// A block of Mamba-3 with two heads, without a floor of -A. constant(a, dt) takes the output a of in_proj instead of A_log.
struct Mamba3 {
  static constexpr auto dims = krait::resolve(krait::Mamba3BlockDims{
      .d_model = 1, .d_state = 4, .d_inner = 34, .headdim = 17, .in_bias = true, .A_floor = 0});
  using Model = krait::Mamba3Block<dims>;
  using State = krait::State<Model>;
  static constexpr std::size_t heads = 2, headdim = dims.headdim;
  static Model constant(float a, float dt) {
    Model model{};
    set_in_proj(model, 2 * dims.d_inner);
    for (std::size_t n = 0; n < dims.d_state; ++n) model.B_norm.weight.set(n, 0, 1.0f), model.C_norm.weight.set(n, 0, 1.0f);
    for (std::size_t head = 0; head < heads; ++head) {
      model.dt_bias.set(head, 0, dt);
      model.in_proj.bias.set(2 * dims.d_inner + 2 * dims.d_state + heads + head, 0, a);
    }
    return model;
  }
  static float h(const State& state, std::size_t head, std::size_t c, std::size_t n) { return state.h.get(head, c, n); }
  static void poison(Model& model, int which, float nan) {
    if (which == 0) model.B_bias.set(1, 2, nan);
    if (which == 1) model.dt_bias.set(1, 0, nan);
    if (which == 2) model.D.set(1, 0, nan);
  }
};

template <class Kind>
void advance(const typename Kind::Model& model, typename Kind::State& state, float x) {
  krait::Tensor<float, Kind::Model::d_in> row;
  krait::Tensor<float, Kind::Model::d_out> y;
  row.values.fill(x);
  krait::step(model, state, row, y);
}
// Returns the state after one input and then an input of 0, which in Mamba-3 replaces the previous x in the state.
template <class Kind>
typename Kind::State filled_by(const typename Kind::Model& model) {
  typename Kind::State state;
  advance<Kind>(model, state, 3.0f);
  advance<Kind>(model, state, 0.0f);
  return state;
}

// Compares only h, because in Mamba-3, k and the angles change with every token.
template <class Kind>
bool same(const typename Kind::State& a, const typename Kind::State& b) {
  return std::memcmp(a.h.values.data(), b.h.values.data(), sizeof(a.h.values)) == 0;
}

template <class Kind>
void check_forgotten(float A_log, float dt) {
  CAPTURE(A_log, dt);
  typename Kind::State state = filled_by<Kind>(Kind::constant(0.0f, 0.5f));
  CHECK(Kind::h(state, 1, Kind::headdim - 1, 2) > 0.5f);
  advance<Kind>(Kind::constant(A_log, dt), state, 0.0f);
  CHECK(std::all_of(state.h.values.begin(), state.h.values.end(), [](float h) { return h == 0.0f; }));
}
template <class Kind>
void check_kept(float A_log, float dt, float x, int steps) {
  CAPTURE(A_log, dt, x);
  const typename Kind::State filled = filled_by<Kind>(Kind::constant(0.0f, 0.5f));
  typename Kind::State state = filled;
  CHECK(Kind::h(filled, 1, Kind::headdim - 1, 2) > 0.5f);
  const typename Kind::Model model = Kind::constant(A_log, dt);
  for (int i = 0; i < steps; ++i) advance<Kind>(model, state, x);
  CHECK(same<Kind>(state, filled));
}

TEMPLATE_TEST_CASE("one step without input sets the state to 0 if A_log is 89 or more, up to infinity", "", Mamba1, Mamba2) {
  for (const float A_log : {89.0f, 1e4f, FLT_MAX, inf}) check_forgotten<TestType>(A_log, 0.5f);
}

TEMPLATE_TEST_CASE("the state keeps its exact bits over 1000 steps without input if A_log is -105 or less, down to -infinity",
                   "", Mamba1, Mamba2) {
  for (const float A_log : {-105.0f, -1e4f, -FLT_MAX, -inf}) check_kept<TestType>(A_log, 0.5f, 0.0f, 1000);
}

TEMPLATE_TEST_CASE("a denormal A_log, or a denormal a of Mamba-3, decays the state by e^-delta, as 0 does", "", Mamba1, Mamba2,
                   Mamba3) {
  using Kind = TestType;
  const auto zero = Kind::constant(0.0f, 0.5f);
  const auto filled = filled_by<Kind>(zero);
  auto decayed = filled;
  advance<Kind>(zero, decayed, 0.0f);
  for (const float A_log : {-0.0f, FLT_TRUE_MIN, -FLT_TRUE_MIN, 1e-40f, -1e-40f, FLT_MIN}) {
    auto state = filled;
    advance<Kind>(Kind::constant(A_log, 0.5f), state, 0.0f);
    CHECK(same<Kind>(state, decayed));
  }
  const double decay = 1.0 / (1.0 + std::exp(0.5));  // e^-softplus(1/2)
  CHECK(double{Kind::h(decayed, 0, 0, 0)} / double{Kind::h(filled, 0, 0, 0)} == Approx(decay).epsilon(1e-6));
}

TEMPLATE_TEST_CASE("the state neither decays nor adds the input if dt is -110 or less, down to -infinity", "", Mamba1, Mamba2) {
  for (const float dt : {-110.0f, -1e4f, -FLT_MAX, -inf})
    for (const float A_log : {-inf, -1e4f, 0.0f, 3.0f, 20.0f}) check_kept<TestType>(A_log, dt, 3.0f, 1);
}

TEMPLATE_TEST_CASE("a step without input sets the state to 0 if dt is 1e4 or more, but keeps the state if A_log is also -1e4",
                   "", Mamba1, Mamba2) {
  for (const float dt : {1e4f, 1e30f, FLT_MAX}) {
    for (const float A_log : {0.0f, 3.0f, 1e4f, inf}) check_forgotten<TestType>(A_log, dt);
    check_kept<TestType>(-1e4f, dt, 0.0f, 1);
  }
}

TEST_CASE("with extreme values of dt and a, Mamba-3 sets the state to 0, keeps it, or ignores the input, as Mamba-2 does") {
  for (const float a : {1e4f, 1e30f, FLT_MAX, inf}) check_forgotten<Mamba3>(a, 0.5f);
  for (const float a : {-1e30f, -FLT_MAX, -inf}) check_kept<Mamba3>(a, 0.5f, 0.0f, 1000);
  for (const float dt : {-110.0f, -1e4f, -FLT_MAX, -inf})
    for (const float a : {-inf, -1e4f, 0.0f, 3.0f, 1e8f}) check_kept<Mamba3>(a, dt, 3.0f, 1);
  for (const float dt : {1e4f, 1e30f, FLT_MAX})
    for (const float a : {0.0f, 3.0f, 1e4f, inf}) check_forgotten<Mamba3>(a, dt);
}

TEMPLATE_TEST_CASE("a NaN in the parameters of one channel or head does not change the states of other channels or heads", "", Mamba1,
                   Mamba2, Mamba3) {
  using Kind = TestType;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto model = Kind::constant(0.3f, 0.5f);
  const auto run = [](const auto& one) {
    typename Kind::State state;
    for (const float x : {3.0f, -1.0f}) advance<Kind>(one, state, x);
    return state;
  };
  const auto clean = run(model);
  for (const int which : {0, 1, 2}) {
    auto poisoned = model;
    Kind::poison(poisoned, which, nan);
    const auto state = run(poisoned);
    if (which != 2) CHECK(!krait::is_finite(state));  // D does not enter the state
    for (std::size_t head = 0; head < Kind::heads; ++head)
      for (std::size_t c = 0; c < Kind::headdim; ++c)
        for (std::size_t n = 0; n < 3; ++n)
          if (head != 1) CHECK(Kind::h(state, head, c, n) == Kind::h(clean, head, c, n));
  }
}

}  // namespace
