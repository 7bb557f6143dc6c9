//! Files and mappings: ioctls as bytes in, state changed, bytes out, and accesses to what is mapped.

use std::io;
use std::sync::Arc;

use tt_isa::arc::APB_BASE;
use tt_isa::chip::WORMHOLE;
use tt_isa::noc::NocXy;
use tt_isa::pcie::{BAR2_SIZE, HOST_WINDOW};
use tt_simulator::{Fault, HostMemory};
use tt_sys::kmd::ioctl::{
    AllocateDmaBuf, AllocateTlb, ConfigureTlb, DmaBufFlags, ExportTlbDmabuf, FreeTlb, GetDeviceInfo,
    GetDriverInfo, Ioctl, LockCtl, MappingRange, PinFlags, PinPages, QueryMappings, ResetDevice,
    SetNocCleanup, SetPowerState, UnpinPages, lock, offset,
};
use tt_sys::kmd::{File, Mapping, errno};

use crate::state::State;
use crate::{Shared, error};

const MAX_DMA_BUF_LOG2: u16 = 28;
/// Largest DMA buffer that the kernel had in one piece in the virtual machine.
const MOST_CONTIGUOUS: u32 = 4 << 20;
const PAGE: u64 = 4096;
/// Nothing of a process is below.
const FIRST_VIRTUAL: u64 = 1 << 20;
/// The part of BAR 0 that BAR 4 shows: first byte and bytes.
const BAR4: (u64, u64) =
    (WORMHOLE.host.bar4_in_bar0().expect("a part of it on a Wormhole"), WORMHOLE.host.bar(4));
/// Clocks that pass in a read of a word or two.
const CLOCKS: u64 = 4096;

/// A file's number, given back by the last of it and its mappings.
struct Handle {
    shared: Arc<Shared>,
    id: u64,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.state.lock().release(self.id);
        self.shared.changed.notify_all();
    }
}

/// An open file.
pub struct MockFile(Arc<Handle>);

impl MockFile {
    pub(crate) fn new(shared: Arc<Shared>, id: u64) -> Self {
        Self(Arc::new(Handle { shared, id }))
    }
}

/// What is mapped.
#[derive(Clone, Copy)]
enum Place {
    Bar0(u64),
    Bar2(u64),
    Window(u32, u64),
    Buffer(u64),
}

struct MockMapping {
    file: Arc<Handle>,
    place: Place,
    len: usize,
    generation: u64,
}

/// The argument of an ioctl.
fn argument<T: Ioctl>(bytes: &[u8]) -> Result<T, i32> {
    T::read_from_bytes(bytes).map_err(|_| errno::EFAULT)
}

/// Takes the argument of an ioctl from its bytes, lets `f` change it, and puts it back.
fn with<T: Ioctl>(bytes: &mut [u8], f: impl FnOnce(&mut T) -> Result<(), i32>) -> Result<(), i32> {
    let mut argument: T = argument(bytes)?;
    f(&mut argument)?;
    bytes.copy_from_slice(argument.as_bytes());
    Ok(())
}

/// The same where the caller says how much of the output, which begins at `from`, it has room for: the rest stays as it was.
fn with_size<T: Ioctl>(
    bytes: &mut [u8],
    from: usize,
    f: impl FnOnce(&mut T) -> Result<u32, i32>,
) -> Result<(), i32> {
    let mut argument: T = argument(bytes)?;
    let room = f(&mut argument)? as usize;
    let out = argument.as_bytes();
    let end = out.len().min(from + room);
    bytes[from..end].copy_from_slice(&out[from..end]);
    Ok(())
}

impl File for MockFile {
    fn ioctl(&self, number: u32, argument: &mut [u8]) -> io::Result<()> {
        let Handle { shared, id } = &*self.0;
        let mut state = shared.state.lock();
        state.check(*id, number).map_err(error)?;
        if let Some(&failing) = state.failing.get(&number) {
            return Err(error(failing));
        }
        if number == LockCtl::NUMBER {
            return self.lock(state, argument);
        }
        let done = state.ioctl(*id, number, argument);
        drop(state);
        shared.changed.notify_all();
        done.map_err(error)
    }

    fn map(&self, offset: u64, len: usize) -> io::Result<Box<dyn Mapping>> {
        let mut state = self.0.shared.state.lock();
        state.check_file(self.0.id).map_err(error)?;
        let place = state.place(self.0.id, offset, len as u64).map_err(error)?;
        if let Place::Window(id, _) = place {
            state.mapped[id as usize] += 1;
        }
        let generation = state.generation;
        Ok(Box::new(MockMapping { file: Arc::clone(&self.0), place, len, generation }))
    }
}

