//! What will happen, in the order of time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A queue of happenings. Those of the same time come out as they went in, so a run is the same every time. The heap
/// orders small keys; the happenings stay where they are, in slots that are used again.
#[derive(Debug)]
pub(super) struct Queue<T> {
    keys: BinaryHeap<Reverse<(u64, u64, u32)>>,
    slots: Vec<Option<T>>,
    free: Vec<u32>,
    sequence: u64,
}

impl<T> Queue<T> {
    pub fn new() -> Queue<T> {
        Queue { keys: BinaryHeap::new(), slots: Vec::new(), free: Vec::new(), sequence: 0 }
    }

    /// Puts `happening` at the time `at`.
    pub fn push(&mut self, at: u64, happening: T) {
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = Some(happening);
                slot
            }
            None => {
                self.slots.push(Some(happening));
                // A simulation with four thousand million happenings under way would have ended by memory long before.
                (self.slots.len() - 1) as u32
            }
        };
        self.sequence += 1;
        self.keys.push(Reverse((at, self.sequence, slot)));
    }

    /// Takes the next one, unless it is later than `until`.
    pub fn pop_until(&mut self, until: u64) -> Option<(u64, T)> {
        let Reverse((at, _, _)) = self.keys.peek()?;
        if *at > until {
            return None;
        }
        let Reverse((at, _, slot)) = self.keys.pop()?;
        self.free.push(slot);
        self.slots[slot as usize].take().map(|happening| (at, happening))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_come_out_by_time_and_then_as_they_went_in() {
        let mut queue = Queue::new();
        for (at, what) in [(5, 'c'), (1, 'a'), (5, 'd'), (1, 'b'), (9, 'e')] {
            queue.push(at, what);
        }
        let mut seen = String::new();
        while let Some((_, what)) = queue.pop_until(5) {
            seen.push(what);
        }
        assert_eq!(seen, "abcd");
    }
}
