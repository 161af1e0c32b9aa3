//! Tables that are joined by a key which the values of the left one name (KIP-213).
//!
//! The left table lies by its own keys and the right one by its own, so that the two meet by way of topics:
//!
//! 1. [`ask`]: beside the left table. Each value subscribes, in the partition of the key that it names, to what that key
//!    has in the right table, and cancels what its predecessor has subscribed to elsewhere.
//! 2. [`answer`]: beside the right table. It keeps the subscriptions, and answers each when it comes and whenever the
//!    right value changes.
//! 3. [`result`]: beside the left table again. It puts the answer together with the left value, and keeps the result.
//!
//! Answers to different subscriptions of one left key come by different ways, and so in any order. Each says to which
//! left value it is the answer, by that value's [`Fingerprint`]; one to a value which is not the present one is dropped.
//! Those to the present one come from one place alone, in order, so that the last of them is what counts.
//!
//! A subscription is always answered, also where the right table has nothing: what is there of an earlier value must go
//! then. Whether there is any cannot be known where the question is asked, since its own answer may still be on its way.

pub(crate) mod answer;
pub(crate) mod ask;
mod message;
pub(crate) mod result;

pub(crate) use message::{Answer, Fingerprint, Subscription};

use std::sync::Arc;

/// The key that a value names; none where it names none.
pub(crate) type ForeignKey<K, V, F> = Arc<dyn Fn(&K, &V) -> Option<F> + Send + Sync>;