impl MockFile {
    fn lock(&self, mut state: parking_lot::MutexGuard<'_, State>, bytes: &mut [u8]) -> io::Result<()> {
        let id = self.0.id;
        let asked: LockCtl = argument(bytes).map_err(error)?;
        if asked.flags == lock::ACQUIRE_BLOCKING && state.rules.zap {
            while state.locks.get(usize::from(asked.index)).is_some_and(Option::is_some) {
                self.0.shared.changed.wait(&mut state);
                state.check(id, LockCtl::NUMBER).map_err(error)?;
            }
        }
        let done = with_size::<LockCtl>(bytes, 12, |asked| state.lock_ctl(id, asked));
        drop(state);
        self.0.shared.changed.notify_all();
        done.map_err(error)
    }
}

impl State {
    /// Whether a file can do anything at all.
    fn check_file(&self, file: u64) -> Result<(), i32> {
        let Some(open) = self.files.get(&file) else { return Err(errno::ENODEV) };
        let stale = open.generation != self.generation;
        if self.detached || self.rules.power && stale { Err(errno::ENODEV) } else { Ok(()) }
    }

    /// Whether a file can do this now.
    fn check(&self, file: u64, number: u32) -> Result<(), i32> {
        let always = [GetDeviceInfo::NUMBER, GetDriverInfo::NUMBER, ResetDevice::NUMBER].contains(&number);
        // The file that resets cannot do even that before 2.10, and reset itself is what others may not miss.
        self.check_file(file)?;
        if self.rules.power && self.needs_init && !always { Err(errno::ENODEV) } else { Ok(()) }
    }

    fn ioctl(&mut self, file: u64, number: u32, bytes: &mut [u8]) -> Result<(), i32> {
        match number {
            GetDeviceInfo::NUMBER => with_size(bytes, 4, |info| Ok(self.device_info(info))),
            GetDriverInfo::NUMBER => with_size(bytes, 4, |info| Ok(self.driver_info(info))),
            QueryMappings::NUMBER => with(bytes, |asked| {
                self.mappings(asked);
                Ok(())
            }),
            AllocateDmaBuf::NUMBER => with(bytes, |asked| self.allocate_buffer(file, asked)),
            ResetDevice::NUMBER => with_size::<ResetDevice>(bytes, 8, |asked| {
                let good = self.reset(file, asked.flags)?;
                (asked.out_size_bytes, asked.result) = (8, u32::from(!good));
                Ok(asked.output_size_bytes)
            }),
            PinPages::NUMBER => with_size(bytes, 24, |asked| self.pin(file, asked)),
            UnpinPages::NUMBER => with(bytes, |asked| self.unpin(file, asked)),
            AllocateTlb::NUMBER => with::<AllocateTlb>(bytes, |asked| {
                let (id, at) = self.allocate(file, asked.size)?;
                asked.id = id;
                (asked.mmap_offset_uc, asked.mmap_offset_wc) =
                    (offset::WINDOWS + at, offset::WINDOWS_WC + at);
                Ok(())
            }),
            FreeTlb::NUMBER => with::<FreeTlb>(bytes, |asked| self.free(file, asked.id)),
            ConfigureTlb::NUMBER => with(bytes, |asked| self.configure(file, asked)),
            SetNocCleanup::NUMBER if self.rules.cleanup => with(bytes, |asked| self.cleanup(file, asked)),
            SetPowerState::NUMBER if self.rules.power => with::<SetPowerState>(bytes, |asked| {
                let good = asked.argsz as usize == size_of::<SetPowerState>() && asked.flags == 0;
                if good { self.set_power(file, asked) } else { Err(errno::EINVAL) }
            }),
            ExportTlbDmabuf::NUMBER if self.rules.exclusive => Err(errno::EOPNOTSUPP),
            _ => Err(errno::EINVAL),
        }
    }

    fn device_info(&self, info: &mut GetDeviceInfo) -> u32 {
        let id = self.data.pci_id;
        *info = GetDeviceInfo {
            output_size_bytes: info.output_size_bytes,
            out_size_bytes: 20,
            vendor_id: id as u16,
            device_id: (id >> 16) as u16,
            subsystem_vendor_id: id as u16,
            // Domain 0, device 0, function 0.
            bus_dev_fn: u16::from(self.bus) << 8,
            max_dma_buf_size_log2: MAX_DMA_BUF_LOG2,
            ..GetDeviceInfo::default()
        };
        info.output_size_bytes
    }

