//! The ARC tile: management firmware's memory, registers and messages, as far as host software uses them
//! (`ARCTile/README.md`, `ARCTile/ResetUnit.md`; telemetry and messages as the vendor's user-mode driver expects them).
//!
//! The reset unit has the addresses, in ARC's own address space, of a table of telemetry tags and of their values;
//! both lie in CSM. A message is answered at once, whether it comes in scratch registers or in the queue of newer firmware (`queue`). Older and newer telemetry are both there: the host's
//! driver reads the version of the firmware in the older one, and the rest in the newer.

use tt_isa::arc::{
    AICLK_BUSY, AICLK_IDLE, APB_BASE, APB_SIZE, BUNDLE_18_4, CSM_ALIAS, CSM_BASE, CSM_SIZE, DBI_ENABLE,
    DBI_MODE, HARVESTING_ROWS, HarvestTag, MESSAGE_ARGUMENT, MESSAGE_PRESENT, MESSAGE_QUEUES, MESSAGE_STATUS,
    MESSAGE_UNKNOWN, MISC_CNTL, MISC_CNTL_IRQ0, Management, OLD_BUNDLE_VERSION, OLD_TELEMETRY,
    REFCLK_COUNTER, REFCLK_MHZ, RESET_UNIT, SCRATCH, SCRATCH_BOOTED, message, old, tag,
};
use tt_isa::chip::{Board, Chip, Design, Harvesting};
use tt_isa::eth::firmware::VERSION_6_14_0;

use crate::fault::Fault;

mod queue;

const PAGE: &str = "ARCTile/README.md";
/// Where this firmware keeps its tables, in CSM.
const TABLE: u32 = 0x100;
const VALUES: u32 = 0x200;
/// Entries that fit between the two.
const MOST_ENTRIES: u32 = (VALUES - TABLE - 8) / 4;
/// Where it keeps its message queue, in CSM, and the words that describe it.
const QUEUE: u32 = 0x400;
const QUEUE_WORDS: u32 = 0x3F0;
const SCRATCH_WORDS: usize = 8;
const REFCLK_COUNTER_HIGH: u32 = REFCLK_COUNTER + 4;
const AXICLK_MHZ: u32 = 900;
const ARCCLK_MHZ: u32 = 540;
/// Readings of sensors, which nothing here changes: degrees Celsius, mV, W, A.
const ASIC_DEGREES: u32 = 40;
const BOARD_DEGREES: u32 = 35;
const VCORE_MV: u32 = 795;
const TDP_W: u32 = 15;
const TDP_LIMIT_W: u32 = 85;
const TDC_A: u32 = 19;
const TDC_LIMIT_A: u32 = 160;
/// Highest and lowest core voltage, mV.
const VDD_LIMITS_MV: u32 = 950 << 16 | 700;
const SHUTDOWN_DEGREES: u32 = 103;
const THROTTLE_DEGREES: u32 = 75;
const CM_FW_VERSION: u32 = 0x0221_0100;
const DM_APP_FW_VERSION: u32 = 0x050C_0000;
const DM_BL_FW_VERSION: u32 = 0x8102_0000;
const TT_FLASH_VERSION: u32 = 0x0003_0100;
const NO_FAN: u32 = u32::MAX;
const GDDR_MT: u32 = 12_000;
/// All six DRAM tiles trained, 12 GT/s.
const OLD_GDDR_STATUS: u32 = 0x0222_2222;

/// The tile.
pub struct Arc {
    chip: &'static Chip,
    csm: Box<[u8]>,
    scratch: [u32; SCRATCH_WORDS],
    misc_cntl: u32,
    /// AI clock, MHz.
    aiclk: u32,
    /// Counts the reference clock.
    refclk: u64,
    /// Answer to [`message::GET_HARVESTING`].
    harvesting: u32,
    /// Offset in CSM of the heartbeat, which goes on whenever it is looked at: the host's time passes where no clock of the chip does.
    heartbeat: u32,
    /// A message has asked for a reset of the chip.
    reset: bool,
}

