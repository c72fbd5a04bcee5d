"""Small wrong changes of include/krait: what is found by its text, what replaces it, and the suites that should notice."""
import dataclasses
import pathlib

MUTANTS = []


@dataclasses.dataclass
class Mutant:
    suites: list  # the cheapest first
    old: str
    new: str
    needs: str = ""  # a processor feature, as /proc/cpuinfo spells it
    by_compiler: bool = False  # a static assertion or a compiler's error is what should notice it
    equivalent: str = ""  # why no test can notice it
    file: pathlib.Path = None  # where the text was found


def group(suites, *changes, **facts):
    """Changes for the same suites (names with ` + ` between): (old, new), or (old, new, other facts)."""
    for old, new, *more in changes:
        MUTANTS.append(Mutant(suites.split(" + "), old, new, **facts, **(more[0] if more else {})))


# core: dims, checks and the walk, most of it at compile time.
group("unit/dims",
      ("return (a + b - 1) / b;", "return (a + b) / b;"),
      ("if (dims.dt_rank == 0) dims.dt_rank = ceil_div(dims.d_model, 16);", "if (dims.dt_rank == 0) dims.dt_rank = dims.d_model / 16;"),
      ("dims.dt_rank = ceil_div(dims.d_inner, 16);", "dims.dt_rank = dims.d_inner / 16;"),
      ("(dims.expand == 0 ? 2 : dims.expand)", "(dims.expand == 0 ? 1 : dims.expand)"),
      ("dims.expand) * dims.d_model;\n    dims.expand = 0;", "dims.expand) * dims.d_model;"),
      ("dims.vocab_size = ceil_div(dims.vocab_size, 8) * 8;", "dims.vocab_size = dims.vocab_size / 8 * 8;"),
      ("    return T::rows * T::cols;", "    return T::rows;"),
      ("return std::tuple_size_v<T> * count_parameters<typename T::value_type>();",
       "return count_parameters<typename T::value_type>();"),
      ("std::is_empty_v<State<Model>> ? 0 : sizeof(State<Model>)", "sizeof(State<Model>)"),
      ("multiply_adds = dims.d_in * dims.d_out;", "multiply_adds = dims.d_in + dims.d_out;"),
      ("dims.n_layers * Block::multiply_adds + dims.d_model + Head::multiply_adds",
       "dims.n_layers * Block::multiply_adds + Head::multiply_adds"),
      ("OutProj::multiply_adds + dims.d_inner;", "OutProj::multiply_adds;"),
      ("scan_multiply_adds = 3 * dims.d_inner", "scan_multiply_adds = 2 * dims.d_inner"),
      ("multiply_adds = dims.channels * dims.d_conv;", "multiply_adds = dims.channels;"),
      ("(First::multiply_adds + ... + Rest::multiply_adds)", "First::multiply_adds"),
      by_compiler=True)
group("fail parameter_names_fit",
      ("length + (length > 0) + segment.size()", "length + segment.size()"))
group("fail step_token_is_no_bool",
      ("std::integral<T> && !std::same_as<std::remove_cv_t<T>, bool>", "std::integral<T>"))
group("fail step_row_has_known_length",
      ("float> && (extent<std::remove_cv_t<T>> > 0);", "float>;"))
group("fail block_dt_rank_is_at_most_d_inner",
      ("consteval bool possible(const auto& dims) { return mended(dims) == dims; }",
       "consteval bool possible(const auto&) { return true; }"))
group("fail stack_behind_pooling_has_no_state",
      ("bool rows_suffice = !one_row_left || std::is_empty_v<typename Here::State>;", "bool rows_suffice = true;"))
group("fail scratch_of_step_is_for_one_token",
      ("if constexpr (of_model && one_token) {", "if constexpr (false && of_model && one_token) {"))
group("fail state_has_the_models_type",
      ("  return std::is_same_v<Found, Wanted>;", "  return true;"))
group("laws/decay", ("static constexpr bool at_least = found >= wanted;", "static constexpr bool at_least = found > wanted;"),
      by_compiler=True)
group("bits",
      ("dims.in_bias = dims.conv_bias = dims.out_bias = dims.norm_bias = true;", "dims.in_bias = dims.conv_bias = dims.norm_bias = true;"),
      ("dims.x_bias = dims.dt_bias = false;", "dims.x_bias = false;"),
      ("  dims.tied = true;", "  dims.tied = false;"),
      (".x_bias = b.x_bias, .dt_bias = b.dt_bias,\n          .storage = b.storage", ".x_bias = b.dt_bias, .dt_bias = b.x_bias,\n          .storage = b.storage"),
      (".in_bias = m.in_bias, .conv_bias = m.conv_bias,", ".in_bias = m.conv_bias, .conv_bias = m.in_bias,"))
