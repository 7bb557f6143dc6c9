//! BRISC: weights of products with one row of activations, or one tile of rows, through the ring that outlives steps ([`tt_kernel_abi::ahead`]).
//!
//! ```text
//! step          product 1                 | norm ..        | product 2
//! BRISC         blocks of 1               | blocks of 2, of 3, one at a time, while it waits | the rest
//! later steps   asked for all of 1: reads the descriptor of 2 from DRAM; for all of 2: that of 3
//! ```
//!
//! Who waits for whom: in a product, BRISC waits for slots, that is for TRISC0 to unpack earlier blocks of the same product, and for blocks in
//! the order in which it has asked for them, which DRAM brings without a core. Ahead of a product it waits for nothing: a block is asked for if its slot is
//! known to be free, with no other on its way. A slot is free when TRISC0 has unpacked what was in it, and then only the step that runs has blocks that are not
//! unpacked. A product that needs several blocks at once needs fewer than the ring has slots. The position of a product's first block follows the last one of the product before. TRISC0 learns it with the first block
//! ([`WEIGHTS_FROM`]), and has unpacked the blocks of earlier products when their steps end.
//!
//! Reads that are left under way have transaction ids of their own. Kernels that begin meanwhile, and wait for their own reads, do not wait for these
//! ([`Noc::set_read_id`]).
//!
//! Of a `MUL_MAT_ID` BRISC knows the weights when it has the indices, and reads these when the step after the one that writes them has begun: then all tiles have completed that one. Until then it
//! reads nothing ahead. Products with the same indices find them in L1.
//!
//! What has been read ahead is of the steps with these numbers in the same stream, in their order. If another one comes, or a launch by the host
//! ([`BEGINS`]), all of it is given up, when what is on its way has come.

use super::matmul::blocks::{Block, Blocks};
use super::matmul_block::slots::{Slot, Slots};
use crate::rt::experts;
use crate::rt::l1::L1;
use crate::rt::launch::{Launch, TileLaunch, Work};
use crate::rt::noc::Noc;
use crate::rt::ring::{self, LaterStep};
use crate::rt::sync::{WEIGHTS_FREE, WEIGHTS_FROM, WEIGHTS_READY};
use tt_kernel_abi::ahead::{BEGINS, Link, SLOTS, link};
use tt_kernel_abi::launch::ErrorCode;
use tt_kernel_abi::matmul_block::DST_TILES;
use tt_kernel_abi::operators::{Op, kernel};
use tt_kernel_abi::{DramAddr, OpDescriptor};

/// Blocks of the running product on their way at the same time, with transaction ids from 1 on.
const IN_FLIGHT: u32 = 2;
/// Transaction id of a later step's descriptor, and of indices.
const STEP_ID: u32 = IN_FLIGHT + 1;
// TRISC0 waits for the columns of a block of K together, while BRISC waits for a slot with others on their way.
const _: () = assert!(DST_TILES + IN_FLIGHT <= SLOTS);
/// Products that may be read ahead of.
const PRODUCTS: usize = 4;

/// What is known of a product whose weights come before it begins.
#[derive(Clone, Copy, Default)]
struct Product {
    /// Number of the step.
    number: u32,
    /// Position of its first block in the ring.
    position: u32,
    /// Blocks that have been asked for, and those that are there.
    asked: u32,
    ready: u32,
    /// The first of its indices that names no matrix.
    wrong: Option<u32>,
}

impl Product {
    /// Transaction id of a block.
    fn id(number: u32) -> u32 {
        1 + number % IN_FLIGHT
    }

    fn is_complete(&self) -> bool {
        self.ready == self.asked
    }
}

/// The blocks of a product's weights that are left, each of which a slot of the ring takes, in the order in which TRISC0 unpacks them. At most one of the two is there: what has the room
/// of both would be copied whole.
struct Weights {
    /// Of a single row.
    row: Option<Blocks<'static>>,
    /// Of a tile of rows.
    rows: Option<Slots>,
}

/// What [`Weights`] are a list of.
trait List: Iterator {
    /// Starts to read a block, which is the last one that was asked for.
    fn read(&mut self, noc: &mut Noc, block: &Self::Item, to: L1);
}

impl List for Blocks<'_> {
    #[inline(always)]
    fn read(&mut self, noc: &mut Noc, block: &Block, to: L1) {
        Blocks::read(self, noc, block, to);
    }
}

impl List for Slots {
    #[inline(always)]
    fn read(&mut self, noc: &mut Noc, slot: &Slot, to: L1) {
        Slots::read(self, noc, slot, to);
    }
}

