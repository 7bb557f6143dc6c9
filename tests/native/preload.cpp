// Preloaded into programs of llama.cpp (LD_PRELOAD), to do what some of them omit.
//
// `test-llama-archs` never loads backends, so it finds none when they are libraries. A thread writes llama.cpp's log, and
// programs do not wait for it at the end, so their last lines are lost now and then. `TT_LOAD_FIRST` names a
// backend to load before ggml's own.

#include "ggml-backend.h"
#include "log.h"

#include <cstdlib>

namespace {

struct Around {
    Around() {
        if (const char * first = std::getenv("TT_LOAD_FIRST")) {
            ggml_backend_load(first);
        }
        ggml_backend_load_all();
    }

    ~Around() { common_log_flush(common_log_main()); }
} around;

} // namespace
