//! What users of the driver rely on, as a list of checks of a [`Driver`]: a mock's, or the kernel's with a real or simulated card.
//!
//! The list opens a device that nobody else uses, and resets it at the end. Where versions differ a check says what is right
//! for the version that the driver tells ([`Rules`]).

use std::io;
use std::path::Path;

use tt_isa::arc::{RESET_UNIT, SCRATCH, SCRATCH_BOOTED};
use tt_isa::chip::WORMHOLE;
use tt_isa::noc::NocXy;
use tt_sys::kmd::ioctl::{
    AllocateDmaBuf, AllocateTlb, ConfigureTlb, DmaBufFlags, FreeTlb, GetDeviceInfo, GetDriverInfo, Ioctl,
    LockCtl, PinFlags, PinPages, PowerFlags, QueryMappings, ResetDevice, SetNocCleanup, SetPowerState,
    UnpinPages, lock, offset, reset,
};
use tt_sys::kmd::{Driver, File, Mapping, OpenFlags, errno};

use crate::Rules;
use crate::file::TENSIX;

/// DRAM where checks write.
const DRAM: (NocXy, u64) = (NocXy::new(0, 0), 0x20_0000);
const L1_DATA: usize = 0x1_0000;
const MIB: u64 = 1 << 20;
const LOCK: u8 = 20;

/// One check.
#[derive(Clone, Debug)]
pub struct Check {
    /// What should be.
    pub what: String,
    /// What is, if it is something else.
    pub wrong: Option<String>,
}

/// The list, while it is made.
struct List<'a> {
    driver: &'a dyn Driver,
    node: &'a Path,
    checks: Vec<Check>,
}

/// Runs the list on a device.
///
/// # Errors
/// The device cannot be opened, or something fails without which nothing else can be checked.
pub fn run(driver: &dyn Driver, node: &Path) -> io::Result<Vec<Check>> {
    let mut list = List { driver, node, checks: Vec::new() };
    let file = list.open()?;
    let rules = list.information(&*file)?;
    list.windows(&*file, rules)?;
    list.mappings(&*file)?;
    list.buffers(&*file)?;
    list.pins(&*file, rules);
    list.locks(&*file, rules)?;
    list.cleanup(&*file, rules)?;
    list.power(&*file, rules);
    list.exclusion(&*file, rules);
    list.reset(file, rules)?;
    Ok(list.checks)
}