impl Weights {
    const NONE: Self = Self { row: None, rows: None };

    /// Those of worker `index` in a launch of `op`; none if it has no part in it.
    #[inline(never)]
    fn set(&mut self, op: &OpDescriptor, index: u32, banks: u32) {
        self.clear();
        if let Some(params) = op.params_of::<kernel::Matmul>() {
            self.row = Blocks::of(op, params, index, banks);
        } else if let Some(params) = op.params_of::<kernel::MatmulBlock>() {
            self.rows = Slots::of(op, params, index, banks);
        }
    }

    fn clear(&mut self) {
        (self.row, self.rows) = (None, None);
    }

    fn are_left(&self) -> bool {
        self.row.is_some() || self.rows.is_some()
    }

    /// Number of the unit that the next block is of.
    fn unit(&self) -> Option<u32> {
        match (&self.row, &self.rows) {
            (Some(blocks), _) => blocks.unit(),
            (_, Some(slots)) => Some(slots.unit()),
            _ => None,
        }
    }

    /// See [`ask`].
    fn ask(&mut self, product: &mut Product, noc: &mut Noc, waits: bool) -> bool {
        match (&mut self.row, &mut self.rows) {
            (Some(blocks), _) => ask(blocks, product, noc, waits),
            (_, Some(slots)) => ask(slots, product, noc, waits),
            _ => false,
        }
    }
}

/// Which indices there are in their [place](experts::place).
#[derive(Clone, Copy, PartialEq, Eq)]
struct Indices {
    addr: u64,
    count: u32,
    /// The step that has written them.
    from: u32,
    matrices: u32,
}

impl Indices {
    const NONE: Self = Self { addr: 0, count: 0, from: 0, matrices: 0 };

    /// Those that name the matrices of a product, if it has any.
    fn of(op: &OpDescriptor) -> Option<Self> {
        let ids = tt_kernel_abi::ahead::experts(op)?;
        let from = op.params.get::<kernel::Matmul>().ids_from;
        Some(Self { addr: ids.addr, count: ids.ne[0], from, matrices: op.src0.ne[2] })
    }
}

/// What the last product that is known waits for before blocks of it can be asked for, or what comes before one more is known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Comes {
    Nothing,
    /// A later step's descriptor.
    Step,
    /// Indices that may not be there yet.
    Unknown,
    /// Indices that are on their way.
    Indices,
}

/// Reads the blocks of the last product that is known.
struct Reader {
    /// Of the worker.
    index: u32,
    noc: Noc,
    /// Those that have not been asked for; none if all have been.
    blocks: Weights,
    /// What comes before any can be.
    comes: Comes,
    /// What is in the place of indices, and the first one that names no matrix.
    indices: Indices,
    wrong: Option<u32>,
}

impl Reader {
    /// The blocks of a product, which is the last one that is known; or it waits for its indices. Gives the first of these that names no matrix, if they are there.
    fn begin(&mut self, op: &OpDescriptor) -> Option<u32> {
        let indices = Indices::of(op);
        if indices.is_some_and(|indices| indices != self.indices) {
            self.comes = Comes::Unknown;
            return None;
        }
        self.comes = Comes::Nothing;
        self.blocks.set(op, self.index, self.noc.banks());
        indices.and(self.wrong)
    }

    /// Starts to read the indices of a product.
    fn fetch_indices(&mut self, op: &OpDescriptor) {
        let mut noc = Noc::new(0);
        noc.set_read_id(STEP_ID);
        noc.read_dram(DramAddr(op.more[0].addr), experts::place(op));
        noc.set_read_id(0);
        self.comes = Comes::Indices;
    }

    /// The indices of a product have come. Who reads weights takes the first matrix for one that is not there.
    #[inline(never)]
    fn know_indices(&mut self, op: &OpDescriptor) -> Option<u32> {
        self.indices = Indices::of(op).unwrap_or(Indices::NONE);
        self.wrong = None;
        for index in experts::place(op).words() {
            let matrix = index.load();
            if matrix >= self.indices.matrices {
                self.wrong = self.wrong.or(Some(matrix));
                index.store(0);
            }
        }
        self.begin(op)
    }

    /// The indices of the product that runs, if it still waits for them. Gives what [`begin`](Self::begin) does.
    #[inline(never)]
    fn bring_indices(&mut self, op: &OpDescriptor) -> Option<u32> {
        if self.comes == Comes::Unknown {
            self.fetch_indices(op);
        }
        if self.comes != Comes::Indices {
            return None;
        }
        self.noc.wait_read_id(STEP_ID);
        self.know_indices(op)
    }
}

