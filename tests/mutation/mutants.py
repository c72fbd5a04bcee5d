"""The mutants of include/krait: for each, a text that occurs once, its wrong replacement, and the suites that should fail."""
import dataclasses
import pathlib

MUTANTS = []


@dataclasses.dataclass
class Mutant:
    suites: list  # sorted by cost, the cheapest suite first
    old: str
    new: str
    needs: str = ""  # the processor feature that the mutant needs, by its name in /proc/cpuinfo
    by_compiler: bool = False  # true if a compile error should detect the mutant
    equivalent: str = ""  # the reason why no test can detect the mutant; otherwise empty
    file: pathlib.Path = None  # the header that contains the text


def group(suites, *changes, **facts):
    """Adds a mutant for each tuple (old text, new text) or (old text, new text, other fields). `suites` has the names of the
    suites that should detect these mutants, separated by ` + `."""
    for old, new, *more in changes:
        MUTANTS.append(Mutant(suites.split(" + "), old, new, **facts, **(more[0] if more else {})))


# core: dims, checks and the visitors of parameters; most mutants change code that runs at compile time.
group("unit/dims",
      ("#define KRAIT_COPY_DIM(type, name, ...) .name = name,", "#define KRAIT_COPY_DIM(type, name, ...)"),
      (".dt_b_c_eps = b.dt_b_c_eps,", ""),
      ("return (a + b - 1) / b;", "return (a + b) / b;"),
      ("ceil_div(requires { dims.expand; } ? dims.d_model : dims.d_inner, 16);",
       "(requires { dims.expand; } ? dims.d_model : dims.d_inner) / 16;"),
      ("ceil_div(requires { dims.expand; } ? dims.d_model : dims.d_inner, 16);", "ceil_div(dims.d_inner, 16);"),
      ("(dims.expand == 0 ? 2 : dims.expand)", "(dims.expand == 0 ? 1 : dims.expand)"),
      ("dims.expand) * dims.d_model;\n      dims.expand = 0;", "dims.expand) * dims.d_model;"),
      ("dims.vocab_size = ceil_div(dims.vocab_size, 8) * 8;", "dims.vocab_size = dims.vocab_size / 8 * 8;"),
      ("count += times * Part::rows * Part::cols;", "count += times * Part::rows;"),
      ("times * std::tuple_size_v<T>, f);", "times, f);"),
      ("std::is_empty_v<State<Model>> ? 0 : sizeof(State<Model>)", "sizeof(State<Model>)"),
      ("multiply_adds = dims.d_in * dims.d_out;", "multiply_adds = dims.d_in + dims.d_out;"),
      ("dims.n_layers * Block::multiply_adds + dims.d_model + Head::multiply_adds",
       "dims.n_layers * Block::multiply_adds + Head::multiply_adds"),
      ("OutProj::multiply_adds + dims.d_inner;", "OutProj::multiply_adds;"),
      ("(Members::multiply_adds + ...)", "First::multiply_adds"),
      by_compiler=True)
group("fail parameter_names_fit",
      ("length + (length > 0) + segment.size()", "length + segment.size()"))
group("fail step_token_is_no_bool",
      ("std::integral<T> && !std::same_as<std::remove_cv_t<T>, bool>", "std::integral<T>"))
group("fail step_row_has_known_length",
      ("float> &&\n                      (detail::extent<std::remove_cv_t<T>> > 0);", "float>;"))
group("fail block_dt_rank_is_at_most_d_inner",
      ("consteval bool valid(const auto& dims) { return repaired(dims) == dims; }",
       "consteval bool valid(const auto&) { return true; }"))
group("fail stack_warm_up_comes_first", ("has_no_warm_up = warm_up<Here> == 0;", "has_no_warm_up = true;"))
group("image", ('" with a warm_up of ") += warm_up<Part>', '" with a warm_up of ") += warm_up<Part> + 1'))
group("laws/stack",
      ("state.set_count(seen + static_cast<std::uint32_t>(skipped));", ""),
      ("windows.from(skipped),", "windows,"),
      ("std::memset(out[t], 0, Facts::d_out * sizeof(float));", ""),
      ("copy_floats(to[skipped + t], to[t], Member::d_out);", ""),
      ("if (n > 0) run_others(others);", "run_others(others);"),
      ("copy_floats(frames + n * L::d_in, state", "copy_floats(frames, state"))
group("fail residual_layer_keeps_the_width",
      ("branch<L>::gives_every_row && L::d_in == L::d_out;", "branch<L>::gives_every_row;"))
group("fail residual_layer_does_not_pool", ("gives_every_row = !Pooling<L> && !Summarising<L> && ", "gives_every_row = "))
group("image", ('    line += " residual";\n', ""))
group("laws/stack", ("add_row(in[t], row[t], out[t], L::d_in);", "add_row(out[t], row[t], out[t], L::d_in);"))
group("fail stack_behind_pooling_has_no_state",
      ("bool rows_suffice = !has_one_row || std::is_empty_v<typename Here::State>;", "bool rows_suffice = true;"))
group("fail state_has_the_models_type",
      ("!std::is_same_v<std::remove_const_t<Found>, State<Model>>", "sizeof(Found) != sizeof(State<Model>)"))
group("fail step_state_is_no_temporary",
      ("argument<Found>::template outlives_the_call<S>", "argument<Found>::template outlives_the_call<S&>"))
group("fail step_output_is_no_temporary", ("exists_after_the_call = std::is_lvalue_reference_v<T> ||", "exists_after_the_call = true ||"))
group("fail step_three_wrong_arguments", ("else if constexpr (!state<Model, S>()) return false;\n  else if constexpr (!input<Model, In>()) return false;",
                                          "else if constexpr (!(input<Model, In>() & state<Model, S>())) return false;"))
group("fail step_scratch_is_not_const",
      ("is_writable, \"krait: the fifth argument, scratch, must not be const, because the call writes to it\");\n    return false;",
       "is_writable, \"\");\n    return true;"))
group("fail layer_run_takes_the_layer_by_reference",
      ("&& !has_run<L, tokens, State<L>&, LikeReferenceOrCopy<L>>;", "&& false;"))
group("fail layer_run_is_a_template", ("if constexpr (no_template) return RunFault::no_template;\n    else ", ""))
group("fail layer_run_takes_a_const_layer",
      ("has_run<L, tokens, State<L>&, L&> ? RunFault::changes_its_layer : RunFault::unknown", "RunFault::unknown"))
group("fail layer_state_is_wholly_initialised",
      ("|| requires { new const S; };", "|| !std::is_trivially_default_constructible_v<S>;"))
group("fail layer_params_are_in_parentheses", ("KRAIT_TEXT(__VA_ARGS__)[0] == '('", "true"))
group("fail layer_marks_are_constants", ("!requires { typename L::works_in_place; } && ", ""))
group("laws/decay", ("static constexpr bool at_least = found >= wanted;", "static constexpr bool at_least = found > wanted;"),
      by_compiler=True)
