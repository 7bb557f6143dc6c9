// The replay buffer, under the names that the vendor's compiler gives it.
#pragma once
#include <cstdint>

extern volatile std::uint32_t __instrn_buffer[];

namespace lltt {

enum ExecBool : bool { NoExec, Exec };

// REPLAY: `length` instructions from slot `start` on; to be recorded, and perhaps executed too.
constexpr std::uint32_t replay_word(unsigned start, unsigned length, unsigned execute, unsigned recorded) {
    return 0x04u << 24 | start << 14 | length << 4 | execute << 1 | recorded;
}

template <ExecBool execute = NoExec>
[[gnu::always_inline]] inline void record(unsigned start, unsigned length) {
    __instrn_buffer[0] = replay_word(start, length, execute, 1);
}

[[gnu::always_inline]] inline void replay(unsigned start, unsigned length) {
    __instrn_buffer[0] = replay_word(start, length, 0, 0);
}

constexpr std::uint32_t replay_insn(unsigned start, unsigned length) { return replay_word(start, length, 0, 0); }

} // namespace lltt
