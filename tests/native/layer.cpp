// Computes layers of a Llama model and its head, as llama.cpp builds them (src/models/llama.cpp), on a device: for predictions of
// whole models (tests/src/bench/silicon/predict.rs).
//
//   layer DEVICE NAME=NUMBER..
//
//   embedding, heads, kv_heads, head, feed, vocabulary   extents; a vocabulary of 0 leaves the head out
//   layers    how many
//   kv        positions of the cache that attention looks at
//   rows      tokens of the batch
//   streams   sequences that the batch belongs to: each has a cache of its own
//   outputs   rows whose logits are wanted
//   experts   matrices of a mixture of experts, of which a token has so many as `used`; 0 for a feed-forward part like Llama's
//   used
//   read      floats that are read from the device at the end, beside the result: as many as the logits of a whole vocabulary
//
// Weights are Q8_0 with random quants: nothing that could be skipped is zero. Caches are filled, and inputs are written and logits read
// as llama.cpp does for every batch. The library's statistics have the times.

#include "ggml-alloc.h"
#include "ggml-backend.h"
#include "ggml.h"

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

namespace {

constexpr float EPSILON = 1e-5f;
// A Q8_0 block: a half-precision scale and 32 quants.
constexpr size_t BLOCK = 34;
// Bytes of caches: 0x2c2c is 0.065 as FP16; and of vectors: 0x3f3f3f3f is 0.75 as FP32.
constexpr uint8_t FILL_F16 = 0x2c, FILL_F32 = 0x3f;

[[noreturn]] void fail(const std::string & what) {
    std::fprintf(stderr, "layer: %s\n", what.c_str());
    std::exit(1);
}

struct Random {
    uint64_t state = 88172645463325252u;
    uint64_t next() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return state;
    }
};

struct Extents {
    std::map<std::string, int64_t> of;
    int64_t operator[](const char * name) const {
        auto found = of.find(name);
        return found == of.end() ? fail(std::string("no value for ") + name), 0 : found->second;
    }
};

struct Builder {
    const Extents & e;
    ggml_context *  weights = ggml_init({ ggml_tensor_overhead() * 256, nullptr, true });
    ggml_context *  caches  = ggml_init({ ggml_tensor_overhead() * 64, nullptr, true });
    ggml_context *  c       = ggml_init({ ggml_tensor_overhead() * 1024 + ggml_graph_overhead(), nullptr, true });
    ggml_cgraph *   graph   = ggml_new_graph(c);
    ggml_tensor *   positions = nullptr;
    ggml_tensor *   k_rows    = nullptr;
    ggml_tensor *   v_rows    = nullptr;
    ggml_tensor *   mask      = nullptr;
    // llama.cpp has one tensor of frequency factors for all layers.
    ggml_tensor *   factors   = nullptr;

    explicit Builder(const Extents & extents) : e(extents) {}

    ggml_tensor * named(ggml_tensor * t, const char * name) {
        ggml_set_name(t, name);
        return t;
    }
    ggml_tensor * input(const char * name, ggml_type type, int64_t a, int64_t b = 1, int64_t d = 1, int64_t f = 1) {
        ggml_tensor * t = ggml_new_tensor_4d(c, type, a, b, d, f);
        ggml_set_input(t);
        return named(t, name);
    }
    ggml_tensor * product(const char * name, ggml_tensor * x, int64_t rows) {
        ggml_tensor * w = ggml_new_tensor_2d(weights, GGML_TYPE_Q8_0, x->ne[0], rows);
        ggml_set_name(w, (std::string(name) + ".weight").c_str());
        return named(ggml_mul_mat(c, w, x), name);
    }
    ggml_tensor * norm(const char * name, ggml_tensor * x) {
        ggml_tensor * w = ggml_new_tensor_1d(weights, GGML_TYPE_F32, x->ne[0]);
        return named(ggml_mul(c, ggml_rms_norm(c, x, EPSILON), w), name);
    }

