// The vector unit's C++ needs the vendor's compiler. Kernels that include it and do not use it compile.
#pragma once
#include "lltt.h"

namespace sfpi {}
