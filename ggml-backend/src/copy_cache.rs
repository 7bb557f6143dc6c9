//! The copy cache: copies of views that kernels cannot read in place. A node that first needs one materialises it; all later nodes of the
//! graph run share it, until a node writes to the source.
//!
//! ```text
//! view + form -> a cached copy, or memory for a new one -> the node's steps -> cached -> a write to the source drops it
//! ```
//!
//! llama.cpp's graphs ask for the same copy again and again: every layer adds the one mask, which the vector unit wants in FP32, and
//! queries, keys and values are products with the same activations.

use std::collections::VecDeque;
use std::sync::Arc;

use tt_runtime::TensorView;
use tt_runtime::ops::Rope;

use crate::scratch::Block;

/// Bytes of copies that are kept; the oldest go first.
const MOST_BYTES: u64 = 256 << 20;

/// What a copy was made of.
#[derive(Clone, PartialEq, Debug)]
pub struct Origin {
    /// A view.
    pub source: TensorView,
    /// Of a table of rotations by the positions in `source`: how to rotate, and frequency factors.
    pub rotation: Option<(Rope, Option<TensorView>)>,
    /// It is in the order in which products take activations, not in that of their weights.
    pub is_ordered: bool,
    /// What is said of their bits then ([`tt_runtime::ops::order_flags`]).
    pub order_flags: u32,
}

impl From<&TensorView> for Origin {
    fn from(source: &TensorView) -> Self {
        Self { source: *source, rotation: None, is_ordered: false, order_flags: 0 }
    }
}

/// A copy in device memory.
#[derive(Clone)]
pub struct CachedCopy {
    /// What it was made of.
    pub origin: Origin,
    /// Where it is, and in which form.
    pub view: TensorView,
    /// Its memory.
    pub memory: Arc<Block>,
}

impl CachedCopy {
    /// Whether it is the copy of `origin` in this form, whose address does not matter.
    pub fn is(&self, origin: &Origin, form: &TensorView) -> bool {
        self.origin == *origin && TensorView { addr: form.addr, ..self.view } == *form
    }

    fn is_of(&self, addr: u64, bytes: u64) -> bool {
        let factors = self.origin.rotation.as_ref().and_then(|(_, factors)| factors.as_ref());
        let mut sources = [Some(&self.origin.source), factors].into_iter().flatten();
        sources.any(|from| addr < from.addr + from.span() && from.addr < addr + bytes)
    }
}

/// The copies of a graph run.
#[derive(Default)]
pub struct CopyCache {
    copies: VecDeque<CachedCopy>,
}

impl CopyCache {
    /// The copy of `origin` in a form, whose address does not matter.
    pub fn find(&self, origin: &Origin, form: &TensorView) -> Option<&CachedCopy> {
        self.copies.iter().find(|copy| copy.is(origin, form))
    }

    /// Keeps copies that have been made, of what is there as long as the graph.
    pub fn keep(&mut self, copies: Vec<CachedCopy>) {
        self.copies.extend(copies);
        let bytes = |copies: &VecDeque<CachedCopy>| copies.iter().map(|copy| copy.memory.len()).sum::<u64>();
        while bytes(&self.copies) > MOST_BYTES {
            self.copies.pop_front();
        }
    }

    /// Drops the copies of what is in these bytes: they have been written to.
    pub fn written(&mut self, addr: u64, bytes: u64) {
        self.copies.retain(|copy| !copy.is_of(addr, bytes));
    }

    /// Gives all memory back; whether there was any.
    pub fn clear(&mut self) -> bool {
        let any = !self.copies.is_empty();
        self.copies.clear();
        any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Pool;
    use tt_runtime::{Device, ElementType, parse_devices};

    fn device() -> Arc<Device> {
        Device::open(&parse_devices(Some("null")).unwrap()[0])
    }

    fn copy(device: &Arc<Device>, addr: u64, n: u32) -> CachedCopy {
        let source = TensorView::contiguous(ElementType::F16, addr, [n, 1, 1, 1]);
        let memory = Arc::new(Pool::default().take(device, u64::from(n) * 4).unwrap());
        let view = TensorView::contiguous(ElementType::F32, memory.addr().0, source.ne);
        CachedCopy { origin: Origin::from(&source), view, memory }
    }

    fn form(ty: ElementType, n: u32) -> TensorView {
        TensorView::contiguous(ty, 0, [n, 1, 1, 1])
    }

    #[test]
    fn copies_are_found_by_source_and_form_until_the_source_is_written() {
        let device = device();
        let mut cache = CopyCache::default();
        let (a, b) = (copy(&device, 0x1000, 64), copy(&device, 0x1080, 64));
        cache.keep(vec![a.clone(), b.clone()]);
        assert_eq!(cache.find(&a.origin, &form(ElementType::F32, 64)).unwrap().view, a.view);
        assert!(cache.find(&a.origin, &form(ElementType::BF16, 64)).is_none());
        assert!(
            cache
                .find(
                    &Origin::from(&TensorView { addr: 0x1002, ..a.origin.source }),
                    &form(ElementType::F32, 64)
                )
                .is_none()
        );
        // Up to the first byte of b, then that.
        cache.written(0x107E, 2);
        assert!(cache.find(&a.origin, &form(ElementType::F32, 64)).is_none());
        assert!(cache.find(&b.origin, &form(ElementType::F32, 64)).is_some());
        cache.written(0x1080, 1);
        assert!(!cache.clear());
    }

    #[test]
    fn tables_of_rotations_are_found_by_what_they_say_and_go_with_their_factors() {
        let device = device();
        let mut cache = CopyCache::default();
        let mut table = copy(&device, 0x1000, 8);
        let factors = TensorView::contiguous(ElementType::F32, 0x8000, [32, 1, 1, 1]);
        let rope = Rope { pairs: 32, ..Rope::default() };
        table.origin.rotation = Some((rope, Some(factors)));
        cache.keep(vec![table.clone()]);
        let form = form(ElementType::F32, 8);
        assert!(cache.find(&table.origin, &form).is_some());
        let other = |rotation| Origin { rotation, ..table.origin.clone() };
        assert!(cache.find(&other(Some((rope, None))), &form).is_none());
        assert!(cache.find(&other(Some((Rope { pairs: 16, ..rope }, Some(factors)))), &form).is_none());
        assert!(cache.find(&other(None), &form).is_none());
        cache.written(0x8000, 4);
        assert!(!cache.clear());
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let device = device();
        let mut cache = CopyCache::default();
        let n = (MOST_BYTES / 4 / 2 + 1) as u32;
        let [old, new] = [0, 1 << 32].map(|addr| copy(&device, addr, n));
        cache.keep(vec![old.clone()]);
        cache.keep(vec![new.clone()]);
        assert!(cache.find(&old.origin, &form(ElementType::F32, n)).is_none());
        assert!(cache.find(&new.origin, &form(ElementType::F32, n)).is_some());
    }
}