group("bits",
      ("dims.in_bias = dims.conv_bias = dims.out_bias = dims.norm_bias = true;",
       "dims.in_bias = dims.conv_bias = dims.norm_bias = true;"),
      (".x_bias = b.x_bias, .dt_bias = b.dt_bias,\n          .dt_b_c_eps",
       ".x_bias = b.dt_bias, .dt_bias = b.x_bias,\n          .dt_b_c_eps"))
group("storage",
      (".norm = norm, .norm_eps = norm_eps, .storage = storage};", ".norm = norm, .storage = storage};"),
      (".bias = b.norm_bias, .eps = b.norm_eps}", ".bias = b.norm_bias}"))
group("unit/dims",
      (".norm = norm, .norm_eps = norm_eps, .storage = storage};", ".norm_eps = norm_eps, .storage = storage};"))
group("unit/reflect",
      ('return {name + std::string_view(".") + index};', 'return {name + std::string_view(".") + (index + 1)};'),
      ("if constexpr (Flat<Member<T, i>>) return path;", "if constexpr (false) return path;"),
      ('return {(name.size == 0 ? name : name + std::string_view(".")) + segment};', 'return {name + segment};'),
      ("visit_parameters(path.element(i), f, object[i], others[i]...);",
       "visit_parameters(path.element(i), f, object[i], others[0]...);"),
      ("assign(target, [&](std::size_t row, std::size_t col) { return source.get(row, col); });",
       "assign(target, [&](std::size_t row, std::size_t) { return source.get(row, 0); });"))

# core: tensors, 16-bit numbers, CRC, random numbers, text.
group("unit/tensor",
      ("padded_rows - panel < width ? padded_rows - panel : width", "width"),
      ("const std::size_t channel = (row - lead) % (channels * per_channel) / per_channel;",
       "const std::size_t channel = (row - lead) % (channels * per_channel);"),
      ("(channel / strip_width * per_channel + index) * strip_width", "(channel / strip_width * per_channel) * strip_width"),
      ("? -FLT_MAX : nan;", "? -FLT_MAX : -FLT_MAX;"),
      ("? -static_cast<float>(rate)", "? static_cast<float>(rate)"),
      ("ulps < 4", "ulps < 1"),
      ("word = (word & ~(0xFFFFu << shift)) |", "word = word |"),
      ("static_cast<double>(A_log)) * std::numbers::log2e;", "static_cast<double>(A_log));"))
group("int8 layers",
      ("0xFFFu + (magnitude >> 13 & 1u)", "0x1000u"),
      ("(bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16", "(bits + 0x8000u) >> 16"),
      ("static_cast<std::uint16_t>(bits >> 16 | 0x40u)", "static_cast<std::uint16_t>(bits >> 16)"),
      ("return with_sign(0x7E00u);", "return with_sign(0x7C00u);"),
      ("if (magnitude < 0x38800000u)", "if (magnitude < 0x38000000u)"),
      ("(bits & 0x7FFFFFFFu) > 0x7F800000u", "(bits & 0x7FFFFFFFu) >= 0x7F800000u"),
      ("__builtin_nearbyintf(value(col) * inverse)", "__builtin_roundf(value(col) * inverse)"),
      ("largest >= 0x1p-120f", "largest >= 0x1p-118f"),
      ("largest >= 0x1p-120f ?", "largest >= 0x1p-122f ?"),
      ("opaque(127.0f / largest)", "opaque(126.0f / largest)"),
      ("return (pair + 128) >> 8;", "return pair >> 8;"),
      ("return place % 2 == 0 ? first_of_pair(pair)", "return place % 2 == 1 ? first_of_pair(pair)"),
      ("static_cast<std::int16_t>(256 * second + first)", "static_cast<std::int16_t>(256 * first + second)"),
      ("__builtin_fabsf(value(col))", "value(col)"))
group("unit/load",
      ("f16_infinite_from = 0x477FF000u", "f16_infinite_from = 0x47800000u"),
      ("scale < largest_scale ? scale : largest_scale", "scale"),
      ("std::memset(static_cast<void*>(&tensor), 0, sizeof(T));", ""))
group("unit/safetensors")
group("vectors/own",
      ("return padded(lead) + group", "return lead + group"),
      ("const std::size_t index = (row - lead) % per_channel;", "const std::size_t index = row % per_channel;"),
      ("C_start = detail::per_channel_order(dims).group_start(1)", "C_start = detail::per_channel_order(dims).group_start(0)"),
      ("if constexpr (per_channel) return load_state(row, n);", "if constexpr (per_channel) return load_state(row, 0);"))
group("unit/random",
      ("rotations{13, 15, 26, 6, 17, 29, 16, 24}", "rotations{13, 26, 15, 6, 17, 29, 16, 24}"),
      ("0x1BD11BDAu", "0x1BD11BDBu"),
      ("ks[(group + 2) % 3] + group + 1;", "ks[(group + 2) % 3] + group;"),
      ("(random_bits(k, i) >> 9) | 0x3F800000u", "(random_bits(k, i) >> 10) | 0x3F800000u"),
      ("return 1.41421354f * opaque(p * u);", "return 1.41421354f * p;"))
group("unit/sample_weights", ("return both.high ^ both.low;", "return both.high;"))
group("noxton",
      ("Key split(Key k, std::uint64_t i) noexcept { return threefry(k, i); }",
       "Key split(Key k, std::uint64_t i) noexcept { return threefry(k, i + 1); }"),
      ("{static_cast<std::uint32_t>(seed >> 32), static_cast<std::uint32_t>(seed)}",
       "{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)}"),
      ("w = central ? w - 2.5f", "w = central ? w - 2.4999f"),
      ("fill_uniform(layer.bias, split(key, 1), limit)", "fill_uniform(layer.bias, split(key, 0), limit)"),
      ("static_cast<float>(i / Ssm::d_inner + 1)", "static_cast<float>(i % Ssm::d_state + 1)"),
      ("detail::init_weight_and_bias(key, dims.d_conv, layer);", "detail::init_weight_and_bias(key, dims.channels, layer);"))
group("unit/init",
      ("Embedding<vocab_size, d_model, storage>& layer, std::size_t) noexcept {\n  fill(layer.weight, "
       "[&](std::uint64_t i) { return 0.02f",
       "Embedding<vocab_size, d_model, storage>& layer, std::size_t) noexcept {\n  fill(layer.weight, "
       "[&](std::uint64_t i) { return 0.2f"),
      ("static_cast<float>(blocks * d_inner)", "static_cast<float>(d_inner)"),
      ("dt + __builtin_logf(-__builtin_expm1f(-dt))", "__builtin_logf(-__builtin_expm1f(-dt))"),
      ("split(key, 5);\n  assign(layer.A_log, [](std::size_t, std::size_t n)",
       "split(key, 5);\n  assign(layer.A_log, [](std::size_t n, std::size_t)"),
      ("detail::fill_constant(layer.weight, 1.0f);", "detail::fill_constant(layer.weight, 0.0f);"))
