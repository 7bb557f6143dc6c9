// Products with weights through ggml's interface, where the bytes of a weight and its tiles could conflict.
//
//   weights DEVICE self      a weight times itself and times views of it
//   weights DEVICE memory    no memory: for a buffer, and for a copy in tiles
//   weights DEVICE experts   experts that are set in overlapping pieces
//   weights DEVICE threads   a weight that cannot be loaded because no thread can be started
//   weights DEVICE views     a view that has to be copied, for several products, and written to between them
//   weights DEVICE again     graphs that are computed again, after something has changed
//   weights DEVICE blocks    the weights in the file TT_BLOCKS, against the CPU backend
//
// Other results are compared with sums in double precision over what ggml's own type traits decode.

#include "ggml-alloc.h"
#include "ggml-backend.h"
#include "ggml.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

namespace {

[[noreturn]] void fail(const std::string & what) {
    std::fprintf(stderr, "weights: %s\n", what.c_str());
    std::exit(1);
}

std::mt19937 generator(7);

float unit() {
    return std::uniform_real_distribution<float>(-1, 1)(generator);
}

// Random values in a type's blocks.
std::vector<uint8_t> random_rows(ggml_type type, int64_t k, int64_t rows) {
    std::vector<float> values(k * rows);
    for (float & x : values) {
        x = unit();
    }
    std::vector<uint8_t> bytes(ggml_row_size(type, k) * rows);
    ggml_quantize_chunk(type, values.data(), bytes.data(), 0, rows, k, nullptr);
    return bytes;
}

std::vector<float> decoded(ggml_type type, const uint8_t * bytes, int64_t count) {
    std::vector<float> values(count);
    if (type == GGML_TYPE_F32) {
        std::memcpy(values.data(), bytes, 4 * count);
    } else {
        ggml_get_type_traits(type)->to_float(bytes, values.data(), count);
    }
    return values;
}

// Tensors in one buffer.
struct Tensors {
    ggml_context *        context = ggml_init({ ggml_tensor_overhead() * 64 + ggml_graph_overhead(), nullptr, true });
    ggml_backend_buffer_t buffer  = nullptr;

    void place(ggml_backend_t backend, bool weights) {
        buffer = ggml_backend_alloc_ctx_tensors(context, backend);
        if (!buffer) {
            fail("no buffer");
        }
        if (weights) {
            ggml_backend_buffer_set_usage(buffer, GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
        }
    }

    ~Tensors() {
        ggml_backend_buffer_free(buffer);
        ggml_free(context);
    }
};

ggml_status compute(ggml_backend_t backend, ggml_context * context, ggml_tensor * result) {
    ggml_cgraph * graph = ggml_new_graph_custom(context, 8, false);
    ggml_build_forward_expand(graph, result);
    return ggml_backend_graph_compute(backend, graph);
}

// Normalised squared error of result[row][n] against the products of w[n] and x[row].
double error(ggml_tensor * result, const std::vector<float> & w, const std::vector<float> & x, int64_t k) {
    const int64_t      n = result->ne[0], rows = ggml_nrows(result);
    std::vector<float> got(n * rows);
    ggml_backend_tensor_get(result, got.data(), 0, 4 * got.size());
    double wrong = 0, all = 0;
    for (int64_t i = 0; i < n * rows; i++) {
        double want = 0;
        for (int64_t c = 0; c < k; c++) {
            want += (double) w[i % n * k + c] * x[i / n * k + c];
        }
        wrong += (got[i] - want) * (got[i] - want);
        all += want * want;
    }
    return wrong / all;
}

void expect_close(double error, const std::string & what) {
    if (!(error < 5e-4)) {
        fail(what + ": error " + std::to_string(error));
    }
}

void times_itself(ggml_backend_t backend, ggml_type type) {
    const int64_t k = 64, n = 96;
    Tensors       model, graph;
    ggml_tensor * w = ggml_new_tensor_2d(model.context, type, k, n);
    model.place(backend, true);
    const std::vector<uint8_t> bytes = random_rows(type, k, n);
    const std::vector<float>   values = decoded(type, bytes.data(), k * n);
    // Some rows from the first, and some later ones.
    ggml_tensor * first   = ggml_view_2d(graph.context, w, k, 5, w->nb[1], 0);
    ggml_tensor * last    = ggml_view_2d(graph.context, w, k, n - 60, w->nb[1], 60 * w->nb[1]);
    ggml_tensor * results[] = { ggml_mul_mat(graph.context, w, w), ggml_mul_mat(graph.context, w, first),
                                ggml_mul_mat(graph.context, w, last), ggml_mul_mat(graph.context, last, w) };
    graph.place(backend, false);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 4; i++) {
            // A weight that has just been set has tiles in its place.
            if (round != 1) {
                ggml_backend_tensor_set(w, bytes.data(), 0, bytes.size());
            }
            const std::string what = std::string(ggml_type_name(type)) + " product " + std::to_string(i);
            if (!ggml_backend_supports_op(backend, results[i])) {
                fail(what + " is not supported");
            }
            if (compute(backend, graph.context, results[i]) != GGML_STATUS_SUCCESS) {
                fail(what + " failed");
            }
            const auto rows = [&](int64_t from, int64_t to) {
                return std::vector<float>(values.begin() + from * k, values.begin() + to * k);
            };
            const std::vector<float> left  = i == 3 ? rows(60, n) : values;
            const std::vector<float> right = i == 1 ? rows(0, 5) : i == 2 ? rows(60, n) : values;
            expect_close(error(results[i], left, right, k), what);
            std::vector<uint8_t> back(bytes.size());
            ggml_backend_tensor_get(w, back.data(), 0, back.size());
            if (back != bytes) {
                fail(what + " changed the weight");
            }
        }
    }
}