group("storage",
      (".norm_bias = m.norm_bias, .norm_eps = m.norm_eps,", ".norm_bias = m.norm_bias,"),
      (".bias = b.norm_bias, .eps = b.norm_eps}", ".bias = b.norm_bias}"))
group("unit/reflect",
      ('name + std::string_view(".") + index++', 'name + std::string_view(".") + ++index'),
      ("walk(member, name, f);", "walk(member, prefix + segment, f);"),
      ('name.size == 0 ? name : name + std::string_view(".");\n    for_each_member(object', 'name;\n    for_each_member(object'),
      ("convert_param(from[i], to[i]);", "convert_param(from[0], to[i]);"),
      ("assign(to, [&](std::size_t row, std::size_t col) { return from.get(row, col); });",
       "assign(to, [&](std::size_t row, std::size_t) { return from.get(row, 0); });"))

# core: tensors, 16-bit numbers, CRC, random numbers, text.
group("unit/tensor",
      ("padded_rows - panel < width ? padded_rows - panel : width", "width"),
      ("const std::size_t channel = (row - lead) % (channels * per_channel) / per_channel;",
       "const std::size_t channel = (row - lead) % (channels * per_channel);"),
      ("(channel / block_width * per_channel + index) * block_width", "(channel / block_width * per_channel) * block_width"),
      ("rate >= FLT_MAX ? -FLT_MAX : nan", "rate >= FLT_MAX ? -FLT_MAX : -FLT_MAX"),
      ("rate < FLT_MAX ? -static_cast<float>(rate)", "rate < FLT_MAX ? static_cast<float>(rate)"),
      ("ulps < 4", "ulps < 1"),
      ("word = (word & ~(0xFFFFu << shift)) |", "word = word |"),
      ("static_cast<double>(A_log)) * std::numbers::log2e;", "static_cast<double>(A_log));"))
group("int8 layers",
      ("(bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16", "(bits + 0x8000u) >> 16"),
      ("static_cast<std::uint16_t>(bits >> 16 | 0x40u)", "static_cast<std::uint16_t>(bits >> 16)"),
      ("0xFFFu + (magnitude >> 13 & 1u)", "0x1000u"),
      ("return with_sign(0x7E00u);", "return with_sign(0x7C00u);"),
      ("if (magnitude < 0x38800000u)", "if (magnitude < 0x38000000u)"),
      ("(bits & 0x7FFFFFFFu) > 0x7F800000u", "(bits & 0x7FFFFFFFu) >= 0x7F800000u"),
      ("const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000u);", "const auto sign = static_cast<std::uint16_t>(bits >> 15 & 0x8000u);"),
      ("__builtin_nearbyintf(value(col) * inverse)", "__builtin_roundf(value(col) * inverse)"),
      ("static_cast<int>(__builtin_nearbyintf(value(col) * inverse))", "static_cast<int>(value(col) * inverse)"),
      ("largest >= 0x1p-120f", "largest >= 0x1p-118f"),
      ("largest >= 0x1p-120f ? 127.0f / largest", "largest >= 0x1p-122f ? 127.0f / largest"),
      ("127.0f / largest : 0.0f", "126.0f / largest : 0.0f"),
      ("return (pair + 128) >> 8;", "return pair >> 8;"),
      ("return place % 2 == 0 ? first_of_pair(pair)", "return place % 2 == 1 ? first_of_pair(pair)"),
      ("if (magnitude > largest) largest = magnitude;", "largest = magnitude;"),
      ("static_cast<std::int16_t>(256 * second + first)", "static_cast<std::int16_t>(256 * first + second)"),
      ("__builtin_fabsf(value(col))", "value(col)"))
group("unit/load",
      ("f16_infinite_from = 0x477FF000u", "f16_infinite_from = 0x47800000u"),
      ("sign | (exponent + 112) << 23", "sign | (exponent + 111) << 23"),
      ("static_cast<float>(mantissa) * 0x1p-24f", "static_cast<float>(mantissa) * 0x1p-25f"),
      ("scale < largest_scale ? scale : largest_scale", "scale"),
      ("std::memset(static_cast<void*>(&tensor), 0, sizeof(T));", ""))
group("unit/safetensors",
      ("if (exponent == 31) return sign", "if (exponent == 32) return sign"),
      ("const std::uint32_t sign = (bits & 0x8000u) << 16", "const std::uint32_t sign = (bits & 0x8000u) << 15"))
group("vectors/own",
      ("return padded(lead) + group", "return lead + group"),
      ("const std::size_t index = (row - lead) % per_channel;", "const std::size_t index = row % per_channel;"),
      ("C_start = detail::per_channel_order(dims).group_start(1)", "C_start = detail::per_channel_order(dims).group_start(0)"),
      ("if constexpr (per_channel) return load_state(row, n);", "if constexpr (per_channel) return load_state(row, 0);"))