group("unit/safetensors",
      ("rest[0] <= '~'", "rest[0] <= '\\x7F'"),
      ('": found ") += found) += ", wanted ") += wanted', '": found ") += wanted) += ", wanted ") += found'),
      ('if (where.size > 0) (text += where) += ": ";', '(text += where) += ": ";'),
      ("&& !is_surrogate", ""),
      ("(more[fits] & 0xC0) == 0x80", "false"))

# io.
group("unit/safetensors",
      ("field_ == has_offsets && count_ != 2", "field_ == has_offsets && count_ < 2"),
      ("if (length > bytes.size() - 8)", "if (length > bytes.size())"),
      ("entry.shape.size() == rank_limit", "entry.shape.size() == rank_limit + 1"),
      ("is_known && size != bits / 8", "is_known && size < bits / 8"),
      ("if (exponent == 31) return sign", "if (exponent == 32) return sign"),
      ("entry.begin > entry.end || entry.end > data.size()", "entry.begin > entry.end"),
      ("entry.begin > entry.end ||", ""),
      ("if (entry->begin < at)", "if (entry->begin + 4 < at)"),
      ("if (entry->begin > at)", "if (false)"),
      ("if (length == 0 || *text != '{')", "if (length == 0)"),
      ("zero != text_end", "false"),
      ("if ((fields_ & field_) != 0)", "if (false)"),
      ('entry.dtype == "F16" ? bits_from_f16(half)', 'entry.dtype != "F16" ? bits_from_f16(half)'),
      ("  file = std::move(read);", ""))
group("unit/load",
      ("!entry.name.starts_with(options_.prefix) || ignored(entry)", "!entry.name.starts_with(options_.prefix)"),
      ("safetensors::element_bits(*head, i) == safetensors::element_bits(*embedding, i)", "true"),
      ("storage == Storage::bf16 ? bf16_infinite_from", "storage == Storage::bf16 ? f16_infinite_from"))
group("unit/file",
      ("if (std::filesystem::is_directory(path, error)) {", "if (false) {"),
      ("if (found == 0) return file_problem", "if (false) return detail::file_problem"),
      ("std::size_t cut = name.size() - room + 3;", "std::size_t cut = name.size() - room;"),
      ("(name[cut] & 0xC0) == 0x80; ++i) ++cut;", "false; ++i) ++cut;"),
      ("  std::filesystem::remove(beside, error);", ""),
      ("if (error) reason = error.message();", ""),
      ('std::string reason = stream ? "" : detail::stream_reason();', "std::string reason;"))

# Images and snapshots.
group("image",
      ("0xEDB88320u", "0xEDB88321u", {"by_compiler": True}),
      ("if (header.model_bytes != model_bytes)", "if (false)"),
      ("crc != header.fingerprint)", "false && crc != header.fingerprint)"),
      ("std::memset(to + at, 0, sizeof(Model) - at);", ""),
      ("header.fingerprint != fingerprint)", "false)"),
      ("  if (status) std::memcpy(static_cast<void*>(&state)", "  std::memcpy(static_cast<void*>(&state)"))

# kernels: element-wise functions, convolution, norm, recurrence.
group("bits",
      ("whole_shift = 12582912.0f", "whole_shift = 8388608.0f"),
      ("load_state(h, n), mul(delta_x, matrix(B)));", "load_state(h, n), mul(delta_x, matrix(C)));"),
      ("store_vector(nth(inputs, j), past + (j - 1) * strip_width)",
       "store_vector(nth(inputs, j - 1), past + (j - 1) * strip_width)"),
      ("log2e_lo = 1.92596303e-8f", "log2e_lo = 0.0f"),
      ("exp2_c5 = 0.0013264912f", "exp2_c5 = 0.001327f"),
      ("-0.49999648332595825f", "-0.5f"),
      ("exp_negative(neg(abs(x)))", "exp_negative(neg(x))"),
      ("const V start = bias ? load_vector(bias + c) : zero_start();", "const V start = zero_start();"),
      ("load_vector(taps + j * strip_width), nth(inputs, j), sum)",
       "load_vector(taps + (d_conv - 1 - j) * strip_width), nth(inputs, j), sum)"),
      ("j + 1 < d_conv ? nth(inputs, j + 1) : next", "j + 1 < d_conv ? nth(inputs, j) : next"),
      ("square_root(opaque(mean + eps))", "square_root(opaque(mean))"),
      ("hn::LowerHalf(half, v), hn::UpperHalf(half, v)", "hn::LowerHalf(half, v), hn::LowerHalf(half, v)"),
      ("store_state(h_n, h, n);\n      y = mul_add(matrix(C), h_n, y);",
       "y = mul_add(matrix(C), load_state(h, n), y);\n      store_state(h_n, h, n);"),
      ("mul_add(decay, load_state(h, n), mul(delta_x, matrix(B)))", "mul_add(decay, load_state(h, n), mul(x, matrix(B)))"),
      ("return channel / strip_width * strip_width * d_state + channel % strip_width;",
       "return channel / strip_width * strip_width + channel % strip_width;"))
group("bits scalar",
      ("if constexpr (has_fma) return __builtin_fmaf(a, b, c);", "if constexpr (false) return __builtin_fmaf(a, b, c);"),
      ("for (; o + four <= here; o += four) tile(four, y[t] + o);", "for (; o + four < here; o += four) tile(four, y[t] + o);"),
      ("copy_floats(last, y[t] + o, here - o);", "copy_floats(last, y[t] + o, here - o - 1);"),
      ("bias ? bias + o : nullptr, x.from(t), {to, 0});", "bias, x.from(t), {to, 0});"),
      ("b += static_cast<std::uint32_t>(second_of_pair(ab) * q[i]);",
       "b += static_cast<std::uint32_t>(first_of_pair(ab) * q[i]);"),
      ("bias ? bias + o + i : nullptr, y[t] + o + i);", "bias ? bias + i : nullptr, y[t] + o + i);"))
group("exact",
      ("exp_limit = 87.3f", "exp_limit = 80.0f"),
      ("return div(clamped, add(", "return div(x, add("),
      ("hn::Max(low, x)", "hn::Max(x, low)"))
group("exact scalar", ("x.raw < low.raw ? low.raw : x.raw", "x.raw > low.raw ? x.raw : low.raw"))
group("laws/decay",
      ("clamp_below(constant<A>(-127.0f), t)", "clamp_below(constant<A>(-126.0f), t)"),
      ("neg(abs(x))), clamp_below(constant<A>(0.0f), x));", "neg(abs(x))), x);"))