impl List<'_> {
    fn open(&self) -> io::Result<Box<dyn File>> {
        self.driver.open(self.node, OpenFlags::POWER_AWARE)
    }

    fn check(&mut self, what: &str, good: bool, got: impl std::fmt::Debug) {
        self.checks.push(Check { what: what.into(), wrong: (!good).then(|| format!("{got:?}")) });
    }

    /// An ioctl ends with this error number; 0 is success.
    fn expect<T: Ioctl>(&mut self, what: &str, file: &dyn File, mut argument: T, want: i32) -> T {
        let got = result(argument.call(file));
        self.check(&format!("{}: {what}", T::NAME), got == want, got);
        argument
    }

    fn information(&mut self, file: &dyn File) -> io::Result<Rules> {
        let driver = self.expect("is served", file, GetDriverInfo::ask(), 0);
        let version = driver.version();
        self.check("the driver tells its version", driver.driver_version == 2 && version.major >= 2, version);
        let info = self.expect("is served", file, GetDeviceInfo::ask(), 0);
        let id = u32::from(info.device_id) << 16 | u32::from(info.vendor_id);
        self.check("it is a Wormhole", id == WORMHOLE.pci_id, id);
        self.check(
            "DMA buffers have 256 MiB at most",
            info.max_dma_buf_size_log2 == 28,
            info.max_dma_buf_size_log2,
        );
        let little = GetDeviceInfo { output_size_bytes: 4, vendor_id: 0x5555, ..GetDeviceInfo::default() };
        let little = self.expect("with room for one word", file, little, 0);
        self.check(
            "no byte beyond the room changes",
            little.vendor_id == 0x5555 && little.out_size_bytes == 20,
            little,
        );
        let bars = self.expect("is served", file, QueryMappings::ask(), 0).mappings;
        let ids: Vec<u32> = bars.iter().map(|bar| bar.mapping_id).collect();
        self.check("three BARs, twice each", ids == [1, 2, 3, 4, 5, 6, 0, 0], &ids);
        for number in [0xFA01, 0xFA04, 0xFA63] {
            let got = result(file.ioctl(number, &mut [0; 64]));
            self.check(&format!("ioctl {number:#x} is not there"), got == errno::EINVAL, got);
        }
        Ok(Rules::of(version))
    }

    fn windows(&mut self, file: &dyn File, rules: Rules) -> io::Result<()> {
        let own = self.expect("1 MiB", file, AllocateTlb::of(MIB), 0);
        self.expect("2 MiB", file, AllocateTlb::of(2 * MIB), 0);
        let large = self.expect("16 MiB", file, AllocateTlb::of(16 * MIB), 0);
        if rules.cleanup {
            self.expect("a size that no window has", file, AllocateTlb::of(4096), errno::EINVAL);
        }
        self.check(
            "offsets are those of the window in BAR 0",
            large.mmap_offset_uc & (offset::STEP - 1) == 0xB00_0000 + u64::from(large.id - 166) * 16 * MIB
                && large.mmap_offset_wc - large.mmap_offset_uc == offset::STEP,
            large,
        );
        let mut ids = vec![];
        let error = loop {
            let mut window = AllocateTlb::of(16 * MIB);
            match window.call(file) {
                Ok(()) => ids.push(window.id),
                Err(error) => break result(Err(error)),
            }
        };
        self.check(
            "19 windows of 16 MiB, then no more",
            (ids.len(), error) == (18, errno::ENOMEM),
            (ids.len(), error),
        );
        for id in ids {
            FreeTlb { id }.call(file)?;
        }
        let to = |id: u32, addr: u64| configure(id, TENSIX, addr);
        self.expect("a tile", file, to(own.id, 0), 0);
        self.expect("an address inside of the window's size", file, to(own.id, 4096), errno::EINVAL);
        self.expect("an address of 37 bits", file, to(own.id, 1 << 36), errno::EINVAL);
        self.expect("another's window", file, to(3, 0), errno::EPERM);
        self.expect("the driver's window", file, to(WORMHOLE.host.driver_window, 0), errno::EPERM);
        self.expect("no window", file, to(256, 0), errno::EINVAL);
        for (what, at, len, want) in [
            ("another's window", large.mmap_offset_uc + 16 * MIB, 16 * MIB, errno::EPERM),
            ("more than the window", own.mmap_offset_uc, 2 * MIB, errno::EINVAL),
            ("from inside of a window", own.mmap_offset_uc + 4096, 4096, errno::EINVAL),
            ("the beginning of a window", own.mmap_offset_uc, 4096, 0),
            ("nothing", 9 * offset::STEP, 4096, errno::EINVAL),
        ] {
            let got = result(file.map(at, len as usize).map(drop));
            self.check(&format!("mmap of {what}"), got == want, got);
        }
        let mapping = file.map(own.mmap_offset_uc, MIB as usize)?;
        self.expect("a mapped window", file, FreeTlb { id: own.id }, errno::EBUSY);
        drop(mapping);
        self.expect("an unmapped one", file, FreeTlb { id: own.id }, 0);
        self.expect("what is not ours any more", file, FreeTlb { id: own.id }, errno::EPERM);
        self.expect("16 MiB", file, FreeTlb { id: large.id }, 0);
        Ok(())
    }

    fn mappings(&mut self, file: &dyn File) -> io::Result<()> {
        let window = Shown::new(file)?;
        window.point(file, TENSIX, 0)?;
        let words: Vec<u8> = (0..=255).collect();
        for (i, word) in words.chunks(4).enumerate() {
            window.uncached.write(L1_DATA + 4 * i, word)?;
        }
        self.check(
            "words come back uncached",
            read(&*window.uncached, L1_DATA, 256)? == words,
            "other bytes",
        );
        self.check("and by write-combining", read(&*window.combining, L1_DATA, 256)? == words, "other bytes");
        window.combining.write(L1_DATA + 1, b"odd")?;
        window.combining.flush();
        self.check(
            "bytes at odd addresses",
            read(&*window.uncached, L1_DATA, 5)? == *b"\0odd\x04",
            "other bytes",
        );
        let (tile, addr) = DRAM;
        window.point(file, tile, addr)?;
        window.uncached.write(0, &0xABCD_u32.to_le_bytes())?;
        window.point(file, TENSIX, 0)?;
        window.uncached.write(0x2_0000, &[0; 4])?;
        let elsewhere = word(&*window.uncached, 0x2_0000)?;
        window.point(file, tile, addr)?;
        let back = word(&*window.uncached, 0)?;
        self.check("a window moves while it is mapped", (back, elsewhere) == (0xABCD, 0), (back, elsewhere));
        let apb = WORMHOLE.management.bar0.map_or(0, |bar0| bar0.apb);
        let scratch = apb + u64::from(RESET_UNIT + SCRATCH);
        let bar0 = file.map(offset::BAR0 + scratch / 4096 * 4096, 4096)?;
        let begin = WORMHOLE.host.bar4_in_bar0().unwrap_or(0);
        let bar4 = file.map(offset::BAR4 + (scratch - begin) / 4096 * 4096, 4096)?;
        let codes = [&bar0, &bar4].map(|bar| word(&**bar, (scratch % 4096) as usize).unwrap_or(0));
        self.check(
            "ARC's post code by BAR 0 and BAR 4",
            codes[0] == codes[1] && codes[0] >> 16 == SCRATCH_BOOTED >> 16,
            codes,
        );
        Ok(())
    }

    fn buffers(&mut self, file: &dyn File) -> io::Result<()> {
        let ask = |requested_size, buf_index| AllocateDmaBuf {
            requested_size,
            buf_index,
            flags: DmaBufFlags::NOC_DMA.bits(),
            ..AllocateDmaBuf::default()
        };
        let buffer = self.expect("64 KiB for the NoC", file, ask(65536, 3), 0);
        self.expect("a number in use", file, ask(4096, 3), errno::EINVAL);
        self.expect("no whole pages", file, ask(100, 4), errno::EINVAL);
        self.expect("512 MiB", file, ask(512 << 20, 4), errno::EINVAL);
        self.check("the NoC's address is in the window", buffer.noc_address >> 32 == 8, buffer);
        let host = file.map(buffer.mapping_offset, 65536)?;
        host.write(36, &0x600D_F00D_u32.to_le_bytes())?;
        host.flush();
        let window = Shown::new(file)?;
        window.point(file, WORMHOLE.pcie, buffer.noc_address / MIB * MIB)?;
        let at = (buffer.noc_address % MIB) as usize;
        let seen = word(&*window.uncached, at + 36)?;
        self.check("the NoC reads the buffer", seen == 0x600D_F00D, seen);
        window.uncached.write(at + 64, &77_u32.to_le_bytes())?;
        word(&*window.uncached, at + 64)?;
        let seen = word(&*host, 64)?;
        self.check("and writes it", seen == 77, seen);
        Ok(())
    }

    fn pins(&mut self, file: &dyn File, rules: Rules) {
        let memory = vec![1_u8; 3 * 4096];
        let page = (memory.as_ptr().addr() as u64).next_multiple_of(4096);
        let ask = |at: u64, flags: PinFlags| PinPages {
            output_size_bytes: 16,
            flags: flags.bits(),
            virtual_address: at,
            size: 4096,
            ..PinPages::default()
        };
        let pinned = self.expect("a page, for the NoC", file, ask(page, PinFlags::NOC_DMA), 0);
        self.check("the NoC's address is in the window", pinned.noc_address >> 32 == 8, pinned);
        self.expect("the same page again", file, ask(page, PinFlags::NOC_DMA), errno::EEXIST);
        self.expect("inside of a page", file, ask(page + 64, PinFlags::NOC_DMA), errno::EINVAL);
        self.expect("nothing", file, ask(0x1_0000, PinFlags::NOC_DMA), errno::EFAULT);
        self.expect(
            "an unknown flag",
            file,
            PinPages { flags: 16, ..ask(page, PinFlags::NOC_DMA) },
            errno::EINVAL,
        );
        let want = if rules.read_only_pins { errno::EOPNOTSUPP } else { errno::EINVAL };
        self.expect("for reading, without an IOMMU", file, ask(page + 4096, PinFlags::READ_ONLY), want);
        let unpin = |at, size| UnpinPages { virtual_address: at, size, reserved: 0 };
        self.expect("another size", file, unpin(page, 8192), errno::EINVAL);
        self.expect("as it was pinned", file, unpin(page, 4096), 0);
        self.expect("twice", file, unpin(page, 4096), errno::EINVAL);
        drop(memory);
    }

    /// A lock operation answers so.
    fn lock_is(&mut self, what: &str, file: &dyn File, flags: u32, want: u8) {
        let got = self.expect(what, file, LockCtl::new(flags, LOCK), 0).value;
        self.check(&format!("{what}: the answer"), got == want, got);
    }

    fn locks(&mut self, file: &dyn File, rules: Rules) -> io::Result<()> {
        let other = self.open()?;
        self.lock_is("acquires", file, lock::ACQUIRE, 1);
        self.lock_is("does not nest", file, lock::ACQUIRE, 0);
        self.lock_is("another file does not get it", &*other, lock::ACQUIRE, 0);
        self.lock_is("ours", file, lock::TEST, 3);
        self.lock_is("theirs", &*other, lock::TEST, 2);
        self.lock_is("nobody releases another's", &*other, lock::RELEASE, 0);
        self.expect("lock 64", file, LockCtl::new(lock::ACQUIRE, 64), errno::EINVAL);
        self.expect("unknown flags", file, LockCtl::new(4, LOCK), errno::EINVAL);
        self.lock_is("releases", file, lock::RELEASE, 1);
        if rules.zap {
            self.lock_is("waits for nothing", &*other, lock::ACQUIRE_BLOCKING, 1);
        } else {
            self.expect(
                "cannot wait yet",
                &*other,
                LockCtl::new(lock::ACQUIRE_BLOCKING, LOCK),
                errno::EINVAL,
            );
            self.lock_is("acquires", &*other, lock::ACQUIRE, 1);
        }
        drop(other);
        self.lock_is("the end of a file releases", file, lock::TEST, 0);
        Ok(())
    }

    fn cleanup(&mut self, file: &dyn File, rules: Rules) -> io::Result<()> {
        let (tile, addr) = DRAM;
        let window = Shown::new(file)?;
        window.point(file, tile, addr)?;
        window.uncached.write(0, &1_u32.to_le_bytes())?;
        let other = self.open()?;
        let cleanup = SetNocCleanup::write([tile.x, tile.y], addr, 0xDEAD_BEEF);
        if !rules.cleanup {
            self.expect("is not there yet", &*other, cleanup, errno::EINVAL);
            return Ok(());
        }
        self.expect("is kept", &*other, cleanup, 0);
        self.expect("an odd address", &*other, SetNocCleanup { addr: 2, ..cleanup }, errno::EINVAL);
        self.expect("another size", &*other, SetNocCleanup { argsz: 4, ..cleanup }, errno::EINVAL);
        let leaked = self.expect("a window that nobody frees", &*other, AllocateTlb::of(2 * MIB), 0);
        let mapping = other.map(leaked.mmap_offset_uc, 4096)?;
        drop(other);
        let seen = word(&*window.uncached, 0)?;
        self.check("a file with a mapping is still open", seen == 1, seen);
        drop(mapping);
        let seen = word(&*window.uncached, 0)?;
        self.check("the end of a file writes what was asked for", seen == 0xDEAD_BEEF, seen);
        let mut ids = vec![];
        let mut more = AllocateTlb::of(2 * MIB);
        while more.call(file).is_ok() {
            ids.push(more.id);
            more = AllocateTlb::of(2 * MIB);
        }
        // One is held since the first windows.
        self.check("and gives its window back", ids.contains(&leaked.id), &ids);
        ids.into_iter().try_for_each(|id| FreeTlb { id }.call(file))
    }

    fn power(&mut self, file: &dyn File, rules: Rules) {
        let ask = SetPowerState::new(PowerFlags::MAX_AI_CLK | PowerFlags::TENSIX_ENABLE);
        let want = if rules.power { errno::EINVAL } else { 0 };
        let mut asked = ask;
        let got = result(asked.call(file));
        // Firmware may have no queue, which is the same error number as a driver that knows no such ioctl.
        self.check(
            "SET_POWER_STATE is served, or firmware refuses",
            got == errno::EINVAL || got == 0 && rules.power,
            got,
        );
        self.expect("another size", file, SetPowerState { argsz: 4, ..ask }, want.max(errno::EINVAL));
    }

    fn exclusion(&mut self, _file: &dyn File, rules: Rules) {
        let flags = OpenFlags::EXCLUSIVE | OpenFlags::NO_WAIT | OpenFlags::POWER_AWARE;
        let got = result(self.driver.open(self.node, flags).map(drop));
        let want = if rules.exclusive { errno::EAGAIN } else { 0 };
        self.check("an exclusive open beside another", got == want, got);
    }

    fn reset(&mut self, file: Box<dyn File>, rules: Rules) -> io::Result<()> {
        self.expect("unknown flags", &*file, ResetDevice::new(99), errno::EINVAL);
        if !rules.asic_reset {
            self.expect("is not there yet", &*file, ResetDevice::new(reset::ASIC), errno::EINVAL);
            return Ok(());
        }
        let old = self.open()?;
        let done = self.expect("the board", &*file, ResetDevice::new(reset::ASIC), 0);
        self.check("the result of the reset", done.result == 0, done.result);
        let dead = |yes: bool| if yes { errno::ENODEV } else { 0 };
        self.expect("a file from before", &*old, GetDeviceInfo::ask(), dead(rules.power));
        let lives = !rules.power || rules.exclusive;
        self.expect("the file that reset", &*file, GetDeviceInfo::ask(), dead(!lives));
        let file = if lives { file } else { self.open()? };
        if rules.power {
            self.expect("before POST_RESET", &*file, AllocateTlb::of(MIB), errno::ENODEV);
        }
        std::thread::sleep(std::time::Duration::from_millis(500));
        let done = self.expect("afterwards", &*file, ResetDevice::new(reset::POST), 0);
        self.check("the result of POST_RESET", done.result == 0, done.result);
        let window = Shown::new(&*file)?;
        window.point(&*file, TENSIX, 0)?;
        window.uncached.write(L1_DATA, &0x7777_u32.to_le_bytes())?;
        let seen = word(&*window.uncached, L1_DATA)?;
        self.check("windows work after the reset", seen == 0x7777, seen);
        self.expect("after the reset", &*file, LockCtl::new(lock::TEST, LOCK), 0);
        Ok(())
    }
}

