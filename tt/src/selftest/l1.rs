//! L1 of every tile, by a march on its own BRISC.
//!
//! March C- goes through all words five times, upwards and downwards, reads in each what the pass before has written, and writes the opposite: it finds bits
//! that are stuck, bits that do not change one way, pairs that influence one another, and addresses that reach the wrong word (A. J. van de
//! Goor, "Testing Semiconductor Memories", chapter 4). A last pass writes to each word its own address.

use tt_isa::map::RiscV;
use tt_isa::noc::NocXy;
use tt_isa::rv32::{i, s};
use tt_runtime::Error;

use super::Step;
use crate::findings::{Finding, Outcome};
use crate::machine::{Ending, Job, Machine};
use crate::program::{Errors, Mailbox, Program, reg};

/// Name of the check.
pub const CHECK: &str = "L1";
/// Registers with the two values that words have in turn.
const ZEROS: u32 = reg::OWN;
const ONES: u32 = reg::OWN + 1;
const FIRST: u32 = reg::OWN + 2;
const LAST: u32 = reg::OWN + 3;
/// Bytes that the quick test looks at.
const SAMPLE: u32 = 64 << 10;

/// Tests every tile's.
///
/// # Errors
/// The chip does not answer.
pub fn test(machine: &mut Machine, quick: bool, step: &Step) -> Result<Vec<Finding>, Error> {
    let (first, mut end) = (Mailbox::END, machine.chip().tile.l1_size);
    if let Some((firmware, _)) = machine.chip().tile.l1_firmware {
        end = end.min(firmware);
    }
    if quick {
        end = end.min(first + SAMPLE);
    }
    let tiles = machine.present();
    let job = |&(tile, _): &(NocXy, NocXy)| Job { tile, core: RiscV::Brisc, code: program(first, end - 4) };
    let jobs: Vec<Job> = tiles.iter().map(job).collect();
    let endings = machine.run(&jobs)?;
    let finding = |(&(_, place), ending): (&(NocXy, NocXy), &Ending)| {
        step.one();
        match ending {
            Ending::Hung => Finding::new(place, CHECK, Outcome::Hung, "the march does not come to its end"),
            Ending::Done(words) => judge(place, &Errors::read(words), first, end),
        }
    };
    Ok(tiles.iter().zip(&endings).map(finding).collect())
}

fn judge(place: NocXy, errors: &Errors, first: u32, end: u32) -> Finding {
    match errors.count {
        0 => Finding::new(
            place,
            CHECK,
            Outcome::Passed,
            format!("March C- and addresses, {first:#x} to {end:#x}"),
        ),
        count => {
            let Errors { addr, want, got, bits, .. } = errors;
            let what = format!(
                "{count} wrong reads, the first at {addr:#07x}: {got:#010x} instead of {want:#010x}; {}",
                named_bits(*bits)
            );
            Finding::new(place, CHECK, Outcome::Failed, what)
        }
    }
}

/// The bits that are set, as a text.
pub fn named_bits(bits: u32) -> String {
    match bits.count_ones() {
        1 => format!("bit {} is wrong", bits.trailing_zeros()),
        count => format!("{count} bits are wrong in some of them ({bits:#010x})"),
    }
}

/// The march over the words from `first` to `last`.
fn program(first: u32, last: u32) -> Vec<u32> {
    let mut program = Program::of(RiscV::Brisc);
    program.errors();
    program.set(ZEROS, 0);
    program.set(ONES, u32::MAX);
    program.set(FIRST, first);
    program.set(LAST, last);
    let march = [
        (false, None, Some(ZEROS)),
        (false, Some(ZEROS), Some(ONES)),
        (false, Some(ONES), Some(ZEROS)),
        (true, Some(ZEROS), Some(ONES)),
        (true, Some(ONES), Some(ZEROS)),
        (false, Some(ZEROS), None),
        // Each word's own address.
        (false, None, Some(reg::ADDR)),
        (true, Some(reg::ADDR), None),
    ];
    march.into_iter().for_each(|(down, want, value)| pass(&mut program, down, want, value));
    program.leave_errors();
    program.end()
}

/// One pass: each word is read, if there is something that it should be, and written, if there is something to write.
fn pass(program: &mut Program, down: bool, want: Option<u32>, value: Option<u32>) {
    let (from, to, by) = if down { (LAST, FIRST, -4) } else { (FIRST, LAST, 4) };
    program.copy(reg::ADDR, from);
    program.add([i("Addi", reg::END, to, by)]);
    let word = program.here();
    if let Some(want) = want {
        program.add([i("Lw", reg::GOT, reg::ADDR, 0)]);
        program.check(want);
    }
    if let Some(value) = value {
        program.add([s("Sw", value, reg::ADDR, 0)]);
    }
    program.add([i("Addi", reg::ADDR, reg::ADDR, by)]);
    program.back("Bne", reg::ADDR, reg::END, word);
}
