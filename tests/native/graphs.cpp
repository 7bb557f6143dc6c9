// Computes one small graph on a device: what the planner makes of it is compared with a listing (tests/tests/all/listings.rs).
//
//   graphs DEVICE decoder|attention|experts|norms|convolutions|product|function|softmax
//
// Every operator has to be the device's. Values are zeros: nobody looks at results.

#include "ggml-alloc.h"
#include "ggml-backend.h"
#include "ggml.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

constexpr int64_t EMBEDDING = 64, HEADS = 2, HEAD = 32, FEED = 96, TOKENS = 3, CACHE = 32;
constexpr float   EPSILON = 1e-5f;

[[noreturn]] void fail(const std::string & what) {
    std::fprintf(stderr, "graphs: %s\n", what.c_str());
    std::exit(1);
}

// Weights and caches have buffers of their own; what is computed is laid out as in a program.
struct Builder {
    ggml_context * weights = ggml_init({ ggml_tensor_overhead() * 64, nullptr, true });
    ggml_context * caches  = ggml_init({ ggml_tensor_overhead() * 8, nullptr, true });
    ggml_context * c       = ggml_init({ ggml_tensor_overhead() * 256 + ggml_graph_overhead(), nullptr, true });
    ggml_cgraph *  graph   = ggml_new_graph(c);

    ggml_tensor * weight(ggml_type type, int64_t a, int64_t b = 1, int64_t d = 1, int64_t e = 1) {
        return ggml_new_tensor_4d(weights, type, a, b, d, e);
    }
    ggml_tensor * cache(int64_t a, int64_t b) { return ggml_new_tensor_2d(caches, GGML_TYPE_F16, a, b); }
    ggml_tensor * input(ggml_type type, int64_t a, int64_t b = 1, int64_t d = 1, int64_t e = 1) {
        ggml_tensor * t = ggml_new_tensor_4d(c, type, a, b, d, e);
        ggml_set_input(t);
        return t;
    }
    void output(ggml_tensor * t) {
        ggml_set_output(t);
        ggml_build_forward_expand(graph, t);
    }
    ggml_tensor * product(ggml_tensor * x, int64_t rows, ggml_type type = GGML_TYPE_Q8_0) {
        return ggml_mul_mat(c, weight(type, x->ne[0], rows), x);
    }
    ggml_tensor * norm(ggml_tensor * x) { return ggml_mul(c, ggml_rms_norm(c, x, EPSILON), weight(GGML_TYPE_F32, x->ne[0])); }
    ggml_tensor * rope(ggml_tensor * x, ggml_tensor * positions) {
        return ggml_rope_ext(c, x, positions, nullptr, HEAD, 0, 4096, 10000.0f, 1.0f, 0.0f, 1.0f, 32.0f, 1.0f);
    }
    ggml_tensor * feed_forward(ggml_tensor * x) {
        ggml_tensor * up   = product(x, FEED);
        ggml_tensor * gate = product(x, FEED);
        return product(ggml_swiglu_split(c, gate, up), EMBEDDING);
    }
    // Queries of two heads, keys and values of one, from a cache.
    ggml_tensor * attention(ggml_tensor * x, bool flash) {
        ggml_tensor * positions = input(GGML_TYPE_I32, TOKENS);
        ggml_tensor * rows      = input(GGML_TYPE_I64, TOKENS);
        ggml_tensor * mask      = input(flash ? GGML_TYPE_F16 : GGML_TYPE_F32, CACHE, TOKENS);
        ggml_tensor * keys      = cache(HEAD, CACHE);
        ggml_tensor * values    = flash ? cache(HEAD, CACHE) : cache(CACHE, HEAD);
        ggml_tensor * q = rope(ggml_reshape_3d(c, product(x, HEADS * HEAD), HEAD, HEADS, TOKENS), positions);
        ggml_tensor * k = rope(ggml_reshape_3d(c, product(x, HEAD), HEAD, 1, TOKENS), positions);
        ggml_tensor * v = product(x, HEAD);
        ggml_build_forward_expand(graph, ggml_set_rows(c, keys, ggml_reshape_2d(c, k, HEAD, TOKENS), rows));
        q = ggml_permute(c, q, 0, 2, 1, 3);
        k = ggml_view_3d(c, keys, HEAD, CACHE, 1, keys->nb[1], keys->nb[1], 0);
        const float scale = 0.25f;
        if (flash) {
            ggml_build_forward_expand(graph, ggml_set_rows(c, values, v, rows));
            v = ggml_view_3d(c, values, HEAD, CACHE, 1, values->nb[1], values->nb[1], 0);
            ggml_tensor * found = ggml_flash_attn_ext(c, q, k, v, mask, scale, 0.0f, 0.0f);
            return ggml_reshape_2d(c, found, HEADS * HEAD, TOKENS);
        }
        // Values are kept transposed.
        ggml_tensor * to = ggml_view_2d(c, values, TOKENS, HEAD, values->nb[1], 0);
        ggml_build_forward_expand(graph, ggml_cpy(c, ggml_transpose(c, v), to));
        ggml_tensor * scores = ggml_soft_max_ext(c, ggml_mul_mat(c, k, q), mask, scale, 0.0f);
        v = ggml_view_3d(c, values, CACHE, HEAD, 1, values->nb[1], values->nb[1] * HEAD, 0);
        ggml_tensor * found = ggml_permute(c, ggml_mul_mat(c, v, scores), 0, 2, 1, 3);
        return ggml_cont_2d(c, found, HEADS * HEAD, TOKENS);
    }
};