    fn driver_info(&self, info: &mut GetDriverInfo) -> u32 {
        let tt_sys::kmd::ioctl::Version { major, minor, patch } = self.version;
        *info = GetDriverInfo {
            output_size_bytes: info.output_size_bytes,
            out_size_bytes: 12,
            driver_version: 2,
            major,
            minor,
            patch,
            reserved0: 0,
        };
        info.output_size_bytes
    }

    fn mappings(&self, asked: &mut QueryMappings) {
        let bars = [self.bar0_bytes(), BAR2_SIZE, BAR4.1];
        asked.mappings = Default::default();
        let kinds = (0..6_u32).take(asked.output_mapping_count.min(8) as usize);
        for (entry, n) in asked.mappings.iter_mut().zip(kinds) {
            *entry = MappingRange {
                mapping_id: n + 1,
                reserved: 0,
                mapping_base: u64::from(n) * offset::STEP,
                mapping_size: bars[n as usize / 2],
            };
        }
    }

    /// Where the register with the address of the telemetry table is in BAR 0.
    fn telemetry_table(&self) -> Option<u64> {
        let management = &self.data.management;
        let bar0 = management.bar0?;
        Some(bar0.apb + u64::from(management.telemetry_table - APB_BASE))
    }

    fn bar0_bytes(&self) -> u64 {
        self.data.host.bars[0].1
    }

    fn lock_ctl(&mut self, file: u64, asked: &mut LockCtl) -> Result<u32, i32> {
        let owner = self.locks.get_mut(usize::from(asked.index)).ok_or(errno::EINVAL)?;
        asked.value = match asked.flags {
            lock::ACQUIRE => u8::from(owner.is_none()),
            lock::ACQUIRE_BLOCKING if self.rules.zap => 1,
            lock::RELEASE => u8::from(*owner == Some(file)),
            lock::TEST => u8::from(*owner == Some(file)) | u8::from(owner.is_some()) << 1,
            _ => return Err(errno::EINVAL),
        };
        match asked.flags {
            lock::RELEASE if asked.value == 1 => *owner = None,
            lock::ACQUIRE | lock::ACQUIRE_BLOCKING if asked.value == 1 => *owner = Some(file),
            _ => {}
        }
        Ok(asked.output_size_bytes)
    }

    fn cleanup(&mut self, file: u64, asked: &SetNocCleanup) -> Result<(), i32> {
        let SetNocCleanup { argsz, flags, enabled, x, y, noc, addr, .. } = *asked;
        let known = argsz as usize == size_of::<SetNocCleanup>() && flags == 0 && enabled <= 1;
        if !known || !addr.is_multiple_of(4) || noc > 1 || x > 64 || y > 64 {
            return Err(errno::EINVAL);
        }
        let open = self.files.get_mut(&file).ok_or(errno::ENODEV)?;
        open.cleanup = (enabled == 1).then_some(*asked);
        Ok(())
    }

    fn allocate_buffer(&mut self, file: u64, asked: &mut AllocateDmaBuf) -> Result<(), i32> {
        let size = asked.requested_size;
        let open = self.files.get(&file).ok_or(errno::ENODEV)?;
        let whole = size != 0 && u64::from(size).is_multiple_of(PAGE) && size <= 1 << MAX_DMA_BUF_LOG2;
        if !whole || open.buffers.contains_key(&asked.buf_index) {
            return Err(errno::EINVAL);
        }
        if size > MOST_CONTIGUOUS {
            return Err(errno::ENOMEM);
        }
        let bus = self.new_bus(size.into());
        let noc = asked.flags & DmaBufFlags::NOC_DMA.bits() != 0;
        let shown = if noc { Some(self.show(file, [bus, size.into()], true)?.1) } else { None };
        self.host.insert(bus, size as usize);
        (asked.physical_address, asked.size) = (bus, size);
        asked.mapping_offset = offset::DMA_BUFFERS + u64::from(asked.buf_index) * offset::DMA_BUFFER_STEP;
        asked.noc_address = shown.unwrap_or(0);
        let open = self.files.get_mut(&file).ok_or(errno::ENODEV)?;
        open.buffers.insert(asked.buf_index, (bus, size as usize));
        Ok(())
    }

    /// Number of a region that shows a piece of the bus, and its address at the PCIe tile.
    fn show(&mut self, file: u64, piece: [u64; 2], top_down: bool) -> Result<(usize, u64), i32> {
        let shown =
            self.regions.show(&mut self.card.chips()[0], file, piece, top_down).map_err(|_| errno::EIO)?;
        let (region, base) = shown.ok_or(errno::ENOSPC)?;
        Ok((region, HOST_WINDOW + base))
    }

