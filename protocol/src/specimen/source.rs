//! Where values come from.

/// Decides what a specimen is like.
pub(crate) trait Source {
    /// An integer; the caller cuts it to its width.
    fn number(&mut self) -> i64;
    /// How many elements, characters or bytes there are.
    fn count(&mut self) -> usize;
    /// Whether what may be null is.
    fn null(&mut self) -> bool;
    /// A boolean.
    fn flag(&mut self) -> bool;
}

/// Counts up: every field differs from the others and from its default, nothing is null, every array has two elements.
#[derive(Default)]
pub(crate) struct Counting(i64);

impl Source for Counting {
    fn number(&mut self) -> i64 {
        self.0 += 1;
        self.0
    }

    fn count(&mut self) -> usize {
        2
    }

    fn null(&mut self) -> bool {
        false
    }

    fn flag(&mut self) -> bool {
        true
    }
}

/// Chance, from a seed: nulls, extremes, empty and long arrays.
pub(crate) struct Random {
    state: u64,
    /// Elements that the value may yet have.
    budget: usize,
}

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { state: seed, budget: 1000 }
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Source for Random {
    fn number(&mut self) -> i64 {
        match self.next() % 8 {
            0 => 0,
            1 => -1,
            2 => i64::MAX,
            3 => i64::MIN,
            _ => self.next() as i64,
        }
    }

    fn count(&mut self) -> usize {
        // From 127 on a compact length takes two bytes.
        let wanted = match self.next() % 32 {
            0 => 126 + self.next() as usize % 4,
            dice => dice as usize % 4,
        };
        let count = wanted.min(self.budget);
        self.budget -= count;
        count
    }

    fn null(&mut self) -> bool {
        self.next().is_multiple_of(4)
    }

    fn flag(&mut self) -> bool {
        self.next().is_multiple_of(2)
    }
}
