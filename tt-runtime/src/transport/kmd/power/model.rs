//! Every order in which accesses to what is wanted of a card's clock can take effect, as `loom` makes them.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use loom::thread;

// The same text, with atomics of loom's.
#[allow(clippy::duplicate_mod)]
#[path = "demand.rs"]
mod demand;

use demand::Demand;

/// When the work of the tests is; before, there has been none for long.
const NOW: u64 = 10;

fn demand(full: bool) -> Arc<Demand> {
    Arc::new(Demand { last: AtomicU64::new(0), full: AtomicBool::new(full) })
}

fn is_idle(last: u64) -> bool {
    last < NOW
}

/// Work that begins while the thread lowers the clock: the thread leaves it, or is woken, and then it asks for full clock.
#[test]
fn work_is_not_overlooked_while_the_clock_is_lowered() {
    loom::model(|| {
        let demand = demand(true);
        let theirs = Arc::clone(&demand);
        let worker = thread::spawn(move || theirs.work(NOW));
        let changed = demand.change(is_idle);
        let woken = worker.join().unwrap();
        match changed {
            Some(false) => assert!(woken && demand.change(is_idle) == Some(true)),
            None => assert!(demand.full.load(Ordering::Relaxed)),
            Some(true) => panic!("it is full"),
        }
        assert_eq!(demand.change(is_idle), None);
    });
}

/// Two that work while the clock is low: it is asked for once, whichever of the two wakes the thread.
#[test]
fn full_clock_is_asked_for_once() {
    loom::model(|| {
        let demand = demand(false);
        let workers = [0, 1].map(|_| {
            let theirs = Arc::clone(&demand);
            thread::spawn(move || theirs.work(NOW))
        });
        let early = demand.change(is_idle);
        let woken = workers.map(|worker| worker.join().unwrap());
        let late = demand.change(is_idle);
        assert!(early.is_some() != late.is_some(), "{early:?} {late:?}");
        // Who comes before it is asked for wakes the thread.
        assert!(early == Some(true) || woken == [true, true]);
    });
}
