// For programs that link libggml_tenstorrent.a. Programs that load libggml-tenstorrent.so need no header.
#pragma once

#include "ggml-backend.h"

#ifdef __cplusplus
extern "C" {
#endif

// The registry: give it to ggml_backend_register() once, before devices are listed. The same pointer every time; NULL if this
// ggml cannot be served (standard error says why). Which devices there are is up to GGML_TT_DEVICES, as everywhere.
//
// The library finds ggml's functions by name while it runs, in whatever program it is. So the program has to export them:
// link it with -rdynamic (CMake: the property ENABLE_EXPORTS).
GGML_API ggml_backend_reg_t ggml_backend_tenstorrent_reg(void);

#ifdef __cplusplus
}
#endif