group("laws/stack",
      ("bias ? mul_add(v, w, load(bias + i)) : mul(v, w)", "mul(v, w)"),
      ("square_root(opaque(mean + eps))", "square_root(opaque(mean + 1e-5f))"),
      ("bias_of(layer), dims.eps, out[t]", "bias_of(layer), 1e-5f, out[t]"),
      ("accumulate(sum[v], load_first(Tag{}, x + i, n - i)), sum[v]);",
       "accumulate(sum[v], load_first(Tag{}, x + i, n - i - 1)), sum[v]);"),
      ("const V scale = hn::Set(Tag{}, div(1.0f, square_root(opaque(div(squares, count) + eps))));",
       "const V scale = hn::Set(Tag{}, div(1.0f, square_root(opaque(div(squares, count) + 1e-5f))));"),
      ("const float mean = div(sum_in_strips(x, n, [](auto sum, auto in) KRAIT_LAMBDA { return add(sum, in); }), count);",
       "const float mean = 0.0f;"),
      ("hn::IfThenElse(hn::Eq(old, old), larger, old)", "larger"),
      ("clamp_below(old, load(x + i))", "load(x + i)"),
      ("std::memcpy(to, all, n * sizeof(all[0]));", "std::memcpy(to, all, (n - 1) * sizeof(all[0]));"),
      ("store(div(load(a + i), by), y + i);", "store(mul(load(a + i), by), y + i);"),
      ("state.count() + static_cast<std::uint32_t>(n);", "static_cast<std::uint32_t>(n);"))
group("vectors",
      ("accumulate(sum[v], load_first(Tag{}, x + i, n - i)), sum[v]);",
       "accumulate(hn::Zero(Tag{}), load_first(Tag{}, x + i, n - i)), sum[v]);"))

# kernels: linear layers.
group("bits",
      ("out[k] = from.get(row - panel, k, width);", "out[k] = from.get(row, k, width);"),
      ("in[0][t] = hn::Set(tag, x[t][k]);", "in[0][t] = hn::Set(tag, x[0][k]);"),
      ("load_vector(bias + v * lanes) : zero_start();\n    KRAIT", "load_vector(bias) : zero_start();\n    KRAIT"),
      ("(w.outputs_from(o), width, K, bias ? bias + o : nullptr, x.from(t),\n",
       "(w.outputs_from(o), width, K, bias, x.from(t),\n"),
      ("bias, x.from(t), y.from(t), n - t, resume...);", "bias, x, y.from(t), n - t, resume...);"),
      ("|| width % (vectors * lanes) != 0) --vectors;", ") --vectors;"),
      ("y.data + (o - first), y.stride", "y.data + o, y.stride"))
group("vectors",
      ("case 3: return linear_panel<tokens, 3 * strip_width, divided>(w, 3 * strip_width",
       "case 3: return linear_panel<tokens, 3 * strip_width, divided>(w, 4 * strip_width"),
      ("case 1: return linear_panel<tokens, 1 * strip_width, divided>(w, 1 * strip_width",
       "case 1: return linear_panel<tokens, 1 * strip_width, divided>(w, 4 * strip_width"),
      ("std::min(panel_width, N - o / panel_width * panel_width)", "std::min(panel_width, N - o)"),
      ("copy_floats(padded_row, y_here()[t], end - o);", "copy_floats(padded_row, y_here()[t], end - o - 1);"),
      ("const std::size_t width = N - panel < panel_width ? N - panel : panel_width;",
       "const std::size_t width = panel_width;"),
      ("panel(o / panel_width * panel_width, K).outputs_from(o % panel_width)", "panel(o / panel_width * panel_width, K)"))
group("laws/storage",
      ("in[1][t] = hn::Set(tag, x[t][k + 1]);", "in[1][t] = hn::Set(tag, x[0][k + 1]);"))
# Two panels side by side. Only targets on which a panel consists of at most four vectors compute them.
group("laws/storage avx512",
      ("bias_here(), x.from(t), y_here().from(t));", "bias_here(), x.from(0), y_here().from(t));"),
      ("w + v / in_panel * to_next_panel + v % in_panel * lanes", "w + v % in_panel * lanes"),
      ("w + v / in_panel * to_next_panel + v % in_panel * lanes", "w + v / in_panel * to_next_panel + v * lanes"),
      needs="avx512vl")
group("storage",
      ("pair >> 16 * column)", "pair >> 16 * (1 - column))"),
      ("use(0, hn::BitCast(Tag{}, hn::ShiftLeft<16>(words)));\n  use(1,",
       "use(1, hn::BitCast(Tag{}, hn::ShiftLeft<16>(words)));\n  use(0,"),
      ("hn::Set(word_tag, 0xFFFF0000u)", "hn::Set(word_tag, 0xFF000000u)"),
      ("return scales[output] * static_cast<float>(element_of_pair(pair, output));",
       "return scales[0] * static_cast<float>(element_of_pair(pair, output));"),
      ("inline float stored_column(std::uint16_t value, std::size_t) { return from_f16(value); }",
       "inline float stored_column(std::uint16_t value, std::size_t) { return from_bf16(value); }"))

# kernels: int8.
group("bits",
      ("return {values + output / 2 * int8_group, scales + output}; }", "return {values + output / 2 * int8_group, scales}; }"),
      ("neighbours(halve(part[1], part[3]))", "neighbours(halve(part[3], part[1]))"),
      ("return {div(magnitude, most), 0};", "return {div(magnitude, most) * 1.00003f, 0};"),
      ("neighbours(halve(part[0], part[2])));\n      store_outputs(total, weights.scales + v * lanes, x.scales[t].step",
       "neighbours(halve(part[0], part[2])));\n      store_outputs(total, weights.scales + v * lanes, x.scales[0].step"),
      ("hn::LoadDup128(short_tag, x.inputs[t] + k)", "hn::Reverse(short_tag, hn::LoadDup128(short_tag, x.inputs[t] + k))"),
      ("std::int16_t{128});", "std::int16_t{127});"),
      ("hn::OddEven(neighbours(halve(part[1], part[3])), neighbours(halve(part[0], part[2])))",
       "hn::OddEven(neighbours(halve(part[0], part[2])), neighbours(halve(part[1], part[3])))"),
      ("::max()) / (127 * K);", "::max()) / (128 * K);"),
      ("const V start = bias ? load_vector(bias) : zero_start();", "const V start = zero_start();"),
      ("scratch.scales[t] = quantise_row(x[t], d_in, inputs[t]);",
       "scratch.scales[t] = quantise_row(x[t], d_in, inputs[0]);"),
      ("Quantised from(std::size_t t) const { return {inputs.from(t), scales + t}; }",
       "Quantised from(std::size_t t) const { return {inputs.from(t), scales}; }"))
