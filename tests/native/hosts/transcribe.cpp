// Transcribes a sound file.
//
//   transcribe MODEL SOUND.wav CPU-LIBRARY [LIBRARY]
//
// The sound has one channel of 16-bit samples, at any rate. LIBRARY is a ggml backend; without it everything runs on the CPU.

#include "ggml-backend.h"
#include "whisper.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

[[noreturn]] void fail(const std::string & what) {
    std::fprintf(stderr, "transcribe: %s\n", what.c_str());
    std::exit(1);
}

// The samples at whisper's rate, between -1 and 1.
std::vector<float> samples(const char * path) {
    std::ifstream           in(path, std::ios::binary);
    const std::vector<char> bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    if (bytes.size() < 44 || std::memcmp(bytes.data(), "RIFF", 4) != 0) {
        fail(std::string("no sound in ") + path);
    }
    uint32_t rate;
    std::memcpy(&rate, bytes.data() + 24, 4);
    std::vector<int16_t> raw((bytes.size() - 44) / 2);
    std::memcpy(raw.data(), bytes.data() + 44, raw.size() * 2);
    std::vector<float> out;
    for (double at = 0; at + 1 < (double) raw.size(); at += (double) rate / WHISPER_SAMPLE_RATE) {
        const size_t left = (size_t) at;
        const double part = at - (double) left;
        out.push_back((float) (((1 - part) * raw[left] + part * raw[left + 1]) / 32768));
    }
    return out;
}

} // namespace

int main(int argc, char ** argv) {
    if (argc < 4) {
        fail("usage: transcribe MODEL SOUND.wav CPU-LIBRARY [LIBRARY]");
    }
    for (int i = 3; i < argc; i++) {
        if (!ggml_backend_load(argv[i])) {
            fail(std::string(argv[i]) + " was refused");
        }
    }
    whisper_context_params of_context = whisper_context_default_params();
    of_context.use_gpu                = argc > 4;
    whisper_context * context         = whisper_init_from_file_with_params(argv[1], of_context);
    if (!context) {
        fail("cannot load the model");
    }
    whisper_full_params params = whisper_full_default_params(WHISPER_SAMPLING_GREEDY);
    params.n_threads           = 2;
    params.temperature_inc     = 0; // one try
    params.print_progress      = false;
    params.no_timestamps       = true;
    // As much of the audio context as the sound fills: the encoder's work shrinks with it.
    const std::vector<float> sound = samples(argv[2]);
    params.audio_ctx               = (int) (sound.size() / 320 + 64) / 64 * 64;
    if (whisper_full(context, params, sound.data(), (int) sound.size()) != 0) {
        fail("cannot transcribe");
    }
    for (int i = 0; i < whisper_full_n_segments(context); i++) {
        std::printf("%s", whisper_full_get_segment_text(context, i));
    }
    std::printf("\n");
    std::fflush(stdout);
    whisper_free(context);
    return 0;
}
