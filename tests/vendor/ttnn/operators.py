"""TTNN's own operators on a simulated card: results against numpy, and a hash of every one for the comparison of two simulators.

usage: python operators.py [GROUP[=PART] ...]     (settings of the environment: tests of package tt-ttsim-abi, `ttnn.rs`)

With a part only the cases of the group whose names have it. Prints one line for every case, fields separated by tabs:

    ok NAME HASH         the result is that of numpy; HASH is of its bytes
    wrong NAME WHAT      it is not
    cannot NAME WHY      the kernel does not compile with the compiler that there is, or TTNN refuses
    done COUNT           the last line
"""

import hashlib
import os
import re
import sys

import numpy as np
import ttnn

ROWS, TILES = ttnn.ROW_MAJOR_LAYOUT, ttnn.TILE_LAYOUT
BF16, F32 = ttnn.bfloat16, ttnn.float32
# Relative to the largest magnitude of the result: bfloat16 has 8 bits.
BOUND = 1 / 64
# Of products with fewer fidelity phases, TTNN's default: SrcA has 5 bits then.
LOW = 1 / 16


class Wrong(Exception):
    pass


class Bench:
    """A device, random numbers, and what a case needs of both."""

    def __init__(self):
        self.device = ttnn.open_device(device_id=0)
        self.random = np.random.default_rng(20260817)

    def numbers(self, *shape):
        return self.random.standard_normal(shape, dtype=np.float32)

    def up(self, values, dtype=BF16, layout=TILES, memory=ttnn.DRAM_MEMORY_CONFIG):
        tensor = ttnn.Tensor(values, dtype)
        if layout == TILES:
            tensor = tensor.to(TILES)
        return tensor.to(self.device, memory)

    def down(self, tensor):
        host = tensor.cpu()
        if host.layout == TILES:
            host = host.to(ROWS)
        if host.dtype == BF16:
            host = ttnn.to_dtype(host, F32)
        return np.asarray(host.to_numpy())


def compare(got, want, bound):
    if got.shape != want.shape:
        raise Wrong(f"shape {got.shape}, expected {want.shape}")
    if bound == 0:
        if not np.array_equal(got, want):
            raise Wrong(f"{np.count_nonzero(got != want)} of {got.size} values are others")
        return
    scale = max(float(np.abs(want).max()), 1e-6)
    error = float(np.abs(got.astype(np.float64) - want).max())
    if not error <= bound * scale:
        raise Wrong(f"largest error {error:g} at a largest magnitude of {scale:g}")


CASES = []


def case(group, name):
    """A function that takes the bench and returns tensor, expected array, and bound relative to its largest value (0: equal)."""
    return lambda function: CASES.append((group, name, function)) or function


def values(bench, shape, dtype=BF16, **more):
    """A tensor of random numbers on the device, and the numbers that it has there."""
    tensor = bench.up(bench.numbers(*shape), dtype, **more)
    return tensor, bench.down(tensor)


def transfers():
    for dtype in ("bfloat16", "float32", "bfloat8_b", "bfloat4_b"):
        for memory in ("dram", "l1"):
            # Block floats with padding TTNN does not bring back to the host.
            for shape in ((32, 32), (1, 1, 96, 160), (2, 3, 40, 50))[: 2 if "_b" in dtype else 3]:

                @case("transfers", f"{dtype} {memory} {shape}")
                def _(bench, dtype=dtype, memory=memory, shape=shape):
                    numbers = bench.numbers(*shape)
                    where = ttnn.DRAM_MEMORY_CONFIG if memory == "dram" else ttnn.L1_MEMORY_CONFIG
                    bound = {"bfloat16": 1 / 256, "float32": 0, "bfloat8_b": 1 / 64, "bfloat4_b": 1 / 4}[dtype]
                    return bench.up(numbers, getattr(ttnn, dtype), TILES, where), numbers, bound

    @case("transfers", "allocate and free")
    def _(bench):
        kept = [values(bench, (64, 64 * n)) for n in range(1, 9)]
        for tensor, _ in kept[::2]:
            ttnn.deallocate(tensor)
        more = [values(bench, (32, 96)) for _ in range(4)]
        for tensor, want in kept[1::2] + more:
            compare(bench.down(tensor), want, 0)
        return more[0][0], more[0][1], 0