impl Arc {
    /// Booted firmware on the `index`-th chip of `board`, with these harvested rows.
    pub fn new(board: &Board, index: usize, harvested: u32) -> Self {
        let mut scratch = [0; SCRATCH_WORDS];
        scratch[0] = SCRATCH_BOOTED;
        let is_harvested = |y: &u8| {
            board.chip.tensix_y.iter().position(|row| row == y).is_some_and(|n| harvested >> n & 1 == 1)
        };
        let harvesting =
            HARVESTING_ROWS.iter().enumerate().fold(0, |mask, (i, y)| mask | u32::from(is_harvested(y)) << i);
        let csm = vec![0; CSM_SIZE as usize].into_boxed_slice();
        let mut arc = Self {
            chip: board.chip,
            csm,
            scratch,
            misc_cntl: 0,
            aiclk: AICLK_BUSY,
            refclk: 0,
            harvesting,
            heartbeat: 0,
            reset: false,
        };
        let telemetry = [
            (tag::BOARD_ID_HIGH, (board.id(index) >> 32) as u32),
            (tag::BOARD_ID_LOW, board.id(index) as u32),
            (tag::ASIC_ID, 1 + index as u32),
            harvest_telemetry(board.chip, harvested),
            (tag::ASIC_TEMPERATURE, ASIC_DEGREES << 16),
            (tag::BOARD_TEMPERATURE, BOARD_DEGREES << 16),
            (tag::AICLK, AICLK_BUSY),
            (tag::AICLK_LIMIT_MAX, AICLK_BUSY),
            (tag::AXICLK, AXICLK_MHZ),
            (tag::AXICLK_WORMHOLE, AXICLK_MHZ),
            (tag::ARCCLK, ARCCLK_MHZ),
            (tag::VCORE, VCORE_MV),
            (tag::TDP, TDP_W),
            (tag::TDC, TDC_A),
            (tag::VDD_LIMITS, VDD_LIMITS_MV),
            (tag::THM_LIMIT_SHUTDOWN, SHUTDOWN_DEGREES),
            (tag::THM_LIMIT_THROTTLE, THROTTLE_DEGREES),
            (tag::TDC_LIMIT_MAX, TDC_LIMIT_A),
            (tag::TDP_LIMIT_MAX, TDP_LIMIT_W),
            (tag::ASIC_ID_HIGH, board.id(index) as u32),
            (tag::ASIC_ID_LOW, 1 + index as u32),
            (tag::DM_APP_FW_VERSION, DM_APP_FW_VERSION),
            (tag::DM_BL_FW_VERSION, DM_BL_FW_VERSION),
            (tag::TT_FLASH_VERSION, TT_FLASH_VERSION),
            (tag::FAN_SPEED, NO_FAN),
            (tag::GDDR_SPEED, GDDR_MT),
            (tag::ETH_FW_VERSION, VERSION_6_14_0),
            (tag::CM_FW_VERSION, CM_FW_VERSION),
            (tag::NOC_TRANSLATION, 1),
            (tag::ETH_LIVE_STATUS, (1 << board.chip.ethernet.len()) - 1),
            // Two bits a channel, and a channel is two banks.
            (tag::GDDR_STATUS, 0x5555_5555 & ((1 << board.chip.dram.len()) - 1)),
            (tag::FLASH_BUNDLE_VERSION, BUNDLE_18_4),
            (tag::TIMER_HEARTBEAT, 1),
            (tag::ASIC_LOCATION, index as u32),
        ];
        let older = [
            (0, old::MARKER),
            (old::BOARD_ID_HIGH, (board.id(index) >> 32) as u32),
            (old::BOARD_ID_LOW, board.id(index) as u32),
            (old::CM_FW_VERSION, CM_FW_VERSION),
            (old::ETH_FW_VERSION, VERSION_6_14_0),
            (old::GDDR_STATUS, OLD_GDDR_STATUS),
            (old::FAN_SPEED, NO_FAN),
            (old::AICLK, AICLK_BUSY << 16 | AICLK_BUSY),
            (old::AXICLK, AXICLK_MHZ),
            (old::ARCCLK, ARCCLK_MHZ),
            (old::VCORE, VCORE_MV),
            (old::ASIC_TEMPERATURE, ASIC_DEGREES << 4),
            (old::BOARD_TEMPERATURE, BOARD_DEGREES),
            (old::TDP, TDP_LIMIT_W << 16 | TDP_W),
            (old::TDC, TDC_LIMIT_A << 16 | TDC_A),
            (OLD_BUNDLE_VERSION, BUNDLE_18_4),
        ];
        for (field, value) in older {
            arc.put(OLD_TELEMETRY + 4 * field, value);
        }
        arc.put(TABLE, 1);
        arc.put(TABLE + 4, telemetry.len() as u32);
        for (i, (tag, value)) in (0..).zip(telemetry) {
            arc.put(TABLE + 8 + 4 * i, u32::from(tag) | i << 16);
            arc.put(VALUES + 4 * i, value);
            if tag == tag::TIMER_HEARTBEAT {
                arc.heartbeat = VALUES + 4 * i;
            }
        }
        arc.open_queue();
        arc
    }

