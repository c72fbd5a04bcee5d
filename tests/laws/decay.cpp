// Tests extreme values of A_log and dt. The models run without input (x = 0), so every step computes h = decay * h exactly.
#include <catch2/catch.hpp>
#include <cfloat>
#include <cmath>
#include <cstring>
#include <krait.hpp>
#include <limits>

namespace {

constexpr auto dims = krait::resolve(krait::SsmDims{.d_inner = 17, .d_state = 3, .dt_rank = 1, .x_bias = true, .dt_bias = true});
using Model = krait::SelectiveStateSpaceModel<dims>;
using State = krait::State<Model>;
using Row = krait::Tensor<float, dims.d_inner>;
constexpr float inf = std::numeric_limits<float>::infinity();

// Returns a model whose dt, B and C do not depend on x: dt is `dt`; B and C are 0.75, 1.0 and 1.25 for the three states.
Model constant_model(float A_log, float dt) {
  Model model{};
  for (std::size_t n = 0; n < 2 * dims.d_state; ++n)
    model.x_proj.bias.set(1 + n, 0, 0.75f + 0.25f * static_cast<float>(n % dims.d_state));
  for (std::size_t c = 0; c < dims.d_inner; ++c) {
    model.dt_proj.bias.set(c, 0, dt);
    for (std::size_t n = 0; n < dims.d_state; ++n) model.A_log.set(c, n, A_log);
  }
  return model;
}

State after(const Model& model, State state, float x) {
  Row row, y;
  row.values.fill(x);
  krait::step(model, state, row, y);
  return state;
}

bool same(const State& a, const State& b) { return std::memcmp(&a, &b, sizeof(a)) == 0; }

bool forgotten(const State& state) {
  for (std::size_t c = 0; c < dims.d_inner; ++c)
    for (std::size_t n = 0; n < dims.d_state; ++n)
      if (state.h.get(c, n) != 0.0f) return false;
  return true;
}

TEST_CASE("one step without input sets the state to 0 if A_log is 89 or more, up to infinity") {
  for (const float A_log : {89.0f, 1e4f, FLT_MAX, inf}) {
    CAPTURE(A_log);
    const Model model = constant_model(A_log, 0.5f);
    const State filled = after(model, {}, 3.0f);
    CHECK(filled.h.get(16, 2) > 2.0f);
    CHECK(forgotten(after(model, filled, 0.0f)));
  }
}

TEST_CASE("the state keeps its exact bits over 1000 steps without input if A_log is -105 or less, down to -infinity") {
  for (const float A_log : {-105.0f, -1e4f, -FLT_MAX, -inf}) {
    CAPTURE(A_log);
    const Model model = constant_model(A_log, 0.5f);
    const State filled = after(model, {}, 3.0f);
    State state = filled;
    for (int i = 0; i < 1000; ++i) state = after(model, state, 0.0f);
    CHECK(same(state, filled));
  }
}

TEST_CASE("a denormal A_log decays the state by e^-delta, as an A_log of 0 does") {
  const Model zero = constant_model(0.0f, 0.5f);
  const State filled = after(zero, {}, 3.0f);
  const State decayed = after(zero, filled, 0.0f);
  for (const float A_log : {-0.0f, FLT_TRUE_MIN, -FLT_TRUE_MIN, 1e-40f, -1e-40f, FLT_MIN})
    CHECK(same(after(constant_model(A_log, 0.5f), filled, 0.0f), decayed));
  const double decay = 1.0 / (1.0 + std::exp(0.5));  // e^-softplus(1/2)
  CHECK(static_cast<double>(decayed.h.get(0, 0)) / static_cast<double>(filled.h.get(0, 0)) == Approx(decay).epsilon(1e-6));
}

TEST_CASE("the state does not decay and takes no input if dt is -110 or less, down to -infinity") {
  const State filled = after(constant_model(0.0f, 0.5f), {}, 3.0f);
  for (const float dt : {-110.0f, -1e4f, -FLT_MAX, -inf})
    for (const float A_log : {-inf, -1e4f, 0.0f, 3.0f, 20.0f}) {
      CAPTURE(dt, A_log);
      CHECK(same(after(constant_model(A_log, dt), filled, 3.0f), filled));
    }
}

TEST_CASE("one step without input sets the state to 0 if dt is 1e4 or more; if A_log is also -1e4, it keeps the state") {
  const State filled = after(constant_model(0.0f, 0.5f), {}, 3.0f);
  for (const float dt : {1e4f, 1e30f, FLT_MAX}) {
    CAPTURE(dt);
    for (const float A_log : {0.0f, 3.0f, 1e4f, inf})
      CHECK(forgotten(after(constant_model(A_log, dt), filled, 0.0f)));
    CHECK(same(after(constant_model(-1e4f, dt), filled, 0.0f), filled));
  }
}

TEST_CASE("a NaN in one channel's parameters does not change the states of the other channels") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Model model = constant_model(0.3f, 0.5f);
  const State clean = after(model, after(model, {}, 3.0f), -1.0f);
  for (const int which : {0, 1, 2}) {
    Model poisoned = model;
    if (which == 0) poisoned.A_log.set(4, 1, nan);
    if (which == 1) poisoned.dt_proj.bias.set(4, 0, nan);
    if (which == 2) poisoned.D.set(4, 0, nan);
    const State state = after(poisoned, after(poisoned, {}, 3.0f), -1.0f);
    for (std::size_t c = 0; c < dims.d_inner; ++c)
      for (std::size_t n = 0; n < dims.d_state; ++n)
        if (c != 4) CHECK(state.h.get(c, n) == clean.h.get(c, n));
  }
}

}  // namespace
