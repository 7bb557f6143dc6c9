// Loaded in front of programs of llama.cpp (LD_PRELOAD), for what some of them leave out.
//
// `test-llama-archs` never loads backends: with backends as libraries it finds none. And llama.cpp's log is written by a
// thread that nobody waits for at the end, so that the last lines of a program are lost now and then. `TT_LOAD_FIRST` names a
// backend that is to come before ggml's own.

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
