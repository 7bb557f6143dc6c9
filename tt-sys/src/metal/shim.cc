// Calls the vendor's user-mode driver (libtt-umd.so, C++) without its headers: by the mangled names of the functions, which say their
// parameters, and with declarations of our own for what the names do not say. Those are layouts and return types of version 0.9.14:
//
//   CoreCoord               two size_t, an int and a byte, passed by value
//   std::set<int>           returned by get_target_device_ids and get_target_remote_device_ids
//   ClusterOptions          made by the library's own constructor; kind of chips at byte 0, path of a simulator at byte 112
//   Cluster                 an object of unknown size, which its constructor makes in memory of ours
//
// The caller loads only the file of that version. What can be checked here is checked: every function is there, the options begin and
// lie as expected, and the object has not reached the end of its memory. Exceptions of the library pass through to the bridge,
// which makes errors of them.
#include "tt-sys/src/metal/shim.h"

#include <cstring>
#include <dlfcn.h>
#include <filesystem>
#include <new>
#include <set>
#include <stdexcept>
#include <string>

namespace tt_sys_metal {

namespace {

struct CoreCoord {
    std::size_t x, y;
    int core_type;
    std::uint8_t coordinates;
};
static_assert(sizeof(CoreCoord) == 24);

// CoreType::UNSPECIFIED and CoordSystem::LITERAL: coordinates go to the NoC as they are.
constexpr int ANY_CORE = 14;
constexpr std::uint8_t LITERAL = 4;

// IoOrdering.
constexpr std::uint8_t RELAXED = 0, STRICT = 1;

// ChipType.
constexpr int SILICON = 0, SIMULATION = 1;

constexpr std::size_t OPTIONS_BYTES = 4096, CLUSTER_BYTES = 1 << 16;
constexpr std::size_t SIMULATOR_AT = 112;
constexpr std::byte UNTOUCHED{0xA5};

} // namespace

struct Functions {
    void *library;
    void (*make_options)(void *);
    void (*drop_options)(void *);
    void (*make_cluster)(void *, void *);
    void (*drop_cluster)(void *);
    std::set<int> (*chips)(void *);
    std::set<int> (*remote_chips)(void *);
    void *(*device)(const void *, int);
    int (*architecture)(const void *);
    void (*read)(void *, void *, int, CoreCoord, unsigned long, unsigned long, std::uint8_t);
    void (*write)(void *, const void *, unsigned long, int, CoreCoord, unsigned long, std::uint8_t);
    void (*advance)(void *, int);

    explicit Functions(const std::string &file) : library(dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL)) {
        if (!library) {
            throw std::runtime_error(dlerror());
        }
        find(make_options, "_ZN2tt3umd14ClusterOptionsC2Ev");
        find(drop_options, "_ZN2tt3umd14ClusterOptionsD2Ev");
        find(make_cluster, "_ZN2tt3umd7ClusterC1ENS0_14ClusterOptionsE");
        find(drop_cluster, "_ZN2tt3umd7ClusterD1Ev");
        find(chips, "_ZN2tt3umd7Cluster21get_target_device_idsEv");
        find(remote_chips, "_ZN2tt3umd7Cluster28get_target_remote_device_idsEv");
        find(device, "_ZNK2tt3umd7Cluster13get_tt_deviceEi");
        find(architecture, "_ZNK2tt3umd8TTDevice8get_archEv");
        find(read, "_ZN2tt3umd7Cluster16read_from_deviceEPviNS0_9CoreCoordEmmNS0_10IoOrderingE");
        find(write, "_ZN2tt3umd7Cluster15write_to_deviceEPKvmiNS0_9CoreCoordEmNS0_10IoOrderingE");
        find(advance, "_ZN2tt3umd7Cluster24advance_device_executionEi");
    }

    template <typename F> void find(F &function, const char *name) {
        void *found = dlsym(library, name);
        if (!found) {
            throw std::runtime_error(std::string("it has no function ") + name);
        }
        function = reinterpret_cast<F>(found);
    }
};

namespace {

// Options of the library's making, for as long as the cluster is being made.
class Options {
  public:
    Options(const Functions &functions, const char *simulator) : functions_(functions) {
        std::memset(memory_, int(UNTOUCHED), sizeof memory_);
        functions_.make_options(memory_);
        int kind;
        std::memcpy(&kind, memory_, sizeof kind);
        // An empty string points into itself.
        char *text;
        std::memcpy(&text, memory_ + SIMULATOR_AT, sizeof text);
        if (kind != SILICON || text != reinterpret_cast<char *>(memory_ + SIMULATOR_AT + 16)) {
            throw std::runtime_error("its options lie otherwise than in version 0.9.14");
        }
        if (*simulator) {
            std::memcpy(memory_, &SIMULATION, sizeof kind);
            *std::launder(reinterpret_cast<std::filesystem::path *>(memory_ + SIMULATOR_AT)) = simulator;
        }
    }
    ~Options() { functions_.drop_options(memory_); }
    Options(const Options &) = delete;

    void *get() { return memory_; }

  private:
    const Functions &functions_;
    alignas(64) std::byte memory_[OPTIONS_BYTES];
};

rust::Vec<std::int32_t> list(const std::set<int> &numbers) {
    rust::Vec<std::int32_t> all;
    for (int number : numbers) {
        all.push_back(number);
    }
    return all;
}

CoreCoord tile(std::uint8_t x, std::uint8_t y) { return {x, y, ANY_CORE, LITERAL}; }

std::uint8_t ordering(bool strict) { return strict ? STRICT : RELAXED; }

} // namespace

Cluster::Cluster(std::unique_ptr<Functions> functions, const char *simulator)
    : functions_(std::move(functions)), storage_(new std::byte[CLUSTER_BYTES]), cluster_(nullptr) {
    std::memset(storage_.get(), int(UNTOUCHED), CLUSTER_BYTES);
    Options options(*functions_, simulator);
    functions_->make_cluster(storage_.get(), options.get());
    cluster_ = storage_.get();
    if (storage_[CLUSTER_BYTES - 1] != UNTOUCHED) {
        std::terminate(); // It has written beyond its memory.
    }
}

Cluster::~Cluster() {
    if (cluster_) {
        functions_->drop_cluster(cluster_);
    }
}

rust::Vec<std::int32_t> Cluster::chips() const { return list(functions_->chips(cluster_)); }

rust::Vec<std::int32_t> Cluster::remote_chips() const { return list(functions_->remote_chips(cluster_)); }

std::int32_t Cluster::architecture(std::int32_t chip) const {
    return functions_->architecture(functions_->device(cluster_, chip));
}

void Cluster::read(std::int32_t chip, std::uint8_t x, std::uint8_t y, std::uint64_t addr, bool strict,
                   rust::Slice<std::uint8_t> out) const {
    functions_->read(cluster_, out.data(), chip, tile(x, y), addr, out.size(), ordering(strict));
}

void Cluster::write(std::int32_t chip, std::uint8_t x, std::uint8_t y, std::uint64_t addr, bool strict,
                    rust::Slice<const std::uint8_t> data) const {
    functions_->write(cluster_, data.data(), data.size(), chip, tile(x, y), addr, ordering(strict));
}

void Cluster::advance(std::int32_t chip) const { functions_->advance(cluster_, chip); }

std::unique_ptr<Cluster> open(rust::Str library, rust::Str simulator) {
    auto functions = std::make_unique<Functions>(std::string(library));
    return std::make_unique<Cluster>(std::move(functions), std::string(simulator).c_str());
}

} // namespace tt_sys_metal