void decoder(Builder & b) {
    ggml_tensor * x = b.input(GGML_TYPE_F32, EMBEDDING, TOKENS);
    ggml_tensor * y = ggml_add(b.c, b.product(b.attention(b.norm(x), true), EMBEDDING), x);
    b.output(ggml_add(b.c, b.feed_forward(b.norm(y)), y));
}

void attention(Builder & b) {
    b.output(b.attention(b.input(GGML_TYPE_F32, EMBEDDING, TOKENS), false));
}

void experts(Builder & b) {
    const int64_t count = 4, used = 2;
    ggml_tensor * x      = b.input(GGML_TYPE_F32, EMBEDDING, TOKENS);
    ggml_tensor * scores = ggml_soft_max(b.c, b.product(x, count, GGML_TYPE_F32));
    ggml_tensor * chosen = ggml_argsort_top_k(b.c, scores, (int) used);
    ggml_tensor * shares = ggml_get_rows(b.c, ggml_reshape_3d(b.c, scores, 1, count, TOKENS), chosen);
    ggml_tensor * rows   = ggml_reshape_3d(b.c, x, EMBEDDING, 1, TOKENS);
    const auto    matrices = [&](int64_t k, int64_t n) { return b.weight(GGML_TYPE_Q4_0, k, n, count); };
    ggml_tensor * up     = ggml_mul_mat_id(b.c, matrices(EMBEDDING, FEED), rows, chosen);
    ggml_tensor * gate   = ggml_mul_mat_id(b.c, matrices(EMBEDDING, FEED), rows, chosen);
    ggml_tensor * down   = ggml_mul_mat_id(b.c, matrices(FEED, EMBEDDING), ggml_swiglu_split(b.c, gate, up), chosen);
    ggml_tensor * all    = ggml_mul(b.c, down, shares);
    const auto    expert = [&](size_t n) { return ggml_view_2d(b.c, all, EMBEDDING, TOKENS, all->nb[2], n * all->nb[1]); };
    b.output(ggml_add(b.c, expert(0), expert(1)));
}

void norms(Builder & b) {
    ggml_tensor * x = b.input(GGML_TYPE_F32, 64, 4, 6);
    b.output(ggml_rms_norm(b.c, x, EPSILON));
    b.output(ggml_norm(b.c, x, EPSILON));
    b.output(ggml_l2_norm(b.c, x, EPSILON));
    b.output(ggml_group_norm(b.c, x, 2, EPSILON));
    b.output(ggml_soft_max(b.c, x));
    b.output(b.norm(x));
}

