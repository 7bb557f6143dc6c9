//! A campaign: many cases on both simulators, and their outcomes.
//!
//! Case `n` of seed `s` is always the same case. Batches fill all tiles. When this simulator refuses a case, the
//! instruction that it names is removed, up to [`MENDS`] times. A few refusals of each kind are also given to the
//! vendor's simulator, which must refuse them too.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use tt_isa::cfg::CfgField;
use tt_isa::chip::wormhole::config as c;
use tt_isa::map::CFG_BASE;

use crate::case::{Action, Case};
use crate::compare::{Both, Difference, Verdict, first_difference, verdict};
use crate::corpus::{self, Entry, Expected};
use crate::family::Family;
use crate::random::Random;
use crate::run::{Here, Outcome, Refusal, RunError, Vendor, capacity};
use crate::shrink::shrink;

/// How often a refused case loses an instruction.
const MENDS: usize = 4;
/// Refusals of a kind that the vendor's simulator is shown.
const SHOWN: u64 = 4;
/// Differences of a kind that are made small and kept.
const KEPT: usize = 2;
/// Cases of a family that a campaign proposes for the corpus.
const PROPOSED: usize = 40;

/// What to do.
#[derive(Clone, Debug)]
pub struct Options {
    /// Number of the first case.
    pub first: u64,
    /// How many cases.
    pub cases: u64,
    /// Which.
    pub seed: u64,
    /// Of one family only.
    pub family: Option<Family>,
    /// Threads, each with its own pair of simulators.
    pub jobs: usize,
    /// Collect cases for the corpus that cover what these, its cases so far, do not; `None` collects nothing.
    pub propose: Option<Vec<Entry>>,
    /// Is told now and then how many cases there have been, and how many differences.
    pub progress: fn(u64, u64),
}

/// Counts of a family.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, serde::Serialize)]
pub struct Counts {
    /// Cases.
    pub cases: u64,
    /// Equal results.
    pub same: u64,
    /// Refused by both.
    pub both_refuse: u64,
    /// Refused by the vendor's simulator alone.
    pub vendor_refuses: u64,
    /// Refused here, mended as often as it may be, and not shown to the vendor's simulator.
    pub refused: u64,
    /// Differences.
    pub differ: u64,
}

/// A difference.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Number of the case in the campaign.
    pub n: u64,
    /// What differs.
    pub difference: Difference,
    /// The case, made small.
    pub case: Case,
    /// Where and how the results differ, in words.
    pub detail: String,
}

/// What came of a campaign.
#[derive(Clone, Default, Debug)]
pub struct Report {
    /// By family.
    pub families: BTreeMap<Family, Counts>,
    /// Instructions in cases with equal results, by opcode.
    pub opcodes: BTreeMap<u8, u64>,
    /// What the vendor's simulator alone refuses, by kind.
    pub vendor_refuses: BTreeMap<String, u64>,
    /// What this simulator refuses, by kind.
    pub here_refuses: BTreeMap<String, u64>,
    /// Differences by kind.
    pub differences: BTreeMap<(Family, Difference), u64>,
    /// Some of them.
    pub findings: Vec<Finding>,
    /// Cases for the corpus.
    pub proposals: Vec<Entry>,
    /// Values of narrow operands that those and the corpus cover ([`corpus::modes`]).
    covered: BTreeSet<(u8, u32, u32)>,
    /// The same for what are no instructions of the coprocessor, and for formats.
    others: BTreeSet<(Family, u8, u32)>,
}

/// Runs a campaign.
///
/// # Errors
/// The simulators cannot be used; see [`RunError`].
pub fn run(library: &Path, options: &Options) -> Result<Report, RunError> {
    let jobs = options.jobs.max(1);
    // Processes are started before threads.
    let vendors: Vec<Vendor> = (0..jobs).map(|_| Vendor::start(library)).collect::<Result<_, _>>()?;
    let mut report = Report::default();
    options.propose.iter().flatten().for_each(|entry| report.cover(&entry.case));
    let report = Mutex::new(report);
    let next = AtomicU64::new(options.first);
    let end = options.first + options.cases;
    let results: Vec<Result<(), RunError>> = std::thread::scope(|scope| {
        let workers: Vec<_> = vendors
            .into_iter()
            .map(|vendor| {
                let mut worker = Worker { both: Both { here: Here, vendor }, options, report: &report };
                let next = &next;
                scope.spawn(move || {
                    loop {
                        let first = next.fetch_add(BATCH, Ordering::Relaxed);
                        if first >= end {
                            return Ok(());
                        }
                        worker.batch(first, (first + BATCH).min(end))?;
                        let done = first - options.first;
                        if done % PROGRESS < BATCH && done > 0 {
                            (options.progress)(done, lock(worker.report).total().differ);
                        }
                    }
                })
            })
            .collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()).collect()
    });
    results.into_iter().collect::<Result<(), _>>()?;
    Ok(report.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// Cases between two reports of progress.
const PROGRESS: u64 = 50_000;
/// Cases whose numbers a worker takes at once. Each batch is of pairs or of single tiles.
const BATCH: u64 = 64;

/// A case with its number.
struct Numbered {
    n: u64,
    case: Case,
}

struct Worker<'a> {
    both: Both,
    options: &'a Options,
    report: &'a Mutex<Report>,
}

