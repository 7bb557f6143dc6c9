// Computes operators on the simulated device and on the CPU backend of one ggml, and compares the results.
//
//   hosts LIBRARY CPU-LIBRARY [OPERATOR...]
//
// It uses only the part of ggml's public interface that all versions since 0.9.5 have, so that one source serves every version. The library is
// loaded as by an application with its own list of backends: the CPU's first (CPU-LIBRARY, where the program has none yet), then ours by its path.
// One line per operator (all of them, if none is named), and at the end "N passed, N failed, N absent". Exit code 0 if none failed and the device is there.

#include "ggml-alloc.h"
#include "ggml-backend.h"
#include "ggml.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace {

using T = ggml_tensor *;

// What an operator returns that this ggml does not have, or not with these arguments.
struct Absent {
    operator T() const { return nullptr; }
};

} // namespace

// The arguments of these two differ: a call that fits no function of the header falls back to these.
static inline Absent ggml_gated_delta_net(...) { return {}; }
static inline Absent ggml_ssm_scan(...) { return {}; }

namespace {

[[noreturn]] void fail(const std::string & what) {
    std::fprintf(stderr, "hosts: %s\n", what.c_str());
    std::exit(1);
}

// Tensors of one case on one backend, and their values. The same case gives the same values on each.
class Case {
  public:
    explicit Case(ggml_backend_t backend) : backend(backend) {
        const ggml_init_params params = { 64 * ggml_tensor_overhead() + ggml_graph_overhead(), nullptr, true };
        ctx     = ggml_init(params);
        weights = ggml_init(params);
    }
    ~Case() {
        ggml_backend_buffer_free(buffer);
        ggml_backend_buffer_free(weight_buffer);
        ggml_free(ctx);
        ggml_free(weights);
    }
    Case(const Case &)             = delete;
    Case & operator=(const Case &) = delete;

    // An input with random values between low and high.
    T in(ggml_type type, std::vector<int64_t> ne, float low = -1, float high = 1) { return input(ctx, type, ne, low, high); }
    T f32(std::vector<int64_t> ne, float low = -1, float high = 1) { return in(GGML_TYPE_F32, ne, low, high); }
    // The same in a buffer for weights.
    T weight(ggml_type type, std::vector<int64_t> ne) { return input(weights, type, ne, -1, 1); }

    // Numbers 0 .. count-1 in some order, and again.
    T indices(ggml_type type, std::vector<int64_t> ne, int64_t count) {
        T                  t = tensor(ctx, type, ne);
        std::vector<float> order((size_t) std::max(count, ggml_nelements(t)));
        for (size_t i = 0; i < order.size(); i++) {
            order[i] = (float) ((int64_t) i % count);
        }
        std::shuffle(order.begin(), order.begin() + count, random);
        order.resize((size_t) ggml_nelements(t));
        values.push_back({ t, order });
        return t;
    }

