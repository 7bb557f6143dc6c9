// Random reads and writes of windows of tensors and views in a device buffer, against a plain array of bytes.
//
//   windows DEVICE SEED STEPS
//
// Everything that ggml can do to the bytes of a buffer is used: set, get, memset, clear, copies between tensors and between
// buffers, through tensors, views of them and views of views. One of the two buffers is for weights, and sometimes
// a matrix in a buffer is used in a product, so that its bytes are replaced by tiles. After every step some window is compared, at the
// end everything.

#include "ggml-alloc.h"
#include "ggml-backend.h"
#include "ggml.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

namespace {

[[noreturn]] void fail(const char * what) {
    std::fprintf(stderr, "windows: %s\n", what);
    std::exit(1);
}

struct Device {
    ggml_context *        context;
    ggml_backend_buffer_t buffer;
    std::vector<ggml_tensor *> tensors;
    std::vector<uint8_t>  bytes; // what the buffer has to contain

    Device(ggml_backend_dev_t device, bool weights) {
        context = ggml_init({ ggml_tensor_overhead() * 64, nullptr, true });
        const int64_t   shapes[][2] = { { 7, 5 },   { 1, 1 },   { 333, 41 }, { 4096, 3 }, { 31, 1000 },
                                        { 96, 37 }, { 64, 64 }, { 256, 40 }, { 32, 96 } };
        const ggml_type types[]     = { GGML_TYPE_F32,  GGML_TYPE_F16,  GGML_TYPE_F16,  GGML_TYPE_F32, GGML_TYPE_I32,
                                        GGML_TYPE_Q4_0, GGML_TYPE_Q8_0, GGML_TYPE_Q4_K, GGML_TYPE_F16 };
        for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
            tensors.push_back(ggml_new_tensor_2d(context, types[i], shapes[i][0], shapes[i][1]));
        }
        const size_t whole = tensors.size();
        for (size_t i = 0; i < whole; i++) {
            ggml_tensor * t = tensors[i];
            if (t->ne[1] < 2) {
                continue;
            }
            // The lower rows, and of those again the lower ones.
            ggml_tensor * view = ggml_view_2d(context, t, t->ne[0], t->ne[1] - 1, t->nb[1], t->nb[1]);
            tensors.push_back(view);
            if (view->ne[1] > 1) {
                tensors.push_back(ggml_view_2d(context, view, t->ne[0], view->ne[1] - 1, t->nb[1], t->nb[1]));
            }
        }
        buffer = ggml_backend_alloc_ctx_tensors_from_buft(context, ggml_backend_dev_buffer_type(device));
        if (!buffer) {
            fail("no buffer");
        }
        if (weights) {
            ggml_backend_buffer_set_usage(buffer, GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
        }
        bytes.resize(ggml_backend_buffer_get_size(buffer));
    }

    size_t offset(const ggml_tensor * t) const {
        return (size_t) ((const char *) t->data - (const char *) ggml_backend_buffer_get_base(buffer));
    }

    void clear(uint8_t value) {
        ggml_backend_buffer_clear(buffer, value);
        std::memset(bytes.data(), value, bytes.size());
    }

    // Makes sure that a matrix has tiles; its values may be anything, and what comes out does not matter here.
    void multiply(ggml_backend_t backend, ggml_tensor * w) {
        ggml_context * graph  = ggml_init({ ggml_tensor_overhead() * 8 + ggml_graph_overhead_custom(4, false), nullptr, true });
        ggml_tensor *  x      = ggml_new_tensor_2d(graph, GGML_TYPE_F32, w->ne[0], 2);
        ggml_tensor *  result = ggml_mul_mat(graph, w, x);
        if (!ggml_backend_supports_op(backend, result)) {
            fail("a product is not supported");
        }
        ggml_backend_buffer_t room = ggml_backend_alloc_ctx_tensors(graph, backend);
        ggml_backend_buffer_clear(room, 0);
        ggml_cgraph * list = ggml_new_graph_custom(graph, 4, false);
        ggml_build_forward_expand(list, result);
        if (!room || ggml_backend_graph_compute(backend, list) != GGML_STATUS_SUCCESS) {
            fail("a product failed");
        }
        ggml_backend_buffer_free(room);
        ggml_free(graph);
    }

    void compare(const ggml_tensor * t, size_t at, size_t size) const {
        std::vector<uint8_t> found(size);
        ggml_backend_tensor_get(t, found.data(), at, size);
        if (std::memcmp(found.data(), bytes.data() + offset(t) + at, size) != 0) {
            fail("a window differs");
        }
    }
};

} // namespace

int main(int argc, char ** argv) {
    if (argc != 4) {
        fail("usage: windows DEVICE SEED STEPS");
    }
    ggml_backend_load_all();
    ggml_backend_dev_t device = ggml_backend_dev_by_name(argv[1]);
    if (!device) {
        fail("no such device");
    }
    std::mt19937 random((unsigned) std::atoi(argv[2]));
    const auto below = [&](size_t n) { return n ? (size_t) (random() % n) : 0; };

    ggml_backend_t backend    = ggml_backend_dev_init(device, nullptr);
    Device         devices[2] = { Device(device, false), Device(device, true) };
    devices[0].clear(0x11);
    devices[1].clear(0xEE);
    for (int step = 0; step < std::atoi(argv[3]); step++) {
        Device &      d    = devices[below(2)];
        const size_t  n    = below(d.tensors.size());
        ggml_tensor * t    = d.tensors[n];
        const size_t  all  = ggml_nbytes(t);
        const size_t  at   = below(all);
        const size_t  size = 1 + below(all - at);
        switch (below(16)) {
            case 0:
                d.clear((uint8_t) random());
                break;
            case 1: case 2: case 3: {
                const uint8_t value = (uint8_t) random();
                ggml_backend_tensor_memset(t, value, at, size);
                std::memset(d.bytes.data() + d.offset(t) + at, value, size);
                break;
            }
            case 4: case 5: {
                Device & other = devices[below(2)];
                ggml_tensor * to = other.tensors[n];
                if (to == t) {
                    break;
                }
                ggml_backend_tensor_copy(t, to);
                std::memmove(other.bytes.data() + other.offset(to), d.bytes.data() + d.offset(t), all);
                other.compare(to, 0, all);
                break;
            }
            case 6: case 7:
                if (t->type != GGML_TYPE_I32) {
                    d.multiply(backend, t);
                }
                break;
            case 8: case 9: {
                // A whole tensor, or a view, as a model's weights are set.
                std::vector<uint8_t> data(all);
                for (uint8_t & byte : data) {
                    byte = (uint8_t) random();
                }
                ggml_backend_tensor_set(t, data.data(), 0, all);
                std::memcpy(d.bytes.data() + d.offset(t), data.data(), all);
                break;
            }
            default: {
                std::vector<uint8_t> data(size);
                for (uint8_t & byte : data) {
                    byte = (uint8_t) random();
                }
                ggml_backend_tensor_set(t, data.data(), at, size);
                std::memcpy(d.bytes.data() + d.offset(t) + at, data.data(), size);
            }
        }
        d.compare(t, below(at + 1), 1 + below(all - at));
    }
    for (const Device & d : devices) {
        for (const ggml_tensor * t : d.tensors) {
            d.compare(t, 0, ggml_nbytes(t));
        }
        ggml_backend_buffer_free(d.buffer);
        ggml_free(d.context);
    }
    ggml_backend_free(backend);
    std::puts("windows: ok");
    return 0;
}
