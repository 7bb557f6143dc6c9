"""The vendor's own programs on our simulator: tt-umd opens libttsim.so, tt-exalens attaches to it, and tt-smi tells what it is.

usage: python umd_smoke.py DIRECTORY     (with libttsim.so and soc_descriptor.yaml in it)

Every step prints a line; the first that fails ends the program. tt-exalens and tt-smi are left out, with a line that says so, where
they are not installed. (tt-smi as a program looks for cards alone, and ends at a machine without the kernel driver. Its inner part takes
any device of tt-umd's.)
"""

import ctypes
import importlib.metadata
import os
import struct
import sys
from pathlib import Path

import tt_umd

# Registers of a Tensix tile as the NoC sees them.
SOFT_RESET_0 = 0xFFB121B0
SOFT_RESET_ALL = 0x47800
NOC_NODE_ID = 0xFFB2002C
# Host memory as the PCIe tile shows it to the NoC.
HOST_WINDOW = 0x8_0000_0000
# A program for BRISC: the product of the words at 0x1000 and 0x1004 goes to 0x1008.
PROGRAM = [
    0x000012B7,  # lui  x5, 1
    0x0002A303,  # lw   x6, 0(x5)
    0x0042A383,  # lw   x7, 4(x5)
    0x02730433,  # mul  x8, x6, x7
    0x0082A423,  # sw   x8, 8(x5)
    0x0000006F,  # jal  x0, 0
]
PRODUCT = 0x1008


def words(*values):
    return struct.pack(f"<{len(values)}I", *values)


def check(what, got, want):
    if got != want:
        sys.exit(f"FAILED {what}: {got!r}, expected {want!r}")
    print(f"ok {what}")


def last_error(library):
    """What the library says about the last failure: the driver does not ask."""
    function = ctypes.CDLL(str(library)).libttsim_last_error
    function.restype = ctypes.c_char_p
    text = function()
    return text and text.decode()


def memory(device, soc):
    pattern = bytes(i * 37 & 0xFF for i in range(70000))
    tensix = soc.get_cores(tt_umd.CoreType.TENSIX)
    dram = soc.get_cores(tt_umd.CoreType.DRAM)
    check("the grid is whole", (len(tensix), len(dram)), (80, 18))
    places = [(tensix[0], 0x2001), (tensix[-1], 0x40000), (dram[0], 0x3FFF_FFF0), (dram[-1], 0x7FF0_0000)]
    for core, addr in places:
        device.noc_write(core.x, core.y, addr, pattern)
        check(f"{len(pattern)} bytes at {addr:#x} of {core}", device.noc_read(core.x, core.y, addr, len(pattern)), pattern)


def registers(device):
    check("cores are in reset", device.get_risc_reset_state(1, 1), SOFT_RESET_ALL)
    check("a register by its address", device.noc_read32(1, 1, SOFT_RESET_0), SOFT_RESET_ALL)
    for x, y in [(1, 1), (9, 11), (0, 0), (0, 10)]:
        base = NOC_NODE_ID if x % 5 else 0xF_0000_0000 + NOC_NODE_ID
        check(f"NOC_NODE_ID of {x}-{y}", device.noc_read32(x, y, base) & 0xFFF, y << 6 | x)


def program(device, soc):
    core = soc.get_cores(tt_umd.CoreType.TENSIX)[9]
    device.noc_write(core.x, core.y, 0, words(*PROGRAM))
    device.noc_write(core.x, core.y, 0x1000, words(6, 7, 0))
    device.deassert_risc_reset(core, tt_umd.RiscType.BRISC)
    # A clock passes with every read.
    product = next((p for p in (device.noc_read32(core.x, core.y, PRODUCT) for _ in range(100)) if p), 0)
    check(f"BRISC of {core} multiplies", product, 42)
    device.assert_risc_reset(core, tt_umd.RiscType.BRISC)
    check("BRISC is back in reset", device.get_risc_reset_state(core.x, core.y), SOFT_RESET_ALL)


