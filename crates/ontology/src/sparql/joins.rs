//! Joins: row by row where that is the same, else against rows that were set aside.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::error::OntologyError;
use crate::index::Index;
use crate::sparql::budget::Held;
use crate::sparql::plan::{Node, Side, Slot};
use crate::sparql::run::{Flow, Row, Run, Sink, Step, VALUE_BYTES, Val};

/// Rows set aside, with an index of the slots they are looked up by.
pub(crate) struct Kept<'r, 's> {
    pub(super) rows: Vec<Row>,
    by_key: BTreeMap<Vec<Option<Val>>, Vec<usize>>,
    _held: Held<'r, 's>,
}

impl<'s, I: Index> Run<'_, 's, I> {
    pub(super) fn join<'k>(
        &'k self,
        sides: &[Side],
        kept: &[RefCell<Option<Kept<'k, 's>>>],
        base: &Row,
        row: &mut Row,
        out: Sink<'_>,
    ) -> Step {
        match (sides.split_first(), kept.split_first()) {
            (Some((side, sides)), Some((one, kept))) => {
                self.side(side, one, base, row, &mut |row| self.join(sides, kept, base, row, out))
            }
            _ => out(row),
        }
    }

    /// One side of a join on top of a row.
    pub(super) fn side<'k>(
        &'k self,
        side: &Side,
        kept: &RefCell<Option<Kept<'k, 's>>>,
        base: &Row,
        row: &mut Row,
        out: Sink<'_>,
    ) -> Step {
        if side.inward {
            return self.node(&side.node, base, row, out);
        }
        if kept.borrow().is_none() {
            let found = self.keep(&side.node, &side.keys, base, &mut base.clone())?;
            *kept.borrow_mut() = Some(found);
        }
        let borrowed = kept.borrow();
        let Some(kept) = borrowed.as_ref() else { return Ok(Flow::More) };
        let key: Vec<Option<Val>> = side.keys.iter().map(|slot| row[*slot]).collect();
        for &at in kept.by_key.get(&key).into_iter().flatten() {
            let Some(found) = kept.rows.get(at) else { continue };
            let bound: Vec<(Slot, Option<Val>)> =
                side.slots.iter().map(|slot| (*slot, found[*slot])).collect();
            if self.with(row, &bound, out)? == Flow::Enough {
                return Ok(Flow::Enough);
            }
        }
        Ok(Flow::More)
    }

    /// Every row of a node, set aside.
    pub(crate) fn keep<'k>(
        &'k self,
        node: &Node,
        keys: &[Slot],
        base: &Row,
        row: &mut Row,
    ) -> Result<Kept<'k, 's>, OntologyError> {
        let mut held = self.budget.hold();
        let (mut rows, mut by_key) = (Vec::new(), BTreeMap::<_, Vec<usize>>::new());
        self.node(node, base, row, &mut |row| {
            held.more((row.len() + keys.len() + 4) * VALUE_BYTES)?;
            by_key.entry(keys.iter().map(|slot| row[*slot]).collect()).or_default().push(rows.len());
            rows.push(row.clone());
            Ok(Flow::More)
        })?;
        Ok(Kept { rows, by_key, _held: held })
    }

    pub(super) fn minus(&self, left: &Node, right: &Side, base: &Row, row: &mut Row, out: Sink<'_>) -> Step {
        let mut kept = None;
        self.node(left, base, row, &mut |row| {
            if kept.is_none() {
                kept = Some(self.keep(&right.node, &right.keys, base, &mut base.clone())?);
            }
            let Some(kept) = &kept else { return out(row) };
            let key: Vec<Option<Val>> = right.keys.iter().map(|slot| row[*slot]).collect();
            for &at in kept.by_key.get(&key).into_iter().flatten() {
                self.budget.step(1)?;
                let Some(found) = kept.rows.get(at) else { continue };
                let mut shared = false;
                // What is bound beforehand is no variable any more.
                let fits = right.slots.iter().filter(|slot| base[**slot].is_none()).all(|&slot| {
                    match (row[slot], found[slot]) {
                        (Some(a), Some(b)) => {
                            shared = true;
                            a == b
                        }
                        _ => true,
                    }
                });
                if fits && shared {
                    return Ok(Flow::More);
                }
            }
            out(row)
        })
    }

    pub(super) fn project(
        &self,
        inner: &Node,
        links: &[(Slot, Slot)],
        base: &Row,
        row: &mut Row,
        out: Sink<'_>,
    ) -> Step {
        let mut inside = self.blank();
        for &(within, outside) in links {
            inside[within] = base[outside];
        }
        let start = inside.clone();
        self.node(inner, &start, &mut inside, &mut |found| {
            let bound: Vec<(Slot, Option<Val>)> =
                links.iter().map(|&(within, outside)| (outside, found[within])).collect();
            self.with(row, &bound, out)
        })
    }
}