/// BRISC of a tile.
pub struct Ahead {
    reader: Reader,
    later: LaterStep,
    /// The products that come next, of which there are `count`.
    next: [Product; PRODUCTS],
    count: usize,
    /// Where the descriptor of the product after them is, if there is one.
    then: Option<DramAddr>,
    /// Number of the step that has begun last, counted from the one that the host has launched.
    step: u32,
    /// All slots have blocks of products that come next, all of which are there.
    is_full: bool,
    /// Position in the ring behind all blocks of products that have begun.
    position: u32,
    /// Blocks of the product that runs: some may not be unpacked.
    running: u32,
}

/// Asks for a product's next block; `false` if there is none. Its slot is free, or `waits` says to wait for that.
#[inline(never)]
fn ask<L: List>(blocks: &mut L, product: &mut Product, noc: &mut Noc, waits: bool) -> bool {
    let Some(block) = blocks.next() else { return false };
    if waits && product.asked >= SLOTS {
        WEIGHTS_FREE.wait(product.asked - SLOTS + 1);
    }
    noc.set_read_id(Product::id(product.asked));
    blocks.read(noc, &block, ring::slot(product.position + product.asked));
    product.asked += 1;
    true
}

impl Ahead {
    /// That of worker `index`.
    pub fn new(index: u32, later: LaterStep) -> Self {
        Self {
            reader: Reader {
                index,
                noc: Noc::new(0),
                blocks: Weights::NONE,
                comes: Comes::Nothing,
                indices: Indices::NONE,
                wrong: None,
            },
            later,
            next: [Product::default(); PRODUCTS],
            count: 0,
            then: None,
            step: 0,
            is_full: false,
            position: 0,
            running: 0,
        }
    }

    /// The product that begins, if it comes next; otherwise nothing is known of it, and all else is given up. Of the last one there may be blocks that
    /// are left, and one may be on its way.
    fn take(&mut self, number: u32) -> Option<Product> {
        if self.reader.comes == Comes::Step {
            self.reader.noc.wait_read_id(STEP_ID);
            self.know();
        }
        self.is_full = false;
        if self.count == 0 || self.next[0].number != number {
            self.give_up();
            return None;
        }
        let product = self.next[0];
        self.next.copy_within(1.., 0);
        self.count -= 1;
        Some(product)
    }

    /// Forgets what comes next. A block, or a descriptor, may be on its way.
    #[inline(never)]
    fn give_up(&mut self) {
        if matches!(self.reader.comes, Comes::Step | Comes::Indices) {
            self.reader.noc.wait_read_id(STEP_ID);
        }
        if let Some(last) = self.next[..self.count].last().filter(|last| !last.is_complete()) {
            self.reader.noc.wait_read_id(Product::id(last.ready));
        }
        (self.count, self.then) = (0, None);
        self.reader.blocks.clear();
        (self.reader.comes, self.is_full, self.position) = (Comes::Nothing, false, 0);
        self.reader.indices = Indices::NONE;
    }

    /// The weights of a product that runs.
    #[inline(never)]
    fn product(&mut self, launch: &TileLaunch, Link { number, .. }: Link) {
        let mut product = match self.take(number) {
            Some(product) => product,
            None => {
                let wrong = self.reader.begin(launch.op);
                Product { number, wrong, ..Product::default() }
            }
        };
        if self.count == 0 {
            product.wrong = product.wrong.or(self.reader.bring_indices(launch.op));
        }
        if let Some(matrix) = product.wrong {
            launch.fail(ErrorCode::IndexOutOfRange, 0, matrix);
        }
        WEIGHTS_FROM.publish(product.position);
        WEIGHTS_READY.publish(product.ready);
        // The blocks that are left are of the last one.
        if self.count == 0 {
            self.read_rest(launch, &mut product);
        }
        self.running = product.asked;
        self.position = (product.position + product.asked) % SLOTS;
    }

    /// Reads what is left of the running product's weights.
    fn read_rest(&mut self, launch: &TileLaunch, product: &mut Product) {
        let mut noc = Noc::new(0);
        let arrive = |product: &mut Product, noc: &Noc| {
            noc.wait_read_id(Product::id(product.ready));
            product.ready += 1;
            WEIGHTS_READY.publish(product.ready);
        };
        while self.reader.blocks.ask(product, &mut noc, true) {
            if let Some(unit) = self.reader.blocks.unit() {
                launch.progress(unit);
            }
            if product.asked - product.ready == IN_FLIGHT {
                arrive(product, &noc);
            }
        }
        while !product.is_complete() {
            arrive(product, &noc);
        }
        noc.set_read_id(0);
        self.reader.blocks.clear();
    }