    ggml_tensor * attention(ggml_tensor * x) {
        const int64_t head = e["head"], heads = e["heads"], kv_heads = e["kv_heads"], kv = e["kv"], rows = e["rows"];
        const int64_t streams = e["streams"], all = head * kv_heads;
        ggml_tensor * keys      = ggml_new_tensor_3d(caches, GGML_TYPE_F16, all, kv, streams);
        ggml_tensor * values    = ggml_new_tensor_3d(caches, GGML_TYPE_F16, all, kv, streams);

        const auto three = [&](ggml_tensor * t, int64_t n) { return ggml_reshape_3d(c, t, head, n, rows); };
        const auto rope  = [&](ggml_tensor * t) {
            return ggml_rope_ext(c, t, positions, factors, (int) head, 0, 131072, 500000.0f, 1.0f, 0.0f, 1.0f, 32.0f, 1.0f);
        };
        ggml_tensor * q = named(rope(three(product("Qcur", x, head * heads), heads)), "Qcur");
        ggml_tensor * k = named(rope(three(product("Kcur", x, all), kv_heads)), "Kcur");
        ggml_tensor * v = three(product("Vcur", x, all), kv_heads);
        for (ggml_tensor * t : { q, v, k }) {
            ggml_build_forward_expand(graph, t);
        }
        const auto write = [&](ggml_tensor * cache, ggml_tensor * t, ggml_tensor * to, const char * name) {
            ggml_tensor * flat = ggml_reshape_2d(c, cache, all, kv * streams);
            ggml_tensor * from = ggml_view_2d(c, t, all, rows, t->nb[2], 0);
            ggml_build_forward_expand(graph, named(ggml_set_rows(c, flat, from, to), name));
        };
        write(keys, k, k_rows, "cache_k");
        write(values, v, v_rows, "cache_v");
        const auto cached = [&](ggml_tensor * t) {
            const size_t row = ggml_row_size(t->type, all);
            ggml_tensor * view =
                ggml_view_4d(c, t, head, kv_heads, kv, streams, ggml_row_size(t->type, head), row, row * kv, 0);
            return ggml_permute(c, view, 0, 2, 1, 3);
        };
        const int64_t each = rows / streams;
        q = ggml_view_4d(c, q, head, heads, each, streams, q->nb[1], q->nb[2], q->nb[2] * each, 0);
        q = ggml_permute(c, q, 0, 2, 1, 3);
        ggml_tensor * found =
            ggml_flash_attn_ext(c, q, cached(keys), cached(values), mask, 1.0f / std::sqrt((float) head), 0.0f, 0.0f);
        named(found, "kqv_out");
        ggml_prec_set_acc(found, GGML_PREC_F32);
        return product("attn_out", ggml_reshape_2d(c, found, head * heads, rows), e["embedding"]);
    }

    ggml_tensor * product_id(const char * name, ggml_tensor * x, ggml_tensor * ids, int64_t rows) {
        ggml_tensor * w = ggml_new_tensor_3d(weights, GGML_TYPE_Q8_0, x->ne[0], rows, e["experts"]);
        ggml_set_name(w, (std::string(name) + ".weight").c_str());
        return named(ggml_mul_mat_id(c, w, x, ids), name);
    }

    // A mixture of experts as Qwen3's is (llama.cpp's build_moe_ffn, with weights that are made to add up to one).
    ggml_tensor * mixture(ggml_tensor * x) {
        const int64_t embedding = e["embedding"], feed = e["feed"], rows = e["rows"], experts = e["experts"], used = e["used"];
        ggml_tensor * router = ggml_new_tensor_2d(weights, GGML_TYPE_F32, embedding, experts);
        ggml_set_name(router, "ffn_gate_inp.weight");
        ggml_tensor * probs  = named(ggml_soft_max(c, named(ggml_mul_mat(c, router, x), "ffn_moe_logits")), "ffn_moe_probs");
        ggml_tensor * chosen = named(ggml_argsort_top_k(c, probs, (int) used), "ffn_moe_topk");
        ggml_tensor * each   = ggml_get_rows(c, ggml_reshape_3d(c, probs, 1, experts, rows), chosen);
        each                 = ggml_reshape_2d(c, named(each, "ffn_moe_weights"), used, rows);
        ggml_tensor * sum    = ggml_clamp(c, ggml_sum_rows(c, each), 6.103515625e-5f, INFINITY);
        each                 = ggml_reshape_3d(c, named(ggml_div(c, each, sum), "ffn_moe_weights_norm"), 1, used, rows);
        ggml_build_forward_expand(graph, each);
        x                    = ggml_reshape_3d(c, x, embedding, 1, rows);
        ggml_tensor * up     = product_id("ffn_moe_up", x, chosen, feed);
        ggml_tensor * gate   = product_id("ffn_moe_gate", x, chosen, feed);
        ggml_tensor * unit   = named(ggml_swiglu_split(c, gate, up), "ffn_moe_swiglu");
        ggml_tensor * down   = ggml_mul(c, product_id("ffn_moe_down", unit, chosen, embedding), each);
        std::vector<ggml_tensor *> of(used);
        for (int64_t i = 0; i < used; i++) {
            of[i] = ggml_view_2d(c, down, embedding, rows, down->nb[2], i * down->nb[1]);
            ggml_build_forward_expand(graph, of[i]);
        }
        ggml_tensor * all = of[0];
        for (int64_t i = 1; i < used; i++) {
            all = ggml_add(c, all, of[i]);
            ggml_build_forward_expand(graph, all);
        }
        return named(used == 1 ? ggml_cont(c, all) : all, "ffn_moe_out");
    }

