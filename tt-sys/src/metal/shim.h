// The vendor's user-mode driver behind a few functions: see shim.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "rust/cxx.h"

namespace tt_sys_metal {

struct Functions;

// All chips that the driver has found.
class Cluster {
  public:
    Cluster(std::unique_ptr<Functions> functions, const char *simulator);
    ~Cluster();
    Cluster(const Cluster &) = delete;
    Cluster &operator=(const Cluster &) = delete;

    rust::Vec<std::int32_t> chips() const;
    rust::Vec<std::int32_t> remote_chips() const;
    std::int32_t architecture(std::int32_t chip) const;
    void read(std::int32_t chip, std::uint8_t x, std::uint8_t y, std::uint64_t addr, bool strict,
              rust::Slice<std::uint8_t> out) const;
    void write(std::int32_t chip, std::uint8_t x, std::uint8_t y, std::uint64_t addr, bool strict,
               rust::Slice<const std::uint8_t> data) const;
    void advance(std::int32_t chip) const;

  private:
    std::unique_ptr<Functions> functions_;
    std::unique_ptr<std::byte[]> storage_;
    void *cluster_;
};

// Loads the driver from a file, and has it look for chips: those of a simulator's library, or (`simulator` empty) cards.
std::unique_ptr<Cluster> open(rust::Str library, rust::Str simulator);

} // namespace tt_sys_metal