group("int8 layers",
      ("hn::Set(tag, 0x1p-100f)", "hn::Set(tag, 0x1p-99f)"),
      ("hn::Set(tag, 0x1p-100f)", "hn::Set(tag, 0x1p-101f)"),
      ("largest = hn::Max(largest, hn::BitCast(int_tag, hn::Abs(load(x + done + i))));",
       "largest = hn::Max(largest, hn::BitCast(int_tag, load(x + done + i)));"))
group("bits vnni",
      ("return {div(magnitude, most), hn::GetLane(hn::SumOfLanes(int_tag, sum))};",
       "return {div(magnitude, most) * 1.00003f, hn::GetLane(hn::SumOfLanes(int_tag, sum))};"),
      ("excess);\n      store_outputs(total, weights.scales + v * lanes, x.scales[t].step",
       "excess);\n      store_outputs(total, weights.scales + v * lanes, x.scales[0].step"),
      ("hn::Set(int_tag, x.scales[t].sum)", "hn::Set(int_tag, x.scales[0].sum)"),
      ("{0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15}", "{14, 12, 10, 8, 6, 4, 2, 0, 15, 13, 11, 9, 7, 5, 3, 1}"),
      ("return hn::Add(hn::ShiftLeft<8>(up), low); };", "return hn::Add(hn::ShiftLeft<7>(up), low); };"),
      ("sum = hn::Add(sum, number);", "sum = hn::Add(sum, low);"),
      ("bytes + padded(K) + i);", "bytes + i);"),
      needs="avx512_vnni")

# nn and ops.
group("vectors",
      ("static constexpr std::size_t stride = padded(channels);", "static constexpr std::size_t stride = channels;"))
group("bits",
      ("add_row(in[t], row[t], out[t], dims.d_model);", "add_row(row[t], row[t], out[t], dims.d_model);"),
      ("one.conv_state, x.from(begin), count, part, Silu{});", "one.conv_state, x.from(begin), count, part, NoActivation{});"),
      ("C_start = dims.dt_rank + dims.d_state;", "C_start = dims.dt_rank;"),
      ("run<tokens>(model.backbone.norm_f, none, no_scratch, x.as_const(), x, n);", ""),
      ("return one.layers[layer]; });", "return one.layers[0]; });"),
      ("run<tokens>(backbone.layers[layer], layer_state", "run<tokens>(backbone.layers[0], layer_state"),
      ("gate_row(x[t] + part.begin, z[t] + part.begin,", "gate_row(x[t] + part.begin, z[0] + part.begin,"),
      ("    in = advance(in, now);", ""),
      ("if (every_output) out = out.from(now);", ""))
group("laws/tokens",
      ("if (token < vocab_size) gather_row", "if (token <= vocab_size) gather_row"),
      ("gather_row(weights_of(layer.weight), padded(vocab_size)", "gather_row(weights_of(layer.weight), vocab_size"),
      ("else std::memset(out[t], 0, d_model * sizeof(float));", ""),
      ("std::common_type_t<Token, std::ptrdiff_t>", "Token"))
group("laws/stack",
      ("static_cast<std::uint32_t>(row + 1 < max_tokens)", "static_cast<std::uint32_t>(row < max_tokens)"),
      ("w.panel(row / width * width, K);", "w.panel(row, K);"),
      ("opaque(from.get(row % width, k, width))", "opaque(from.get(0, k, width))"))
group("laws/session",
      ("emit == Emit::all ? 0 : n - 1;", "0;"),
      ("  if (emit == Emit::nothing) return;\n  const std::size_t first", "  const std::size_t first"),
      ("return emit != Emit::nothing;", "return true;"),
      ("    state_ = {};\n", ""),
      ("    output_ = {};\n", ""),
      ("{ state_ = saved; }", "{ if (&saved == &state_) state_ = saved; }"),
      ("krait::step(*model_, state_, x, output_, scratch_);",
       "State<Model> fresh{};\n      krait::step(*model_, fresh, x, output_, scratch_);"),
      ("krait::prefill(*model_, state_, xs, output_, scratch_);", "krait::prefill(*model_, state_, xs, no_output, scratch_);"),
      ("krait::step(*model_, state_, x, no_output, scratch_);", "{}"),
      ("return ++next_ < Model::n_layers;", "return ++next_ <= Model::n_layers;"),
      ("if (next_ == Model::n_layers) return false;", ""),
      ("if constexpr (check::input<Model, const Token>()) {\n      while (advance()) {\n      }", "if constexpr (check::input<Model, const Token>()) {"),
      ("if constexpr (check::output<Model, Out>()) {\n      while (advance()) {\n      }", "if constexpr (check::output<Model, Out>()) {"),
      ("(dims.d_conv > 1 ? dims.d_conv - 1 : 0)> window{};", "(dims.d_conv > 1 ? dims.d_conv - 1 : 0)> window;"),
      ("Strips<dims.d_inner, dims.d_state> h{};", "Strips<dims.d_inner, dims.d_state> h;"),
      ("Strips<n + counted> values{};", "Strips<n + counted> values;"),
      ("std::memcpy(&number, values.data() + n, sizeof(number));", "std::memcpy(&number, values.data(), sizeof(number));"))
group("laws/stack",
      ("in_place[i] ? buffers[i - 1] : 1 - buffers[i - 1]", "buffers[i - 1]", {"by_compiler": True}),
      ("last ? out : scratch.between[Facts::buffers[i]].span()", "last ? out : scratch.between[0].span()"),
      ("    in = out.as_const();\n", ""),
      ("return all[i]; });", "return all[0]; });"),
      ("i + 1 < count; ++i) buffers[i] =", "i + 2 < count; ++i) buffers[i] =", {"by_compiler": True}),
      ("channels = std::max(channels, outputs[i]);", "channels = outputs[0];"),
      ("summarises = (Pooling<Members> || ...);", "summarises = Pooling<First>;", {"by_compiler": True}))
group("laws/layers",
      ("copy_padded(in[t], xy[t], dims.channels);", "copy_floats(in[t], xy[t], dims.channels);"),
      ("std::memset(to + n, 0, (padded(n) - n) * sizeof(float));", ""),
      ("every_output && gives_one_row<Model>;", "false;"),
      ("if constexpr (emit_for<Out> == Emit::all) n = std::min<std::size_t>(n, std::size(ys));", ""),
      ("in[n - 1], d_model * sizeof(float)", "in[0], d_model * sizeof(float)"),
      ("    n = sequences_in(state);\n    return emit", "    return emit"))
group("unit/dims", ("AnyOf<Projected<tokens>, Others...> projected;", "AnyOf<Projected<tokens>> projected;"))