    ggml_tensor * layer(ggml_tensor * before) {
        const int64_t embedding = e["embedding"], feed = e["feed"];
        ggml_tensor * y    = named(ggml_add(c, attention(norm("attn_norm", before)), before), "ffn_inp");
        ggml_tensor * x    = norm("ffn_norm", y);
        if (e["experts"] > 0) {
            return named(ggml_add(c, mixture(x), y), "l_out");
        }
        ggml_tensor * up   = product("ffn_up", x, feed);
        ggml_tensor * gate = product("ffn_gate", x, feed);
        ggml_tensor * down = product("ffn_down", named(ggml_swiglu_split(c, gate, up), "ffn_swiglu"), embedding);
        return named(ggml_add(c, down, y), "l_out");
    }

    void build() {
        const int64_t embedding = e["embedding"], kv = e["kv"], rows = e["rows"], streams = e["streams"];
        positions = input("inp_pos", GGML_TYPE_I32, rows);
        k_rows    = input("k_idxs", GGML_TYPE_I64, rows);
        v_rows    = input("v_idxs", GGML_TYPE_I64, rows);
        mask      = input("kq_mask", GGML_TYPE_F16, kv, rows / streams, 1, streams);
        factors   = ggml_new_tensor_1d(weights, GGML_TYPE_F32, e["head"] / 2);
        ggml_tensor * out = input("inp_embd", GGML_TYPE_F32, embedding, rows);
        for (int64_t i = 0; i < e["layers"]; i++) {
            out = layer(out);
        }
        if (e["vocabulary"] > 0) {
            // llama.cpp takes the rows that are wanted before the last layer's feed-forward part.
            ggml_tensor * wanted = ggml_view_2d(c, out, embedding, e["outputs"], out->nb[1], 0);
            out = product("result_output", norm("result_norm", wanted), e["vocabulary"]);
        }
        ggml_set_output(out);
        ggml_build_forward_expand(graph, out);
    }
};

void set_weights(ggml_backend_buffer_t buffer, ggml_context * context) {
    ggml_backend_buffer_set_usage(buffer, GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
    // Norms and factors; matrices have all of theirs set below.
    ggml_backend_buffer_clear(buffer, FILL_F32);
    Random random;
    for (ggml_tensor * t = ggml_get_first_tensor(context); t; t = ggml_get_next_tensor(context, t)) {
        if (t->type != GGML_TYPE_Q8_0 && t->ne[1] == 1) {
            continue;
        }
        std::vector<uint8_t> data(ggml_nbytes(t));
        if (t->type == GGML_TYPE_F32) {
            // A router: experts are to differ.
            for (size_t i = 0; i < data.size() / 4; i++) {
                ((float *) data.data())[i] = ((float) (random.next() >> 40) / (1 << 23) - 1.0f) / 16;
            }
            ggml_backend_tensor_set(t, data.data(), 0, data.size());
            continue;
        }
        for (size_t i = 0; i + 8 <= data.size(); i += 8) {
            const uint64_t number = random.next() | 0x0101010101010101u;
            std::memcpy(&data[i], &number, 8);
        }
        const uint16_t scale = 0x1400; // 2^-10
        for (size_t i = 0; i < data.size(); i += BLOCK) {
            std::memcpy(&data[i], &scale, 2);
        }
        ggml_backend_tensor_set(t, data.data(), 0, data.size());
    }
    // Weights are converted and uploaded on threads: wait, so that time is the graph's.
    ggml_backend_reg_t reg = ggml_backend_dev_backend_reg(ggml_backend_buft_get_device(ggml_backend_buffer_get_type(buffer)));
    if (auto finish = (void (*)()) ggml_backend_reg_get_proc_address(reg, "ggml_backend_tt_finish_loading")) {
        finish();
    }
}

// What llama.cpp writes before each batch.
void set_inputs(const Builder & b) {
    const int64_t rows = b.e["rows"], kv = b.e["kv"], each = rows / b.e["streams"];
    Random        random;
    for (int i = 0; i < ggml_graph_n_nodes(b.graph); i++) {
        for (ggml_tensor * t : ggml_graph_node(b.graph, i)->src) {
            if (!t || !(t->flags & GGML_TENSOR_FLAG_INPUT)) {
                continue;
            }
            t->flags &= ~GGML_TENSOR_FLAG_INPUT; // once
            std::vector<uint8_t> data(ggml_nbytes(t));
            for (int64_t r = 0; r < rows; r++) {
                // The last positions of each sequence.
                const int64_t at = kv - each + r % each, cell = r / each * kv + at;
                if (t->type == GGML_TYPE_I32) {
                    ((int32_t *) data.data())[r] = (int32_t) at;
                } else if (t->type == GGML_TYPE_I64) {
                    ((int64_t *) data.data())[r] = cell;
                } else if (t->type == GGML_TYPE_F16) {
                    for (int64_t j = 0; j < kv; j++) {
                        ((ggml_fp16_t *) data.data())[r * kv + j] = ggml_fp32_to_fp16(j <= at ? 0.0f : -INFINITY);
                    }
                }
            }
            if (t->type == GGML_TYPE_F32) {
                for (size_t j = 0; j < data.size() / 4; j++) {
                    ((float *) data.data())[j] = (float) (random.next() >> 40) / (1 << 23) - 1.0f;
                }
            }
            ggml_backend_tensor_set(t, data.data(), 0, data.size());
        }
    }
}

// Reads the result, and sees that it was computed.
void read_output(ggml_tensor * out) {
    std::vector<float> found(ggml_nelements(out));
    ggml_backend_tensor_get(out, found.data(), 0, ggml_nbytes(out));
    float least = INFINITY, most = -INFINITY;
    for (float value : found) {
        if (!std::isfinite(value)) {
            fail("a result is not finite");
        }
        least = std::fmin(least, value);
        most  = std::fmax(most, value);
    }
    if (!(least < most)) {
        fail("all results are the same");
    }
    std::printf("results %zu from %g to %g\n", found.size(), least, most);
}

// Reads that many floats.
void read_floats(ggml_backend_t backend, int64_t count) {
    ggml_context *        context = ggml_init({ ggml_tensor_overhead(), nullptr, true });
    ggml_tensor *         floats  = ggml_new_tensor_1d(context, GGML_TYPE_F32, count);
    ggml_backend_buffer_t buffer  = ggml_backend_alloc_ctx_tensors(context, backend);
    if (!buffer) {
        fail("no memory for what is read");
    }
    ggml_backend_buffer_clear(buffer, FILL_F32);
    std::vector<uint8_t> found(ggml_nbytes(floats));
    ggml_backend_tensor_get(floats, found.data(), 0, found.size());
    for (uint8_t byte : found) {
        if (byte != FILL_F32) {
            fail("what was read is not what is there");
        }
    }
    ggml_backend_buffer_free(buffer);
    ggml_free(context);
}

} // namespace

