// Dumps the logits of the first positions of a text, for comparing a device with the CPU backend.
//
//   logits MODEL TEXT-FILE POSITIONS DEVICE batch|step OUT-FILE
//
// DEVICE is a ggml device name ("TT0"), or "cpu" for no offloading at all. With "batch" all positions are evaluated in
// one call (matrix times matrix), with "step" one after the other, as in generation (matrix times vector, growing KV cache).
// OUT-FILE receives POSITIONS x vocabulary raw 32-bit floats.
//
// Backends are loaded the way every llama.cpp program loads them, so GGML_BACKEND_PATH works here too.

#include "ggml-backend.h"
#include "llama.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

[[noreturn]] void fail(const std::string & what) {
    std::fprintf(stderr, "logits: %s\n", what.c_str());
    std::exit(1);
}

std::string read_text(const char * path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        fail(std::string("cannot read ") + path);
    }
    return { std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>() };
}

std::vector<llama_token> first_tokens(const llama_vocab * vocab, const std::string & text, size_t count) {
    std::vector<llama_token> tokens(text.size() + 8);
    const int found = llama_tokenize(vocab, text.data(), (int32_t) text.size(), tokens.data(), (int32_t) tokens.size(), true, false);
    if (found < (int) count) {
        fail("the text has fewer tokens than positions asked for");
    }
    tokens.resize(count);
    return tokens;
}

llama_model * load(const char * path, const char * device_name) {
    llama_model_params params = llama_model_default_params();
    ggml_backend_dev_t devices[2] = { nullptr, nullptr };
    params.devices      = devices;
    params.n_gpu_layers = 0;
    if (std::strcmp(device_name, "cpu") != 0) {
        devices[0] = ggml_backend_dev_by_name(device_name);
        if (!devices[0]) {
            fail(std::string("no device ") + device_name);
        }
        params.n_gpu_layers = 99;
    }
    llama_model * model = llama_model_load_from_file(path, params);
    if (!model) {
        fail(std::string("cannot load ") + path);
    }
    return model;
}

llama_context * open_context(llama_model * model, const char * device_name) {
    llama_context_params params = llama_context_default_params();
    params.n_ctx       = 256;
    params.n_batch     = 256;
    params.n_ubatch    = 256;
    const bool offload = std::strcmp(device_name, "cpu") != 0;
    params.offload_kqv = offload;
    params.op_offload  = offload;
    llama_context * context = llama_init_from_model(model, params);
    if (!context) {
        fail("cannot make a context");
    }
    return context;
}

// Evaluates tokens[first .. first + count) and appends one row of logits for each.
void evaluate(llama_context * context, const std::vector<llama_token> & tokens, size_t first, size_t count, size_t width, std::vector<float> & rows) {
    llama_batch batch = llama_batch_init((int32_t) count, 0, 1);
    batch.n_tokens = (int32_t) count;
    for (size_t i = 0; i < count; i++) {
        batch.token[i]     = tokens[first + i];
        batch.pos[i]       = (llama_pos) (first + i);
        batch.n_seq_id[i]  = 1;
        batch.seq_id[i][0] = 0;
        batch.logits[i]    = 1;
    }
    const int status = llama_decode(context, batch);
    if (status != 0) {
        fail("llama_decode returned " + std::to_string(status));
    }
    for (size_t i = 0; i < count; i++) {
        const float * row = llama_get_logits_ith(context, (int32_t) i);
        rows.insert(rows.end(), row, row + width);
    }
    llama_batch_free(batch);
}

}  // namespace

int main(int argc, char ** argv) {
    if (argc != 7) {
        fail("usage: logits MODEL TEXT-FILE POSITIONS DEVICE batch|step OUT-FILE");
    }
    const size_t positions = std::strtoul(argv[3], nullptr, 10);
    const bool   step      = std::strcmp(argv[5], "step") == 0;

    ggml_backend_load_all();
    llama_backend_init();
    llama_model *       model   = load(argv[1], argv[4]);
    llama_context *     context = open_context(model, argv[4]);
    const llama_vocab * vocab   = llama_model_get_vocab(model);
    const size_t        width   = (size_t) llama_vocab_n_tokens(vocab);

    const std::vector<llama_token> tokens = first_tokens(vocab, read_text(argv[2]), positions);
    std::vector<float>             rows;
    const size_t                   stride = step ? 1 : positions;
    for (size_t first = 0; first < positions; first += stride) {
        evaluate(context, tokens, first, stride, width, rows);
    }

    std::ofstream out(argv[6], std::ios::binary);
    out.write(reinterpret_cast<const char *>(rows.data()), (std::streamsize) (rows.size() * sizeof(float)));
    if (!out.flush()) {
        fail(std::string("cannot write ") + argv[6]);
    }
    llama_free(context);
    llama_model_free(model);
    return 0;
}