    // Computes what leads to a tensor, and gives the values of another one (or the same).
    std::vector<float> compute(T node, T result) {
        ggml_cgraph * graph = ggml_new_graph(ctx);
        ggml_build_forward_expand(graph, node);
        buffer        = ggml_backend_alloc_ctx_tensors(ctx, backend);
        weight_buffer = ggml_get_first_tensor(weights) ? ggml_backend_alloc_ctx_tensors(weights, backend) : nullptr;
        if (!buffer) {
            fail("no memory");
        }
        if (weight_buffer) {
            ggml_backend_buffer_set_usage(weight_buffer, GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
        }
        for (const auto & [t, floats] : values) {
            const std::vector<uint8_t> bytes = encoded(t, floats);
            ggml_backend_tensor_set(t, bytes.data(), 0, bytes.size());
        }
        const ggml_status status = ggml_backend_graph_compute(backend, graph);
        return status == GGML_STATUS_SUCCESS ? decoded(result) : std::vector<float>{};
    }

    ggml_context * ctx;

  private:
    T tensor(ggml_context * where, ggml_type type, std::vector<int64_t> ne) { return ggml_new_tensor(where, type, (int) ne.size(), ne.data()); }

    T input(ggml_context * where, ggml_type type, std::vector<int64_t> ne, float low, float high) {
        T                                     t = tensor(where, type, ne);
        std::uniform_real_distribution<float> uniform(low, high);
        std::vector<float>                    floats((size_t) ggml_nelements(t));
        std::generate(floats.begin(), floats.end(), [&] { return uniform(random); });
        values.push_back({ t, floats });
        return t;
    }

    static std::vector<uint8_t> encoded(T t, const std::vector<float> & floats) {
        std::vector<uint8_t> bytes(ggml_nbytes(t));
        for (size_t i = 0; i < floats.size() && (t->type == GGML_TYPE_I32 || t->type == GGML_TYPE_I64); i++) {
            if (t->type == GGML_TYPE_I32) {
                ((int32_t *) bytes.data())[i] = (int32_t) floats[i];
            } else {
                ((int64_t *) bytes.data())[i] = (int64_t) floats[i];
            }
        }
        if (t->type == GGML_TYPE_F32) {
            std::memcpy(bytes.data(), floats.data(), bytes.size());
        } else if (t->type != GGML_TYPE_I32 && t->type != GGML_TYPE_I64) {
            ggml_quantize_chunk(t->type, floats.data(), bytes.data(), 0, ggml_nrows(t), t->ne[0], nullptr);
        }
        return bytes;
    }

    static std::vector<float> decoded(T t) {
        if (!ggml_is_contiguous(t)) {
            fail("a result with gaps");
        }
        std::vector<uint8_t> bytes(ggml_nbytes(t));
        ggml_backend_tensor_get(t, bytes.data(), 0, bytes.size());
        std::vector<float> floats((size_t) ggml_nelements(t));
        if (t->type == GGML_TYPE_F32) {
            std::memcpy(floats.data(), bytes.data(), bytes.size());
        } else if (t->type == GGML_TYPE_I32) {
            std::copy_n((const int32_t *) bytes.data(), floats.size(), floats.begin());
        } else {
            ggml_get_type_traits(t->type)->to_float(bytes.data(), floats.data(), (int64_t) floats.size());
        }
        return floats;
    }

    ggml_backend_t                                backend;
    ggml_context *                                weights;
    ggml_backend_buffer_t                         buffer        = nullptr;
    ggml_backend_buffer_t                         weight_buffer = nullptr;
    std::mt19937                                  random{ 20 };
    std::vector<std::pair<T, std::vector<float>>> values;
};

// Builds a case; gives the node, and the tensor that shows the result if that is another one.
struct Built {
    T node;
    T result;
    Built(T node) : node(node), result(node) {}
    Built(T node, T result) : node(node), result(result) {}
};

struct Operator {
    const char *                 name;
    double                       bound; // of the normalised mean squared error
    std::function<Built(Case &)> build;
};

constexpr double EXACT   = 0;
constexpr double CLOSE   = 1e-7;
constexpr double PRODUCT = 5e-4;
// A rounding to a quantised type may go the other way.
constexpr double ROUNDED = 1e-4;

T product(Case & c, ggml_type type, int64_t columns) { return ggml_mul_mat(c.ctx, c.in(type, { 256, 48 }), c.f32({ 256, columns })); }

T rotated(Case & c, int mode) {
    T x = c.f32({ 64, 4, 9 });
    return ggml_rope_ext(c.ctx, x, c.indices(GGML_TYPE_I32, { 9 }, 9), nullptr, 64, mode, 512, 10000.0f, 1.0f, 0.0f, 1.0f, 32.0f, 1.0f);
}

T attention(Case & c, ggml_type type, int64_t queries) {
    T q    = c.f32({ 64, queries, 8 });
    T k    = c.in(type, { 64, 128, 2 });
    T v    = c.in(type, { 64, 128, 2 });
    T mask = c.in(GGML_TYPE_F16, { 128, 64 }); // as many rows as old versions pad to
    T out  = ggml_flash_attn_ext(c.ctx, q, k, v, mask, 0.125f, 8.0f, 10.0f);
    ggml_flash_attn_ext_set_prec(out, GGML_PREC_F32);
    return out;
}

Built rows_set(Case & c, ggml_type type) {
    T dst = c.in(type, { 64, 16 });
    return { ggml_set_rows(c.ctx, dst, c.f32({ 64, 5 }), c.indices(GGML_TYPE_I64, { 5 }, 16)), dst };
}

Built copied(Case & c, ggml_type type) {
    T turned = ggml_permute(c.ctx, c.f32({ 64, 6, 3 }), 0, 2, 1, 3);
    T dst    = c.in(type, { 64, 3, 6 });
    return { ggml_cpy(c.ctx, turned, dst), dst };
}

// Mamba 1 (a decay for each of the state's elements) or 2 (one for a head).
T scan(Case & c, bool second) {
    const int64_t state = 16, width = second ? 32 : 1, heads = second ? 4 : 48, tokens = 6, sequences = 2;
    T             s   = c.f32({ state, width, heads, sequences });
    T             x   = c.f32({ width, heads, tokens, sequences });
    T             dt  = c.f32({ heads, tokens, sequences });
    T             a   = c.f32({ second ? 1 : state, heads }, -2, -0.1f);
    T             b   = c.f32({ state, 1, tokens, sequences });
    T             d   = c.f32({ state, 1, tokens, sequences });
    T             ids = c.indices(GGML_TYPE_I32, { sequences }, sequences);
    if (T out = ggml_ssm_scan(c.ctx, s, x, dt, a, b, d, ids)) {
        return out;
    }
    return ggml_ssm_scan(c.ctx, s, x, dt, a, b, d, ids, 1);
}

T delta_net(Case & c) {
    const int64_t size = 32, heads = 4, tokens = 6, sequences = 2;
    T             q     = c.f32({ size, heads, tokens, sequences }, -0.2f, 0.2f);
    T             k     = c.f32({ size, heads, tokens, sequences }, -0.2f, 0.2f);
    T             v     = c.f32({ size, heads, tokens, sequences });
    T             gate  = c.f32({ 1, heads, tokens, sequences }, -1, 0);
    T             beta  = c.f32({ 1, heads, tokens, sequences }, 0, 1);
    T             s     = c.f32({ size, size, heads, sequences });
    T             older = ggml_reshape_3d(c.ctx, s, size * size * heads, 1, sequences);
    if (T out = ggml_gated_delta_net(c.ctx, q, k, v, gate, beta, older)) {
        return out;
    }
    return ggml_gated_delta_net(c.ctx, q, k, v, gate, beta, s, 1);
}

T wkv6(Case & c) {
    const int64_t size = 64, heads = 2, tokens = 6, sequences = 2;
    T             k = c.f32({ size, heads, tokens }), v = c.f32({ size, heads, tokens }), r = c.f32({ size, heads, tokens });
    T             first = c.f32({ size, heads });
    T             decay = c.f32({ size, heads, tokens }, 0.2f, 0.9f);
    return ggml_rwkv_wkv6(c.ctx, k, v, r, first, decay, c.f32({ size * heads * size, sequences }));
}

T wkv7(Case & c) {
    const int64_t size = 64, heads = 2, tokens = 6, sequences = 2;
    T             r = c.f32({ size, heads, tokens }), w = c.f32({ size, heads, tokens }, 0.2f, 0.9f), k = c.f32({ size, heads, tokens });
    T             v = c.f32({ size, heads, tokens });
    T             a = c.f32({ size, heads, tokens }, -0.1f, 0.1f), b = c.f32({ size, heads, tokens }, -0.1f, 0.1f);
    return ggml_rwkv_wkv7(c.ctx, r, w, k, v, a, b, c.f32({ size * heads * size, sequences }));
}

T linear_attention(Case & c) {
    const int64_t size = 32, heads = 2, tokens = 6, sequences = 2;
    T             k = c.f32({ size, heads, tokens }), v = c.f32({ size, heads, tokens }), q = c.f32({ size, heads, tokens });
    T             g = c.f32({ size, heads, tokens }, 0.2f, 0.9f);
    return ggml_gated_linear_attn(c.ctx, k, v, q, g, c.f32({ size * heads * size, sequences }), 0.25f);
}

// Every function of one element that this ggml has, in one graph: its numbers may have moved.
T unary(Case & c) {
    T sum = nullptr;
    for (int i = 0; i < GGML_UNARY_OP_COUNT; i++) {
        const std::string name = ggml_unary_op_name((ggml_unary_op) i);
        if (name == "XIELU") {
            continue; // has parameters of its own
        }
        T y = ggml_unary(c.ctx, c.f32({ 64, 3 }, -3, 3), (ggml_unary_op) i);
        sum = sum ? ggml_concat(c.ctx, sum, y, 1) : y;
    }
    return sum;
}

T gated(Case & c) {
    T sum = nullptr;
    for (int i = 0; i < GGML_GLU_OP_COUNT; i++) {
        const std::string name = ggml_glu_op_name((ggml_glu_op) i);
        if (name == "SWIGLU_OAI" || name == "SWIGLU_CLAMP") {
            continue; // as above
        }
        T y = ggml_glu_split(c.ctx, c.f32({ 64, 3 }, -3, 3), c.f32({ 64, 3 }), (ggml_glu_op) i);
        T z = ggml_glu(c.ctx, c.f32({ 128, 3 }, -3, 3), (ggml_glu_op) i, i % 2 == 1);
        y   = ggml_concat(c.ctx, y, z, 1);
        sum = sum ? ggml_concat(c.ctx, sum, y, 1) : y;
    }
    return sum;
}

const std::vector<Operator> OPERATORS = {
    { "MUL_MAT f32", PRODUCT, [](Case & c) { return product(c, GGML_TYPE_F32, 9); } },
    { "MUL_MAT f16", PRODUCT, [](Case & c) { return product(c, GGML_TYPE_F16, 1); } },
    { "MUL_MAT bf16", PRODUCT, [](Case & c) { return product(c, GGML_TYPE_BF16, 3); } },
    { "MUL_MAT q4_0", PRODUCT, [](Case & c) { return product(c, GGML_TYPE_Q4_0, 7); } },
    { "MUL_MAT q8_0", PRODUCT, [](Case & c) { return product(c, GGML_TYPE_Q8_0, 1); } },
    { "MUL_MAT q4_K", PRODUCT, [](Case & c) { return product(c, GGML_TYPE_Q4_K, 5); } },
    { "MUL_MAT q6_K", PRODUCT, [](Case & c) { return product(c, GGML_TYPE_Q6_K, 33); } },
    { "MUL_MAT iq4_nl", PRODUCT, [](Case & c) { return product(c, GGML_TYPE_IQ4_NL, 2); } },
    { "MUL_MAT mxfp4", PRODUCT, [](Case & c) { return product(c, GGML_TYPE_MXFP4, 2); } },
    { "MUL_MAT, a weight", PRODUCT, [](Case & c) { return ggml_mul_mat(c.ctx, c.weight(GGML_TYPE_Q8_0, { 256, 48 }), c.f32({ 256, 5 })); } },
    { "MUL_MAT_ID", PRODUCT,
      [](Case & c) { return ggml_mul_mat_id(c.ctx, c.in(GGML_TYPE_Q8_0, { 256, 48, 4 }), c.f32({ 256, 1, 3 }), c.indices(GGML_TYPE_I32, { 2, 3 }, 4)); } },
    { "FLASH_ATTN_EXT f16", PRODUCT, [](Case & c) { return attention(c, GGML_TYPE_F16, 1); } },
    { "FLASH_ATTN_EXT q8_0", PRODUCT, [](Case & c) { return attention(c, GGML_TYPE_Q8_0, 9); } },
    { "SOFT_MAX", 1e-6, [](Case & c) { return ggml_soft_max_ext(c.ctx, c.f32({ 70, 4, 8 }), c.f32({ 70, 4 }), 0.3f, 8.0f); } },
    { "SET_ROWS f32", EXACT, [](Case & c) { return rows_set(c, GGML_TYPE_F32); } },
    { "SET_ROWS f16", CLOSE, [](Case & c) { return rows_set(c, GGML_TYPE_F16); } },
    { "SET_ROWS q8_0", ROUNDED, [](Case & c) { return rows_set(c, GGML_TYPE_Q8_0); } },
    { "GET_ROWS", EXACT, [](Case & c) { return ggml_get_rows(c.ctx, c.in(GGML_TYPE_Q4_0, { 64, 16 }), c.indices(GGML_TYPE_I32, { 5 }, 16)); } },
    { "CPY f32", EXACT, [](Case & c) { return copied(c, GGML_TYPE_F32); } },
    { "CPY f16", CLOSE, [](Case & c) { return copied(c, GGML_TYPE_F16); } },
    { "CPY q4_0", ROUNDED, [](Case & c) { return copied(c, GGML_TYPE_Q4_0); } },
    { "CONT", EXACT, [](Case & c) { return ggml_cont(c.ctx, ggml_transpose(c.ctx, c.f32({ 33, 7, 2 }))); } },
    { "ROPE normal", CLOSE, [](Case & c) { return rotated(c, 0); } },
    { "ROPE neox", CLOSE, [](Case & c) { return rotated(c, GGML_ROPE_TYPE_NEOX); } },
    { "RMS_NORM", CLOSE, [](Case & c) { return ggml_rms_norm(c.ctx, c.f32({ 70, 3 }), 1e-5f); } },
    { "NORM", CLOSE, [](Case & c) { return ggml_norm(c.ctx, c.f32({ 70, 3 }), 1e-5f); } },
    { "L2_NORM", CLOSE, [](Case & c) { return ggml_l2_norm(c.ctx, c.f32({ 70, 3 }), 1e-5f); } },
    { "GROUP_NORM", CLOSE, [](Case & c) { return ggml_group_norm(c.ctx, c.f32({ 9, 5, 8 }), 4, 1e-5f); } },
    { "UNARY", CLOSE, unary },
    { "GLU", CLOSE, gated },
    { "GLU swiglu_oai", CLOSE, [](Case & c) { return ggml_swiglu_oai(c.ctx, c.f32({ 64, 3 }, -9, 9), c.f32({ 64, 3 }, -9, 9), 1.7f, 7.0f); } },
    { "ADD", CLOSE, [](Case & c) { return ggml_add(c.ctx, c.f32({ 33, 7, 2 }), c.f32({ 33, 1, 2 })); } },
    { "MUL", CLOSE, [](Case & c) { return ggml_mul(c.ctx, c.f32({ 33, 7, 2 }), c.f32({ 33 })); } },
    { "DIV", CLOSE, [](Case & c) { return ggml_div(c.ctx, c.f32({ 33, 7, 2 }), c.f32({ 33, 7, 2 }, 1, 2)); } },
    { "ADD_ID", CLOSE, [](Case & c) { return ggml_add_id(c.ctx, c.f32({ 33, 2, 3 }), c.f32({ 33, 4 }), c.indices(GGML_TYPE_I32, { 2, 3 }, 4)); } },
    { "SCALE", CLOSE, [](Case & c) { return ggml_scale_bias(c.ctx, c.f32({ 33, 7 }), 0.5f, 0.25f); } },
    { "CLAMP", EXACT, [](Case & c) { return ggml_clamp(c.ctx, c.f32({ 33, 7 }), -0.5f, 0.25f); } },
    { "LEAKY_RELU", CLOSE, [](Case & c) { return ggml_leaky_relu(c.ctx, c.f32({ 33, 7 }), 0.1f, false); } },
    { "SUM_ROWS", CLOSE, [](Case & c) { return ggml_sum_rows(c.ctx, c.f32({ 33, 7, 2 })); } },
    { "MEAN", CLOSE, [](Case & c) { return ggml_mean(c.ctx, c.f32({ 33, 7, 2 })); } },
    { "CUMSUM", CLOSE, [](Case & c) { return ggml_cumsum(c.ctx, c.f32({ 33, 7 })); } },
    { "ARGMAX", EXACT, [](Case & c) { return ggml_argmax(c.ctx, c.f32({ 33, 7 })); } },
    { "ARGSORT", EXACT, [](Case & c) { return ggml_argsort(c.ctx, c.f32({ 33, 7 }), GGML_SORT_ORDER_DESC); } },
    { "CONCAT", EXACT, [](Case & c) { return ggml_concat(c.ctx, c.f32({ 33, 7, 2 }), c.f32({ 33, 3, 2 }), 1); } },
    { "REPEAT", EXACT, [](Case & c) { return ggml_repeat_4d(c.ctx, c.f32({ 11, 3 }), 22, 6, 2, 1); } },
    { "PAD", EXACT, [](Case & c) { return ggml_pad_ext(c.ctx, c.f32({ 11, 3, 2 }), 1, 2, 0, 3, 1, 0, 0, 1); } },
    { "PAD_REFLECT_1D", EXACT, [](Case & c) { return ggml_pad_reflect_1d(c.ctx, c.f32({ 11, 3, 2 }), 2, 3); } },
    { "ROLL", EXACT, [](Case & c) { return ggml_roll(c.ctx, c.f32({ 11, 3, 2 }), 3, -1, 1, 0); } },
    { "ACC", CLOSE, [](Case & c) { return ggml_acc(c.ctx, c.f32({ 16, 8 }), c.f32({ 8, 4 }), 64, 512, 512, 32); } },
    { "SET", EXACT, [](Case & c) { return ggml_set(c.ctx, c.f32({ 16, 8 }), c.f32({ 8, 4 }), 64, 512, 512, 32); } },
    { "DIAG_MASK_INF, SOFT_MAX", 1e-6, [](Case & c) { return ggml_soft_max(c.ctx, ggml_diag_mask_inf(c.ctx, c.f32({ 9, 9 }), 2)); } },
    { "TRI", EXACT, [](Case & c) { return ggml_tri(c.ctx, c.f32({ 9, 9 }), GGML_TRI_TYPE_LOWER_DIAG); } },
    { "FILL", EXACT, [](Case & c) { return ggml_fill(c.ctx, c.f32({ 9, 9 }), 1.5f); } },
    { "ARANGE", CLOSE, [](Case & c) { return ggml_arange(c.ctx, 1.0f, 20.0f, 0.5f); } },
    { "UPSCALE", CLOSE, [](Case & c) { return ggml_interpolate(c.ctx, c.f32({ 7, 5, 2 }), 13, 9, 2, 1, GGML_SCALE_MODE_BILINEAR); } },
    { "TIMESTEP_EMBEDDING", CLOSE, [](Case & c) { return ggml_timestep_embedding(c.ctx, c.f32({ 3 }, 0, 100), 32, 10000); } },
    { "IM2COL", CLOSE, [](Case & c) { return ggml_im2col(c.ctx, c.in(GGML_TYPE_F16, { 3, 3, 2, 4 }), c.f32({ 10, 8, 2 }), 2, 1, 1, 0, 1, 1, true, GGML_TYPE_F16); } },
    { "CONV_2D", PRODUCT, [](Case & c) { return ggml_conv_2d_direct(c.ctx, c.in(GGML_TYPE_F16, { 3, 3, 2, 4 }), c.f32({ 10, 8, 2 }), 2, 1, 1, 0, 1, 1); } },
    { "CONV_2D_DW", CLOSE, [](Case & c) { return ggml_conv_2d_dw_direct(c.ctx, c.f32({ 3, 3, 1, 2 }), c.f32({ 10, 8, 2 }), 1, 1, 1, 1, 1, 1); } },
    { "CONV_TRANSPOSE_1D", CLOSE, [](Case & c) { return ggml_conv_transpose_1d(c.ctx, c.f32({ 3, 4, 2 }), c.f32({ 9, 2 }), 2, 0, 1); } },
    { "POOL_2D", CLOSE, [](Case & c) { return ggml_pool_2d(c.ctx, c.f32({ 10, 8, 2 }), GGML_OP_POOL_AVG, 3, 2, 2, 1, 1, 1); } },
    { "SSM_CONV", CLOSE, [](Case & c) { return ggml_ssm_conv(c.ctx, c.f32({ 3 + 6, 48, 2 }), c.f32({ 4, 48 })); } },
    { "SSM_SCAN, Mamba 1", CLOSE, [](Case & c) { return scan(c, false); } },
    { "SSM_SCAN, Mamba 2", CLOSE, [](Case & c) { return scan(c, true); } },
    { "GATED_DELTA_NET", CLOSE, delta_net },
    { "GATED_LINEAR_ATTN", CLOSE, linear_attention },
    { "RWKV_WKV6", CLOSE, wkv6 },
    { "RWKV_WKV7", CLOSE, wkv7 },
};

double error(const std::vector<float> & of, const std::vector<float> & by) {
    double difference = 0, size = 0;
    for (size_t i = 0; i < of.size(); i++) {
        if (std::isnan(of[i]) || std::isinf(of[i]) || std::isnan(by[i]) || std::isinf(by[i])) {
            return std::memcmp(&of[i], &by[i], sizeof(float)) == 0 ? 0 : INFINITY;
        }
        difference += ((double) of[i] - by[i]) * ((double) of[i] - by[i]);
        size += (double) by[i] * by[i];
    }
    return size > 0 ? difference / size : difference;
}

enum class Verdict { PASSED, FAILED, ABSENT };

Verdict check(const Operator & of, ggml_backend_t device, ggml_backend_t cpu) {
    Case        ours(device), theirs(cpu);
    const Built built = of.build(ours), reference = of.build(theirs);
    if (!built.node) {
        std::printf("%s: not in this ggml\n", of.name);
        return Verdict::ABSENT;
    }
    // All nodes have to be the device's, those before the last one too.
    for (T t = ggml_get_first_tensor(ours.ctx); t; t = ggml_get_next_tensor(ours.ctx, t)) {
        if (!ggml_backend_dev_supports_op(ggml_backend_get_device(device), t)) {
            std::printf("%s: FAILED, the device does not support %s\n", of.name, ggml_op_desc(t));
            return Verdict::FAILED;
        }
    }
    const std::vector<float> found = ours.compute(built.node, built.result), expected = theirs.compute(reference.node, reference.result);
    if (found.empty() || found.size() != expected.size()) {
        std::printf("%s: FAILED, not computed\n", of.name);
        return Verdict::FAILED;
    }
    const double nmse = error(found, expected);
    const bool   ok   = nmse <= of.bound;
    std::printf("%s: %s, NMSE %.2e\n", of.name, ok ? "OK" : "FAILED", nmse);
    std::fflush(stdout);
    return ok ? Verdict::PASSED : Verdict::FAILED;
}

ggml_backend_t backend_of(ggml_backend_dev_t device) {
    ggml_backend_t backend = device ? ggml_backend_dev_init(device, nullptr) : nullptr;
    if (!backend) {
        fail("a backend cannot be made");
    }
    return backend;
}

// Old versions' CPU backends wait for ever in GATED_LINEAR_ATTN and RWKV_WKV* if there are more threads than heads.
void one_thread(ggml_backend_t cpu) {
    ggml_backend_reg_t reg = ggml_backend_dev_backend_reg(ggml_backend_get_device(cpu));
    auto               set = (ggml_backend_set_n_threads_t) ggml_backend_reg_get_proc_address(reg, "ggml_backend_set_n_threads");
    if (set) {
        set(cpu, 1);
    }
}

} // namespace

int main(int argc, char ** argv) {
    if (argc < 3) {
        fail("usage: hosts LIBRARY CPU-LIBRARY [OPERATOR...]");
    }
    if (!ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU)) {
        ggml_backend_load(argv[2]);
    }
    std::printf("ggml %s\n", ggml_version());
    if (!ggml_backend_load(argv[1])) {
        fail("the library was refused");
    }
    ggml_backend_dev_t device = ggml_backend_dev_by_name("TT0");
    if (!device) {
        fail("no device TT0");
    }
    ggml_backend_t tt = backend_of(device), cpu = backend_of(ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU));
    one_thread(cpu);
    std::map<Verdict, int> count;
    const auto wanted = [&](const char * name) {
        return argc == 3 || std::any_of(argv + 3, argv + argc, [&](const char * word) { return std::strcmp(word, name) == 0; });
    };
    for (const Operator & of : OPERATORS) {
        if (wanted(of.name)) {
            count[check(of, tt, cpu)]++;
        }
    }
    ggml_backend_free(tt);
    ggml_backend_free(cpu);
    std::printf("%d passed, %d failed, %d absent\n", count[Verdict::PASSED], count[Verdict::FAILED], count[Verdict::ABSENT]);
    return count[Verdict::FAILED] == 0 && count[Verdict::PASSED] > 0 ? 0 : 1;
}
