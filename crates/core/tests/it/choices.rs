//! Where a simulation takes its decisions from: a seed, or a script that can be made shorter.

/// A source of choices that gives the same ones each time.
#[derive(Clone, Debug)]
pub(crate) enum Choices {
    /// An endless stream from one number.
    Seed(u64),
    /// A list; when it is used up, the simulation ends.
    Script {
        /// The choices.
        list: Vec<u16>,
        /// How many are used up.
        used: usize,
    },
}

impl Choices {
    pub(crate) fn script(list: Vec<u16>) -> Self {
        Self::Script { list, used: 0 }
    }

    /// Whether nothing is left to choose from.
    pub(crate) fn used_up(&self) -> bool {
        match self {
            Self::Seed(_) => false,
            Self::Script { list, used } => *used >= list.len(),
        }
    }

    fn next(&mut self) -> u64 {
        match self {
            // SplitMix64: short, and good enough to reach every corner.
            Self::Seed(state) => {
                *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                mixed ^ (mixed >> 31)
            }
            Self::Script { list, used } => {
                *used += 1;
                u64::from(list.get(*used - 1).copied().unwrap_or(0))
            }
        }
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap_or(0)
    }

    /// True once in `times`.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 1
    }

    /// One of several.
    pub(crate) fn pick<T: Clone>(&mut self, of: &[T]) -> Option<T> {
        if of.is_empty() { None } else { of.get(self.below(of.len())).cloned() }
    }
}
