// Runs a Mamba block with random weights on one sample after the other, and prints its first output. For a trained model,
// include the header that krait pack wrote, and call krait::step with its model().
#include <krait.hpp>
#include <krait/init.hpp>

constexpr auto dims = krait::resolve(krait::BlockDims{.d_model = 8, .d_state = 4});
using Model = krait::MambaBlock<dims>;

Model model;
krait::State<Model> state;
krait::Scratch<Model> scratch;
unsigned sample = 0;

void setup() {
  Serial.begin(115200);
  krait::init(krait::key(1), model);
}

void loop() {
  krait::Tensor<float, Model::d_in> x;
  krait::Tensor<float, Model::d_out> y;
  for (unsigned channel = 0; channel < x.size(); ++channel) x[channel] = ((sample + 13 * channel) % 109) / 109.0f;
  krait::step(model, state, x, y, scratch);
  ++sample;
  Serial.println(y[0], 6);
  delay(10);
}