void without_room(ggml_backend_t backend, ggml_backend_dev_t device) {
    ggml_backend_buffer_type_t type = ggml_backend_get_default_buffer_type(backend);
    if (ggml_backend_buft_alloc_buffer(type, (size_t) 1 << 40)) {
        fail("a buffer of a TiB");
    }
    // Too few rows for tiles in place, and a type that has to become tiles: they lie beside the bytes.
    const int64_t k = 2048, n = 24;
    Tensors       model, graph;
    ggml_tensor * w = ggml_new_tensor_2d(model.context, GGML_TYPE_Q4_K, k, n);
    model.place(backend, true);
    ggml_tensor * x      = ggml_new_tensor_2d(graph.context, GGML_TYPE_F32, k, 3);
    ggml_tensor * result = ggml_mul_mat(graph.context, w, x);
    graph.place(backend, false);
    const std::vector<uint8_t> bytes = random_rows(GGML_TYPE_Q4_K, k, n), rows = random_rows(GGML_TYPE_F32, k, 3);
    ggml_backend_tensor_set(w, bytes.data(), 0, bytes.size());
    ggml_backend_tensor_set(x, rows.data(), 0, rows.size());
    // All that is left, in pieces that get smaller.
    std::vector<ggml_backend_buffer_t> taken;
    for (size_t size = (size_t) 1 << 33; size >= 4096;) {
        if (ggml_backend_buffer_t buffer = ggml_backend_buft_alloc_buffer(type, size)) {
            taken.push_back(buffer);
        } else {
            size /= 2;
        }
    }
    size_t free = 0, total = 0;
    ggml_backend_dev_memory(device, &free, &total);
    if (compute(backend, graph.context, result) == GGML_STATUS_SUCCESS) {
        fail("a product without room for its tiles: " + std::to_string(free) + " bytes are free");
    }
    for (ggml_backend_buffer_t buffer : taken) {
        ggml_backend_buffer_free(buffer);
    }
    if (compute(backend, graph.context, result) != GGML_STATUS_SUCCESS) {
        fail("the product still fails when there is room again");
    }
    expect_close(error(result, decoded(GGML_TYPE_Q4_K, bytes.data(), k * n), decoded(GGML_TYPE_F32, rows.data(), 3 * k), k),
                 "the product when there is room again");
}

