//! What of the chip is needed: all of it at full clock while there is work, and no more than memory when there has been none for a while.
//!
//! The driver asks the firmware for what any open file needs. This thread has a file of its own, and says so when work begins and
//! when it has ended; who works does not wait for it. Firmware that does not take it, and drivers before 2.6, do without.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tt_sys::kmd::File;
use tt_sys::kmd::ioctl::{Ioctl, PowerFlags, SetPowerState, since};

use crate::cards::Card;

mod demand;
#[cfg(test)]
mod model;

use demand::Demand;

/// Without work for so long, the card's clock is lowered.
const IDLE: Duration = Duration::from_secs(3);
/// What is needed as long as the card is open, so that its memory is kept.
const KEPT: PowerFlags = PowerFlags::MRISC_PHY_WAKEUP.union(PowerFlags::TENSIX_ENABLE);

/// The thread that asks for power.
pub(super) struct Power {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    start: Instant,
    /// What is wanted, in milliseconds from the start.
    demand: Demand,
    /// The card is being closed.
    ends: Mutex<bool>,
    changed: Condvar,
}

impl Power {
    /// Starts to ask for power, if the driver knows of it.
    pub(super) fn start(card: &Card) -> Option<Self> {
        if card.driver < since::POWER {
            return None;
        }
        let file = card.open().ok()?;
        let shared = Arc::new(Shared {
            start: Instant::now(),
            demand: Demand { last: AtomicU64::new(0), full: AtomicBool::new(true) },
            ends: Mutex::new(false),
            changed: Condvar::new(),
        });
        if let Err(error) = ask(&*file, true) {
            tracing::debug!("{}: the firmware takes no power states: {error}", card.name());
            return None;
        }
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("tt-power".into());
        let thread = thread.spawn(move || theirs.serve(&*file)).ok()?;
        Some(Self { shared, thread: Some(thread) })
    }

    /// There is work.
    pub(super) fn busy(&self) {
        if self.shared.demand.work(self.shared.now()) {
            let _held = self.shared.ends.lock();
            self.shared.changed.notify_all();
        }
    }
}

impl Drop for Power {
    fn drop(&mut self) {
        *self.shared.ends.lock() = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // It has nothing that could panic.
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// Milliseconds since the start.
    fn now(&self) -> u64 {
        self.start.elapsed().as_millis() as u64
    }

    fn serve(&self, file: &dyn File) {
        let mut ends = self.ends.lock();
        while !*ends {
            let is_idle = |last: u64| self.now().saturating_sub(last) >= IDLE.as_millis() as u64;
            if let Some(full) = self.demand.change(is_idle) {
                // Advisory: what is refused now was taken before, and is asked for again at the next change.
                let _ = ask(file, full);
            }
            self.changed.wait_for(&mut ends, IDLE);
        }
    }
}

fn ask(file: &dyn File, full: bool) -> std::io::Result<()> {
    let flags = if full { KEPT | PowerFlags::MAX_AI_CLK } else { KEPT };
    SetPowerState::new(flags).call(file)
}