void convolutions(Builder & b) {
    ggml_tensor * image  = b.input(GGML_TYPE_F32, 12, 10, 3, 2);
    ggml_tensor * kernel = b.weight(GGML_TYPE_F16, 3, 3, 3, 8);
    b.output(ggml_conv_2d(b.c, kernel, image, 1, 1, 1, 1, 1, 1));
    b.output(ggml_conv_2d_direct(b.c, kernel, image, 2, 2, 1, 1, 1, 1));
    b.output(ggml_pool_2d(b.c, image, GGML_OP_POOL_MAX, 2, 2, 2, 2, 0, 0));
    ggml_tensor * line = b.input(GGML_TYPE_F32, 40, 4);
    b.output(ggml_conv_1d(b.c, b.weight(GGML_TYPE_F16, 3, 4, 8), line, 1, 1, 1));
    b.output(ggml_conv_transpose_1d(b.c, b.weight(GGML_TYPE_F32, 4, 8, 4), line, 2, 0, 1));
}

// One kernel each. The product has a tile of the result for each of eight workers.
void product(Builder & b) { b.output(b.product(b.input(GGML_TYPE_F32, 32, 2), 256)); }
void function(Builder & b) { b.output(ggml_silu(b.c, b.input(GGML_TYPE_F32, 1024))); }
void softmax(Builder & b) { b.output(ggml_soft_max(b.c, b.input(GGML_TYPE_F32, 64, 2))); }

struct Graph {
    const char * name;
    void (*build)(Builder &);
};

constexpr Graph GRAPHS[] = {
    { "decoder", decoder }, { "attention", attention }, { "experts", experts },   { "norms", norms }, { "convolutions", convolutions },
    { "product", product }, { "function", function },   { "softmax", softmax },
};

} // namespace

int main(int argc, char ** argv) {
    if (argc != 3) {
        fail("usage: graphs DEVICE NAME");
    }
    ggml_backend_load_all();
    ggml_backend_dev_t device = ggml_backend_dev_by_name(argv[1]);
    if (!device) {
        fail("no such device");
    }
    ggml_backend_t backend = ggml_backend_dev_init(device, nullptr);
    Builder        b;
    bool           known = false;
    for (const Graph & graph : GRAPHS) {
        if (std::strcmp(graph.name, argv[2]) == 0) {
            graph.build(b);
            known = true;
        }
    }
    if (!known) {
        fail("no such graph");
    }
    for (ggml_context * context : { b.weights, b.caches }) {
        if (!ggml_get_first_tensor(context)) {
            continue;
        }
        ggml_backend_buffer_t buffer = ggml_backend_alloc_ctx_tensors(context, backend);
        if (context == b.weights) {
            ggml_backend_buffer_set_usage(buffer, GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
        }
        for (ggml_tensor * t = ggml_get_first_tensor(context); t; t = ggml_get_next_tensor(context, t)) {
            const std::vector<char> zeros(ggml_nbytes(t));
            ggml_backend_tensor_set(t, zeros.data(), 0, zeros.size());
        }
    }
    ggml_gallocr_t allocator = ggml_gallocr_new(ggml_backend_dev_buffer_type(device));
    if (!ggml_gallocr_alloc_graph(allocator, b.graph)) {
        fail("no memory");
    }
    for (int i = 0; i < ggml_graph_n_nodes(b.graph); i++) {
        ggml_tensor * node = ggml_graph_node(b.graph, i);
        if (!ggml_backend_supports_op(backend, node)) {
            fail(std::string("not supported: ") + ggml_op_desc(node));
        }
    }
    if (ggml_backend_graph_compute(backend, b.graph) != GGML_STATUS_SUCCESS) {
        fail("the graph failed");
    }
    ggml_gallocr_free(allocator);
    ggml_backend_free(backend);
    return 0;
}
