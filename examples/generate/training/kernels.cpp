// The parts of a Mamba layer's forward and backward pass that are not matrix products, for train.py.
//
// Every array is row-major. A row is one token; rows of one sequence are contiguous. Loops work on blocks of 16
// channels, one vector each, so d_model, d_inner and vocab_size must be multiples of 16. Parameters that are indexed
// by channel come with the channel last: A [d_state, d_inner], dt_proj [dt_rank, d_inner], conv1d [d_conv, d_inner].
// Activations are float or bfloat16 (type T); sums, states, parameters and their gradients are float.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>
#ifdef __AVX512F__
#include <immintrin.h>
#endif

namespace {

constexpr long lanes = 16, d_state = 16, dt_rank = 8, d_conv = 4;
constexpr long chunk = 16;  // tokens whose h and exp(delta A) the backward scan holds at once: 16 KB each
constexpr long width = dt_rank + 2 * d_state;  // a row of x_proj's output: dt, B, C

typedef float vec __attribute__((vector_size(64)));
typedef float memory_vec __attribute__((vector_size(64), aligned(4), may_alias));
typedef std::int32_t ivec __attribute__((vector_size(64)));
typedef std::uint32_t uvec __attribute__((vector_size(64)));
typedef std::uint16_t half __attribute__((vector_size(32)));

struct bf16 { std::uint16_t bits; };

inline vec load(const float* p) { return *reinterpret_cast<const memory_vec*>(p); }  // any alignment
inline void store(float* p, vec x) { *reinterpret_cast<memory_vec*>(p) = x; }
inline vec load(const bf16* p) {
  half bits;
  std::memcpy(&bits, p, sizeof bits);
  return (vec)(__builtin_convertvector(bits, uvec) << 16);
}
inline void store(bf16* p, vec x) {  // rounds to nearest, ties to even
  const uvec b = (uvec)x;
  const half bits = __builtin_convertvector((b + 0x7fff + ((b >> 16) & 1)) >> 16, half);
  std::memcpy(p, &bits, sizeof bits);
}
inline void add(float* p, vec x) { store(p, load(p) + x); }
inline vec splat(float x) { return x - vec{}; }
inline float sum(vec x) {
  float s = 0;
  for (long i = 0; i < lanes; ++i) s += x[i];
  return s;
}

// 2^x for x <= 0: a polynomial on [-1/2, 1/2] (1e-7 relative), then the exponent. AVX-512 has instructions for both
// ends; elsewhere x below -126 is taken as -126.
inline vec exp2_neg(vec x) {
#ifdef __AVX512F__
  const vec n = (vec)_mm512_roundscale_ps((__m512)x, 0), f = x - n;
#else
  x = x > -126.0f ? x : splat(-126.0f);
  const ivec i = __builtin_convertvector(x - 0.5f, ivec);  // x <= 0, so rounding x - 0.5 towards zero rounds x to nearest
  const vec f = x - __builtin_convertvector(i, vec);
#endif
  vec p = f * 1.326472721e-3f + 9.671512812e-3f;
  p = p * f + 5.550733745e-2f;
  p = p * f + 2.402224208e-1f;
  p = p * f + 6.931469776e-1f;
  p = p * f + 1.0f;
#ifdef __AVX512F__
  return (vec)_mm512_scalef_ps((__m512)p, (__m512)n);
#else
  return p * (vec)((i + 127) << 23);
#endif
}
constexpr float log2e = 1.44269504f;
inline vec exp_neg(vec x) { return exp2_neg(x * log2e); }
inline vec sigmoid(vec x) {
  const vec e = exp_neg(x > 0 ? -x : x);
  return (x > 0 ? splat(1.0f) : e) / (1.0f + e);
}
inline vec softplus(vec x) {  // max(x, 0) + log1p(e), and log1p(e) = 2 atanh(e / (2 + e))
  const vec e = exp_neg(x > 0 ? -x : x), w = e / (2.0f + e), q = w * w;
  vec p = q * (1.0f / 13) + 1.0f / 11;
  p = p * q + 1.0f / 9;
  p = p * q + 1.0f / 7;
  p = p * q + 1.0f / 5;
  p = p * q + 1.0f / 3;
  p = p * q + 1.0f;
  return (x > 0 ? x : vec{}) + 2.0f * w * p;
}
inline vec silu_slope(vec x, vec s) { return s * (1.0f + x * (1.0f - s)); }  // s = sigmoid(x)

template <class T>
void rms_norm(long rows, long d, const float* x, const float* weight, T* y) {
  for (long r = 0; r < rows; ++r, x += d, y += d) {
    vec s{};
    for (long c = 0; c < d; c += lanes) s += load(x + c) * load(x + c);
    const float scale = 1.0f / __builtin_sqrtf(sum(s) / d + 1e-5f);
    for (long c = 0; c < d; c += lanes) store(y + c, load(x + c) * scale * load(weight + c));
  }
}

// dx += the norm's part; dx comes in as the residual's gradient.
template <class T>
void rms_norm_backward(long rows, long d, const float* x, const float* weight, const T* dy, float* dx, float* dweight) {
  for (long r = 0; r < rows; ++r, x += d, dy += d, dx += d) {
    vec s{}, xg{};
    for (long c = 0; c < d; c += lanes) {
      s += load(x + c) * load(x + c);
      xg += load(x + c) * load(weight + c) * load(dy + c);
    }
    const float scale = 1.0f / __builtin_sqrtf(sum(s) / d + 1e-5f);
    const float k = sum(xg) * scale * scale / d;
    for (long c = 0; c < d; c += lanes) {
      const vec g = load(dy + c), v = load(x + c);
      add(dx + c, scale * (g * load(weight + c) - v * k));
      add(dweight + c, g * v * scale);
    }
  }
}

// Input of tap k at token t: from the window carried in before token 0.
template <class T>
inline vec tap(const T* x, long stride, const float* window, long t, long k, long d, long c) {
  const long s = t - (d_conv - 1) + k;
  return s < 0 ? load(window + (s + d_conv - 1) * d + c) : load(x + s * stride + c);
}

// u = SiLU(bias + sum_k weight[k] x[t - 3 + k]); x [n, length, stride], of which the first d columns are read; window
// [n, d_conv - 1, d].
template <class T>
void conv1d(long n, long length, long d, long stride, const T* x, const float* window, const float* weight,
            const float* bias, T* u) {
  for (long b = 0; b < n; ++b, x += length * stride, u += length * d, window += (d_conv - 1) * d)
    for (long t = 0; t < length; ++t)
      for (long c = 0; c < d; c += lanes) {
        vec v = load(bias + c);
        for (long k = 0; k < d_conv; ++k) v += load(weight + k * d + c) * tap(x, stride, window, t, k, d, c);
        store(u + t * d + c, v * sigmoid(v));
      }
}

template <class T>
void conv1d_backward(long n, long length, long d, long stride, const T* x, const float* window, const float* weight,
                     const float* bias, const T* du, T* dx, float* dweight, float* dbias) {
  for (long b = 0; b < n; ++b, x += length * stride, dx += length * stride, du += length * d, window += (d_conv - 1) * d)
    for (long c = 0; c < d; c += lanes) {
      vec later[d_conv] = {}, dw[d_conv] = {}, db{};  // later[j]: gradient before SiLU at token t + j
      for (long t = length - 1; t >= 0; --t) {
        vec v = load(bias + c), taps[d_conv];
        for (long k = 0; k < d_conv; ++k) {
          taps[k] = tap(x, stride, window, t, k, d, c);
          v += load(weight + k * d + c) * taps[k];
        }
        for (long j = d_conv - 1; j > 0; --j) later[j] = later[j - 1];
        later[0] = load(du + t * d + c) * silu_slope(v, sigmoid(v));
        db += later[0];
        vec sum_dx{};
        for (long k = 0; k < d_conv; ++k) {
          dw[k] += later[0] * taps[k];
          sum_dx += load(weight + k * d + c) * later[d_conv - 1 - k];
        }
        store(dx + t * stride + c, sum_dx);
      }
      add(dbias + c, db);
      for (long k = 0; k < d_conv; ++k) add(dweight + k * d + c, dw[k]);
    }
}

// dt_proj of one token, before softplus.
inline vec delta_raw(const float* dt, const float* weight, const float* bias, long d, long c) {
  vec r = load(bias + c);
  for (long i = 0; i < dt_rank; ++i) r += dt[i] * load(weight + i * d + c);
  return r;
}

// delta = softplus(dt_proj dt)
// h_t = exp(delta_t A) h_{t-1} + delta_t B_t u_t;  y_t = C_t . h_t + D u_t;  out = y SiLU(z)
// h [n, d_state, d] goes from the state before to the state after; marks [n, chunks, d_state, d] keeps it at the start
// of each chunk for the backward pass, which recomputes the rest.
template <class T>
void scan(long n, long length, long d, const T* xz, const T* u, const float* dtBC, const float* A, const float* D,
          const float* dt_weight, const float* dt_bias, float* h, float* marks, T* out) {
  for (long b = 0; b < n; ++b, h += d_state * d)
    for (long start = 0; start < length; start += chunk, marks += d_state * d) {
      const long end = std::min(length, start + chunk);
      std::memcpy(marks, h, d_state * d * sizeof(float));
      for (long c = 0; c < d; c += lanes) {
        vec state[d_state];
        for (long i = 0; i < d_state; ++i) state[i] = load(h + i * d + c);
        for (long t = start; t < end; ++t) {
          const long row = b * length + t;
          const float *dt = dtBC + row * width, *B = dt + dt_rank, *C = B + d_state;
          const vec delta = softplus(delta_raw(dt, dt_weight, dt_bias, d, c)), delta2 = delta * log2e;
          const vec x = load(u + row * d + c), z = load(xz + row * 2 * d + d + c), dx = delta * x;
          vec y = load(D + c) * x;
#pragma GCC unroll 16
          for (long i = 0; i < d_state; ++i) {
            state[i] = exp2_neg(delta2 * load(A + i * d + c)) * state[i] + B[i] * dx;
            y += C[i] * state[i];
          }
          store(out + row * d + c, y * z * sigmoid(z));
        }
        for (long i = 0; i < d_state; ++i) store(h + i * d + c, state[i]);
      }
    }
}

// Computes the gradients of scan: writes du, ddtBC and the half of dxz that belongs to z, and adds the gradients of the
// parameters to their earlier values.
template <class T>
void scan_backward(long n, long length, long d, const T* xz, const T* u, const float* dtBC, const float* A,
                   const float* D, const float* dt_weight, const float* dt_bias, const float* marks, const T* dout,
                   T* du, T* dxz, float* ddtBC, float* dA, float* dD, float* ddt_weight, float* ddt_bias) {
  const long chunks = (length + chunk - 1) / chunk;
  std::vector<float> carry(d_state * d);  // exp(delta_{t+1} A) dL/dh_{t+1}
  alignas(64) static thread_local vec decay[chunk][d_state], state[chunk + 1][d_state], lane_sums[chunk][width];
  for (long b = 0; b < n; ++b) {
    std::fill(carry.begin(), carry.end(), 0.0f);
    for (long k = chunks - 1; k >= 0; --k) {
      const long start = k * chunk, count = std::min(length - start, chunk);
      const float* mark = marks + (b * chunks + k) * d_state * d;
      std::memset(lane_sums, 0, sizeof lane_sums);
      for (long c = 0; c < d; c += lanes) {
        vec raw[chunk], delta[chunk], y[chunk], g[d_state], gA[d_state];
        for (long i = 0; i < d_state; ++i) {
          state[0][i] = load(mark + i * d + c);
          g[i] = load(carry.data() + i * d + c);
          gA[i] = load(dA + i * d + c);
        }
        for (long t = 0; t < count; ++t) {
          const long row = b * length + start + t;
          const float *dt = dtBC + row * width, *B = dt + dt_rank, *C = B + d_state;
          raw[t] = delta_raw(dt, dt_weight, dt_bias, d, c);
          delta[t] = softplus(raw[t]);
          const vec x = load(u + row * d + c), dx = delta[t] * x, delta2 = delta[t] * log2e;
          vec sum_y = load(D + c) * x;
#pragma GCC unroll 16
          for (long i = 0; i < d_state; ++i) {
            decay[t][i] = exp2_neg(delta2 * load(A + i * d + c));
            state[t + 1][i] = decay[t][i] * state[t][i] + B[i] * dx;
            sum_y += C[i] * state[t + 1][i];
          }
          y[t] = sum_y;
        }
        vec gD{}, gbias{}, gweight[dt_rank] = {};
        for (long t = count - 1; t >= 0; --t) {
          const long row = b * length + start + t;
          const float *dt = dtBC + row * width, *B = dt + dt_rank, *C = B + d_state;
          vec *sums_dt = lane_sums[t], *sums_B = sums_dt + dt_rank, *sums_C = sums_B + d_state;
          const vec x = load(u + row * d + c), z = load(xz + row * 2 * d + d + c), go = load(dout + row * d + c);
          const vec s = sigmoid(z), dy = go * z * s, dx = delta[t] * x;
          store(dxz + row * 2 * d + d + c, go * y[t] * silu_slope(z, s));
          gD += dy * x;
          vec gdx{}, gdelta{};
#pragma GCC unroll 16
          for (long i = 0; i < d_state; ++i) {
            const vec gh = g[i] + C[i] * dy;
            sums_C[i] += dy * state[t + 1][i];
            sums_B[i] += gh * dx;
            gdx += gh * B[i];
            g[i] = gh * decay[t][i];
            const vec e = g[i] * state[t][i];
            gdelta += e * load(A + i * d + c);
            gA[i] += e * delta[t];
          }
          store(du + row * d + c, dy * load(D + c) + gdx * delta[t]);
          const vec graw = (gdelta + gdx * x) * sigmoid(raw[t]);
          gbias += graw;
          for (long i = 0; i < dt_rank; ++i) {
            sums_dt[i] += graw * load(dt_weight + i * d + c);
            gweight[i] += graw * dt[i];
          }
        }
        add(dD + c, gD);
        add(ddt_bias + c, gbias);
        for (long i = 0; i < dt_rank; ++i) add(ddt_weight + i * d + c, gweight[i]);
        for (long i = 0; i < d_state; ++i) {
          store(carry.data() + i * d + c, g[i]);
          store(dA + i * d + c, gA[i]);
        }
      }
      for (long t = 0; t < count; ++t)
        for (long i = 0; i < width; ++i) ddtBC[(b * length + start + t) * width + i] = sum(lane_sums[t][i]);
    }
  }
}

// Mamba-2, one group. A row of xBC is x [d], B [states], C [states]; delta and decay [n, length, heads] are
// softplus(dt + dt_bias) and exp(delta A), so a head is d / heads channels, a multiple of 16.
// h_t = decay_t h_{t-1} + B_t delta_t x_t;  y_t = C_t . h_t + D x_t;  out = y SiLU(z)
// h [n, d / 16, states, 16] goes from the state before to the state after.
template <class T>
void head_scan(long n, long length, long d, long states, long heads, const T* z, const T* xBC, const float* delta,
               const float* decay, const float* D, float* h, T* out) {
  const long width = d + 2 * states, headdim = d / heads;
  for (long b = 0; b < n; ++b, h += d * states)
    for (long c = 0; c < d; c += lanes) {
      const long head = c / headdim;
      float* block = h + c * states;
      for (long row = b * length; row < (b + 1) * length; ++row) {
        const vec x = load(xBC + row * width + c), gate = load(z + row * d + c);
        const vec a = splat(decay[row * heads + head]), dx = delta[row * heads + head] * x;
        const T *B = xBC + row * width + d, *C = B + states;
        vec y = D[head] * x;
        for (long i = 0; i < states; i += lanes) {
          const vec Bs = load(B + i), Cs = load(C + i);
#pragma GCC unroll 16
          for (long j = 0; j < lanes; ++j) {
            const vec state = a * load(block + (i + j) * lanes) + Bs[j] * dx;
            store(block + (i + j) * lanes, state);
            y += Cs[j] * state;
          }
        }
        store(out + row * d + c, y * gate * sigmoid(gate));
      }
    }
}

// Gradients of head_scan from the state h before the first token. dz, dxBC, ddelta (by way of delta x) and dy_y (per
// head, the sum of dy times C . h) are written, dD is added to. h is overwritten.
template <class T>
void head_scan_backward(long n, long length, long d, long states, long heads, const T* z, const T* xBC,
                        const float* delta, const float* decay, const float* D, float* h, const T* dout, T* dz, T* dxBC,
                        float* ddelta, float* dy_y, float* dD) {
  const long width = d + 2 * states, headdim = d / heads, chunk = 8;  // tokens whose sums over channels fit in a cache
  std::vector<float> sums(chunk * states * lanes), carry(d * states), dy_of(length * d);
  std::fill(ddelta, ddelta + n * length * heads, 0.0f);
  std::fill(dy_y, dy_y + n * length * heads, 0.0f);
  const auto write_sums = [&](long row, long count, long column) {
    for (long t = 0; t < count; ++t)
      for (long i = 0; i < states; i += lanes) {
        vec total;
        for (long j = 0; j < lanes; ++j) total[j] = sum(load(sums.data() + (t * states + i + j) * lanes));
        store(dxBC + (row + t) * width + column + i, total);
      }
  };
  for (long b = 0; b < n; ++b, h += d * states) {
    for (long start = 0; start < length; start += chunk) {  // computes the states again, for the gradients of C and z
      const long count = std::min(chunk, length - start);
      std::fill(sums.begin(), sums.end(), 0.0f);
      for (long c = 0; c < d; c += lanes) {
        const long head = c / headdim;
        float* block = h + c * states;
        vec gD{};
        for (long t = 0; t < count; ++t) {
          const long row = b * length + start + t;
          const vec x = load(xBC + row * width + c), gate = load(z + row * d + c), go = load(dout + row * d + c);
          const vec a = splat(decay[row * heads + head]), dx = delta[row * heads + head] * x;
          const vec s = sigmoid(gate), dy = go * gate * s;
          const T *B = xBC + row * width + d, *C = B + states;
          float* dC = sums.data() + t * states * lanes;
          vec y{};
          for (long i = 0; i < states; i += lanes) {
            const vec Bs = load(B + i), Cs = load(C + i);
#pragma GCC unroll 16
            for (long j = 0; j < lanes; ++j) {
              const vec state = a * load(block + (i + j) * lanes) + Bs[j] * dx;
              store(block + (i + j) * lanes, state);
              y += Cs[j] * state;
              add(dC + (i + j) * lanes, dy * state);
            }
          }
          dy_y[row * heads + head] += sum(dy * y);
          gD += dy * x;
          store(dy_of.data() + (start + t) * d + c, dy);
          store(dz + row * d + c, go * (y + D[head] * x) * silu_slope(gate, s));
        }
        dD[head] += sum(gD);
      }
      write_sums(b * length + start, count, d + states);
    }
    std::fill(carry.begin(), carry.end(), 0.0f);  // decay_{t+1} dL/dh_{t+1}
    for (long start = (length - 1) / chunk * chunk; start >= 0; start -= chunk) {
      const long count = std::min(chunk, length - start);
      std::fill(sums.begin(), sums.end(), 0.0f);
      for (long c = 0; c < d; c += lanes) {
        const long head = c / headdim;
        float* block = carry.data() + c * states;
        for (long t = count - 1; t >= 0; --t) {
          const long row = b * length + start + t;
          const vec x = load(xBC + row * width + c), dy = load(dy_of.data() + (start + t) * d + c);
          const vec a = splat(decay[row * heads + head]), dx = delta[row * heads + head] * x;
          const T *B = xBC + row * width + d, *C = B + states;
          float* dB = sums.data() + t * states * lanes;
          vec gdx{};
          for (long i = 0; i < states; i += lanes) {
            const vec Bs = load(B + i), Cs = load(C + i);
#pragma GCC unroll 16
            for (long j = 0; j < lanes; ++j) {
              const vec g = load(block + (i + j) * lanes) + Cs[j] * dy;
              store(block + (i + j) * lanes, a * g);
              gdx += Bs[j] * g;
              add(dB + (i + j) * lanes, g * dx);
            }
          }
          ddelta[row * heads + head] += sum(gdx * x);
          store(dxBC + row * width + c, gdx * delta[row * heads + head] + D[head] * dy);
        }
      }
      write_sums(b * length + start, count, d);
    }
  }
}

// Mean cross-entropy in nats; logits become their own gradient.
template <class T>
void cross_entropy(long rows, long d, T* logits, const std::int64_t* target, float* loss) {
  double total = 0;
  for (long r = 0; r < rows; ++r, logits += d) {
    vec m = load(logits);
    for (long c = lanes; c < d; c += lanes) m = load(logits + c) > m ? load(logits + c) : m;
    float top = m[0];
    for (long i = 1; i < lanes; ++i) top = std::max(top, m[i]);
    vec s{};
    for (long c = 0; c < d; c += lanes) s += exp_neg(load(logits + c) - top);
    const float norm = sum(s);
    float hit = 0;
    for (long c = 0; c < d; c += lanes) {
      vec v = load(logits + c), g = exp_neg(v - top) / (norm * rows);
      if (const long i = target[r] - c; i >= 0 && i < lanes) {
        hit = v[i];
        g[i] -= 1.0f / rows;
      }
      store(logits + c, g);
    }
    total += __builtin_logf(norm) + top - hit;
  }
  *loss = float(total / rows);
}

}  // namespace

// A pointer to each function, under a C name that says its T.
#define EXPORT(name)                                      \
  extern "C" auto* const name##_float32 = &name<float>;   \
  extern "C" auto* const name##_bfloat16 = &name<bf16>;
EXPORT(rms_norm)
EXPORT(rms_norm_backward)
EXPORT(conv1d)
EXPORT(conv1d_backward)
EXPORT(scan)
EXPORT(scan_backward)
EXPORT(head_scan)
EXPORT(head_scan_backward)
EXPORT(cross_entropy)
