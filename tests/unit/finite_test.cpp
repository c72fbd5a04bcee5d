// Tests is_finite on the states of models, layers and nested stacks.
#include <catch2/catch.hpp>
#include <cstring>
#include <limits>
#include <memory>
#include <string_view>
#include <vector>

#include "krait.hpp"
#include "krait/init.hpp"

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity(), not_a_number = std::numeric_limits<float>::quiet_NaN();

constexpr auto block_dims = krait::resolve(krait::BlockDims{.d_model = 6, .d_state = 3});
using Block2 = krait::Mamba2Block<krait::resolve(krait::Mamba2BlockDims{.d_model = 6, .d_state = 3, .headdim = 4})>;
using Block3 = krait::Mamba3Block<krait::resolve(krait::Mamba3BlockDims{.d_model = 6, .d_state = 4, .headdim = 4})>;
struct Inner {
  KRAIT_PARAMS(Inner, (krait::Linear<krait::LinearDims{.d_in = 6, .d_out = 6}>, linear),
                      (krait::MambaBlock<block_dims>, mixer));
};
using Blocks = std::array<krait::ResidualBlock<block_dims>, 2>;
using BlockStates = std::array<krait::State<krait::ResidualBlock<block_dims>>, 2>;
struct Parts {
  KRAIT_PARAMS(Parts, (krait::Stack<Inner>, inner), (Blocks, layers), (krait::MeanPool<6>, pool));
};
struct OwnState {
  std::array<float, 3> values;
  float last;
  bool is_first;
  bool is_finite() const { return krait::is_finite(values) && krait::is_finite(last); }
};

// Checks that is_finite is false if a float of the state that `places` lists is NaN or infinite, and true otherwise.
template <class State>
void notices(State& state, const std::vector<float*>& places) {
  CHECK(krait::is_finite(state));
  for (float* const place : places) {
    const float kept = *place;
    for (const float value : {not_a_number, -not_a_number, infinity, -infinity}) {
      *place = value;
      CHECK(!krait::is_finite(state));
    }
    for (const float value : {std::numeric_limits<float>::max(), std::numeric_limits<float>::lowest(), 1e-45f, -0.0f}) {
      *place = value;
      CHECK(krait::is_finite(state));
    }
    *place = kept;
  }
  CHECK(krait::is_finite(state));
}

}  // namespace

TEST_CASE("is_finite finds NaN and infinity in every part of a model's state") {
  using Model = krait::Mamba<krait::resolve({.vocab_size = 5, .d_model = 3, .n_layers = 2})>;
  const auto state = std::make_unique<krait::State<Model>>();
  std::vector<float*> places;
  for (auto& layer : state->layers) {
    auto& window = layer.conv_state.window.values;
    auto& h = layer.ssm_state.h.values;
    for (float* const place : {&window.front(), &window.back(), &h.front(), &h.back()}) places.push_back(place);
  }
  notices(*state, places);
}

TEST_CASE("is_finite finds NaN and infinity in every part of the states of Mamba-2 and Mamba-3") {
  krait::State<Block2> state2;
  auto& window = state2.conv_state.window.values;
  notices(state2, {&window.front(), &window.back(), &state2.h.values.front(), &state2.h.values.back()});
  krait::State<Block3> state3;
  state3.turns.fill(0xFFFFFFFFu);  // the angles are integers; here they have the bits of a NaN
  notices(state3, {&state3.h.values.front(), &state3.h.values.back(), &state3.k.values.front(), &state3.k.values.back(),
                   &state3.x.values.front(), &state3.x.values.back()});
}

TEST_CASE("is_finite reads the floats in the states of nested stacks, and nothing else") {
  const auto state = std::make_unique<krait::State<krait::Stack<Parts>>>();
  std::memset(static_cast<void*>(state.get()), 0xFF, sizeof(*state));  // includes padding and the pool's count
  auto& inner = krait::detail::slot_object<0>(*state);
  auto& mixer = krait::detail::slot_object<1>(inner);
  auto& layers = krait::detail::slot_object<1>(*state);
  auto& pool = krait::detail::slot_object<2>(*state);
  CHECK(!krait::is_finite(*state));
  for (auto* const block : {&mixer, &layers[0], &layers[1]}) block->conv_state = {}, block->ssm_state = {};
  for (std::size_t i = 0; i < 6; ++i) pool.data()[i] = 0;
  REQUIRE(pool.count() == 0xFFFFFFFFu);
  notices(*state, {mixer.conv_state.window.values.data(), &mixer.ssm_state.h.values.back(), layers[1].ssm_state.h.values.data(),
                   &layers[0].conv_state.window.values.back(), pool.data() + 5});
}

TEST_CASE("is_finite calls the function is_finite of a user's State, and accepts a state without members") {
  OwnState state{{1, 2, 3}, 4, true};
  notices(state, {&state.values[2], &state.last});
  STATIC_REQUIRE(krait::is_finite(krait::NoState{}));
}

TEST_CASE("is_finite accepts the -infinity of a fresh MaxPool state, and rejects +infinity and NaN in it") {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  using Pool = krait::MaxPool<3>;
  krait::Tensor<float, 3> y;
  const auto after = [&](float x) {
    krait::State<Pool> state;
    krait::step(Pool{}, state, krait::Tensor<float, 3>{{1.0f, 2.0f, x}}, y);
    return krait::is_finite(state);
  };
  CHECK(krait::is_finite(krait::State<Pool>{}));
  CHECK(after(-infinity));
  CHECK(after(-3.0f));
  CHECK(after(std::numeric_limits<float>::max()));
  CHECK(!after(infinity));
  CHECK(!after(std::numeric_limits<float>::quiet_NaN()));
}

TEMPLATE_TEST_CASE("a NaN stays in a block's state, until the state is set to a fresh one", "", krait::MambaBlock<block_dims>,
                   Block2, Block3) {
  using Block = TestType;
  const auto block = std::make_unique<Block>(krait::init<Block>(krait::key(1)));
  krait::State<Block> state{};
  krait::Tensor<float, 6> x{{1, -2, 3, 0.5f, 0, 1}}, y;
  for (int i = 0; i < 100; ++i) krait::step(*block, state, x, y);
  CHECK(krait::is_finite(state));
  auto bad = x;
  bad[3] = not_a_number;
  krait::step(*block, state, bad, y);
  CHECK(!krait::is_finite(state));
  for (int i = 0; i < 100; ++i) krait::step(*block, state, x, y);
  CHECK(!krait::is_finite(state));
  state = {};
  krait::step(*block, state, x, y);
  CHECK(krait::is_finite(state));
}
