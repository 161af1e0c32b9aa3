//! One request of a sequence, made anew for each broker from the names that this broker has given.

use std::rc::Rc;

use mainstem_protocol::messages::RequestBody;

use crate::{side::Side, socket::Spoilt};

#[derive(Clone)]
pub(crate) struct Step {
    pub(crate) version: i16,
    /// On which connection.
    pub(crate) client: usize,
    build: Rc<dyn Fn(&Side) -> RequestBody>,
    /// Under which number what the answer gives is kept: a producer's id, a member's, a session's.
    pub(crate) slot: usize,
    pub(crate) spoilt: Option<Spoilt>,
    pub(crate) wait: Wait,
    /// Whether its bytes may be spoilt: whatever they come to mean, nothing is changed.
    pub(crate) is_harmless: bool,
    /// Whether the answer says nothing of names that it does not know.
    pub(crate) hides_names: bool,
    /// What the request does not show: how its batches came to be.
    pub(crate) note: String,
}

/// When the answer is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    Now,
    /// With the next request of the same connection: others must ask before it can come. The broker has the request
    /// as soon as the group of this name is being rebalanced.
    UntilOthersJoin(&'static str),
}

impl Step {
    pub(crate) fn new<R: Into<RequestBody>>(version: i16, build: impl Fn(&Side) -> R + 'static) -> Self {
        let build = Rc::new(move |side: &Side| build(side).into());
        Self {
            version,
            client: 0,
            build,
            slot: 0,
            spoilt: None,
            wait: Wait::Now,
            is_harmless: false,
            hides_names: false,
            note: String::new(),
        }
    }

    pub(crate) fn request(&self, side: &Side) -> RequestBody {
        (self.build)(side)
    }
}