# Drawing tokens.
group("unit/sample + unit/sample_weights",
      ("if (logits.empty()) return 0;\n  const Peak peak = find_peak(logits, temperature);",
       "const Peak peak = find_peak(logits, temperature);"),
      ("row[i] > most && rank(row[i]) > rank(most)", "row[i] >= most"),
      ("if (magnitude > infinity_bits) return 0;", ""),
      ("((mantissa >> (shift - 1)) + 1) >> 1", "(mantissa >> (shift - 1)) >> 1"),
      ("shift > 32 ? 0", "shift > 24 ? 0"),
      ("digit > 0 && sums[digit] < wanted", "digit > 0 && sums[digit] <= wanted",
       {"equivalent": "where equal, the cut becomes the next smaller element, of which nothing more is wanted: it is dropped"}),
      ("if (place < cut || wanted == 0)", "if (place <= cut || wanted == 0)"),
      ("if (place > cut) continue;", "if (place >= cut) continue;"),
      ("temperature > 0x1p64f ? 0x1p-64f : 1.0f", "1.0f"),
      ("temperature < 0x1p-64f ? 0x1p64f : 1.0f", "1.0f"),
      ("return hn::And(hn::BitCast(Tag{}, hn::VecFromMask(int_tag, is_finite)), weight);",
       "return weight;"),
      ("  logits[best] = 0.0f;  //", "  //"),
      ("left >= whole(logits[token])", "left > whole(logits[token])"),
      ("random_bits(sampler.seed, sampler.draws++)", "random_bits(sampler.seed, sampler.draws)"),
      ("rank(temperature) <= rank_of_zero", "rank(temperature) < rank_of_zero"))

# kernels: Cortex-M, on emulated boards.
group("cortex-m4",
      (' vfma.f32 s3, " xk ", s11\\n"', ' vfma.f32 s3, " xk ", s10\\n"'),
      ('"vldmia %[x]!, {" input "}', '"vldmia %[x], {" input "}'),
      ('vfma.f32 s15, s13, " f1 "', 'vfma.f32 s15, s12, " f1 "'),
      ("ssat r6, #8, r6", "ssat r6, #7, r6"),
      ('vfma.f32 s27, " C ", s11', 'vfma.f32 s27, " C ", s10'),
      ("lsrs r4, r4, #1\\n bcs 1f", "lsrs r4, r4, #1\\n bcc 1f"),
      ("it mi\\n vmovmi.f32 \" x \", s29", "it gt\\n vmovgt.f32 \" x \", s29"),
      ("qsub %[r3], %[r3], %[r1]", "qadd %[r3], %[r3], %[r1]"),
      ("vmul.f32 s3, s7, s3", "vmul.f32 s3, s6, s3"),
      ("it mi\\n vmovmi.f32 \" x \", s27", "it gt\\n vmovgt.f32 \" x \", s27"),
      ('vfma.f32 s18, s16, " u0 "', 'vfma.f32 s18, s17, " u0 "'),
      ("vfma.f32 s3, s7, s11", "vfma.f32 s3, s7, s10"),
      ("it lo\\n lsllo %[twice]", "it hi\\n lslhi %[twice]"),
      ("pkhbt %[r1], %[r2], %[r3], lsl #16", "pkhbt %[r1], %[r2], %[r3], lsl #15"),
      ("w(K <= 4 ? w - 4 : w)", "w(w)"),
      ("(K + 7) / 8 % 2 == 1 ?", "(K + 7) / 8 % 2 == 0 ?"),
      ('smlad " first ", r10, r8, " first "', 'smlad " first ", r10, r6, " first "'),
      ('sbc " high ", " high ", " first ", asr #31', 'sbc " high ", " high ", " first ", asr #30'),
      ("vfma.f32 s11, s3, s7\\n", "vfma.f32 s11, s3, s6\\n"))
group("cortex-m55",
      ("vfmas.f32 q3, q0, r9", "vfmas.f32 q3, q0, r8"),
      (" vneg.f32 s19, s19", ""),
      ("vcmp.f32 gt, q5, q0", "vcmp.f32 lt, q5, q0"),
      (" vmax.s32 q0, q0, q7", ""),
      ("sub r10, #144", "sub r10, #140"),
      ("vrshrq_n_s16(ab, 8)", "vshrq_n_s16(ab, 8)"))
group("cortex-m4",
      ("c % strip_width == 0 ? 4 + (s.d_state - 1) * strip_width : 4", "4"))

# Several sequences, and executors.
group("laws/streams + laws/layers",
      ("first += state.segments[i].tokens;", "first += 1;"),
      ("f(state.state(i), first, state.segments[i].tokens);", "f(state.state(0), first, state.segments[i].tokens);"),
      ("state.segments, state.count, state.offset + within", "state.segments, state.count, within"),
      ("if constexpr (is_sequences<S>) return state.count;\n  else return 1;", "return 1;"),
      ("out.from(Pooling<L> || gives_one_row<L> ? i++ : first)", "out.from(first)"),
      ("std::min(now, wanted - std::min(begin, wanted))", "std::min(now, wanted)"),
      ("(outputs == 0 && Summarising<Model>)", "outputs > 0"),
      ("runner.write_logits(0, outputs, out)", "runner.write_logits(0, now, out)"),
      ("if (stream >= wanted) break;", ""),
      ("else if (at + count == std::size(std::data(xs)[stream]))", "else",
       {"equivalent": "the output of a token that is not the last is overwritten by that of the last token"}),
      ("copy_floats(x[first + count - 1], x[collected]", "copy_floats(x[first], x[collected]"),
      ("scratch.positions[collected++].stream = stream;", "scratch.positions[collected++].stream = i;"),
      ("scratch.positions[end].stream == stream + (end - i);", "true;"),
      ("length = std::min<std::size_t>(length, std::size(std::data(ys)[stream]));", ""),
      ("if (runner.n > 0) run_added();", ""),
      ("copy_tokens(out.from(first).as_const(), to", "copy_tokens(out.as_const(), to"),
      ("joined_[id] = true;\n      states_[id] = {};", "joined_[id] = true;"),
      ("if (n != sequences || n > capacity) return false;", ""),
      ("std::cmp_less(id, 0) || ", ""),
      ("std::min(units * (i + 1) / parts * unit, channels)", "std::min((units * (i + 1) / parts + 1) * unit, channels)"),
      ("bias ? bias + part.begin : nullptr,", "bias,"),
      ("if (stop < end) return strips_until(stop);", ""))
group("laws/streams + laws/layers",
      ("bias, x.from_channel(k), y,", "bias, x, y,"),
      ("                           n, k > 0);", "                           n, false);"))

