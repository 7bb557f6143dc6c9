//! Wormhole's tables are unchanged since the kernels and the simulator were tested with them. A row that is changed by
//! mistake, while another chip is described, fails here.

use tt_isa::cfg::CfgField;
use tt_isa::chip::WORMHOLE;

/// FNV-1a.
fn digest<'a>(parts: impl Iterator<Item = (&'a str, [u8; 3])>) -> u64 {
    parts
        .flat_map(|(name, numbers)| name.bytes().chain(numbers))
        .fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3))
}

fn registers(fields: &[CfgField]) -> (usize, u64) {
    let part = |field: &CfgField| (field.name, [field.index as u8, field.shift as u8, field.width as u8]);
    (fields.len(), digest(fields.iter().map(part)))
}

#[test]
fn registers_have_not_changed() {
    assert_eq!(registers(WORMHOLE.registers.config), (530, 0x14EF_E3A7_3D1C_9743));
    assert_eq!(registers(WORMHOLE.registers.thread), (261, 0x0700_3595_E610_A5F3));
}

#[test]
fn instructions_have_not_changed() {
    let rows = WORMHOLE.insn.rows.iter().flat_map(|row| {
        let head = (row.name, [row.opcode, row.used_by_software.into(), 0]);
        let fields = row.fields.iter().map(|field| (field.name, [field.hi as u8, field.lo as u8, 0]));
        std::iter::once(head).chain(fields)
    });
    assert_eq!(digest(rows), 0x39B0_F861_BDEB_AD75);
    assert_eq!(WORMHOLE.insn.rows.len(), 128);
}