def elementwise():
    operators = {"add": np.add, "subtract": np.subtract}
    for name, function in operators.items():
        for shape in ((32, 32), (64, 128), (1, 2, 96, 64), (256, 256)):

            @case("elementwise", f"{name} {shape}")
            def _(bench, name=name, function=function, shape=shape):
                (a, x), (b, y) = values(bench, shape), values(bench, shape)
                return getattr(ttnn, name)(a, b), function(x, y), BOUND

    @case("elementwise", "add, a row repeated")
    def _(bench):
        (a, x), (b, y) = values(bench, (64, 96)), values(bench, (1, 96))
        return ttnn.add(a, b), x + y, BOUND

    @case("elementwise", "add, a column repeated")
    def _(bench):
        (a, x), (b, y) = values(bench, (64, 96)), values(bench, (64, 1))
        return ttnn.add(a, b), x + y, BOUND

    @case("elementwise", "add, a number")
    def _(bench):
        a, x = values(bench, (64, 96))
        return ttnn.add(a, 1.5), x + 1.5, BOUND

    @case("elementwise", "add, bfloat8_b")
    def _(bench):
        (a, x), (b, y) = values(bench, (64, 96), ttnn.bfloat8_b), values(bench, (64, 96), ttnn.bfloat8_b)
        return ttnn.add(a, b, dtype=BF16), x + y, BOUND

    @case("elementwise", "multiply")
    def _(bench):
        (a, x), (b, y) = values(bench, (64, 96)), values(bench, (64, 96))
        return ttnn.multiply(a, b), x * y, BOUND

    for name, function in {"relu": lambda x: np.maximum(x, 0), "exp": np.exp}.items():

        @case("elementwise", name)
        def _(bench, name=name, function=function):
            a = bench.up(np.abs(bench.numbers(64, 64)))
            return getattr(ttnn, name)(a), function(bench.down(a)), BOUND


def products():
    shapes = [
        (32, 32, 32),
        (32, 64, 32),
        (64, 128, 96),
        (32, 512, 256),
        (256, 256, 256),
        (96, 64, 320),
        (160, 96, 64),
        (32, 1024, 64),
        (512, 64, 512),
    ]
    # Every shape is other kernels, seconds of a compiler's time.
    for dtype, some in (("bfloat16", shapes), ("bfloat8_b", shapes[2:5]), ("bfloat4_b", shapes[2:5]), ("float32", shapes[2:3])):
        for m, k, n in some:

            @case("products", f"matmul {m}x{k}x{n} {dtype}")
            def _(bench, dtype=dtype, m=m, k=k, n=n):
                (a, x), (b, y) = values(bench, (m, k)), values(bench, (k, n), getattr(ttnn, dtype))
                return ttnn.matmul(a, b, dtype=BF16), x @ y, LOW

    @case("products", "matmul of batches 2x3x64x96x32")
    def _(bench):
        (a, x), (b, y) = values(bench, (2, 3, 64, 96)), values(bench, (2, 3, 96, 32))
        return ttnn.matmul(a, b), x @ y, LOW

    @case("products", "matmul of a transposed operand")
    def _(bench):
        (a, x), (b, y) = values(bench, (64, 96)), values(bench, (128, 96))
        return ttnn.matmul(a, b, transpose_b=True), x @ y.T, LOW

    for fidelity in ("HiFi2", "HiFi4"):

        @case("products", f"matmul 64x128x96 bfloat16, {fidelity}")
        def _(bench, fidelity=fidelity):
            (a, x), (b, y) = values(bench, (64, 128)), values(bench, (128, 96))
            how = phases(getattr(ttnn.MathFidelity, fidelity))
            return ttnn.matmul(a, b, compute_kernel_config=how), x @ y, BOUND

    for dtype in ("bfloat16", "bfloat8_b", "bfloat4_b"):
        for bias in (False, True):

            @case("products", f"linear {dtype}{', bias' if bias else ''}")
            def _(bench, dtype=dtype, bias=bias):
                (a, x), (b, y) = values(bench, (32, 128)), values(bench, (128, 256), getattr(ttnn, dtype))
                c, z = values(bench, (1, 256))
                return ttnn.linear(a, b, bias=c if bias else None, dtype=BF16), x @ y + (z if bias else 0), LOW


def phases(fidelity, **more):
    """How a product is computed: SrcA's and SrcB's bits in one to four phases."""
    return ttnn.WormholeComputeKernelConfig(math_fidelity=fidelity, math_approx_mode=False, **more)