# Mamba-2 and Mamba-3.
group("bits",
      ("block.A_log.data(), dims.dt_limit[0], dims.dt_limit[1], decay",
       "block.A_log.data(), dims.dt_limit[0], dims.dt_limit[0], decay"),
      ("tile.head / s.heads_per_group * s.d_state", "tile.head % s.heads_per_group * s.d_state"),
      ("h_n[i] = mul(decay[t], h_n[i]);", "h_n[i] = mul(decay[0], h_n[i]);"),
      ("copy_floats(tile.x[i], outer[i], left);", "copy_floats(tile.x[i], outer[i], left - 1);"),
      ("hn::Eq(hn::And(quarter, one), one)", "hn::Eq(hn::And(quarter, one), two)"),
      ("first = mul_add(a, c, neg(mul(b, s)))", "first = mul_add(a, c, mul(b, s))"),
      ("store_vector(last_x, at.last_x + channel);", ""), ("      last_x = x;\n", ""),
      ("static_cast<std::int32_t>(i / angles);", "0;"),
      ("advance_vector(turns, step, heads.size() * s.angles,", "advance_vector(turns, step, s.angles,"),
      ("new_v = mul(x, of_rank), last_v = mul(last_x, of_rank);", "new_v = mul(x, of_rank);"),
      ("mul(mul(sub(one, share), delta), alpha)", "mul(sub(one, share), delta)"),
      ("(r * s.ngroups + head / (s.heads / s.ngroups)) * s.d_state", "(r + head / (s.heads / s.ngroups)) * s.d_state"))
group("vectors/mamba3", ("b = hn::LoadU(tag, out + i + d_state / 2);", "b = hn::LoadU(tag, out + i + angles);"))
group("exact", ("{-75.39356231689453f,", "{-75.0f,"), ("{0.0020729508250951767f,", "{0.002f,"))
group("cortex-m4", ("vfma.f32 s11, s23, \" k1 \"", "vfma.f32 s11, s22, \" k1 \""))

# Training: the backward passes of the kernels.
group("gradients block",
      ("sum = mul_add(tap(i - t), load_vector(a.dy[t] + c), sum);",
       "sum = mul_add(tap(d_conv - 1 - (i - t)), load_vector(a.dy[t] + c), sum);"),
      ("mul_add(load_vector(a.dy[t] + c), input(t + j), sum);", "mul_add(load_vector(a.dy[t] + c), input(t + kept - j), sum);"),
      ("const V start = a.bias ? load_vector(a.bias + c) : zero_start();", "const V start = zero_start();"),
      ("dh = mul(g, decay[t]);", "dh = g;"),
      ("const V e = mul(dh, h[t]);", "const V e = mul(dh, h[t + 1]);"),
      ("mul_add(along_B[t], x, mul(along_A[t], ln2));", "mul_add(along_B[t], x, along_A[t]);"),
      ("store_vector(mul(ddelta, sigmoid(load_vector(s.dt[t] + c))), s.ddt[t] + c);", "store_vector(ddelta, s.ddt[t] + c);"),
      ("if constexpr (!per_channel) std::memset(s.sums, 0, s.tokens * 2 * row * sizeof(float));", ""),
      ("mul(s, mul_add(x, sub(one, s), one))", "mul(s, mul_add(x, s, one))"),
      ("mul(mul(out, load_vector(y + c)), silu_slope(gate, s))", "mul(out, silu_slope(gate, s))"),
      ("dx_dbl.as_const(), dx, x_proj, n, columns, true);", "dx_dbl.as_const(), dx, x_proj, n, columns);"),
      ("gate_backward(y[t], xz[t] + channels, dgated[t], dy[t], dxz[t] + channels, channels);",
       "gate_backward(x[t], xz[t] + channels, dgated[t], dy[t], dxz[t] + channels, channels);"))
group("gradients mamba2",
      ("<count, 2 * gradient_vectors>(x.from_channel(k), y.from_channel(panel + o)",
       "<count, 2 * gradient_vectors>(x.from_channel(k), y.from_channel(o)"),
      ("store_vector(mul(decay, g), strip.dh + at);", "store_vector(g, strip.dh + at);"),
      ("along_h = mul_add(g, load_vector(h), along_h);", "along_h = mul_add(g, load_vector(h + row), along_h);"),
      ("const std::size_t in_group = head % s.heads_per_group;", "const std::size_t in_group = head / s.heads_per_group;"),
      ("slope = hn::IfThenElse(hn::Lt(free, hn::Set(Tag{}, least)), zero, slope);", ""),
      ("mul_add(mul(v, load_vector(delta + i)), A, load_vector(dA_log + i))", "mul_add(v, A, load_vector(dA_log + i))"),
      ("tape.states[first / at_a_time].data(), tape.states[0].size());", "tape.states[0].data(), tape.states[0].size());"),
      ("bias = floats_of(gradient_of_member<2>(gradients))) add_tokens(ddt.as_const(),",
       "bias = floats_of(gradient_of_member<2>(gradients))) add_tokens(dt,"))
group("gradients ssm", ("part(Ssm::C_start, Ssm::d_state);", ""))
group("gradients residual",
      ("if constexpr (kind == NormKind::layer) g = sub(g, hn::Set(Tag{}, mean_gradient));", ""),
      ("store(accumulate ? add(load(dx + i), g) : g, dx + i);", "store(g, dx + i);"),
      ("s = div(1.0f, square_root(opaque(div(squares, count) + eps)));",
       "s = div(1.0f, square_root(opaque(div(squares, count) + 1e-5f)));"),
      ("i = n / strip_width * strip_width;\n  for (std::size_t p = 0;",
       "i = n / strip_width * strip_width;\n  for (std::size_t p = 1;"))
group("gradients models",
      ("for (std::size_t k = K / many * many; k < K; ++k) columns(k,",
       "for (std::size_t k = K / many * many; k + 1 < K; ++k) columns(k,"))
group("gradients PooledFrames",
      ("V sum = a.dwindow && i >= n ? load_vector(", "V sum = false ? load_vector("),
      ("for (std::size_t i = kept; i-- > 0;) store_vector(input_gradient(i)",
       "for (std::size_t i = 0; i < kept; ++i) store_vector(input_gradient(i)"))
group("gradients AllFrames",
      ("if (s.dD) copy_padded(s.dD + channel, dD, left);", ""),
      ("k + j < K ? from[row] : 0.0f", "from[row]"),
      ("V sum = load_vector(sums + c);", "V sum = zero_start();"))
group("gradients EmbeddingOnly", ("float* to = w + panel * K + (row - panel);", "float* to = w + row * K;"))
group("stacks elu",
      ("constant<V>(3.0f * gelu_tanh_cubic)", "constant<V>(2.0f * gelu_tanh_cubic)"),
      ("hn::IfThenElse(hn::Lt(constant<V>(0.0f), x), one, hn::Zero(Tag{}))",
       "hn::IfThenElse(hn::Lt(constant<V>(0.0f), x), hn::Zero(Tag{}), one)"),
      ("return mul_add(x, bell, Phi);", "return Phi;"))