def firmware(device):
    device.init_tt_device()
    reader = device.get_arc_telemetry_reader()
    value = lambda tag: reader.read_entry(tag.value)
    check("telemetry: AICLK", value(tt_umd.TelemetryTag.AICLK), 1000)
    check("telemetry: temperature", value(tt_umd.TelemetryTag.ASIC_TEMPERATURE) >> 16, 40)
    info = device.get_firmware_info_provider()
    check("firmware version", str(info.get_firmware_version()), "18.4.0")
    check("clock by message", device.get_clock(), 1000)
    check("a test message", device.arc_msg(0x90, True, [1, 2], 1000)[0], 0)
    check("coordinates are translated", device.get_noc_translation_enabled(), True)
    device.noc_write32(18, 18, 0x100, 0xABCD)
    check("18-18 is 1-1", device.noc_read32(1, 1, 0x100), 0xABCD)


def everywhere(device):
    device.noc_broadcast32(0x300, 0x77)
    device.noc_multicast32(18, 18, 21, 20, 0x304, 0x78)
    check("broadcast and multicast", [device.noc_read32(9, 11, 0x300), device.noc_read32(20, 19, 0x304)], [0x77, 0x78])
    device.noc_write(0, 3, HOST_WINDOW + 0x1000, bytes(range(64)))
    check("host memory, from the NoC", device.noc_read(0, 3, HOST_WINDOW + 0x1000, 64), bytes(range(64)))
    tt_umd.set_thread_noc_id(tt_umd.NocId.NOC1)
    check("the same over NoC 1", device.noc_read32(8, 10, 0x300), 0x77)
    tt_umd.set_thread_noc_id(tt_umd.NocId.NOC0)


def umd(library):
    print(f"tt-umd {importlib.metadata.version('tt-umd')}")
    device = tt_umd.TTSimTTDevice.create(library, num_host_mem_channels=1)
    soc = device.get_soc_descriptor()
    check("the chip is a Wormhole", device.get_arch(), tt_umd.ARCH.WORMHOLE_B0)
    memory(device, soc)
    registers(device)
    program(device, soc)
    firmware(device)
    everywhere(device)
    check("nothing was refused", last_error(library), None)
    check("nothing answers at 0xFF800000", device.noc_read32(1, 1, 0xFF800000), 0xFFFFFFFF)
    check("and the library says so", "0xff800000" in (last_error(library) or ""), True)


def harvested(library):
    os.environ["TT_SIM_BOARD"] = "n150"
    device = tt_umd.TTSimTTDevice.create(library)
    device.init_tt_device()
    check("an n150 by its telemetry", device.get_board_type(), tt_umd.BoardType.N150)
    soc = device.get_soc_descriptor()
    tensix = soc.get_cores(tt_umd.CoreType.TENSIX)
    check("a row of tiles is harvested", len(tensix), 72)
    last = soc.translate_coord_to(tensix[-1], tt_umd.CoordSystem.TRANSLATED)
    device.noc_write32(tensix[-1].x, tensix[-1].y, 0x100, 0x1234)
    check(f"{last} is {tensix[-1]}", device.noc_read32(last.x, last.y, 0x100), 0x1234)
    check("nothing was refused", last_error(library), None)


def second_chip(library):
    os.environ["TT_SIM_BOARD"] = "n300"
    device = tt_umd.TTSimTTDevice.create(library)
    device.init_tt_device()
    check("an n300 by its telemetry", device.get_board_type(), tt_umd.BoardType.N300)
    remote = tt_umd.create_remote_tt_device_from_coord(device, 0, 0, 1, 0)
    # The Ethernet channels that lead there.
    tiles = device.get_soc_descriptor().get_eth_cores_for_channels({8, 9}, tt_umd.CoordSystem.TRANSLATED)
    remote.get_remote_communication().set_remote_transfer_ethernet_cores([(tile.x, tile.y) for tile in tiles])
    device.noc_write32(18, 18, 0x100, 0x1111)
    remote.noc_write32(18, 18, 0x100, 0x2222)
    words = [chip.noc_read32(18, 18, 0x100) for chip in (device, remote)]
    check("each chip has its own memory", words, [0x1111, 0x2222])
    pattern = bytes(i * 11 & 0xFF for i in range(5000))
    remote.noc_write(19, 19, 0x2000, pattern)
    check("5000 bytes over Ethernet and back", remote.noc_read(19, 19, 0x2000, len(pattern)), pattern)
    remote.init_tt_device()
    place = remote.get_arc_telemetry_reader().read_entry(tt_umd.TelemetryTag.ASIC_LOCATION.value)
    check("the second chip's telemetry", place, 1)
    check("nothing was refused", last_error(library), None)


