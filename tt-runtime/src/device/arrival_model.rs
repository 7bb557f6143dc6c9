//! Every order in which a chip's writes and the host's loads of results can take effect, as `loom` makes them.

use std::convert::Infallible;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU32, Ordering, fence};
use loom::thread;

// The same text, with the fence of loom's.
#[allow(clippy::duplicate_mod)]
#[path = "arrival.rs"]
mod arrival;

use arrival::arrived;

/// The chip writes two results, then the count, as PCIe orders them. A host that finds the count due finds the results.
#[test]
fn results_are_there_when_the_count_is_due() {
    loom::model(|| {
        let memory: Arc<[AtomicU32; 3]> = Arc::new([0, 0, 0].map(AtomicU32::new));
        let chip = Arc::clone(&memory);
        let writes = thread::spawn(move || {
            chip[0].store(7, Ordering::Relaxed);
            chip[1].store(8, Ordering::Relaxed);
            chip[2].store(1, Ordering::Release);
        });
        let load = || Ok::<_, Infallible>(memory[2].load(Ordering::Relaxed));
        if let Ok(Some(count)) = arrived(load, |count| count == 1) {
            let results = [0, 1].map(|n: usize| memory[n].load(Ordering::Relaxed));
            assert_eq!((count, results), (1, [7, 8]));
        }
        writes.join().unwrap();
    });
}