# Training: losses and optimisers.
group("train/optimiser",
      ("div(smoothing, static_cast<float>(n)), at_target", "div(smoothing, static_cast<float>(n - 1)), at_target"),
      ("opaque(at_target * hit)) - opaque(everywhere * total_below));", "opaque(at_target * hit)) - 0.0f);"),
      ("for (std::size_t i = 1; i < n; ++i) most =", "for (std::size_t i = 1; i + 1 < n; ++i) most ="),
      ("mul(mul(set(rest2), gradient), gradient)", "mul(set(rest2), gradient)"),
      ("add(square_roots(mul(set(s.second_scale), second)), set(s.eps))",
       "square_roots(add(mul(set(s.second_scale), second), set(s.eps)))"),
      ("neg(clamp_below(set(-exp_limit), mul(set(s.rate), step)))", "clamp_below(set(-exp_limit), mul(set(s.rate), step))"),
      ("clamp_below(set(-3.40282347e+38f), mul(load_vector(w + i), exp_within_limit(change)))",
       "mul(load_vector(w + i), exp_within_limit(change))"),
      ("muon_b = -4.7750f", "muon_b = -4.7705f"),
      ("store_vector(mul_add(beta, sub(m, g), g), direction + i);", "store_vector(m, direction + i);"),
      (".first_scale = div(1.0f, opaque(1.0f - moments.beta1_power)),", ".first_scale = 1.0f,"),
      ("opaque(moments.beta2_power * settings.beta2);", "opaque(moments.beta2_power * settings.beta1);"),
      ("step.kept = krait::detail::decays<T> ? kept : 1.0f;", "step.kept = kept;"),
      ("is_decay_rates = requires { T::recovered(0.0f); };", "is_decay_rates = false;"),
      ("(Shape::rows_are_tokens ? x[row][col] : x[col][row]) = element(", "x[row][col] = element("),
      ("constexpr std::size_t longer = T::rows > T::cols ? T::rows : T::cols;", "constexpr std::size_t longer = T::rows;"),
      ("if (!(norm > 0.0f)) return;", ""),
      ("if (norm > most) scale_gradients(gradients, div(most, norm));", "scale_gradients(gradients, div(most, norm));"),
      ("for (std::size_t i = 0; i < now; ++i) add_gradients(", "for (std::size_t i = now; i-- > 0;) add_gradients("),
      ("clear_gradients(worker.gradients);", ""),
      ("static_cast<float>(steps + 1 - warmup)", "static_cast<float>(steps - warmup)"),
      ("counted += id(t) < classes;", "++counted;"),
      ("std::memset(out + t * classes, 0, classes * sizeof(float));", "{}"),
      ("scale = div(2.0f, count);", "scale = div(1.0f, count);"),
      ("for (std::size_t t = given; t < n; ++t) std::memset(dout[t], 0, dout.stride * sizeof(float));", ""),
      ("tape.length = n;\n  if (n == 0) return 0;", "if (n == 0) return 0;\n  tape.length = n;"))

# Training: tapes, selections and layers.
group("gradients OneBlock",
      ("part.trained[j] = mask.trained[first + j];", "part.trained[j] = mask.trained[j];"),
      ("bool whole = dx || trains_any<G, 0, 1, 2>;", "bool whole = dx || trains_any<G, 0, 1>;"),
      ("mixer_dx = dx || norm_trained;", "mixer_dx = dx;"),
      ("for (std::size_t j = 0; j < at; ++j)\n      if (trained[j]) return true;",
       "for (std::size_t j = 0; j + 1 < at; ++j)\n      if (trained[j]) return true;"))
group("gradients Language",
      ("layers_needed = layers_dx || is_trained<typename Gradient::Layers>;", "layers_needed = layers_dx;"),
      ("    clear_padding(embedded, dims.d_model, n);\n", "",
       {"equivalent": "the norm of a ResidualBlock reads no padding; the layers of another model could"}),
      ("dstate ? &dstate->layers : nullptr, n);", "false ? &dstate->layers : nullptr, n);"),
      ("token < vocab_size)\n        add_to_row", "token <= vocab_size)\n        add_to_row"))
group("gradients Recurrences",
      ("state_floats>, ceil_div(tokens, scan_tokens)> states;  // before tokens 0, 8, 16",
       "state_floats>, tokens / scan_tokens> states;  // before tokens 0, 8, 16"),
      ("if (dstate) copy_floats(work.dh.data(), dstate->h.data(), work.dh.size());\n  auto&& dt_proj", "auto&& dt_proj"),
      ("    copy_floats(dstate->data(), dout[0], d_model);\n", ""))
group("gradients AllFrames",
      ("trains_any<G, 0, 1, 2, 3, 4> || (dims.rmsnorm && trains_any<G, 5>);", "trains_any<G, 0, 1, 2, 3, 4>;"),
      ("  clear_padding(dxBC, Block::conv_channels, n);\n", ""),
      ("if constexpr (!summarises<S>) dout = dout.from(skipped);", ""),
      ("tape.skipped.count = skipped;", "tape.skipped.count = 0;"),
      ("linear_weight_gradient(inputs.from(skipped), dout", "linear_weight_gradient(inputs, dout"),
      ("dframes + (skipped + t) * L::d_in;", "dframes + t * L::d_in;"),
      ("if constexpr (dx) clear_padding(din, dims.d_model, n);", ""))
group("gradients PooledFrames",
      ("for (std::size_t t = skipped; t < n; ++t) copy_floats(to[t], to[t - skipped], Facts::d_out);", "{}"),
      ("d = opaque(d + *later), *later = 0.0f;", "d = opaque(d + *later);"),
      ("std::min<std::size_t>(tape.position + t, max_tokens - 1)", "std::min<std::size_t>(t, max_tokens - 1)"),
      ("if constexpr (dims.d_conv > 1) copy_floats(state.window.data(), tape.before.data(), tape.before.size());", ""))
group("gradients Widths", ("    clear_padding(din, d_model, n);\n", ""))
group("gradients Tokens", ("copy_padded(dout[0], din[n - 1], d_model);", "copy_padded(dout[0], din[0], d_model);"))
group("stacks Residual<", ("add_row(din[t], copy[t], din[t], L::d_in);", "add_row(din[t], din[t], din[t], L::d_in);"))
group("gradients residual",
      ("dx ? din : TokenSpan<float>{nullptr, 0}, norm, n, true);", "dx ? din : TokenSpan<float>{nullptr, 0}, norm, n, false);"))
group("fail train_memory_selects_no_more", ("if (of_moments.trained[i] && !of_gradients.trained[i]) return false;", ""))
group("fail train_dxs_have_d_in_elements", ("else return input_gradients<Model, T, Out>();", "else return true;"))
group("fail train_muon_selects_matrices",
      ("all = all && (decays<Part> || !Trained::trains(path.name));", "all = all && Parameter<Part>;"))
group("fail train_token_ids_have_no_gradient",
      ("input_gradient = !TakesTokens<Model> && requires", "input_gradient = requires"))
group("fail train_selection_selects_something", ("!detail::is_trained<typename Found::Gradient>", "!detail::is_trained<Found>"))