def layouts():
    for shape in ((32, 32), (64, 128), (2, 3, 64, 96), (256, 64)):

        @case("layouts", f"tilize {shape}")
        def _(bench, shape=shape):
            a, x = values(bench, shape, layout=ROWS)
            return ttnn.to_layout(a, TILES), x, 0

        @case("layouts", f"untilize {shape}")
        def _(bench, shape=shape):
            a, x = values(bench, shape)
            return ttnn.to_layout(a, ROWS), x, 0

        @case("layouts", f"transpose {shape}")
        def _(bench, shape=shape):
            a, x = values(bench, shape)
            return ttnn.transpose(a, -2, -1), np.swapaxes(x, -2, -1), 0

    @case("layouts", "tilize with padding")
    def _(bench):
        a, x = values(bench, (40, 50), layout=ROWS)
        return ttnn.tilize_with_val_padding(a, [64, 64], 0.0), x, 0

    @case("layouts", "untilize without padding")
    def _(bench):
        a, x = values(bench, (64, 64))
        return ttnn.untilize_with_unpadding(a, [39, 49]), x[:40, :50], 0

    for order in ((0, 2, 1, 3), (1, 0, 2, 3), (0, 1, 3, 2), (3, 1, 0, 2)):
        for layout, name in ((ROWS, "rows"), (TILES, "tiles")):

            @case("layouts", f"permute {order} {name}")
            def _(bench, order=order, layout=layout):
                a, x = values(bench, (2, 3, 64, 32), layout=layout)
                return ttnn.permute(a, order), np.transpose(x, order), 0


def moves():
    for layout, name in ((ROWS, "rows"), (TILES, "tiles")):
        for axis in (0, 1, 2, 3):

            @case("moves", f"concat axis {axis} {name}")
            def _(bench, axis=axis, layout=layout):
                (a, x), (b, y) = values(bench, (1, 2, 64, 32), layout=layout), values(bench, (1, 2, 64, 32), layout=layout)
                return ttnn.concat([a, b], dim=axis), np.concatenate([x, y], axis), 0

        @case("moves", f"slice {name}")
        def _(bench, layout=layout):
            a, x = values(bench, (2, 3, 96, 64), layout=layout)
            return ttnn.slice(a, [0, 1, 32, 0], [2, 3, 96, 32]), x[:2, 1:3, 32:96, :32], 0

        @case("moves", f"pad {name}")
        def _(bench, layout=layout):
            a, x = values(bench, (1, 1, 64, 32), layout=layout)
            padded = np.pad(x, ((0, 0), (0, 0), (0, 32), (0, 64)))
            return ttnn.pad(a, [(0, 0), (0, 0), (0, 32), (0, 64)], 0.0), padded, 0

        @case("moves", f"reshape {name}")
        def _(bench, layout=layout):
            a, x = values(bench, (4, 64, 32), layout=layout)
            return ttnn.reshape(a, (2, 128, 32)), x.reshape(2, 128, 32), 0

        @case("moves", f"repeat {name}")
        def _(bench, layout=layout):
            a, x = values(bench, (1, 1, 32, 64), layout=layout)
            return ttnn.repeat(a, (1, 1, 2, 3)), np.tile(x, (1, 1, 2, 3)), 0

        @case("moves", f"clone {name}")
        def _(bench, layout=layout):
            a, x = values(bench, (64, 96), layout=layout)
            return ttnn.clone(a), x, 0

    @case("moves", "split")
    def _(bench):
        a, x = values(bench, (64, 128))
        return ttnn.split(a, 64, 1)[1], x[:, 64:], 0

    for source, target in (("bfloat16", "bfloat8_b"), ("float32", "bfloat16")):

        @case("moves", f"typecast {source} to {target}")
        def _(bench, source=source, target=target):
            a, x = values(bench, (64, 96), getattr(ttnn, source))
            return ttnn.typecast(a, getattr(ttnn, target)), x, BOUND

    for layout, name in ((ROWS, "rows"), (TILES, "tiles")):

        @case("moves", f"embedding {name}")
        def _(bench, layout=layout):
            table, x = values(bench, (64, 96), layout=ROWS)
            indices = bench.random.integers(0, 64, (1, 32)).astype(np.uint32)
            return ttnn.embedding(bench.up(indices, ttnn.uint32, ROWS), table, layout=layout), x[indices], 0

    @case("moves", "full")
    def _(bench):
        return ttnn.full((64, 96), 2.5, dtype=BF16, layout=TILES, device=bench.device), np.full((64, 96), 2.5), 0