    fn pin(&mut self, file: u64, asked: &mut PinPages) -> Result<u32, i32> {
        let flags = PinFlags::from_bits(asked.flags).ok_or(errno::EINVAL)?;
        let (at, size) = (asked.virtual_address, asked.size);
        let read_only = flags.contains(PinFlags::READ_ONLY);
        if read_only && !self.rules.read_only_pins
            || !at.is_multiple_of(PAGE)
            || !size.is_multiple_of(PAGE)
            || size == 0
        {
            return Err(errno::EINVAL);
        }
        if read_only {
            return Err(errno::EOPNOTSUPP);
        }
        let open = self.files.get(&file).ok_or(errno::ENODEV)?;
        if open.pins.iter().any(|&(pinned, bytes, _)| (pinned, bytes) == (at, size)) {
            return Err(errno::EEXIST);
        }
        if at < FIRST_VIRTUAL {
            return Err(errno::EFAULT);
        }
        // Pages of a process do not lie together.
        if size > PAGE {
            return Err(errno::EINVAL);
        }
        let bus = self.new_bus(size);
        let top_down = flags.contains(PinFlags::NOC_TOP_DOWN);
        let noc = flags.intersects(PinFlags::NOC_DMA | PinFlags::NOC_TOP_DOWN);
        let shown = if noc { Some(self.show(file, [bus, size], top_down)?) } else { None };
        let open = self.files.get_mut(&file).ok_or(errno::ENODEV)?;
        open.pins.push((at, size, shown.map(|(region, _)| region)));
        asked.physical_address = bus;
        asked.noc_address = shown.map_or(0, |(_, address)| address);
        Ok(asked.output_size_bytes)
    }

    fn unpin(&mut self, file: u64, asked: &UnpinPages) -> Result<(), i32> {
        let open = self.files.get_mut(&file).ok_or(errno::ENODEV)?;
        let wanted = (asked.virtual_address, asked.size);
        let found = open.pins.iter().position(|&(at, size, _)| (at, size) == wanted && asked.reserved == 0);
        let (_, _, region) = open.pins.remove(found.ok_or(errno::EINVAL)?);
        region
            .map_or(Ok(()), |region| self.regions.hide(&mut self.card.chips()[0], region))
            .map_err(|_| errno::EIO)
    }

    /// What `len` bytes at an offset are.
    fn place(&self, file: u64, offset: u64, len: u64) -> Result<Place, i32> {
        let whole = len != 0 && len.is_multiple_of(PAGE) && offset.is_multiple_of(PAGE);
        let (kind, at) = (offset / offset::STEP, offset % offset::STEP);
        let inside = |bytes: u64| if at + len <= bytes { Ok(()) } else { Err(errno::EINVAL) };
        match kind {
            _ if !whole => Err(errno::EINVAL),
            0 | 1 => inside(self.bar0_bytes()).map(|()| Place::Bar0(at)),
            2 | 3 => inside(BAR2_SIZE).map(|()| Place::Bar2(at)),
            4 | 5 => inside(BAR4.1).map(|()| Place::Bar0(BAR4.0 + at)),
            6 | 7 => self.window_place(file, at, len),
            _ => {
                let index = offset.checked_sub(offset::DMA_BUFFERS).ok_or(errno::EINVAL)?;
                let number = u8::try_from(index / offset::DMA_BUFFER_STEP).map_err(|_| errno::EINVAL)?;
                let open = self.files.get(&file).ok_or(errno::ENODEV)?;
                let &(bus, size) = open.buffers.get(&number).ok_or(errno::EINVAL)?;
                let from = index % offset::DMA_BUFFER_STEP;
                if from + len <= size as u64 { Ok(Place::Buffer(bus + from)) } else { Err(errno::EINVAL) }
            }
        }
    }

    fn window_place(&self, file: u64, at: u64, len: u64) -> Result<Place, i32> {
        let groups = self.data.host.groups.iter();
        let found = groups.filter(|group| group.bar == 0).find_map(|group| {
            let (n, inside) = (
                at.checked_sub(group.offset)? / group.window_bytes(),
                at.checked_sub(group.offset)? % group.window_bytes(),
            );
            (n < u64::from(group.count)).then_some((group.first + n as u32, inside, group.window_bytes()))
        });
        let (id, inside, bytes) = found.ok_or(errno::EINVAL)?;
        if inside != 0 {
            return Err(errno::EINVAL);
        }
        if self.windows[id as usize] != Some(file) {
            return Err(errno::EPERM);
        }
        if len > bytes { Err(errno::EINVAL) } else { Ok(Place::Window(id, at)) }
    }
}

