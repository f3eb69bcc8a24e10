//! Nodes side by side in memory: one is found by its slot alone, and made and forgotten without touching another.

/// Where a node stands. Half the size of a pointer; memory ends before the numbers do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot(u32);

/// Nodes of one kind.
pub(super) struct Slots<T> {
    nodes: Vec<T>,
    free: Vec<Slot>,
}

/// Nodes that are to be taken; each knows already where it will stand.
pub(super) struct Added<'a, T> {
    to: &'a Slots<T>,
    nodes: Vec<T>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { nodes: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slots<T> {
    /// The node of a slot that was given and not freed.
    #[allow(clippy::expect_used, reason = "slots come from here alone; only a bug of ours can fail here")]
    pub(super) fn at(&self, slot: Slot) -> &T {
        usize::try_from(slot.0).ok().and_then(|place| self.nodes.get(place)).expect("the tree in memory is complete")
    }

    /// Begins to add nodes, without changing anything.
    pub(super) const fn added(&self) -> Added<'_, T> {
        Added { to: self, nodes: Vec::new() }
    }

    /// Takes what was added to just these nodes.
    pub(super) fn take(&mut self, added: Vec<T>) {
        for node in added {
            match self.free.pop().and_then(|slot| self.nodes.get_mut(usize::try_from(slot.0).ok()?)) {
                Some(place) => *place = node,
                None => self.nodes.push(node),
            }
        }
    }

    /// Gives up a slot.
    pub(super) fn free(&mut self, slot: Slot) {
        self.free.push(slot);
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.nodes.len() - self.free.len()
    }
}

impl<T> Added<'_, T> {
    /// Adds a node and says where it will stand: in the slots that are free, the last first, then behind all.
    #[allow(clippy::expect_used, reason = "memory ends before the numbers do")]
    pub(super) fn add(&mut self, node: T) -> Slot {
        let (Slots { nodes, free }, number) = (self.to, self.nodes.len());
        self.nodes.push(node);
        match free.iter().rev().nth(number) {
            Some(slot) => *slot,
            None => {
                let place = nodes.len().saturating_add(number.saturating_sub(free.len()));
                Slot(u32::try_from(place).expect("memory ends before the numbers do"))
            }
        }
    }

    pub(super) fn into_nodes(self) -> Vec<T> {
        self.nodes
    }
}