def sharded():
    def shards(strategy, shape, cores):
        grid = ttnn.CoreGrid(y=cores[0], x=cores[1])
        return ttnn.create_sharded_memory_config(
            shape, core_grid=grid, strategy=strategy, orientation=ttnn.ShardOrientation.ROW_MAJOR
        )

    for name, strategy, cores in (
        ("height", ttnn.ShardStrategy.HEIGHT, (4, 1)),
        ("width", ttnn.ShardStrategy.WIDTH, (1, 4)),
        ("block", ttnn.ShardStrategy.BLOCK, (2, 2)),
    ):

        @case("sharded", f"to shards and back, {name}")
        def _(bench, strategy=strategy, cores=cores):
            a, x = values(bench, (128, 128))
            there = ttnn.interleaved_to_sharded(a, shards(strategy, (128, 128), cores))
            return ttnn.sharded_to_interleaved(there, ttnn.DRAM_MEMORY_CONFIG), x, 0

        @case("sharded", f"add, {name}")
        def _(bench, strategy=strategy, cores=cores):
            memory = shards(strategy, (128, 128), cores)
            (a, x), (b, y) = values(bench, (128, 128)), values(bench, (128, 128))
            a, b = (ttnn.interleaved_to_sharded(t, memory) for t in (a, b))
            total = ttnn.add(a, b, memory_config=memory)
            return ttnn.sharded_to_interleaved(total, ttnn.DRAM_MEMORY_CONFIG), x + y, BOUND

        @case("sharded", f"matmul, {name}")
        def _(bench, strategy=strategy, cores=cores):
            (a, x), (b, y) = values(bench, (128, 128)), values(bench, (128, 128))
            a = ttnn.interleaved_to_sharded(a, shards(strategy, (128, 128), cores))
            return ttnn.matmul(a, b, memory_config=ttnn.DRAM_MEMORY_CONFIG), x @ y, LOW


def reductions():
    """All need the vector unit or its C++: they show what does not compile."""

    @case("reductions", "sum")
    def _(bench):
        a, x = values(bench, (64, 96))
        return ttnn.sum(a, dim=-1, keepdim=True), x.sum(-1, keepdims=True), BOUND

    @case("reductions", "softmax")
    def _(bench):
        a, x = values(bench, (64, 96))
        powers = np.exp(x - x.max(-1, keepdims=True))
        return ttnn.softmax(a, dim=-1), powers / powers.sum(-1, keepdims=True), BOUND

    @case("reductions", "rms_norm")
    def _(bench):
        a, x = values(bench, (64, 96))
        return ttnn.rms_norm(a, epsilon=1e-5), x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-5), BOUND


def devices():
    """A second device where there is one: an error, and the first one goes on."""

    @case("devices", "a second device of a board with one")
    def _(bench):
        try:
            ttnn.open_device(device_id=1)
        except Exception as error:
            print(f"refused: {reason(error)}", file=sys.stderr)
        else:
            raise Wrong("it was opened")
        (a, x), (b, y) = values(bench, (32, 32)), values(bench, (32, 32))
        return ttnn.add(a, b), x + y, BOUND


GROUPS = {f.__name__: f for f in (transfers, elementwise, products, layouts, moves, sharded, reductions, devices)}


def reason(error):
    """The line of an exception that says most."""
    lines = str(error).splitlines() or [type(error).__name__]
    telling = [line for line in lines if re.search(r"error:|undefined reference|No such file", line)]
    said = [line for line in lines if line.strip() not in ("", "info:", "backtrace:") and "TT_" not in line]
    line = (telling or said or lines)[0]
    return re.sub(r"\S*/", "", line).replace("\t", " ").strip()[:160]


def run(bench, function):
    result, want, bound = function(bench)
    got = bench.down(result)
    compare(got, want, bound)
    return hashlib.sha256(np.ascontiguousarray(got).tobytes()).hexdigest()[:16]


def main():
    # TTNN prints a compiler's errors on standard output: megabytes.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    wanted = sys.argv[1:] or list(GROUPS)
    parts = dict((word.split("=", 1) + [""])[:2] for word in wanted)
    for name in parts:
        GROUPS[name]()
    cases = [(name, function) for group, name, function in CASES if parts[group] in name]
    bench = Bench()
    for name, function in cases:
        # Every case has the same numbers, whichever others run.
        bench.random = np.random.default_rng(20260817)
        # For what a simulator says of it.
        print(f"case: {name}", file=sys.stderr, flush=True)
        try:
            line = ("ok", name, run(bench, function))
        except Wrong as error:
            line = ("wrong", name, str(error))
        except Exception as error:
            line = ("cannot", name, reason(error))
        print("\t".join(line), file=out, flush=True)
    print(f"done\t{len(cases)}", file=out, flush=True)
    # Closing the device waits for what a failed kernel has left behind.
    os._exit(0)


main()
