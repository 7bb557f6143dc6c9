// Preloaded before ggml, to make a host that the library does not know.
//
//   HOST_VERSION=0.99.0   result of ggml_version()
//   HOST_FAULT=NAME       what is different in it:
//     slot        a buffer type's alignment comes from the next function of the table
//     field       a backend's device is read from the next word
//     argument    bytes are written one byte further
//     abort, segv, hang   asking for a device's memory aborts, crashes or hangs
//
// Everything else is ggml's own.

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <unistd.h>

namespace {

bool fault(const char * name) {
    const char * wanted = std::getenv("HOST_FAULT");
    return wanted && std::strcmp(wanted, name) == 0;
}

template <typename F> F * ggmls(const char * name) {
    return (F *) dlsym(RTLD_NEXT, name);
}

} // namespace

extern "C" {

const char * ggml_version() {
    const char * version = std::getenv("HOST_VERSION");
    return version ? version : ggmls<const char *()>("ggml_version")();
}

size_t ggml_backend_buft_get_alignment(void * buft) {
    if (fault("slot")) {
        auto ** table = (size_t(**)(void *)) buft;
        auto *  own   = ggmls<size_t(void *)>("ggml_backend_buft_get_alignment");
        // The next function but one: the one between may be left out.
        return table[4] ? table[4](buft) : own(buft);
    }
    return ggmls<size_t(void *)>("ggml_backend_buft_get_alignment")(buft);
}

void * ggml_backend_get_device(void * backend) {
    void * device = ggmls<void *(void *)>("ggml_backend_get_device")(backend);
    if (fault("field")) {
        void ** words = (void **) backend;
        while (*words != device) {
            words++;
        }
        return words[1];
    }
    return device;
}

void ggml_backend_tensor_set(void * tensor, const void * data, size_t offset, size_t size) {
    const size_t shift = fault("argument") ? 1 : 0;
    ggmls<void(void *, const void *, size_t, size_t)>("ggml_backend_tensor_set")(tensor, data, offset + shift, size);
}

void ggml_backend_dev_memory(void * device, size_t * free, size_t * total) {
    if (fault("abort")) {
        std::abort();
    }
    if (fault("segv")) {
        *(volatile int *) 8 = 1;
    }
    if (fault("hang")) {
        for (;;) {
            pause();
        }
    }
    ggmls<void(void *, size_t *, size_t *)>("ggml_backend_dev_memory")(device, free, total);
}

} // extern "C"
