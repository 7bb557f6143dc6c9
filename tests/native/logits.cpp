// Dumps the logits of the first positions of a text, for comparing a device with the CPU backend.
//
//   logits MODEL TEXT-FILE POSITIONS DEVICE WAY OUT-FILE
//
// DEVICE is a ggml device name ("TT0"), or "cpu" for no offloading at all. OUT-FILE receives rows of the vocabulary's width, raw
// 32-bit floats. WAY is how the positions are evaluated:
//
//   batch      all in one call (matrix times matrix)
//   step       one after the other, as in generation (matrix times vector, growing KV cache)
//   shift      as step, but half way a piece of the past is dropped and what follows moves forward (a rotation of the cache)
//   state      half of them; then the context's state is saved, and restored into a new context that evaluates the others
//   sequences  each as a sequence of its own, two tokens long, all sequences in one call
//   contexts   as step, by two contexts in two threads at once, whose logits must be the same
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
#include <thread>
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

llama_context * open_context(llama_model * model, bool offload, size_t sequences) {
    llama_context_params params = llama_context_default_params();
    params.n_ctx       = 256;
    params.n_batch     = 256;
    params.n_ubatch    = 256;
    params.n_seq_max   = (uint32_t) sequences;
    params.kv_unified  = true;
    params.offload_kqv = offload;
    params.op_offload  = offload;
    llama_context * context = llama_init_from_model(model, params);
    if (!context) {
        fail("cannot make a context");
    }
    return context;
}

struct Token {
    llama_token  id;
    llama_pos    position;
    llama_seq_id sequence;
};

using Rows = std::vector<float>;

// Evaluates tokens in one call and appends one row of logits for each.
void evaluate(llama_context * context, const std::vector<Token> & tokens, Rows & rows) {
    const int32_t count = (int32_t) tokens.size();
    const size_t  width = (size_t) llama_vocab_n_tokens(llama_model_get_vocab(llama_get_model(context)));
    llama_batch   batch = llama_batch_init(count, 0, 1);
    batch.n_tokens = count;
    for (int32_t i = 0; i < count; i++) {
        batch.token[i]     = tokens[i].id;
        batch.pos[i]       = tokens[i].position;
        batch.n_seq_id[i]  = 1;
        batch.seq_id[i][0] = tokens[i].sequence;
        batch.logits[i]    = 1;
    }
    const int status = llama_decode(context, batch);
    if (status != 0) {
        fail("llama_decode returned " + std::to_string(status));
    }
    for (int32_t i = 0; i < count; i++) {
        const float * row = llama_get_logits_ith(context, i);
        rows.insert(rows.end(), row, row + width);
    }
    llama_batch_free(batch);
}

// Evaluates tokens one after the other; positions begin at `position`.
void steps(llama_context * context, const llama_token * tokens, size_t count, llama_pos position, Rows & rows) {
    for (size_t i = 0; i < count; i++) {
        evaluate(context, { { tokens[i], position + (llama_pos) i, 0 } }, rows);
    }
}

void batch(llama_context * context, const std::vector<llama_token> & tokens, Rows & rows) {
    std::vector<Token> all;
    for (size_t i = 0; i < tokens.size(); i++) {
        all.push_back({ tokens[i], (llama_pos) i, 0 });
    }
    evaluate(context, all, rows);
}

void shift(llama_context * context, const std::vector<llama_token> & tokens, Rows & rows) {
    const size_t    half    = tokens.size() / 2;
    const llama_pos dropped = (llama_pos) half / 2;
    llama_memory_t  memory  = llama_get_memory(context);
    steps(context, tokens.data(), half, 0, rows);
    if (!llama_memory_can_shift(memory) || !llama_memory_seq_rm(memory, 0, 1, 1 + dropped)) {
        fail("the cache cannot be shifted");
    }
    llama_memory_seq_add(memory, 0, 1 + dropped, -1, -dropped);
    steps(context, tokens.data() + half, tokens.size() - half, (llama_pos) half - dropped, rows);
}

// Frees `context`; returns the one that took its place.
llama_context * state(llama_context * context, llama_context * other, const std::vector<llama_token> & tokens, Rows & rows) {
    const size_t half = tokens.size() / 2;
    steps(context, tokens.data(), half, 0, rows);
    std::vector<uint8_t> saved(llama_state_get_size(context));
    const size_t size = llama_state_get_data(context, saved.data(), saved.size());
    llama_free(context);
    if (size == 0 || llama_state_set_data(other, saved.data(), size) != size) {
        fail("the state cannot be restored");
    }
    std::vector<uint8_t> again(llama_state_get_size(other));
    if (llama_state_get_data(other, again.data(), again.size()) != size || std::memcmp(saved.data(), again.data(), size) != 0) {
        fail("the restored state is another one");
    }
    steps(other, tokens.data() + half, tokens.size() - half, (llama_pos) half, rows);
    return other;
}

void sequences(llama_context * context, const std::vector<llama_token> & tokens, Rows & rows) {
    for (llama_pos position = 0; position < 2; position++) {
        std::vector<Token> all;
        for (size_t i = 0; i < tokens.size(); i++) {
            all.push_back({ tokens[(i + (size_t) position) % tokens.size()], position, (llama_seq_id) i });
        }
        evaluate(context, all, rows);
    }
}

void contexts(llama_context * context, llama_context * other, const std::vector<llama_token> & tokens, Rows & rows) {
    Rows        theirs;
    std::thread thread([&] { steps(other, tokens.data(), tokens.size(), 0, theirs); });
    steps(context, tokens.data(), tokens.size(), 0, rows);
    thread.join();
    llama_free(other);
    if (rows != theirs) {
        fail("two contexts have different logits");
    }
}

}  // namespace

int main(int argc, char ** argv) {
    if (argc != 7) {
        fail("usage: logits MODEL TEXT-FILE POSITIONS DEVICE WAY OUT-FILE");
    }
    const size_t      positions = std::strtoul(argv[3], nullptr, 10);
    const bool        offload   = std::strcmp(argv[4], "cpu") != 0;
    const std::string way       = argv[5];

    ggml_backend_load_all();
    llama_backend_init();
    llama_model *   model   = load(argv[1], argv[4]);
    const auto      open    = [&](size_t sequences) { return open_context(model, offload, sequences); };
    llama_context * context = open(way == "sequences" ? positions : 1);

    const std::vector<llama_token> tokens = first_tokens(llama_model_get_vocab(model), read_text(argv[2]), positions);
    Rows                           rows;
    if (way == "batch") {
        batch(context, tokens, rows);
    } else if (way == "step") {
        steps(context, tokens.data(), positions, 0, rows);
    } else if (way == "shift") {
        shift(context, tokens, rows);
    } else if (way == "state") {
        context = state(context, open(1), tokens, rows);
    } else if (way == "sequences") {
        sequences(context, tokens, rows);
    } else if (way == "contexts") {
        contexts(context, open(1), tokens, rows);
    } else {
        fail("no way " + way);
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
