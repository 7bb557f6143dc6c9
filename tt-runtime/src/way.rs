//! A way to a card that several of its chips share: it is opened for the first of them that is used, and closed with the last. The device of the
//! card's first chip is one for all who need it.
//!
//! What a way is made of is the affair of [`transport::shared`](crate::transport): what is known of cards, and of devices, only has a place for it.

use std::any::Any;
use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

/// A way that is opened when it is first needed.
#[derive(Clone, Default)]
pub struct Way(Arc<Places>);

#[derive(Default)]
struct Places {
    open: Place,
    first: Place,
}

type Place = Mutex<Option<Weak<dyn Any + Send + Sync>>>;

/// What is in a place, as long as somebody has it; `make` makes it otherwise.
fn share<T: Any + Send + Sync, E>(
    place: &Place,
    make: impl FnOnce() -> Result<Arc<T>, E>,
) -> Result<Arc<T>, E> {
    let mut place = place.lock();
    let there = place.as_ref().and_then(Weak::upgrade).and_then(|there| there.downcast().ok());
    match there {
        Some(there) => Ok(there),
        None => {
            let new = make()?;
            let erased: Arc<dyn Any + Send + Sync> = Arc::clone(&new) as _;
            *place = Some(Arc::downgrade(&erased));
            Ok(new)
        }
    }
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_open() { "open" } else { "closed" })
    }
}

impl Way {
    /// Whether both are the same.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether somebody has it open.
    pub fn is_open(&self) -> bool {
        self.0.open.lock().as_ref().is_some_and(|open| open.strong_count() > 0)
    }

    /// The open way. `open` opens it if nobody has yet.
    ///
    /// # Errors
    /// That of `open`.
    pub fn enter<T: Any + Send + Sync, E>(&self, open: impl FnOnce() -> Result<T, E>) -> Result<Arc<T>, E> {
        share(&self.0.open, || open().map(Arc::new))
    }

    /// The device of the card's first chip. `make` makes it if nobody has it yet.
    pub fn first<T: Any + Send + Sync>(&self, make: impl FnOnce() -> Arc<T>) -> Arc<T> {
        match share(&self.0.first, || Ok::<_, Infallible>(make())) {
            Ok(first) => first,
            Err(never) => match never {},
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_open_as_long_as_somebody_uses_it() {
        let way = Way::default();
        let open = || Ok::<_, ()>(Mutex::new(7));
        let first = way.clone().enter(open).unwrap();
        let second = way.enter(|| -> Result<Mutex<i32>, ()> { panic!("it is open") }).unwrap();
        assert!(Arc::ptr_eq(&first, &second) && way.is_open() && !way.is(&Way::default()));
        let [one, other] = [1, 2].map(|n| way.first(|| Arc::new(n)));
        assert!(Arc::ptr_eq(&one, &other) && *other == 1);
        drop((one, other));
        assert_eq!(*way.first(|| Arc::new(3)), 3);
        drop((first, second));
        assert!(!way.is_open());
        assert!(way.enter(|| Err::<Mutex<i32>, _>("no")).is_err());
    }
}