    /// Whether somebody has asked for a reset of the chip since this was asked last.
    pub fn take_reset(&mut self) -> bool {
        std::mem::take(&mut self.reset)
    }

    /// Whether the NoC's reads and writes of host memory go to the PCIe controller's registers instead.
    pub fn dbi_mode(&self) -> [bool; 2] {
        DBI_MODE.map(|register| self.scratch[((register - SCRATCH) / 4) as usize] & DBI_ENABLE != 0)
    }

    /// Tells the time, in AI clocks.
    pub fn set_clock(&mut self, clock: u64) {
        self.refclk = clock * REFCLK_MHZ / u64::from(AICLK_BUSY);
    }

    /// The AI clock changes; both telemetries show it.
    fn set_aiclk(&mut self, mhz: u32) {
        self.aiclk = mhz;
        self.put(OLD_TELEMETRY + 4 * old::AICLK, AICLK_BUSY << 16 | mhz);
        for i in 0..self.word(TABLE + 4).min(MOST_ENTRIES) {
            let entry = self.word(TABLE + 8 + 4 * i);
            if entry as u16 == tag::AICLK {
                self.put(VALUES + 4 * (entry >> 16), mhz);
            }
        }
    }

    fn word(&self, offset: u32) -> u32 {
        let bytes =
            self.csm.get(offset as usize..offset as usize + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u32::from_le_bytes)
    }

    fn put(&mut self, offset: u32, value: u32) {
        // The host may have overwritten the table that leads here.
        if let Some(bytes) = self.csm.get_mut(offset as usize..offset as usize + 4) {
            bytes.copy_from_slice(&value.to_le_bytes());
        }
    }

    /// CSM at an offset.
    pub fn csm(&mut self, offset: u64, len: usize) -> Result<&mut [u8], Fault> {
        let end = offset.checked_add(len as u64).filter(|&end| end <= u64::from(CSM_SIZE));
        match end {
            Some(end) => Ok(&mut self.csm[offset as usize..end as usize]),
            None => Err(unmapped("CSM", offset)),
        }
    }

    /// Reads CSM at an offset.
    pub fn csm_read(&mut self, offset: u64, out: &mut [u8]) -> Result<(), Fault> {
        if (offset..offset.saturating_add(out.len() as u64)).contains(&self.heartbeat.into()) {
            self.put(self.heartbeat, self.word(self.heartbeat).wrapping_add(1));
        }
        out.copy_from_slice(self.csm(offset, out.len())?);
        Ok(())
    }

