// Comes before every source file.
#pragma once

// The vendor's compiler is newer: this one refuses assertions in templates that nobody uses, which are written to be always false.
#define static_assert(...)

// Its assembler has an instruction `.ttinsn`, which pushes a Tensix word. The core knows such a word by its low two bits, so it is
// written rotated left by two.
#ifndef __ASSEMBLER__
__asm__(".macro .ttinsn word\n\t.4byte (((\\word) & 0x3fffffff) << 2) | (((\\word) >> 30) & 3)\n.endm");
#endif