group("unit/random",
      ("rotations{13, 15, 26, 6, 17, 29, 16, 24}", "rotations{13, 26, 15, 6, 17, 29, 16, 24}"),
      ("0x1BD11BDAu", "0x1BD11BDBu"),
      ("rotations[group % 2 * 4 + round]", "rotations[round]"),
      ("ks[(group + 2) % 3] + group + 1;", "ks[(group + 2) % 3] + group;"),
      ("(random_bits(k, i) >> 9) | 0x3F800000u", "(random_bits(k, i) >> 10) | 0x3F800000u"),
      ("return 1.41421354f * (p * u);", "return 1.41421354f * p;"),
      ("__builtin_log1pf(-u * u)", "__builtin_log1pf(u * u)"))
group("unit/sample_weights", ("return both.high ^ both.low;", "return both.high;"))
group("noxton",
      ("Key split(Key k, std::uint64_t i) { return threefry(k, i); }", "Key split(Key k, std::uint64_t i) { return threefry(k, i + 1); }"),
      ("{static_cast<std::uint32_t>(seed >> 32), static_cast<std::uint32_t>(seed)}",
       "{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)}"),
      ("w = central ? w - 2.5f", "w = central ? w - 2.4999f"),
      ("w < 5.0f", "w < 2.0f"),
      ("fill_uniform(layer.bias, split(key, 1), limit)", "fill_uniform(layer.bias, split(key, 0), limit)"),
      ("static_cast<float>(i / Ssm::d_inner + 1)", "static_cast<float>(i % Ssm::d_state + 1)"),
      ("init(model.backbone.layers[i], split(key, i + 1));", "init(model.backbone.layers[i], split(key, i));"),
      ("init(block.conv1d, split(key, 2));", "init(block.conv1d, split(key, 1));"),
      ("detail::init_weight_and_bias(layer, key, dims.d_conv);", "detail::init_weight_and_bias(layer, key, dims.channels);"))
group("unit/init",
      ("return 0.02f * normal(k, i);", "return 0.2f * normal(k, i);"),
      ("static_cast<float>(dims.n_layers * dims.d_inner)", "static_cast<float>(dims.d_inner)"),
      ("dt + __builtin_logf(-__builtin_expm1f(-dt))", "__builtin_logf(-__builtin_expm1f(-dt))"),
      ("return __builtin_logf(static_cast<float>(n + 1));", "return __builtin_logf(static_cast<float>(n + 2));"),
      ("detail::fill_constant(layer.weight, 1.0f);", "detail::fill_constant(layer.weight, 0.0f);"))
group("unit/safetensors",
      ("rest[0] >= ' '", "rest[0] > ' '"),
      ("rest[0] <= '~'", "rest[0] <= '\\x7F'"),
      ('": found ") += found) += ", wanted ") += wanted', '": found ") += wanted) += ", wanted ") += found'),
      ('if (!where.empty()) (text += where) += ": ";', '(text += where) += ": ";'),
      ("size == 4 ? 0x10000u", "size == 4 ? 0x1000u"),
      ("size == 3 ? 0x800u", "size == 3 ? 0x80u"),
      ("&& !is_surrogate", ""),
      ("(more[fits] & 0xC0) == 0x80", "false"),
      ("{ return problem == Problem::none; }", "{ return problem != Problem::missing; }"),
      ("'0' + number % 10u", "'0' + number % 10u + (first < 17)"))

# io.
group("unit/safetensors",
      ("entry.shape.size() == rank_limit", "entry.shape.size() == rank_limit + 1"),
      ("value = value << 8 | std::to_integer", "value = value << 7 | std::to_integer"),
      ("bits / 8, \"byte\")};\n  entry.data = data.subspan(static_cast<std::size_t>(entry.begin)", "bits / 8, \"byte\")};\n  entry.data = data.subspan(static_cast<std::size_t>(0)"),
      ("is_known && size != bits / 8", "is_known && size < bits / 8"),
      ("is_known && bits % 8 != 0", "false"),
      ("entry.begin > entry.end || entry.end > data.size()", "entry.begin > entry.end"),
      ("entry.begin > entry.end ||", ""),
      ("size > std::numeric_limits<std::uint64_t>::max() / extent", "size >= std::numeric_limits<std::uint64_t>::max() / extent"),
      ("if (size == 0) break;", ""),
      ("if (entry->begin < at)", "if (entry->begin + 4 < at)"),
      ("if (entry->begin > at)", "if (false)"),
      ("if (at != data.size())", "if (false)"),
      ("if (length > bytes.size() - 8)", "if (length > bytes.size())"),
      ("if (length == 0 || *text != '{')", "if (length == 0)"),
      ("zero != text_end", "false"),
      ("if (twice != read.entries.end())", "if (false)"),
      ("is_metadata_ && std::exchange(had_metadata_, true)", "false"),
      ("if ((fields_ & field_) != 0)", "if (false)"),
      ("fields_ != (has_dtype | has_shape | has_offsets)", "(fields_ & has_dtype) == 0"),
      ("field_ == has_offsets && count_ != 2", "field_ == has_offsets && count_ < 2"),
      ('entry.dtype == "F16" ? bits_from_f16(half)', 'entry.dtype != "F16" ? bits_from_f16(half)'),
      ("length > header_limit || bytes.size() <= 8 || bytes[8]", "length > header_limit || bytes[8]"),
      ("  if (length > header_limit)\n", "  if (length >= header_limit)\n"),
      ('{"F6_E2M3", 6}', '{"F6_E2M3", 8}'),
      ("  file = std::move(read);", ""),
      ("place_ = place_ == Place::file ? Place::start : Place::file;", "place_ = Place::file;"))
