// One product on the first Tenstorrent device, in a program that has ggml and the backend inside.

#include "ggml-tenstorrent.h"

#include "ggml-alloc.h"
#include "ggml-backend.h"
#include "ggml.h"

#include <cmath>
#include <cstdio>
#include <vector>

int main() {
    ggml_backend_reg_t reg = ggml_backend_tenstorrent_reg();
    if (reg == nullptr) {
        return 1;
    }
    ggml_backend_register(reg);
    if (ggml_backend_reg_dev_count(reg) == 0) {
        std::fprintf(stderr, "no device: set GGML_TT_DEVICES=sim for a simulated one\n");
        return 1;
    }
    ggml_backend_dev_t device = ggml_backend_reg_dev_get(reg, 0);
    ggml_backend_t backend = ggml_backend_dev_init(device, nullptr);
    if (backend == nullptr) {
        return 1;
    }
    std::printf("%s: %s\n", ggml_backend_dev_name(device), ggml_backend_dev_description(device));

    // result[r][c] = sum over k of a[c][k] * b[r][k]; small whole numbers, so that every format has them exactly.
    const int k = 64, columns = 32, rows = 3;
    ggml_init_params params = { ggml_tensor_overhead() * 8 + ggml_graph_overhead(), nullptr, true };
    ggml_context * context = ggml_init(params);
    ggml_tensor * a = ggml_new_tensor_2d(context, GGML_TYPE_F32, k, columns);
    ggml_tensor * b = ggml_new_tensor_2d(context, GGML_TYPE_F32, k, rows);
    ggml_tensor * result = ggml_mul_mat(context, a, b);
    ggml_cgraph * graph = ggml_new_graph(context);
    ggml_build_forward_expand(graph, result);
    ggml_backend_buffer_t buffer = ggml_backend_alloc_ctx_tensors(context, backend);
    if (buffer == nullptr) {
        std::fprintf(stderr, "no memory on the device\n");
        return 1;
    }

    std::vector<float> left(k * columns), right(k * rows), found(columns * rows);
    for (size_t i = 0; i < left.size(); i++) {
        left[i] = float(int(i * 7 % 9) - 4);
    }
    for (size_t i = 0; i < right.size(); i++) {
        right[i] = float(int(i * 5 % 7) - 3);
    }
    ggml_backend_tensor_set(a, left.data(), 0, ggml_nbytes(a));
    ggml_backend_tensor_set(b, right.data(), 0, ggml_nbytes(b));
    if (!ggml_backend_supports_op(backend, result) || ggml_backend_graph_compute(backend, graph) != GGML_STATUS_SUCCESS) {
        std::fprintf(stderr, "the device did not compute the product\n");
        return 1;
    }
    ggml_backend_tensor_get(result, found.data(), 0, ggml_nbytes(result));

    int wrong = 0;
    for (int row = 0; row < rows; row++) {
        for (int column = 0; column < columns; column++) {
            float expected = 0;
            for (int i = 0; i < k; i++) {
                expected += left[column * k + i] * right[row * k + i];
            }
            wrong += std::fabs(found[row * columns + column] - expected) > 0;
        }
    }
    std::printf("product of %d x %d and %d x %d: %d of %d elements wrong\n", columns, k, k, rows, wrong, columns * rows);

    ggml_backend_buffer_free(buffer);
    ggml_free(context);
    ggml_backend_free(backend);
    return wrong == 0 ? 0 : 1;
}