/// The `n`-th case of a campaign.
pub fn case_of(seed: u64, n: u64, family: Option<Family>) -> Case {
    let mut random = Random::of_case(seed, n);
    let weights: Vec<(u32, Family)> =
        Family::ALL.iter().map(|&(family, _, weight)| (weight, family)).collect();
    family.unwrap_or_else(|| random.weighted(&weights)).generate(&mut random)
}

impl Worker<'_> {
    fn batch(&mut self, first: u64, end: u64) -> Result<(), RunError> {
        let case = |n| Numbered { n, case: case_of(self.options.seed, n, self.options.family) };
        let (pairs, singles): (Vec<_>, Vec<_>) = (first..end).map(case).partition(|c| c.case.is_pair());
        for (cases, pair) in [(pairs, true), (singles, false)] {
            let mut cases = cases;
            while !cases.is_empty() {
                let rest = cases.split_off(cases.len().min(capacity(pair)));
                self.run(cases)?;
                cases = rest;
            }
        }
        Ok(())
    }

    fn run(&mut self, mut cases: Vec<Numbered>) -> Result<(), RunError> {
        for mend in 0..=MENDS {
            let refs: Vec<&Case> = cases.iter().map(|numbered| &numbered.case).collect();
            let outcomes = self.both.here.run(&refs)?;
            let mut ran = Vec::new();
            let mut mended = Vec::new();
            for (numbered, outcome) in cases.into_iter().zip(outcomes) {
                match outcome {
                    Outcome::Refused(refusal) => {
                        mended.extend(self.refused(numbered, refusal, mend == MENDS)?);
                    }
                    outcome => ran.push((numbered, outcome)),
                }
            }
            self.compare(ran)?;
            if mended.is_empty() {
                break;
            }
            cases = mended;
        }
        Ok(())
    }

    /// Counts a refusal, shows it to the vendor's simulator if it is a new one, and mends the case if that makes sense.
    fn refused(
        &mut self,
        numbered: Numbered,
        refusal: Refusal,
        give_up: bool,
    ) -> Result<Option<Numbered>, RunError> {
        let seen = {
            let mut report = lock(self.report);
            let seen = report.here_refuses.entry(refusal.kind.clone()).or_default();
            *seen += 1;
            *seen
        };
        let Numbered { n, case } = &numbered;
        if seen <= SHOWN {
            let vendor = self.both.vendor.run(&[case])?;
            let here = Outcome::Refused(refusal.clone());
            if let Verdict::Differs(difference) = verdict(&here, &vendor[0]) {
                self.found(*n, case, &difference, format!("{}\n", refusal.what))?;
                lock(self.report).of(case).cases += 1;
                return Ok(None);
            }
        }
        let mut mended = case.clone();
        if let Some(word) = refusal.word {
            mended.body.retain(|action| *action != Action::Push(word));
        }
        if give_up || mended.body == case.body || mended.body.is_empty() {
            let mut report = lock(self.report);
            let counts = report.of(case);
            counts.cases += 1;
            *(if seen <= SHOWN { &mut counts.both_refuse } else { &mut counts.refused }) += 1;
            return Ok(None);
        }
        Ok(Some(Numbered { n: *n, case: mended }))
    }

    fn compare(&mut self, ran: Vec<(Numbered, Outcome)>) -> Result<(), RunError> {
        let refs: Vec<&Case> = ran.iter().map(|(numbered, _)| &numbered.case).collect();
        let outcomes = self.both.vendor.run(&refs)?;
        for ((numbered, here), vendor) in ran.into_iter().zip(outcomes) {
            let case = &numbered.case;
            match verdict(&here, &vendor) {
                Verdict::Same => lock(self.report).same(case, &here, self.options.propose.is_some()),
                Verdict::BothRefuse => lock(self.report).of(case).both_refuse += 1,
                Verdict::VendorRefuses(kind) => {
                    let mut report = lock(self.report);
                    *report.vendor_refuses.entry(kind).or_default() += 1;
                    report.of(case).vendor_refuses += 1;
                }
                Verdict::Differs(difference) => {
                    lock(self.report).of(case).cases += 1;
                    self.found(numbered.n, case, &difference, String::new())?;
                    continue;
                }
            }
            lock(self.report).of(case).cases += 1;
        }
        Ok(())
    }

    fn found(&mut self, n: u64, case: &Case, difference: &Difference, told: String) -> Result<(), RunError> {
        let keep = {
            let mut report = lock(self.report);
            report.of(case).differ += 1;
            let count = report.differences.entry((case.family, difference.clone())).or_default();
            *count += 1;
            let similar = |f: &&Finding| f.case.family == case.family && f.difference == *difference;
            report.findings.iter().filter(similar).count() < KEPT
        };
        if keep {
            let small = shrink(&mut self.both, case, difference)?;
            let detail = told + &self.detail(&small)?;
            let finding = Finding { n, difference: difference.clone(), case: small, detail };
            lock(self.report).findings.push(finding);
        }
        Ok(())
    }

    /// Where the results differ first.
    fn detail(&mut self, case: &Case) -> Result<String, RunError> {
        let here = self.both.here.run(&[case])?.remove(0);
        let vendor = self.both.vendor.run(&[case])?.remove(0);
        let (Outcome::Done(here), Outcome::Done(vendor)) = (here, vendor) else { return Ok(String::new()) };
        let Some((at, ours, theirs, count)) = first_difference(&here, &vendor) else {
            return Ok(String::new());
        };
        let mut start = 0;
        for look in &case.looks {
            if at < start + look.len as usize {
                let addr = look.addr as usize + at - start;
                return Ok(format!(
                    "{count} words differ, first at {:?} {addr:#x}: {ours:#010x} here, {theirs:#010x} there\n",
                    look.at
                ));
            }
            start += look.len as usize;
        }
        Ok(String::new())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Report {
    fn of(&mut self, case: &Case) -> &mut Counts {
        self.families.entry(case.family).or_default()
    }

    /// All families together.
    pub fn total(&self) -> Counts {
        self.families.values().fold(Counts::default(), |sum, c| Counts {
            cases: sum.cases + c.cases,
            same: sum.same + c.same,
            both_refuse: sum.both_refuse + c.both_refuse,
            vendor_refuses: sum.vendor_refuses + c.vendor_refuses,
            refused: sum.refused + c.refused,
            differ: sum.differ + c.differ,
        })
    }

    fn same(&mut self, case: &Case, outcome: &Outcome, propose: bool) {
        self.of(case).same += 1;
        for word in case.pushed() {
            *self.opcodes.entry((word >> 24) as u8).or_default() += 1;
        }
        if propose && let Some(expected) = Expected::of(outcome) {
            self.propose(case, expected);
        }
    }

    /// Takes note of what a case of the corpus covers.
    fn cover(&mut self, case: &Case) {
        self.covered.extend(case.pushed().flat_map(corpus::modes));
        self.others.extend(keys(case));
    }

    /// Keeps a case for the corpus if it has something that neither the corpus nor a kept case has.
    fn propose(&mut self, case: &Case, expected: Expected) {
        let of_family = self.proposals.iter().filter(|entry| entry.case.family == case.family).count();
        let new = case.pushed().flat_map(corpus::modes).any(|mode| !self.covered.contains(&mode))
            || keys(case).any(|key| !self.others.contains(&key));
        if of_family < PROPOSED && new && case.body.len() <= 40 {
            self.cover(case);
            self.proposals.push(Entry { case: case.clone(), expected });
        }
    }
}

/// What a case covers beside values of operands.
fn keys(case: &Case) -> impl Iterator<Item = (Family, u8, u32)> {
    let formats = case.setup.iter().filter_map(|action| format_key(case.family, action));
    case.body.iter().filter_map(|action| key(case.family, action)).chain(formats)
}

/// Registers whose low bits are formats: of unpackers, packers and the matrix unit.
const FORMATS: [(CfgField, u32); 4] = [
    (c::THCON_SEC0_REG0_TileDescriptor, 0xF),
    (c::THCON_SEC0_REG2_Out_data_format, 0x30F),
    (c::THCON_SEC0_REG1_Out_data_format, 0xFF0),
    (c::ALU_FORMAT_SPEC_REG0_SrcA, 0xE1FE_0000),
];

/// What a configuration write covers: the formats of a unit.
fn format_key(family: Family, action: &Action) -> Option<(Family, u8, u32)> {
    let Action::Write(addr, value) = *action else { return None };
    let of = |(field, _): &&(CfgField, u32)| addr == CFG_BASE + 4 * field.index;
    let (field, mask) = FORMATS.iter().find(of)?;
    Some((family, field.index as u8, value & mask | 1 << 31))
}

/// What an action covers that is no instruction of the coprocessor.
fn key(family: Family, action: &Action) -> Option<(Family, u8, u32)> {
    match *action {
        Action::Code(word) => Some((family, (word & 0x7F) as u8, word & 0xFE00_7000)),
        Action::Request(request) => Some((
            family,
            request.remote as u8,
            request.ctrl.bits() | request.noc << 31 | u32::from(request.len > 64) << 30,
        )),
        Action::Push(_) | Action::Write(..) | Action::Copy { .. } | Action::Wait(..) | Action::Sync => None,
    }
}