group("unit/load",
      ("takes_infinity<DecayRates<d_inner, d_state>> = true", "takes_infinity<DecayRates<d_inner, d_state>> = false"),
      ("!entry.name.starts_with(options_.prefix) || ignored(entry)", "ignored(entry)"),
      ("!entry.name.starts_with(options_.prefix) || ignored(entry)", "!entry.name.starts_with(options_.prefix)"),
      ("safetensors::element_bits(*head, i) == safetensors::element_bits(*embedding, i)", "true"),
      ("element(**entry, row * T::cols + col)", "element(**entry, col * T::rows + row)"),
      ("is_infinite && !infinity", "is_infinite"),
      ("storage == Storage::bf16 ? bf16_infinite_from", "storage == Storage::bf16 ? f16_infinite_from"),
      ("!std::equal(entry.shape.begin(), entry.shape.end(), shape.begin(), shape.end())", "entry.shape.size() != shape.size()"),
      ("(text.size() + 7) / 8 * 8", "text.size()"),
      ('name == embedding_name ? "backbone.embeddings.weight"', 'name == head_name ? "backbone.embeddings.weight"'))
group("unit/file",
      ("if (size == 0) return detail::file_problem", "if (false) return detail::file_problem"),
      ("std::size_t cut = name.size() - room + 3;", "std::size_t cut = name.size() - room;"),
      ("(name[cut] & 0xC0) == 0x80; ++i) ++cut;", "false; ++i) ++cut;"),
      ("  std::filesystem::remove(beside, error);", ""),
      ("if (error) reason = error.message();", ""),
      ('std::string reason = stream ? "" : detail::stream_reason();', "std::string reason;"))

# Images and snapshots.
group("image",
      ("0xEDB88320u", "0xEDB88321u"),
      ("std::uint32_t remainder = ~before;", "std::uint32_t remainder = before;"),
      ("if (order.groups > 0)", "if (order.groups > 2)"),
      ("double{T::eps} * 1e12 + 0.5", "double{T::eps} * 1e11 + 0.5"),
      ("if (header.model_bytes != model_bytes)", "if (false)"),
      ("if (model.size() < model_bytes)", "if (model.size() + 1 < model_bytes)"),
      ("crc != header.fingerprint)", "false && crc != header.fingerprint)"),
      ("beyond != 0)", "beyond % 4 != 0)"),
      ("if (found.version != wanted.version)", "if (found.version < wanted.version)"),
      ("if (found.byte_order != wanted.byte_order)", "if (found.byte_order == 0x04030201)"),
      ("if (behind.size() / image_alignment < text_blocks)", "if (behind.size() / image_alignment + 1 < text_blocks)"),
      ("std::memset(to + at, 0, offset - at);", ""),
      ("std::memset(to + at, 0, sizeof(Model) - at);", ""),
      ("    gap_to(offset);", ""),
      ("std::uint32_t crc = crc32(detail::as_bytes(structure<Model>));", "std::uint32_t crc = 0;"),
      ("if (line == wanted_line) continue;", "if (line.size() == wanted_line.size()) continue;"),
      ("header.fingerprint != fingerprint)", "false)"),
      ("if (header.state_bytes != state_bytes)", "if (header.state_bytes < state_bytes)"),
      ("room < header.state_bytes)", "room + 1 < header.state_bytes)"),
      ("found != header.checksum)\n    return {Problem::bad_checksum, \"snapshot\"", "false)\n    return {Problem::bad_checksum, \"snapshot\""),
      ("  if (status) std::memcpy(static_cast<void*>(&state)", "  std::memcpy(static_cast<void*>(&state)"))
