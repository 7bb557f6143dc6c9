//! Builds programs for cores, step by step.

#![allow(dead_code, reason = "each test takes what it needs")]

use tt_isa::cfg::CfgField;
use tt_isa::insn::{SETC16, ttinsn};
use tt_isa::map::{CFG_BASE, INSTRN_BUF_BASE, PC_BUF_BASE, PC_BUF_TENSIX_SYNC};

use super::asm::{b, i, li, r, s};
use super::host::{niu, poke};

/// Code of a core, instruction by instruction.
#[derive(Default)]
pub struct Code(pub Vec<u32>);

impl Code {
    pub fn add(&mut self, words: impl IntoIterator<Item = u32>) {
        self.0.extend(words);
    }

    pub fn tensix(&mut self, word: u32) {
        self.0.push(ttinsn(word));
    }

    /// An instruction word that goes to the coprocessor as a store does.
    pub fn push(&mut self, word: u32) {
        self.store(INSTRN_BUF_BASE, word);
    }

    /// Loads the word at `addr` into x8, and uses it or not.
    pub fn load(&mut self, addr: u32, used: bool) {
        self.add([&li(5, addr)[..], &[i("Lw", 8, 5, 0)]].concat());
        if used {
            self.add([r("And", 8, 8, 8)]);
        }
    }

    /// Polls the counter at `addr` until it is at least `count`.
    pub fn wait(&mut self, addr: u32, count: u32) {
        self.add([&li(5, addr)[..], &li(6, count), &[i("Lw", 7, 5, 0), b("Bltu", 7, 6, -4)]].concat());
    }

    pub fn store(&mut self, addr: u32, value: u32) {
        self.add(poke(addr, value));
    }

    /// Loads a word and uses it: stores to the same address have arrived then.
    pub fn settle(&mut self, addr: u32) {
        self.add([&li(5, addr)[..], &[i("Lw", 7, 5, 0), r("And", 7, 7, 7)]].concat());
    }

    pub fn config(&mut self, field: CfgField, value: u32) {
        self.store(CFG_BASE + 4 * field.index, value);
    }

    /// Waits until the thread's instructions are done.
    pub fn ttsync(&mut self, wait: bool) {
        self.add(li(5, PC_BUF_BASE + PC_BUF_TENSIX_SYNC));
        self.add([s("Sw", 0, 5, 0), i("Lw", 7, 5, 0)]);
        if wait {
            self.add([r("And", 7, 7, 7)]);
        }
    }

    pub fn setc16(&mut self, field: CfgField, value: u32) {
        self.tensix(SETC16 { setc16_reg: field.index, setc16_value: value }.word());
    }

    /// Polls a counter of an NIU until it is `count`.
    pub fn wait_noc(&mut self, noc: u32, counter: u32, count: u32) {
        self.wait(niu(noc, counter), count);
    }
}