impl Drop for MockMapping {
    fn drop(&mut self) {
        if let Place::Window(id, _) = self.place {
            let mut state = self.file.shared.state.lock();
            // Of a process that was killed it has been taken away.
            if state.files.contains_key(&self.file.id) {
                state.mapped[id as usize] -= 1;
            }
        }
    }
}

impl MockMapping {
    /// The state, if there is still something behind the mapping; `None` if the device is gone and everything reads as ones.
    fn state(&self, at: usize, len: usize) -> io::Result<Option<parking_lot::MutexGuard<'_, State>>> {
        if at.checked_add(len).is_none_or(|end| end > self.len) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "beyond the mapping"));
        }
        let state = self.file.shared.state.lock();
        // What is left of a process that was killed.
        if !state.files.contains_key(&self.file.id) {
            return Err(error(errno::ENODEV));
        }
        // The driver's answer is a signal, of which `tt_sys` makes this error.
        if state.rules.zap && self.generation != state.generation && !matches!(self.place, Place::Buffer(_)) {
            return Err(error(errno::ENODEV));
        }
        Ok((!state.detached).then_some(state))
    }
}

fn fault(fault: Fault) -> io::Error {
    io::Error::other(fault.to_string())
}

/// Words of four bytes, which is what BAR 2 takes.
fn words(at: u64, len: usize) -> io::Result<impl Iterator<Item = u64>> {
    if !at.is_multiple_of(4) || !len.is_multiple_of(4) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "BAR 2 takes aligned words of four bytes"));
    }
    Ok((at..at + len as u64).step_by(4))
}

impl Mapping for MockMapping {
    fn bytes(&self) -> usize {
        self.len
    }

    fn read(&self, at: usize, out: &mut [u8]) -> io::Result<()> {
        let Some(mut state) = self.state(at, out.len())? else {
            out.fill(0xFF);
            return Ok(());
        };
        let at = at as u64;
        if !matches!(self.place, Place::Buffer(_)) {
            state.accesses.reads += 1;
            state.accesses.read += out.len() as u64;
        }
        match self.place {
            Place::Window(..) if state.wedged => {
                out.fill(0xFF);
                Ok(())
            }
            Place::Window(_, base) => {
                if out.len() <= 8 {
                    state.card.advance(CLOCKS).map_err(fault)?;
                }
                state.chip().bar0_read(base + at, out).map_err(fault)
            }
            Place::Bar0(base) if state.old_firmware && state.telemetry_table() == Some(base + at) => {
                out.fill(0);
                Ok(())
            }
            Place::Bar0(base) => state.chip().bar0_read(base + at, out).map_err(fault),
            Place::Bar2(base) => {
                words(base + at, out.len())?.zip(out.chunks_mut(4)).try_for_each(|(at, word)| {
                    word.copy_from_slice(&state.chip().bar2_read(at).map_err(fault)?.to_le_bytes());
                    Ok(())
                })
            }
            Place::Buffer(bus) => {
                if out.len() <= 8 {
                    state.card.advance(CLOCKS).map_err(fault)?;
                }
                let there = state.host.read(bus + at, out);
                there.then_some(()).ok_or_else(|| io::Error::other("the buffer is gone"))
            }
        }
    }

    fn write(&self, at: usize, data: &[u8]) -> io::Result<()> {
        let Some(mut state) = self.state(at, data.len())? else { return Ok(()) };
        let at = at as u64;
        if !matches!(self.place, Place::Buffer(_)) {
            state.accesses.writes += 1;
            state.accesses.written += data.len() as u64;
        }
        match self.place {
            Place::Window(..) if state.wedged => Ok(()),
            Place::Window(_, base) | Place::Bar0(base) => {
                state.chip().bar0_write(base + at, data).map_err(fault)
            }
            Place::Bar2(base) => {
                words(base + at, data.len())?.zip(data.chunks(4)).try_for_each(|(at, word)| {
                    let word = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
                    state.chip().bar2_write(at, word).map_err(fault)
                })
            }
            Place::Buffer(bus) => {
                let there = state.host.write(bus + at, data);
                there.then_some(()).ok_or_else(|| io::Error::other("the buffer is gone"))
            }
        }
    }

    fn flush(&self) {}
}

/// A tile that every Wormhole has, in translated coordinates.
pub(crate) const TENSIX: NocXy = NocXy::new(18, 18);
