//! `SET_ROWS` on the built-in simulator: every byte of the destination, and indices outside of it.

use crate::common::set_rows::{Case, SHAPES, run};
use crate::common::{Rng, simulator};
use tt_runtime::{ElementType, Error};

#[test]
fn rows_go_where_the_indices_say() {
    let (device, mut rng) = (simulator(), Rng::new(0x123_4567));
    for dst in [ElementType::F32, ElementType::F16] {
        for index in [ElementType::I32, ElementType::I64] {
            for (ne, index_ne) in SHAPES {
                for off in [0, 1] {
                    let case = Case { dst, index, ne, index_ne, off, outside: false };
                    let outcome = run(&device, &mut rng, case);
                    outcome.result.unwrap_or_else(|error| panic!("{case:?}: {error}"));
                    assert!(outcome.got == outcome.want, "{case:?}: other bytes");
                }
            }
        }
    }
}

#[test]
fn an_index_outside_is_an_error_and_the_device_goes_on() {
    let (device, mut rng) = (simulator(), Rng::new(77));
    for dst in [ElementType::F32, ElementType::F16] {
        for (ne, index_ne) in SHAPES {
            let case = Case { dst, index: ElementType::I64, ne, index_ne, off: 3, outside: true };
            let outcome = run(&device, &mut rng, case);
            assert!(matches!(outcome.result, Err(Error::Kernel { .. })), "{case:?}: {:?}", outcome.result);
            assert!(outcome.got == outcome.want, "{case:?}: the other rows are written, and nothing else");
            let after = run(&device, &mut rng, Case { outside: false, ..case });
            after.result.unwrap_or_else(|error| panic!("{case:?}, the launch after: {error}"));
            assert!(after.got == after.want, "{case:?}, the launch after: other bytes");
        }
    }
}