def exalens(library):
    try:
        from ttexalens import tt_exalens_init
        from ttexalens import tt_exalens_lib as lib
    except ImportError:
        print("SKIPPED: tt-exalens is not installed")
        return
    print(f"tt-exalens {importlib.metadata.version('tt-exalens')}")
    context = tt_exalens_init.init_ttexalens(simulation_directory=str(library))
    lib.write_words_to_device("0,0", 0x100, [0xCAFEBABE, 2, 3])
    check("words of L1", lib.read_words_from_device("0,0", 0x100, word_count=3), [0xCAFEBABE, 2, 3])
    check("bytes of L1", bytes(lib.read_from_device("0,0", 0x101, num_bytes=4)), bytes.fromhex("bafeca02"))
    lib.write_words_to_device("ch0", 0x4000, [5, 6])
    check("words of DRAM", lib.read_words_from_device("ch0", 0x4000, word_count=2), [5, 6])
    device = context.devices[0]
    block = device.get_block(device.get_block_locations()[0])
    for noc in [tt_umd.NocId.NOC0, tt_umd.NocId.NOC1]:
        store = block.get_register_store(noc_id=noc)
        check(f"NIU register of {noc}", store.read_register("NIU_MST_RD_REQ_SENT"), 0)
    check("debug register", store.read_register("RISCV_DEBUG_REG_SOFT_RESET_0"), SOFT_RESET_ALL)


def smi(library):
    try:
        from tt_smi import backend
        from tt_tools_common.utils_common import system_utils
    except ImportError:
        print("SKIPPED: tt-smi is not installed")
        return
    print(f"tt-smi {importlib.metadata.version('tt-smi')}")
    os.environ["TT_SIM_BOARD"] = "n150"
    device = tt_umd.TTSimTTDevice.create(library)
    device.init_tt_device()
    # It wants to show the version of the kernel driver, which no simulator has.
    system_utils.get_driver_version = lambda: "none"
    machine = Path(__file__).resolve().parents[1] / "vectors/n150-cluster.yaml"
    machine = tt_umd.ClusterDescriptor.create_from_yaml_content(machine.read_text())
    found = backend.TTSMIBackend({0: device}, umd_cluster_descriptor=machine, pretty_output=False)
    card, firmware, telemetry = found.device_infos[0], found.firmware_infos[0], found.device_telemetrys[0]
    check("the board", [card["board_type"], card["dram_status"], card["dram_speed"]], ["n150", True, "12G"])
    check("firmware", [firmware["fw_bundle_version"], firmware["eth_fw"]], ["18.4.0.0", "6.14.0"])
    shown = [telemetry[name].strip() for name in ("aiclk", "asic_temperature", "voltage")]
    check("telemetry", shown, ["1000", "40.0", "0.80"])
    channels = found.device_gddr_telemetrys[0]["channels"]
    check("DRAM channels", [channel["training"] for channel in channels], ["pass"] * len(channels))
    check("limits", found.chip_limits[0]["asic_fmax"].strip(), "1000")


def main():
    library = Path(sys.argv[1]) / "libttsim.so"
    # One chip a process: a child for each program.
    for step in (umd, harvested, second_chip, exalens, smi):
        child = os.fork()
        if child == 0:
            step(library)
            sys.stdout.flush()
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status:
            sys.exit(f"FAILED in {step.__name__}: status {status}")
    print("all steps passed")


if __name__ == "__main__":
    main()
