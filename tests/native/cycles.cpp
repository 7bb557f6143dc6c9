// Makes a backend, a weight and a graph on a device, computes it, reads the result and frees everything, again and again; memory
// must not grow.
//
//   cycles DEVICE COUNT
//
// Prints for the middle and the end of the run the resident memory of the process and the free memory of the device, in
// bytes; every result is checked.

#include "ggml-alloc.h"
#include "ggml-backend.h"
#include "ggml.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <unistd.h>
#include <vector>

namespace {

constexpr int64_t WIDTH = 64;
constexpr int64_t ROWS  = 32;

[[noreturn]] void fail(const char * what) {
    std::fprintf(stderr, "cycles: %s\n", what);
    std::exit(1);
}

ggml_backend_buffer_t allocate(ggml_context * context, ggml_backend_t backend, ggml_backend_buffer_usage usage) {
    ggml_backend_buffer_t buffer = ggml_backend_alloc_ctx_tensors(context, backend);
    if (!buffer) {
        fail("no buffer");
    }
    ggml_backend_buffer_set_usage(buffer, usage);
    return buffer;
}

// out = silu(weight * in + in[0]); the weight is `factor` times the upper rows of the identity, so every step is exact but silu.
void cycle(ggml_backend_dev_t device, float factor) {
    ggml_backend_t backend = ggml_backend_dev_init(device, nullptr);
    if (!backend) {
        fail("no backend");
    }
    ggml_context * weights = ggml_init({ ggml_tensor_overhead() * 4, nullptr, true });
    ggml_tensor *  weight  = ggml_new_tensor_2d(weights, GGML_TYPE_F32, WIDTH, ROWS);
    ggml_backend_buffer_t of_weights = allocate(weights, backend, GGML_BACKEND_BUFFER_USAGE_WEIGHTS);

    ggml_context * context = ggml_init({ ggml_tensor_overhead() * 16 + ggml_graph_overhead(), nullptr, true });
    ggml_tensor *  in      = ggml_new_tensor_2d(context, GGML_TYPE_F32, WIDTH, 3);
    ggml_tensor *  bias    = ggml_new_tensor_1d(context, GGML_TYPE_F32, ROWS);
    ggml_tensor *  out     = ggml_silu(context, ggml_add(context, ggml_mul_mat(context, weight, in), bias));
    ggml_cgraph *  graph   = ggml_new_graph(context);
    ggml_build_forward_expand(graph, out);
    ggml_backend_buffer_t of_nodes = allocate(context, backend, GGML_BACKEND_BUFFER_USAGE_ANY);

    std::vector<float> identity(WIDTH * ROWS), ones(WIDTH * 3, 1.0f), found(ROWS * 3);
    for (int64_t row = 0; row < ROWS; row++) {
        identity[row * WIDTH + row] = factor;
    }
    ggml_backend_tensor_set(weight, identity.data(), 0, ggml_nbytes(weight));
    ggml_backend_tensor_set(in, ones.data(), 0, ggml_nbytes(in));
    ggml_backend_tensor_set(bias, ones.data(), 0, ggml_nbytes(bias));
    if (ggml_backend_graph_compute(backend, graph) != GGML_STATUS_SUCCESS) {
        fail("the graph failed");
    }
    ggml_backend_tensor_get(out, found.data(), 0, ggml_nbytes(out));
    const float x = factor + 1.0f, expected = x / (1.0f + std::exp(-x));
    for (float value : found) {
        if (!(std::fabs(value - expected) < 1e-3f)) {
            fail("a wrong result");
        }
    }
    ggml_backend_buffer_free(of_nodes);
    ggml_backend_buffer_free(of_weights);
    ggml_free(context);
    ggml_free(weights);
    ggml_backend_free(backend);
}

void report(ggml_backend_dev_t device) {
    size_t        pages = 0, resident = 0, free = 0, total = 0;
    std::ifstream statm("/proc/self/statm");
    statm >> pages >> resident;
    ggml_backend_dev_memory(device, &free, &total);
    std::printf("resident %zu free %zu\n", resident * (size_t) sysconf(_SC_PAGESIZE), free);
}

} // namespace

int main(int argc, char ** argv) {
    if (argc != 3) {
        fail("usage: cycles DEVICE COUNT");
    }
    ggml_backend_load_all();
    ggml_backend_dev_t device = ggml_backend_dev_by_name(argv[1]);
    if (!device) {
        fail("no such device");
    }
    const int count = std::atoi(argv[2]);
    for (int i = 0; i < count; i++) {
        if (i == count / 2) {
            report(device);
        }
        cycle(device, (float) (1 << i % 4));
    }
    report(device);
    return 0;
}