    /// Reads a register below the APB base.
    pub fn apb_read(&self, offset: u64) -> Result<u32, Fault> {
        let Management { telemetry_table, telemetry_values, .. } = self.chip.management;
        match offset + u64::from(APB_BASE) {
            at if at == u64::from(telemetry_table) => return Ok(CSM_BASE + TABLE),
            at if at == u64::from(telemetry_values) => return Ok(CSM_BASE + VALUES),
            _ => self.check_registers(offset)?,
        }
        match offset.checked_sub(u64::from(RESET_UNIT)).map(|register| register as u32) {
            Some(MISC_CNTL) => Ok(self.misc_cntl),
            Some(REFCLK_COUNTER) => Ok(self.refclk as u32),
            Some(REFCLK_COUNTER_HIGH) => Ok((self.refclk >> 32) as u32),
            Some(MESSAGE_QUEUES) => Ok(CSM_BASE + QUEUE_WORDS),
            Some(register) => {
                scratch_index(register).map(|i| self.scratch[i]).ok_or_else(|| unmapped("APB", offset))
            }
            None => Err(unmapped("APB", offset)),
        }
    }

    /// Writes a register below the APB base.
    pub fn apb_write(&mut self, offset: u64, value: u32) -> Result<(), Fault> {
        self.check_registers(offset)?;
        let register = offset.wrapping_sub(u64::from(RESET_UNIT)) as u32;
        if register == MISC_CNTL {
            if value & MISC_CNTL_IRQ0 != 0 {
                self.answer();
                self.serve_queue();
            }
            self.misc_cntl = value & !MISC_CNTL_IRQ0;
            return Ok(());
        }
        let index = scratch_index(register).ok_or_else(|| unmapped("APB", offset))?;
        self.scratch[index] = value;
        Ok(())
    }

    /// # Errors
    /// Registers and messages are not those of the design that is modelled.
    fn check_registers(&self, offset: u64) -> Result<(), Fault> {
        match self.chip.designs.management {
            Design::Wormhole => Ok(()),
            Design::Blackhole => Err(unmapped("APB", offset)),
        }
    }

    /// The firmware answers the message in the scratch registers.
    fn answer(&mut self) {
        let [argument, status] =
            [MESSAGE_ARGUMENT, MESSAGE_STATUS].map(|register| ((register - SCRATCH) / 4) as usize);
        if self.scratch[status] & 0xFF00 != MESSAGE_PRESENT {
            return;
        }
        let code = self.scratch[status] as u8;
        let result = match code {
            message::GET_OLD_TELEMETRY => Some(CSM_BASE + OLD_TELEMETRY),
            message::GET_AICLK => Some(self.aiclk),
            message::GET_HARVESTING => Some(self.harvesting),
            message::SET_ETH_DRAM_TRAINED_STATUS => Some(1),
            message::GO_BUSY => {
                self.set_aiclk(AICLK_BUSY);
                None
            }
            message::GO_SHORT_IDLE | message::GO_LONG_IDLE => {
                self.set_aiclk(AICLK_IDLE);
                None
            }
            message::TRIGGER_RESET => {
                self.reset = true;
                None
            }
            // Power and watchdogs have no part in this model.
            _ if ACCEPTED.contains(&code) || message::ASIC_STATE.contains(&code) => None,
            _ => {
                self.scratch[status] = MESSAGE_UNKNOWN;
                return;
            }
        };
        if let Some(result) = result {
            self.scratch[argument] = result;
        }
        self.scratch[status] = u32::from(code);
    }

    /// Reads over the NoC.
    pub fn noc_read(&mut self, addr: u64, out: &mut [u8]) -> Result<(), Fault> {
        match place(self.chip.management.noc, addr)? {
            Place::Csm(offset) => self.csm_read(offset, out)?,
            Place::Apb(offset) => {
                let out = word_mut(out, addr)?;
                *out = self.apb_read(offset)?.to_le_bytes();
            }
        }
        Ok(())
    }

    /// Writes over the NoC.
    pub fn noc_write(&mut self, addr: u64, data: &[u8]) -> Result<(), Fault> {
        match place(self.chip.management.noc, addr)? {
            Place::Csm(offset) => self.csm(offset, data.len())?.copy_from_slice(data),
            Place::Apb(offset) => {
                let word = data.try_into().ok().filter(|_| addr.is_multiple_of(4));
                let word = word.ok_or_else(|| narrow(addr, data.len()))?;
                self.apb_write(offset, u32::from_le_bytes(word))?;
            }
        }
        Ok(())
    }
}

