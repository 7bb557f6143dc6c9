// Loads a model onto a device and prints the time.
//
//   load MODEL DEVICE
//
// Prints one line: seconds until llama.cpp reports the model as loaded, and seconds until all its weights are resident on the device.

#include "ggml-backend.h"
#include "llama.h"

#include <chrono>
#include <cstdio>
#include <cstring>

namespace {

double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void quiet(ggml_log_level level, const char * text, void *) {
    if (level >= GGML_LOG_LEVEL_WARN || std::strstr(text, "ggml_tenstorrent")) {
        std::fputs(text, stderr);
    }
}

} // namespace

int main(int argc, char ** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: load MODEL DEVICE\n");
        return 1;
    }
    llama_log_set(quiet, nullptr);
    ggml_backend_load_all();
    ggml_backend_dev_t device = ggml_backend_dev_by_name(argv[2]);
    const bool         cpu    = std::strcmp(argv[2], "cpu") == 0;
    if (!device && !cpu) {
        std::fprintf(stderr, "no device %s\n", argv[2]);
        return 1;
    }
    ggml_backend_dev_t devices[2] = { cpu ? nullptr : device, nullptr };
    llama_model_params params     = llama_model_default_params();
    params.devices                = devices;
    params.n_gpu_layers           = cpu ? 0 : 999;
    const double  begin           = now();
    llama_model * model           = llama_model_load_from_file(argv[1], params);
    const double  loaded          = now();
    if (!model) {
        std::fprintf(stderr, "cannot load %s\n", argv[1]);
        return 1;
    }
    if (!cpu) {
        ggml_backend_reg_t reg    = ggml_backend_dev_backend_reg(device);
        auto               finish = (void (*)()) ggml_backend_reg_get_proc_address(reg, "ggml_backend_tt_finish_loading");
        if (finish) {
            finish();
        }
    }
    std::printf("%f %f\n", loaded - begin, now() - begin);
    std::fflush(stdout);
    llama_model_free(model);
    return 0;
}
