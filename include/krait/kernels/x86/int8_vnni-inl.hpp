// Computes linear layers with int8 weights on x86 processors with AVX-512 VNNI, by the instruction VPDPBUSD.
#if defined(KRAIT_KERNELS_X86_INT8_VNNI_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_KERNELS_X86_INT8_VNNI_INL_HPP
#undef KRAIT_KERNELS_X86_INT8_VNNI_INL_HPP
#else
#define KRAIT_KERNELS_X86_INT8_VNNI_INL_HPP
#endif

#include <utility>

#include "krait/kernels/int8_inputs-inl.hpp"

#ifdef KRAIT_AVX512_VNNI
KRAIT_BEGIN_TARGET

// Calls f.operator()<i>() for i = 0, 1, ..., n - 1. With a loop over the sums of a tile, g++ keeps the sums in memory if the
// caller is a large function; a prefill of a Mamba-2 then took 1.9 times as long.
template <std::size_t n, class F>
HWY_INLINE void unrolled(F f) {
  [&]<std::size_t... i>(std::index_sequence<i...>) KRAIT_LAMBDA {
    (f.template operator()<i>(), ...);
  }(std::make_index_sequence<n>{});
}

// Computes one register tile of a linear layer with int8 weights: `tokens` tokens x `vectors` vectors of outputs. VPDPBUSD,
// which Highway 1.0.3 does not provide, adds four products of an unsigned and a signed byte to each 32-bit lane. The unsigned
// bytes are weights w + 128; the signed bytes are the lower or the upper bytes of the 16-bit inputs q = 256 upper + lower. For
// each output:
//   sum over k of q[k] w[k] = 256 (sum of upper[k] (w[k] + 128)) + (sum of lower[k] (w[k] + 128)) - 128 (sum of q[k])
// The int8 weights w0 and w1 of two outputs are stored together as the 16-bit integer 256 w1 + w0. Adding 256 * 128 + 128 makes
// its two bytes w1 + 128 and w0 + 128; a byte shuffle then separates the two outputs.
template <std::size_t tokens, std::size_t vectors>
HWY_INLINE void linear_tile(Weights<Storage::int8> weights, std::size_t width, std::size_t K, const float* bias,
                            Quantised x, TokenSpan<float> y, [[maybe_unused]] Prefetcher* prefetcher = nullptr) {
  const hn::RebindToSigned<Tag> int_tag;
  const hn::Repartition<std::int8_t, decltype(int_tag)> byte_tag;
  const hn::Repartition<std::int16_t, decltype(int_tag)> short_tag;
  using Sum = hn::Vec<decltype(int_tag)>;
  using Bytes = hn::Vec<decltype(byte_tag)>;
  constexpr std::size_t parts = 2 * vectors;
  const auto add_products = [](Sum& sum, Bytes unsigned_bytes, Bytes signed_bytes) KRAIT_LAMBDA {
    // VPDPBUSD is written as inline assembly, because gcc copies the sums between registers if its intrinsic is used.
    asm("vpdpbusd %2, %1, %0" : "+v"(sum.raw) : "v"(unsigned_bytes.raw), "v"(signed_bytes.raw));
  };
  Sum lower[tokens][parts], upper[tokens][parts];
  unrolled<tokens>([&]<std::size_t t>() KRAIT_LAMBDA {
    unrolled<parts>([&]<std::size_t part>() KRAIT_LAMBDA { lower[t][part] = upper[t][part] = hn::Zero(int_tag); });
  });
  const auto to_unsigned = hn::Set(short_tag, std::int16_t{128 - 256 * 128});
  alignas(16) static constexpr std::int8_t first_then_second[16] = {0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15};
  const Bytes apart = hn::LoadDup128(byte_tag, first_then_second);
  const std::int16_t* HWY_RESTRICT w = weights.values;
  for (std::size_t k = 0; k < K; k += int8_group, w += weights.group_stride(width)) {
    if constexpr (tokens > 1) prefetcher->fetch();
    Bytes low[tokens], high[tokens];
    unrolled<tokens>([&]<std::size_t t>() KRAIT_LAMBDA {
      const auto eight = [&](std::size_t at) KRAIT_LAMBDA {
        std::int64_t bytes;
        std::memcpy(&bytes, reinterpret_cast<const std::int8_t*>(x.inputs[t]) + at, sizeof(bytes));
        return hn::BitCast(byte_tag, hn::Set(hn::Repartition<std::int64_t, decltype(byte_tag)>{}, bytes));
      };
      low[t] = eight(k), high[t] = eight(padded(K) + k);
    });
    unrolled<parts>([&]<std::size_t part>() KRAIT_LAMBDA {
      const auto pairs = hn::Add(hn::Load(short_tag, w + part * 2 * lanes), to_unsigned);
      const Bytes weight = hn::TableLookupBytes(hn::BitCast(byte_tag, pairs), apart);
      unrolled<tokens>([&]<std::size_t t>() KRAIT_LAMBDA {
        add_products(lower[t][part], weight, low[t]);
        add_products(upper[t][part], weight, high[t]);
      });
      // With one token the loop waits for memory, which is fastest when weights are read in order. The barrier keeps gcc from
      // moving a load, which cost 8 % of a step of a model with the shape of mamba-130m.
      if constexpr (tokens == 1) asm volatile("" : : : "memory");
    });
  }
  unrolled<tokens>([&]<std::size_t t>() KRAIT_LAMBDA {
    const auto whole = [](Sum up, Sum low) KRAIT_LAMBDA { return hn::Add(hn::ShiftLeft<8>(up), low); };
    const Sum excess = hn::ShiftLeft<7>(hn::Set(int_tag, x.scales[t].sum));
    unrolled<vectors>([&]<std::size_t v>() KRAIT_LAMBDA {
      const Sum a = whole(upper[t][2 * v], lower[t][2 * v]);
      const Sum b = whole(upper[t][2 * v + 1], lower[t][2 * v + 1]);
      const Sum total = hn::Sub(hn::Add(hn::ConcatEven(int_tag, b, a), hn::ConcatOdd(int_tag, b, a)), excess);
      store_outputs(total, weights.scales + v * lanes, x.scales[t].step, bias ? bias + v * lanes : nullptr, y[t] + v * lanes);
    });
  });
}

KRAIT_END_TARGET

#endif
#endif
