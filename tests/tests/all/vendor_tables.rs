//! The instructions and configuration registers of every chip, against the lists from which the vendor's simulator is generated.
//!
//! `TTSIM_DATA` names the folder `data` of its sources: `wh/tensix_isa.json`, `bh/tensix_regs.json`, ..

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use tt_isa::cfg::CfgField;
use tt_isa::chip::{BLACKHOLE, Chip, WORMHOLE};
use tt_tests::need;
use tt_tests::tools::from_environment;

/// Our chips and the vendor's folders.
const CHIPS: [(&Chip, &str); 2] = [(&WORMHOLE, "wh"), (&BLACKHOLE, "bh")];

fn json(folder: &Path, chip: &str, file: &str) -> Value {
    let path = folder.join(chip).join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Lowest bit of each operand, and the highest where the vendor says one: `16:14`, or `16:16` for "from 16 up to the next".
fn operands(row: &Value) -> Option<Vec<(u32, u32)>> {
    let list = row.get("args")?.as_object()?;
    let mut bits: Vec<(u32, u32)> = list
        .values()
        .map(|text| {
            let (hi, lo) = text.as_str().and_then(|text| text.split_once(':')).expect("hi:lo");
            (lo.parse().expect("a bit"), hi.parse().expect("a bit"))
        })
        .collect();
    bits.sort_unstable();
    Some(bits)
}

#[test]
fn instructions_are_the_vendors() {
    let folder = need!(from_environment("TTSIM_DATA", "folder `data` of the vendor simulator's sources"));
    for (chip, name) in CHIPS {
        let theirs = json(&folder, name, "tensix_isa.json");
        let theirs = theirs.as_object().expect("a table of instructions");
        assert_eq!(chip.insn.rows.len(), theirs.len(), "{name}");
        for row in chip.insn.rows {
            let other = &theirs[row.name];
            assert_eq!(other["opcode"].as_u64(), Some(row.opcode.into()), "{name} {}", row.name);
            let Some(bits) = operands(other) else { continue };
            // The simulator does not have this operand, which the ISA documents describe.
            let known = row.fields.iter().filter(|field| field.name != "thread_override");
            let mut ours: Vec<(u32, u32)> = known.map(|field| (field.lo, field.hi)).collect();
            ours.sort_unstable();
            let starts = |bits: &[(u32, u32)]| bits.iter().map(|(lo, _)| *lo).collect::<Vec<_>>();
            assert_eq!(starts(&ours), starts(&bits), "{name} {}", row.name);
            for ((lo, hi), (_, ours)) in bits.into_iter().zip(ours) {
                // The simulator does not take condition 12.
                let narrower = row.name == "STALLWAIT" && lo == 0;
                assert!(hi == lo || hi == ours || narrower, "{name} {} bit {lo}: {hi} {ours}", row.name);
            }
        }
    }
}

fn fields(theirs: &Value) -> BTreeMap<String, (u32, u32, u32)> {
    let registers = theirs.as_object().expect("a table of registers");
    let number = |field: &Value, name: &str| field[name].as_u64().expect("a number") as u32;
    registers
        .iter()
        .flat_map(|(index, list)| {
            let index = index.parse().expect("an index");
            list.as_array().expect("a list of fields").iter().map(move |field| {
                let name = field["name"].as_str().expect("a name").to_owned();
                (name, (index, number(field, "shift"), number(field, "size")))
            })
        })
        .collect()
}

#[test]
fn registers_are_the_vendors() {
    let folder = need!(from_environment("TTSIM_DATA", "folder `data` of the vendor simulator's sources"));
    let ours = |list: &[CfgField]| -> BTreeMap<String, (u32, u32, u32)> {
        list.iter().map(|field| (field.name.to_owned(), (field.index, field.shift, field.width))).collect()
    };
    for (chip, name) in CHIPS {
        let theirs = json(&folder, name, "tensix_regs.json");
        assert_eq!(ours(chip.registers.config), fields(&theirs["cfg"]), "{name}");
        assert_eq!(ours(chip.registers.thread), fields(&theirs["thread_cfg"]), "{name}");
    }
}
