// Cancels loading a model half way, with all layers on a device. The device's memory must be free again, and the model can be loaded then.
//
//   cancel MODEL DEVICE
//
// llama.cpp's own `test-model-load-cancel` puts no layer on a device.

#include "ggml-backend.h"
#include "llama.h"

#include <cstdio>
#include <cstdlib>
#include <initializer_list>

namespace {

[[noreturn]] void fail(const char * what) {
    std::fprintf(stderr, "cancel: %s\n", what);
    std::exit(1);
}

size_t free_memory(ggml_backend_dev_t device) {
    size_t free = 0, total = 0;
    ggml_backend_dev_memory(device, &free, &total);
    return free;
}

llama_model * load(const char * path, ggml_backend_dev_t device, float * stop_at) {
    ggml_backend_dev_t devices[] = { device, nullptr };
    llama_model_params params = llama_model_default_params();
    params.devices                     = devices;
    params.n_gpu_layers                = 99;
    params.progress_callback_user_data = stop_at;
    params.progress_callback           = [](float progress, void * limit) { return progress <= *static_cast<float *>(limit); };
    return llama_model_load_from_file(path, params);
}

} // namespace

int main(int argc, char ** argv) {
    if (argc != 3) {
        fail("arguments: MODEL DEVICE");
    }
    ggml_backend_load_all();
    ggml_backend_dev_t device = ggml_backend_dev_by_name(argv[2]);
    if (!device) {
        fail("no such device");
    }
    const size_t before = free_memory(device);
    for (float stop_at : { 0.1f, 0.5f, 0.9f }) {
        if (load(argv[1], device, &stop_at)) {
            fail("loading went on");
        }
        if (free_memory(device) != before) {
            fail("memory of the device is not free again");
        }
    }
    float        never = 2.0f;
    llama_model * model = load(argv[1], device, &never);
    if (!model) {
        fail("the model cannot be loaded after that");
    }
    if (free_memory(device) + 4 * 1024 * 1024 > before) {
        fail("the weights are not on the device");
    }
    llama_model_free(model);
    if (free_memory(device) != before) {
        fail("memory of the device is not free in the end");
    }
    std::puts("cancel: ok");
}