void experts_in_pieces(ggml_backend_t backend, ggml_type type) {
    const int64_t k = 256, n = 72, experts = 8, used = 3, tokens = 4;
    Tensors       model, graph;
    ggml_tensor * w = ggml_new_tensor_3d(model.context, type, k, n, experts);
    model.place(backend, true);
    ggml_tensor * x      = ggml_new_tensor_3d(graph.context, GGML_TYPE_F32, k, 1, tokens);
    ggml_tensor * ids    = ggml_new_tensor_2d(graph.context, GGML_TYPE_I32, used, tokens);
    ggml_tensor * result = ggml_mul_mat_id(graph.context, w, x, ids);
    graph.place(backend, false);
    const std::vector<uint8_t> rows = random_rows(GGML_TYPE_F32, k, tokens);
    const std::vector<float>   activations = decoded(GGML_TYPE_F32, rows.data(), k * tokens);
    ggml_backend_tensor_set(x, rows.data(), 0, rows.size());
    for (int round = 0; round < 4; round++) {
        const std::vector<uint8_t> bytes  = random_rows(type, k, n * experts);
        const std::vector<float>   values = decoded(type, bytes.data(), k * n * experts);
        // Experts in any order, each with some bytes of the next one, as ggml's scheduler copies them.
        std::vector<int> order(experts);
        for (int i = 0; i < experts; i++) {
            order[i] = i;
        }
        std::shuffle(order.begin(), order.end(), generator);
        const size_t size = w->nb[2];
        for (int expert : order) {
            const size_t at  = expert * size;
            const size_t len = std::min(bytes.size() - at, size + 512);
            if (round % 2) {
                ggml_backend_tensor_set(w, bytes.data() + at, at, len);
                continue;
            }
            for (size_t done = 0; done < len; done += 1000) {
                ggml_backend_tensor_set(w, bytes.data() + at + done, at + done, std::min<size_t>(1000, len - done));
            }
        }
        std::vector<int32_t> indices(used * tokens);
        for (int i = 0; i < used * tokens; i++) {
            indices[i] = (int32_t) ((i * 5 + round) % experts);
        }
        ggml_backend_tensor_set(ids, indices.data(), 0, 4 * indices.size());
        if (compute(backend, graph.context, result) != GGML_STATUS_SUCCESS) {
            fail("a product with experts failed");
        }
        std::vector<float> got(n * used * tokens);
        ggml_backend_tensor_get(result, got.data(), 0, 4 * got.size());
        double wrong = 0, all = 0;
        for (int64_t i = 0; i < (int64_t) got.size(); i++) {
            const int64_t column = i % n, slot = i / n;
            double        want   = 0;
            for (int64_t c = 0; c < k; c++) {
                want += (double) values[(indices[slot] * n + column) * k + c] * activations[slot / used * k + c];
            }
            wrong += (got[i] - want) * (got[i] - want);
            all += want * want;
        }
        expect_close(wrong / all, std::string("experts of ") + ggml_type_name(type) + " in round " + std::to_string(round));
        std::vector<uint8_t> back(bytes.size());
        ggml_backend_tensor_get(w, back.data(), 0, back.size());
        if (back != bytes) {
            fail("experts do not read back");
        }
    }
}

// Threads that wait until this ends. They take the stacks that the C library keeps of threads that have ended.
struct Sleepers {
    static constexpr int    COUNT = 16;
    static constexpr size_t STACK = 2 << 20; // that of Rust's threads
    pthread_t       threads[COUNT];
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

    Sleepers() {
        pthread_mutex_lock(&lock);
        pthread_attr_t attributes;
        pthread_attr_init(&attributes);
        pthread_attr_setstacksize(&attributes, STACK);
        for (pthread_t & thread : threads) {
            if (pthread_create(&thread, &attributes, wait, &lock)) {
                fail("no threads for the test itself");
            }
        }
    }

    ~Sleepers() {
        pthread_mutex_unlock(&lock);
        for (pthread_t thread : threads) {
            pthread_join(thread, nullptr);
        }
    }

    static void * wait(void * lock) {
        pthread_mutex_lock((pthread_mutex_t *) lock);
        pthread_mutex_unlock((pthread_mutex_t *) lock);
        return nullptr;
    }
};