/// Error number of a result; 0 is success.
fn result(result: io::Result<()>) -> i32 {
    result.map_or_else(|error| error.raw_os_error().unwrap_or(-1), |()| 0)
}

fn configure(id: u32, tile: NocXy, addr: u64) -> ConfigureTlb {
    let (x_end, y_end) = (tile.x.into(), tile.y.into());
    ConfigureTlb { id, addr, x_end, y_end, ordering: 1, ..ConfigureTlb::default() }
}

fn read(mapping: &dyn Mapping, at: usize, len: usize) -> io::Result<Vec<u8>> {
    let mut out = vec![0; len];
    mapping.read(at, &mut out)?;
    Ok(out)
}

fn word(mapping: &dyn Mapping, at: usize) -> io::Result<u32> {
    let mut word = [0; 4];
    mapping.read(at, &mut word)?;
    Ok(u32::from_le_bytes(word))
}

/// A window of 1 MiB, mapped both ways.
struct Shown {
    id: u32,
    uncached: Box<dyn Mapping>,
    combining: Box<dyn Mapping>,
}

impl Shown {
    fn new(file: &dyn File) -> io::Result<Self> {
        let mut window = AllocateTlb::of(MIB);
        window.call(file)?;
        let map = |at| file.map(at, MIB as usize);
        Ok(Self {
            id: window.id,
            uncached: map(window.mmap_offset_uc)?,
            combining: map(window.mmap_offset_wc)?,
        })
    }

    fn point(&self, file: &dyn File, tile: NocXy, addr: u64) -> io::Result<()> {
        configure(self.id, tile, addr).call(file)
    }
}