int main(int argc, char ** argv) {
    if (argc < 3) {
        fail("usage: layer DEVICE NAME=NUMBER..");
    }
    Extents extents;
    for (int i = 2; i < argc; i++) {
        const char * equals = std::strchr(argv[i], '=');
        if (!equals) {
            fail(std::string("no NAME=NUMBER: ") + argv[i]);
        }
        extents.of[std::string(argv[i], (size_t) (equals - argv[i]))] = std::atoll(equals + 1);
    }
    ggml_backend_load_all();
    ggml_backend_dev_t device = ggml_backend_dev_by_name(argv[1]);
    if (!device) {
        fail("no such device");
    }
    ggml_backend_t backend = ggml_backend_dev_init(device, nullptr);
    if (!backend) {
        fail("the device cannot be used");
    }
    Builder b(extents);
    b.build();
    ggml_backend_buffer_t weights = ggml_backend_alloc_ctx_tensors(b.weights, backend);
    ggml_backend_buffer_t caches  = ggml_backend_alloc_ctx_tensors(b.caches, backend);
    ggml_gallocr_t        memory  = ggml_gallocr_new(ggml_backend_dev_buffer_type(device));
    if (!weights || !caches || !ggml_gallocr_alloc_graph(memory, b.graph)) {
        fail("no memory");
    }
    set_weights(weights, b.weights);
    ggml_backend_buffer_clear(caches, FILL_F16);
    for (int i = 0; i < ggml_graph_n_nodes(b.graph); i++) {
        ggml_tensor * node = ggml_graph_node(b.graph, i);
        if (!ggml_backend_supports_op(backend, node)) {
            fail(std::string("not supported: ") + ggml_op_desc(node) + " " + node->name);
        }
    }
    set_inputs(b);
    if (ggml_backend_graph_compute(backend, b.graph) != GGML_STATUS_SUCCESS) {
        fail("the graph failed");
    }
    read_output(ggml_graph_node(b.graph, ggml_graph_n_nodes(b.graph) - 1));
    if (b.e["read"] > 0) {
        read_floats(backend, b.e["read"]);
    }
    ggml_gallocr_free(memory);
    ggml_backend_buffer_free(caches);
    ggml_backend_buffer_free(weights);
    ggml_backend_free(backend);
    return 0;
}
