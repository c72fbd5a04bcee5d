// A program of two translation units that both use the library and must compute the same number, which it prints.
#include <cstdio>

#include <krait.hpp>
#include <krait/init.hpp>
#include <krait/session.hpp>

float other_answer();  // defined in other.cpp: computes the same number with single steps

int main() {
  constexpr auto dims = krait::resolve({.vocab_size = 16, .d_model = 8, .n_layers = 1, .d_state = 4});
  const auto model = krait::init<krait::Mamba<dims>>(krait::key(0));
  const float answer = krait::forward(model, std::array{3, 1, 4})[2][15];
  std::printf("%.4f\n", static_cast<double>(answer));
  return answer == other_answer() ? 0 : 1;
}
