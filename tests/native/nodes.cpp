// Writes every node of a model's graphs with its values, for comparing a device with the CPU backend node by node.
//
//   nodes MODEL DEVICE on|off OUT-FILE
//
// DEVICE is a ggml device name ("TT0"), or "cpu" for no offloading at all; on|off: flash attention. Two graphs are
// evaluated: a prompt of several tokens, and one more token (an encoder gets the prompt only). OUT-FILE receives for each node
// a line "NAME\tOPERATOR\tBUFFER\tCOUNT" and COUNT raw 32-bit floats, in the order of execution; BUFFER is where its
// result lies. Standard output gets a line "splits N" for each graph that the scheduler plans.

#include "ggml-backend.h"
#include "ggml.h"
#include "llama.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

constexpr int PROMPT = 9;

[[noreturn]] void fail(const std::string & what) {
    std::fprintf(stderr, "nodes: %s\n", what.c_str());
    std::exit(1);
}

void log(ggml_log_level level, const char * text, void *) {
    if (const char * at = std::strstr(text, "graph splits = ")) {
        std::printf("splits %d\n", std::atoi(at + std::strlen("graph splits = ")));
    } else if (const char * at = std::strstr(text, ", splits = ")) {
        std::printf("splits %d\n", std::atoi(at + std::strlen(", splits = ")));
    }
    if (level >= GGML_LOG_LEVEL_WARN || std::getenv("NODES_LOG")) {
        std::fputs(text, stderr);
    }
}

float element(const uint8_t * at, ggml_type type) {
    switch (type) {
        case GGML_TYPE_F32: return *(const float *) at;
        case GGML_TYPE_F16: return ggml_fp16_to_fp32(*(const ggml_fp16_t *) at);
        case GGML_TYPE_BF16: return ggml_bf16_to_fp32(*(const ggml_bf16_t *) at);
        case GGML_TYPE_I32: return (float) *(const int32_t *) at;
        case GGML_TYPE_I64: return (float) *(const int64_t *) at;
        default: fail(std::string("a node of type ") + ggml_type_name(type));
    }
}

std::vector<float> values(const ggml_tensor * t) {
    std::vector<uint8_t> bytes(ggml_nbytes(t));
    ggml_backend_tensor_get(t, bytes.data(), 0, bytes.size());
    std::vector<float> found;
    found.reserve((size_t) ggml_nelements(t));
    for (int64_t i3 = 0; i3 < t->ne[3]; i3++) {
        for (int64_t i2 = 0; i2 < t->ne[2]; i2++) {
            for (int64_t i1 = 0; i1 < t->ne[1]; i1++) {
                const uint8_t * row = bytes.data() + i3 * t->nb[3] + i2 * t->nb[2] + i1 * t->nb[1];
                for (int64_t i0 = 0; i0 < t->ne[0]; i0++) {
                    found.push_back(element(row + i0 * t->nb[0], t->type));
                }
            }
        }
    }
    return found;
}

// Called before a node (ask), and after it: true keeps the scheduler going.
bool note(ggml_tensor * t, bool ask, void * file) {
    if (ask) {
        return true;
    }
    const bool is_view = t->op == GGML_OP_NONE || t->op == GGML_OP_VIEW || t->op == GGML_OP_RESHAPE || t->op == GGML_OP_PERMUTE ||
                         t->op == GGML_OP_TRANSPOSE;
    if (is_view || ggml_nelements(t) == 0) {
        return true;
    }
    const std::vector<float> found = values(t);
    const std::string head = std::string(t->name) + "\t" + ggml_op_desc(t) + "\t" + ggml_backend_buffer_name(t->buffer) + "\t" +
                             std::to_string(found.size()) + "\n";
    FILE * out = (FILE *) file;
    if (std::fwrite(head.data(), 1, head.size(), out) != head.size() ||
        std::fwrite(found.data(), sizeof(float), found.size(), out) != found.size()) {
        fail("cannot write");
    }
    return true;
}

bool is_encoder(const llama_model * model) {
    char      name[32] = "";
    const int length   = llama_model_meta_val_str(model, "general.architecture", name, sizeof(name));
    return length > 0 && std::strcmp(name, "bert") == 0;
}

void evaluate(llama_context * context, const llama_model * model, int first, int count) {
    const int   words = llama_vocab_n_tokens(llama_model_get_vocab(model));
    llama_batch batch = llama_batch_init(count, 0, 1);
    batch.n_tokens    = count;
    for (int i = 0; i < count; i++) {
        batch.token[i]     = (llama_token) ((i + first) * 37 + 11) % words;
        batch.pos[i]       = first + i;
        batch.n_seq_id[i]  = 1;
        batch.seq_id[i][0] = 0;
        batch.logits[i]    = 1;
    }
    const int status = llama_decode(context, batch);
    if (status != 0) {
        fail("llama_decode returned " + std::to_string(status));
    }
    llama_synchronize(context);
    llama_batch_free(batch);
}

} // namespace

int main(int argc, char ** argv) {
    if (argc != 5) {
        fail("usage: nodes MODEL DEVICE on|off OUT-FILE");
    }
    llama_log_set(log, nullptr);
    ggml_backend_load_all();
    const bool         cpu    = std::strcmp(argv[2], "cpu") == 0;
    ggml_backend_dev_t device = cpu ? nullptr : ggml_backend_dev_by_name(argv[2]);
    if (!cpu && !device) {
        fail(std::string("no device ") + argv[2]);
    }
    ggml_backend_dev_t devices[2] = { device, nullptr };
    llama_model_params of_model   = llama_model_default_params();
    of_model.devices              = devices;
    of_model.n_gpu_layers         = cpu ? 0 : 99;
    llama_model * model           = llama_model_load_from_file(argv[1], of_model);
    if (!model) {
        fail(std::string("cannot load ") + argv[1]);
    }
    FILE * out = std::fopen(argv[4], "wb");
    if (!out) {
        fail(std::string("cannot write ") + argv[4]);
    }
    llama_context_params params = llama_context_default_params();
    params.n_ctx                = 64;
    params.flash_attn_type      = std::strcmp(argv[3], "on") == 0 ? LLAMA_FLASH_ATTN_TYPE_ENABLED : LLAMA_FLASH_ATTN_TYPE_DISABLED;
    params.offload_kqv          = !cpu;
    params.op_offload           = !cpu;
    params.embeddings           = is_encoder(model);
    params.cb_eval              = note;
    params.cb_eval_user_data    = out;
    llama_context * context     = llama_init_from_model(model, params);
    if (!context) {
        fail("cannot make a context");
    }
    evaluate(context, model, 0, PROMPT);
    if (!is_encoder(model)) {
        evaluate(context, model, PROMPT, 1);
    }
    if (std::fclose(out) != 0) {
        fail(std::string("cannot write ") + argv[4]);
    }
    llama_free(context);
    llama_model_free(model);
    return 0;
}