    /// Goes on with what has to come before a block can be asked for.
    #[inline(never)]
    fn go_on_when_known(&mut self) {
        let op = self.later.get();
        match self.reader.comes {
            Comes::Step if self.reader.noc.has_read_id(STEP_ID) => self.know(),
            Comes::Indices if self.reader.noc.has_read_id(STEP_ID) => {
                self.next[self.count - 1].wrong = self.reader.know_indices(op);
            }
            // All steps before the last one that has begun are complete.
            Comes::Unknown if Indices::of(op).is_some_and(|indices| indices.from < self.step) => {
                self.reader.fetch_indices(op);
            }
            _ => {}
        }
    }

    /// A later step's descriptor has come.
    #[inline(never)]
    fn know(&mut self) {
        self.reader.comes = Comes::Nothing;
        let op = self.later.get();
        let Some(link) = link(op) else { return };
        let position =
            self.next[..self.count].last().map_or(self.position, |last| last.position + last.asked);
        self.next[self.count] =
            Product { number: link.number, position: position % SLOTS, ..Product::default() };
        self.count += 1;
        self.then = link.later();
        self.next[self.count - 1].wrong = self.reader.begin(op);
    }

    /// Starts to read the descriptor of the product after those that are known.
    fn fetch(&mut self) {
        let Some(descriptor) = self.then.take() else { return };
        let mut noc = Noc::new(0);
        noc.set_read_id(STEP_ID);
        self.later.fetch(&mut noc, descriptor);
        noc.set_read_id(0);
        self.reader.comes = Comes::Step;
    }

    /// Asks for the next block, if there is one, the one before is there, and a slot is free.
    #[inline(never)]
    fn go_on(&mut self) {
        if self.reader.comes != Comes::Nothing {
            return self.go_on_when_known();
        }
        let ahead: u32 = self.next[..self.count].iter().map(|product| product.asked).sum();
        let last = self.next[..self.count].last_mut();
        if let Some(last) = last.filter(|last| !last.is_complete()) {
            if !self.reader.noc.has_read_id(Product::id(last.ready)) {
                return;
            }
            last.ready += 1;
        }
        if ahead >= SLOTS {
            self.is_full = true;
            return;
        }
        // What was in the slot before, if that is of the product that runs.
        let before = (self.running + ahead + 1).saturating_sub(SLOTS);
        if self.running > 0 && before > 0 && !WEIGHTS_FREE.has_reached(before) {
            return;
        }
        if let Some(last) = self.next[..self.count].last_mut().filter(|_| self.reader.blocks.are_left()) {
            let mut noc = Noc::new(0);
            if self.reader.blocks.ask(last, &mut noc, false) {
                noc.set_read_id(0);
                return;
            }
            self.reader.blocks.clear();
        }
        if self.then.is_some() && self.count < PRODUCTS {
            self.fetch();
        }
    }
}

impl Work for Ahead {
    fn run(&mut self, op: Op, launch: Launch) {
        if launch.op.flags & BEGINS != 0 {
            self.give_up();
        }
        match link(launch.op) {
            Some(link) => self.product(&TileLaunch::new(launch), link),
            None => super::brisc(op, launch),
        }
    }

    fn after(&mut self, op: &OpDescriptor) {
        self.step = if op.flags & BEGINS != 0 { 1 } else { self.step + 1 };
        if op.flags & BEGINS != 0 && self.reader.index >= op.cores {
            // This worker has no part in the launch, and has not given up what it had before.
            self.give_up();
        }
        let Some(link) = link(op) else { return };
        if self.reader.index >= op.cores {
            // This worker has no part in it, and has read nothing for it.
            let _ = self.take(link.number);
            if self.count == 0 {
                let _ = self.reader.bring_indices(op);
                self.reader.blocks.clear();
            }
        }
        if self.count == 0 && self.reader.comes == Comes::Nothing {
            self.then = link.later();
        }
    }

    fn joined(&mut self) {
        self.running = 0;
    }

    fn is_idle(&self) -> bool {
        let knows_more = self.reader.blocks.are_left() || self.then.is_some() && self.count < PRODUCTS;
        self.is_full || self.reader.comes == Comes::Nothing && !knows_more
    }

    #[inline(always)]
    fn wait(&mut self) {
        if !self.is_idle() {
            self.go_on();
        }
    }
}