// No thread can be started for loading: there is no room for its stack.
void without_threads(ggml_backend_t backend) {
    const int64_t k = 256, n = 64;
    Tensors       model, graph;
    ggml_tensor * w = ggml_new_tensor_2d(model.context, GGML_TYPE_Q8_0, k, n);
    ggml_set_name(w, "w"); // known to an importance matrix
    model.place(backend, true);
    ggml_tensor * x      = ggml_new_tensor_2d(graph.context, GGML_TYPE_F32, k, 1);
    ggml_tensor * result = ggml_mul_mat(graph.context, w, x);
    graph.place(backend, false);
    const std::vector<uint8_t> rows = random_rows(GGML_TYPE_F32, k, 1);
    ggml_backend_tensor_set(x, rows.data(), 0, rows.size());
    const auto set = [&] {
        std::vector<uint8_t> bytes = random_rows(GGML_TYPE_Q8_0, k, n);
        ggml_backend_tensor_set(w, bytes.data(), 0, bytes.size());
        return bytes;
    };
    const auto expect = [&](const std::vector<uint8_t> & bytes, const char * what) {
        if (compute(backend, graph.context, result) != GGML_STATUS_SUCCESS) {
            fail(std::string("it failed ") + what);
        }
        expect_close(error(result, decoded(GGML_TYPE_Q8_0, bytes.data(), k * n), decoded(GGML_TYPE_F32, rows.data(), k), k), what);
    };
    expect(set(), "with threads");

    // The loader's threads have ended once nothing is left to do; this gives them time to leave their stacks.
    usleep(300000);
    const Sleepers sleepers;
    size_t         pages = 0;
    FILE *         statm = std::fopen("/proc/self/statm", "r");
    if (!statm || std::fscanf(statm, "%zu", &pages) != 1) {
        fail("/proc/self/statm");
    }
    std::fclose(statm);
    rlimit all;
    getrlimit(RLIMIT_AS, &all);
    // Less than there is already: nothing can be mapped, and the heap has what little is needed besides.
    const rlimit less = { pages * (rlim_t) sysconf(_SC_PAGESIZE) / 2, all.rlim_max };
    setrlimit(RLIMIT_AS, &less);
    const std::vector<uint8_t> bytes = set();
    bool computed = false;
    for (int i = 0; i < 2; i++) {
        computed |= compute(backend, graph.context, result) == GGML_STATUS_SUCCESS;
    }
    std::vector<uint8_t> back(bytes.size());
    ggml_backend_tensor_get(w, back.data(), 0, back.size());
    setrlimit(RLIMIT_AS, &all);
    if (computed) {
        fail("a product with a weight that was not loaded");
    }
    if (back != bytes) {
        fail("the weight does not read back");
    }
    expect(set(), "when threads can be started again");
}

// In one graph: two products with rows in half precision, which have to become F32; other rows in their place; two products more.
void views_are_written(ggml_backend_t backend) {
    const int64_t k = 96, n = 64, rows = 5;
    Tensors       model, graph;
    ggml_context * context = graph.context;
    ggml_tensor * w[2]    = { ggml_new_tensor_2d(model.context, GGML_TYPE_F16, k, n), ggml_new_tensor_2d(model.context, GGML_TYPE_F16, k, n) };
    model.place(backend, true);
    ggml_tensor * x     = ggml_new_tensor_2d(context, GGML_TYPE_F16, k, rows);
    ggml_tensor * other = ggml_new_tensor_2d(context, GGML_TYPE_F32, k, rows);
    ggml_tensor * results[4];
    ggml_cgraph * order = ggml_new_graph_custom(context, 16, false);
    for (int i = 0; i < 2; i++) {
        ggml_build_forward_expand(order, results[i] = ggml_mul_mat(context, w[i], x));
    }
    // The last two read what is written here.
    ggml_tensor * written = ggml_cpy(context, other, x);
    for (int i = 0; i < 2; i++) {
        ggml_build_forward_expand(order, results[2 + i] = ggml_mul_mat(context, w[i], written));
    }
    graph.place(backend, false);
    std::vector<float> weights[2];
    for (int i = 0; i < 2; i++) {
        const std::vector<uint8_t> bytes = random_rows(GGML_TYPE_F16, k, n);
        weights[i] = decoded(GGML_TYPE_F16, bytes.data(), k * n);
        ggml_backend_tensor_set(w[i], bytes.data(), 0, bytes.size());
    }
    // A second run finds other rows in the same places.
    for (int round = 0; round < 2; round++) {
        const std::vector<uint8_t> first = random_rows(GGML_TYPE_F16, k, rows), second = random_rows(GGML_TYPE_F32, k, rows);
        ggml_backend_tensor_set(x, first.data(), 0, first.size());
        ggml_backend_tensor_set(other, second.data(), 0, second.size());
        if (ggml_backend_graph_compute(backend, order) != GGML_STATUS_SUCCESS) {
            fail("products with views failed");
        }
        for (int i = 0; i < 4; i++) {
            const std::vector<float> rows_used =
                i < 2 ? decoded(GGML_TYPE_F16, first.data(), k * rows) : decoded(GGML_TYPE_F32, second.data(), k * rows);
            expect_close(error(results[i], weights[i % 2], rows_used, k), "product " + std::to_string(i));
        }
    }
}