/// The telemetry that says which Tensix rows or columns are out (bit n: the n-th one).
fn harvest_telemetry(chip: &Chip, harvested: u32) -> (u16, u32) {
    let all = match chip.harvesting {
        Harvesting::Rows => chip.tensix_y,
        Harvesting::Columns => chip.tensix_x,
    };
    let is_out = |v: &u8| all.iter().position(|at| at == v).is_some_and(|n| harvested >> n & 1 == 1);
    let bits = |want: bool| {
        let order = (0..).zip(chip.management.harvest_order);
        order.fold(0, |bits, (i, v)| bits | u32::from(is_out(v) == want) << i)
    };
    match chip.management.harvest {
        HarvestTag::Harvested(tag) => (tag, bits(true)),
        HarvestTag::Enabled(tag) => (tag, bits(false)),
    }
}

/// Messages that are answered and change nothing.
const ACCEPTED: [u8; 9] = [
    message::NOP,
    message::POWER_SETTING,
    message::PCIE_INDEX,
    message::TEST,
    message::PCIE_RETRAIN,
    message::CURR_DATE,
    message::DEASSERT_RISCV_RESET,
    message::AUTO_RESET_TIMEOUT,
    message::SET_WDT_TIMEOUT,
];

/// What the NoC reaches, by offset.
enum Place {
    Csm(u64),
    Apb(u64),
}

fn place(noc: u64, addr: u64) -> Result<Place, Fault> {
    let within = |base: u32, size: u32| {
        addr.checked_sub(noc + u64::from(base)).filter(|&offset| offset < u64::from(size))
    };
    if let Some(offset) = [CSM_BASE, CSM_ALIAS].into_iter().find_map(|base| within(base, CSM_SIZE)) {
        return Ok(Place::Csm(offset));
    }
    within(APB_BASE, APB_SIZE).map(Place::Apb).ok_or_else(|| {
        Fault::not_implemented(format!("address {addr:#x} of the ARC tile, as the NoC sees it")).page(PAGE)
    })
}

/// Four aligned bytes, which is what registers take.
fn word_mut(bytes: &mut [u8], addr: u64) -> Result<&mut [u8; 4], Fault> {
    let len = bytes.len();
    bytes.try_into().ok().filter(|_| addr.is_multiple_of(4)).ok_or_else(|| narrow(addr, len))
}

fn narrow(addr: u64, len: usize) -> Fault {
    Fault::program(format!("{len} bytes at {addr:#x} of the ARC tile, where registers have 4")).page(PAGE)
}

fn scratch_index(register: u32) -> Option<usize> {
    let index = register.wrapping_sub(SCRATCH) as usize / 4;
    (index < SCRATCH_WORDS && register.is_multiple_of(4)).then_some(index)
}

