//! Windows by count.

use crate::caps;

/// Windows of a number of records of one key, in the order in which they come, whatever their times are. No record is
/// late, and a window that is not full gives no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountWindows {
    size: u32,
    slide: u32,
}

impl CountWindows {
    /// Windows of `size` records that follow one another: each gives one result. Windows of no record are refused when
    /// the topology is built.
    #[must_use]
    pub const fn tumbling(size: u32) -> Self {
        Self { size, slide: size }
    }

    /// With each `slide` records of a key a result of its last `size` ones, or of all, as long as there are fewer, as
    /// Flink's `countWindow` has it. A slide of nothing or of more than the size, and a size of more than
    /// [`caps::COUNTED_RECORDS_MAX`], are refused when the topology is built: unlike those that follow one another,
    /// windows that slide keep their records.
    #[must_use]
    pub const fn sliding(size: u32, slide: u32) -> Self {
        Self { size, slide }
    }

    pub(crate) const fn size(&self) -> u32 {
        self.size
    }

    pub(crate) const fn slide(&self) -> u32 {
        self.slide
    }

    pub(crate) const fn is_tumbling(&self) -> bool {
        self.size == self.slide
    }

    /// What is wrong with them.
    pub(crate) fn fault(&self) -> Option<String> {
        let Self { size, slide } = *self;
        let limit = caps::COUNTED_RECORDS_MAX;
        if size < 1 {
            Some("count windows of no record; at least one is needed".to_owned())
        } else if slide < 1 || slide > size {
            Some(format!("count windows with a slide of {slide}; it must be from 1 to {size}, the size"))
        } else if slide < size && size > limit {
            Some(format!("count windows that keep {size} records; {limit} is the limit where they slide"))
        } else {
            None
        }
    }
}