// A product, half of it, and a copy to the matrix that is multiplied with: graphs that the backend knows after they have been computed once.
// Between them change what they read, where it is and what they are, and every result has to be of what is there then.
void computed_again(ggml_backend_t backend, bool weights, ggml_type type) {
    const int64_t k = 256, n = 64, rows = 3;
    Tensors       model, graph, others;
    ggml_context * context = graph.context;
    ggml_tensor * w      = ggml_new_tensor_2d(model.context, type, k, n);
    ggml_tensor * source = ggml_new_tensor_2d(others.context, type, k, n);
    ggml_tensor * x      = ggml_new_tensor_2d(context, GGML_TYPE_F32, k, rows);
    // Rows that have gaps have to be copied for a product: memory between steps.
    ggml_tensor * gaps   = ggml_new_tensor_2d(context, GGML_TYPE_F16, 2 * k, rows);
    ggml_tensor * rows16 = ggml_view_2d(context, gaps, k, rows, gaps->nb[1], 0);
    ggml_tensor * plain = ggml_mul_mat(context, w, x), * viewed = ggml_mul_mat(context, w, rows16), * half = ggml_scale(context, plain, 0.5f);
    ggml_tensor * written = ggml_cpy(others.context, source, w);
    ggml_cgraph * products = ggml_new_graph_custom(context, 16, false), * copy = ggml_new_graph_custom(others.context, 8, false);
    ggml_build_forward_expand(products, half);
    ggml_build_forward_expand(products, viewed);
    ggml_build_forward_expand(copy, written);
    model.place(backend, weights);
    graph.place(backend, false);
    others.place(backend, false);
    std::vector<uint8_t> bytes;
    const auto run = [&](ggml_cgraph * which, const char * what) {
        if (ggml_backend_graph_compute(backend, which) != GGML_STATUS_SUCCESS) {
            fail(std::string(what) + " failed");
        }
    };
    const auto set = [&](ggml_tensor * tensor) {
        bytes = random_rows(type, k, n);
        ggml_backend_tensor_set(tensor, bytes.data(), 0, bytes.size());
    };
    const auto expect = [&](float factor, const char * what) {
        const std::vector<uint8_t> in = random_rows(GGML_TYPE_F32, k, rows), wide = random_rows(GGML_TYPE_F16, 2 * k, rows);
        ggml_backend_tensor_set(x, in.data(), 0, in.size());
        ggml_backend_tensor_set(gaps, wide.data(), 0, wide.size());
        run(products, what);
        const std::vector<float> w_now = decoded(type, bytes.data(), k * n);
        std::vector<float>       scaled = decoded(GGML_TYPE_F32, in.data(), k * rows), cut;
        for (float & value : scaled) {
            value *= factor;
        }
        const std::vector<float> all = decoded(GGML_TYPE_F16, wide.data(), 2 * k * rows);
        for (int64_t row = 0; row < rows; row++) {
            cut.insert(cut.end(), all.begin() + 2 * k * row, all.begin() + 2 * k * row + k);
        }
        expect_close(error(half, w_now, scaled, k), std::string(ggml_type_name(type)) + ", " + what);
        expect_close(error(viewed, w_now, cut, k), std::string(ggml_type_name(type)) + " and a view, " + what);
    };
    set(w);
    for (int i = 0; i < 3; i++) {
        expect(0.5f, "again");
    }
    // Memory that somebody else gets is not that of a program.
    Tensors       memory;
    ggml_tensor * taken = ggml_new_tensor_1d(memory.context, GGML_TYPE_I8, 8 << 20);
    memory.place(backend, false);
    std::vector<uint8_t> pattern(8 << 20);
    std::generate(pattern.begin(), pattern.end(), generator);
    ggml_backend_tensor_set(taken, pattern.data(), 0, pattern.size());
    expect(0.5f, "beside another buffer");
    std::vector<uint8_t> back(pattern.size());
    ggml_backend_tensor_get(taken, back.data(), 0, back.size());
    if (back != pattern) {
        fail("a graph wrote to a buffer that is not its own");
    }
    set(w);
    expect(0.5f, "with other weights");
    const float factor = 0.25f;
    std::memcpy(half->op_params, &factor, sizeof factor);
    expect(0.25f, "with another parameter");
    for (int i = 0; i < 3; i++) {
        set(source);
        run(copy, "a copy");
        expect(0.25f, "after a copy to the weights");
    }
}

