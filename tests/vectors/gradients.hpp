// Compares the gradients of record and backward with those of a reference vector. The script `check` generates the program that
// includes this header.
#ifndef KRAIT_TESTS_GRADIENTS_HPP
#define KRAIT_TESTS_GRADIENTS_HPP

#include "krait/train.hpp"
#include "vector.hpp"

// Runs one reference vector of gradients. Prints the largest errors of the loss, of the gradient of the input and of the
// gradients of the weights, each relative to the largest expected magnitude of its tensor. Also checks that `record` gives the
// outputs of prefill.
template <class Model, std::size_t length>
int run_gradients(const Arguments& arguments) {
  using Input = std::conditional_t<krait::TakesTokens<Model>, std::array<std::int32_t, length>,
                                   krait::Tensor<float, length, Model::d_in>>;
  using Output = krait::Tensor<float, length, Model::d_out>;
  using Wanted = std::conditional_t<krait::TakesTokens<Model>, std::array<std::int32_t, length>, Output>;
  const auto dashes = std::ranges::find(arguments.ignore, "--");
  const std::vector<std::string_view> ignore(arguments.ignore.begin(), dashes), names(dashes + 1, arguments.ignore.end());
  const auto model = std::make_unique<Model>();
  if (const std::string refused = load_weights(*model, arguments.weights, ignore); !refused.empty()) return fail(refused);

  std::ifstream stream(arguments.numbers, std::ios::binary);
  const auto read = [&](void* to, std::size_t bytes) { stream.read(static_cast<char*>(to),
                                                                   static_cast<std::streamsize>(bytes)); };
  const auto input = std::make_unique<Input>();
  const auto targets = std::make_unique<Wanted>();
  double wanted_loss;
  read(input.get(), sizeof(Input));
  read(targets.get(), sizeof(Wanted));
  read(&wanted_loss, sizeof(double));

  std::printf("target %s\n", krait::target_name());
  const auto output = std::make_unique<Output>();
  const auto tape = std::make_unique<krait::Tape<Model, length>>();
  const auto gradients = std::make_unique<krait::Gradients<Model>>();
  const auto state = std::make_unique<krait::State<Model>>();
  krait::record(*model, *state, *input, *output, *tape);
  {
    const auto plain = std::make_unique<Output>();
    const auto plain_state = std::make_unique<krait::State<Model>>();
    krait::prefill(*model, *plain_state, *input, *plain);
    if (*plain != *output || std::memcmp(state.get(), plain_state.get(), sizeof(*state)) != 0)
      return fail("record and prefill differ");
  }
  const auto print_error = [&](const char* name, std::span<const float> found) {
    std::vector<double> wanted(found.size());
    read(wanted.data(), wanted.size() * sizeof(double));
    std::printf("%s %.3g\n", name, relative_error(found, wanted));
  };
  if constexpr (krait::TakesTokens<Model>) {
    const float loss = krait::cross_entropy(*output, *targets, *output);
    std::printf("loss %.3g\n", std::fabs(static_cast<double>(loss) - wanted_loss) / wanted_loss);
    krait::backward(*model, *tape, *output, *gradients);
  } else {
    double loss = 0.0, size = 0.0;  // size: the sum of magnitudes, because the terms cancel each other
    for (std::size_t t = 0; t < length; ++t)
      for (std::size_t i = 0; i < Model::d_out; ++i) {
        loss += static_cast<double>((*output)[t][i]) * static_cast<double>((*targets)[t][i]);
        size += std::fabs(static_cast<double>((*output)[t][i]) * static_cast<double>((*targets)[t][i]));
      }
    std::printf("loss %.3g\n", std::fabs(loss - wanted_loss) / size);
    const auto input_gradient = std::make_unique<Input>();
    krait::backward(*model, *tape, *targets, *gradients, *input_gradient);
    print_error("input", {&(*input_gradient)[0][0], length * Model::d_in});
  }
  double worst = 0.0;
  std::string_view where;
  for (const std::string_view name : names) {
    bool found = false;
    krait::for_each_gradient(*model, *gradients, [&](std::string_view parameter, const auto& gradient) {
      if (parameter != name) return;
      found = true;
      std::vector<float> numbers;
      for (std::size_t row = 0; row < gradient.rows; ++row)
        for (std::size_t col = 0; col < gradient.cols; ++col) numbers.push_back(gradient.get(row, col));
      std::vector<double> wanted(numbers.size());
      read(wanted.data(), wanted.size() * sizeof(double));
      if (const double error = relative_error(numbers, wanted); !(error <= worst)) worst = error, where = name;
    });
    if (!found) return fail("a parameter has no gradient");
  }
  if (!stream) return fail("the file of input and expected numbers is too short");
  std::printf("%.*s %.3g\n", static_cast<int>(where.size()), where.data(), worst);
  return 0;
}

#endif
