//! Shares records out.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use mainstem_client::Text;

use super::{Data, Stream};
use crate::{
    graph::{
        operator::{node, node_with},
        outlet::Ports,
        stateless::{self, Choose, Stateless, Step},
    },
    record::Item,
    topology::{Kind, Make, Node, Parent},
};

type Wanted<K, V> = Arc<dyn Fn(&K, &V) -> bool + Send + Sync>;

/// Shares records out to branches with names: each goes to the first that wants it, in the order in which they were
/// added; what nobody wants is dropped. The nodes are named `split-branch`.
///
/// ```
/// use mainstem_client::Text;
/// use mainstem_processor::{StreamBuilder, TestDriver};
///
/// let builder = StreamBuilder::new("by-size");
/// let split = builder.stream::<Text, i64>("orders").split("size");
/// split.branch("large", |_, cents| *cents >= 100_00).to("large-orders");
/// split.rest("small").to("small-orders");
///
/// let mut driver = TestDriver::new(&builder.build()?)?;
/// for cents in [250_00_i64, 3_50] {
///     driver.pipe("orders", "anna", cents, 0)?;
/// }
/// assert_eq!(driver.read::<String, i64>("large-orders")?[0].value, 250_00);
/// assert_eq!(driver.read::<String, i64>("small-orders")?[0].value, 3_50);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Split<K, V> {
    from: Stream<K, V>,
    name: Text,
    branches: Arc<Mutex<Vec<Wanted<K, V>>>>,
}

impl<K, V> fmt::Debug for Split<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Split").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<K: Data, V: Data> Split<K, V> {
    pub(super) fn new(from: &Stream<K, V>, name: Text) -> Self {
        let branches: Arc<Mutex<Vec<Wanted<K, V>>>> = Arc::default();
        let shared = Arc::clone(&branches);
        // Operators are made when the program is complete: by then all branches are there.
        let make: Make = Arc::new(move |_| {
            let branches = shared.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let ports = branches.len();
            let choose: Choose<Item<K, V>> =
                Arc::new(move |item| branches.iter().position(|wanted| wanted(&item.key, &item.value)));
            node_with(stateless::Split { choose }, Ports::new(ports))
        });
        let node = Node::new(name.clone(), Kind::Processor, vec![from.node().clone()], make);
        from.draft().lock().add(node);
        Self { from: from.clone(), name, branches }
    }

    /// The records that `wanted` says yes to, and that no branch before this one took.
    #[must_use]
    pub fn branch(
        &self,
        name: &str,
        wanted: impl Fn(&K, &V) -> bool + Send + Sync + 'static,
    ) -> Stream<K, V> {
        let mut branches = self.branches.lock().unwrap_or_else(PoisonError::into_inner);
        branches.push(Arc::new(wanted));
        let port = branches.len() - 1;
        let pass: Step<Item<K, V>, Item<K, V>> = Arc::new(|records, out| out.append(records));
        let make: Make = Arc::new(move |_| node(Stateless { step: Arc::clone(&pass) }));
        let name = Text::from(format!("{}-{name}", self.name));
        let parent = Parent { name: self.name.clone(), port: Some(port) };
        self.from.draft().lock().add(Node::new(name.clone(), Kind::Processor, vec![parent], make));
        Stream::new(self.from.draft().clone(), Parent::only(name), self.from.is_rekeyed())
    }

    /// The records that no branch before this one took.
    #[must_use]
    pub fn rest(&self, name: &str) -> Stream<K, V> {
        self.branch(name, |_, _| true)
    }
}