fn unmapped(what: &str, offset: u64) -> Fault {
    Fault::not_implemented(format!("ARC {what} offset {offset:#x}")).page(PAGE)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::fault::Blame;
    use tt_isa::chip::board;

    pub(super) const NOC: u64 = tt_isa::chip::WORMHOLE.management.noc;

    fn arc(harvested: u32) -> Arc {
        Arc::new(board("n150").expect("known"), 0, harvested)
    }

    /// Sends a message as the host's driver does, over the NoC; status and result.
    pub(super) fn send(arc: &mut Arc, code: u8) -> [u32; 2] {
        let unit = NOC + u64::from(APB_BASE + RESET_UNIT);
        let mut write = |register: u32, word: u32| {
            arc.noc_write(unit + u64::from(register), &word.to_le_bytes()).expect("a register");
        };
        write(MESSAGE_ARGUMENT, u32::MAX);
        write(MESSAGE_STATUS, 0xAA00 | u32::from(code));
        write(MISC_CNTL, MISC_CNTL_IRQ0 | 1);
        let mut read = |register: u32| {
            let mut word = [0; 4];
            arc.noc_read(unit + u64::from(register), &mut word).expect("a register");
            u32::from_le_bytes(word)
        };
        assert_eq!(read(MISC_CNTL), 1, "the firmware has taken the message");
        [read(MESSAGE_STATUS), read(MESSAGE_ARGUMENT)]
    }

    #[test]
    fn messages_are_answered() {
        let mut arc = arc(0);
        assert_eq!(send(&mut arc, message::TEST), [u32::from(message::TEST), u32::MAX]);
        for (power, clock) in [
            (message::GO_LONG_IDLE, AICLK_IDLE),
            (message::GO_BUSY, AICLK_BUSY),
            (message::GO_SHORT_IDLE, AICLK_IDLE),
        ] {
            assert_eq!(send(&mut arc, power)[0], u32::from(power));
            assert_eq!(send(&mut arc, message::GET_AICLK), [u32::from(message::GET_AICLK), clock]);
            assert_eq!(arc.word(OLD_TELEMETRY + 4 * old::AICLK), 1000 << 16 | clock);
            let shown: Vec<u32> = (0..64).map(|i| arc.word(VALUES + 4 * i)).collect();
            assert!(shown.contains(&clock), "{shown:?}");
        }
        assert_eq!(send(&mut arc, 0xFE)[0], MESSAGE_UNKNOWN);
    }

    pub(super) fn read(arc: &mut Arc, address: u32) -> u32 {
        let mut word = [0; 4];
        arc.noc_read(NOC + u64::from(address), &mut word).expect("a word");
        u32::from_le_bytes(word)
    }

    /// A telemetry value, found as the kernel driver finds it.
    fn telemetry(arc: &mut Arc, tag: u16) -> Option<u32> {
        let Management { telemetry_table, telemetry_values, .. } = arc.chip.management;
        let [table, values] = [telemetry_table, telemetry_values].map(|at| read(arc, at));
        let entries = (0..read(arc, table + 4)).map(|i| read(arc, table + 8 + 4 * i)).collect::<Vec<_>>();
        let entry = entries.into_iter().find(|&entry| entry as u16 == tag)?;
        Some(read(arc, values + 4 * (entry >> 16)))
    }

    #[test]
    fn the_older_telemetry_is_where_drivers_look() {
        let mut arc = arc(0);
        let [_, address] = send(&mut arc, message::GET_OLD_TELEMETRY);
        assert_eq!(read(&mut arc, address), old::MARKER, "an address of ARC's own");
        assert_eq!(read(&mut arc, 0x2007_8D60), old::MARKER, "the address that the user-mode driver has");
    }

    #[test]
    fn limits_are_told_and_the_heartbeat_goes_on() {
        let mut arc = arc(0);
        assert_eq!(telemetry(&mut arc, tag::THM_LIMIT_THROTTLE), Some(THROTTLE_DEGREES));
        assert_eq!(telemetry(&mut arc, tag::TDP_LIMIT_MAX), Some(TDP_LIMIT_W));
        assert_eq!(telemetry(&mut arc, tag::VDD_LIMITS).map(|limits| limits >> 16), Some(950));
        let id = [tag::ASIC_ID_HIGH, tag::ASIC_ID_LOW].map(|tag| telemetry(&mut arc, tag));
        assert!(id[0].is_some() && id[1].is_some());
        let beats = [0; 3].map(|_| telemetry(&mut arc, tag::TIMER_HEARTBEAT).expect("a heartbeat"));
        assert!(beats[0] < beats[1] && beats[1] < beats[2], "{beats:?}");
    }

    #[test]
    fn harvesting_is_told_in_the_order_of_the_fuses() {
        // The last two rows are y = 10 and y = 11.
        let [_, mask] = send(&mut arc(0b11 << 8), message::GET_HARVESTING);
        assert_eq!(mask, 0b101);
    }

    #[test]
    fn registers_are_words() {
        let mut arc = arc(0);
        let at = NOC + u64::from(APB_BASE + RESET_UNIT + SCRATCH);
        for (addr, len) in [(at, 8), (at + 1, 4), (at, 2)] {
            let fault = arc.noc_read(addr, &mut vec![0; len]).unwrap_err();
            assert_eq!(fault.blame, Blame::Program, "{fault}");
        }
        assert_eq!(arc.noc_read(NOC, &mut [0; 4]).unwrap_err().blame, Blame::NotImplemented);
    }
}