// Results of a weight's product with rows of random numbers.
std::vector<float> product(ggml_backend_t backend, ggml_type type, int64_t k, int64_t n, const std::vector<uint8_t> & bytes,
                           const std::vector<float> & x) {
    Tensors       model, graph;
    ggml_tensor * w = ggml_new_tensor_2d(model.context, type, k, n);
    model.place(backend, true);
    ggml_tensor * rows   = ggml_new_tensor_2d(graph.context, GGML_TYPE_F32, k, x.size() / k);
    ggml_tensor * result = ggml_mul_mat(graph.context, w, rows);
    graph.place(backend, false);
    ggml_backend_tensor_set(w, bytes.data(), 0, bytes.size());
    ggml_backend_tensor_set(rows, x.data(), 0, 4 * x.size());
    if (compute(backend, graph.context, result) != GGML_STATUS_SUCCESS) {
        fail(std::string("a product with ") + ggml_type_name(type) + " failed");
    }
    std::vector<uint8_t> back(bytes.size());
    ggml_backend_tensor_get(w, back.data(), 0, back.size());
    if (back != bytes) {
        fail(std::string("a weight of ") + ggml_type_name(type) + " does not read back");
    }
    std::vector<float> values(ggml_nelements(result));
    ggml_backend_tensor_get(result, values.data(), 0, 4 * values.size());
    return values;
}

void given_blocks(ggml_backend_t backend) {
    const char * path = std::getenv("TT_BLOCKS");
    FILE *       file = path ? std::fopen(path, "rb") : nullptr;
    if (!file) {
        fail("TT_BLOCKS names no file");
    }
    ggml_backend_t cpu = ggml_backend_init_by_type(GGML_BACKEND_DEVICE_TYPE_CPU, nullptr);
    for (uint32_t head[3]; std::fread(head, 4, 3, file) == 3;) {
        const ggml_type      type = (ggml_type) head[0];
        const int64_t        k = head[1], n = head[2];
        std::vector<uint8_t> bytes(ggml_row_size(type, k) * n);
        if (std::fread(bytes.data(), 1, bytes.size(), file) != bytes.size()) {
            fail("the file ends early");
        }
        // As of a few sequences, and as of a prompt.
        for (int64_t rows : { 3, 40 }) {
            std::vector<float> x(rows * k);
            for (float & value : x) {
                value = unit();
            }
            const std::vector<float> want = product(cpu, type, k, n, bytes, x), got = product(backend, type, k, n, bytes, x);
            double                   wrong = 0, all = 0;
            for (size_t i = 0; i < want.size(); i++) {
                wrong += ((double) got[i] - want[i]) * ((double) got[i] - want[i]);
                all += (double) want[i] * want[i];
            }
            std::printf("error of %s with %d rows: %g of %g\n", ggml_type_name(type), (int) rows, wrong / all, all);
            if (!(all > 0)) {
                fail("nothing to compare");
            }
            expect_close(wrong / all, ggml_type_name(type));
        }
    }
    std::fclose(file);
    ggml_backend_free(cpu);
}

} // namespace

int main(int argc, char ** argv) {
    if (argc != 3) {
        fail("usage: weights DEVICE self|memory|experts|threads|views|blocks");
    }
    const std::string what = argv[2];
    ggml_backend_load_all();
    ggml_backend_dev_t device = ggml_backend_dev_by_name(argv[1]);
    if (!device) {
        fail("no such device");
    }
    ggml_backend_t backend = ggml_backend_dev_init(device, nullptr);
    if (what == "self") {
        for (ggml_type type : { GGML_TYPE_F32, GGML_TYPE_F16 }) {
            times_itself(backend, type);
        }
    } else if (what == "memory") {
        without_room(backend, device);
    } else if (what == "experts") {
        for (ggml_type type : { GGML_TYPE_Q4_0, GGML_TYPE_Q8_0, GGML_TYPE_F16, GGML_TYPE_Q6_K }) {
            experts_in_pieces(backend, type);
        }
    } else if (what == "threads") {
        without_threads(backend);
    } else if (what == "again") {
        for (const ggml_type type : { GGML_TYPE_F32, GGML_TYPE_Q8_0, GGML_TYPE_Q4_K }) {
            computed_again(backend, true, type);
            computed_again(backend, false, type);
        }
    } else if (what == "views") {
        views_are_written(backend);
    } else if (what == "blocks") {
        given_blocks(backend);
    } else {
        fail("no such test");
    }
    ggml_backend_free(backend);
    std::printf("weights: %s ok\n", argv[2]);
    return 0;
}
