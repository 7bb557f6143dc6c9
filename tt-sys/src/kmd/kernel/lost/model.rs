//! Every order in which the threads' accesses to the table can take effect, as `loom` makes them.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use loom::thread;

// The same text, with atomics of loom's.
#[allow(clippy::duplicate_mod)]
#[path = "table.rs"]
mod table;

use table::{FREE, Slot, find};

fn table() -> Arc<[Slot; 2]> {
    let slot =
        || Slot { start: AtomicUsize::new(FREE), len: AtomicUsize::new(0), lost: AtomicBool::new(false) };
    Arc::new([slot(), slot()])
}

/// A thread gives a mapping back and takes the slot for another one, while a handler looks for an address of neither. The first
/// one's beginning with the second one's length would have it.
#[test]
fn no_mapping_is_made_of_two() {
    loom::model(|| {
        let table = table();
        assert!(table[0].take(0x1000, 0x1000));
        let other = Arc::clone(&table);
        let owner = thread::spawn(move || {
            other[0].give_back();
            assert!(other[0].take(0x8000, 0x8000));
        });
        assert!(find(&table[..], 0x3000).is_none());
        owner.join().unwrap();
        assert!(find(&table[..], 0x9000).is_some());
    });
}

/// A mapping that stays is found whatever happens to others, and two threads never get one slot.
#[test]
fn what_stays_is_found() {
    loom::model(|| {
        let table = table();
        let other = Arc::clone(&table);
        let owner = thread::spawn(move || {
            let n = other.iter().position(|slot| slot.take(0x8000, 0x1000)).unwrap();
            other[n].give_back();
        });
        let own = table.iter().position(|slot| slot.take(0x1000, 0x1000)).unwrap();
        let found = find(&table[..], 0x1800).unwrap();
        assert!(std::ptr::eq(found, &table[own]));
        found.lost.store(true, Ordering::Release);
        owner.join().unwrap();
        assert!(table[own].lost.load(Ordering::Acquire));
    });
}
