//! Which variables a node may and surely does bind, and from that how the sides of a join are evaluated.

use std::collections::BTreeSet;

use crate::sparql::plan::{Expr, Node, Pos, Side, Slot};

type Slots = BTreeSet<Slot>;

impl Expr {
    /// The slots that it looks at, those of patterns inside with them.
    pub(crate) fn slots(&self, into: &mut Slots) {
        match self {
            Self::Const(_) => {}
            Self::Slot(slot) | Self::Bound(slot) => {
                into.insert(*slot);
            }
            Self::Or(all) | Self::And(all) | Self::Coalesce(all) => all.iter().for_each(|e| e.slots(into)),
            Self::Not(inner) => inner.slots(into),
            Self::SameTerm(a, b) => {
                a.slots(into);
                b.slots(into);
            }
            Self::In(one, all) => {
                one.slots(into);
                for e in all {
                    e.slots(into);
                }
            }
            Self::If(a, b, c) => [a, b, c].into_iter().for_each(|e| e.slots(into)),
            Self::Exists(node) => node.mentioned(into),
            Self::Call(call) => call.args.iter().for_each(|e| e.slots(into)),
        }
    }

    fn mark(&mut self) {
        match self {
            Self::Const(_) | Self::Slot(_) | Self::Bound(_) => {}
            Self::Or(all) | Self::And(all) | Self::Coalesce(all) => all.iter_mut().for_each(Self::mark),
            Self::Not(inner) => inner.mark(),
            Self::SameTerm(a, b) => {
                a.mark();
                b.mark();
            }
            Self::In(one, all) => {
                one.mark();
                all.iter_mut().for_each(Self::mark);
            }
            Self::If(a, b, c) => [a, b, c].into_iter().for_each(|e| e.mark()),
            Self::Exists(node) => node.mark(&Slots::new()),
            Self::Call(call) => call.args.iter_mut().for_each(Self::mark),
        }
    }
}

impl Node {
    /// Adds every slot that the node names, those of its expressions with them.
    fn mentioned(&self, into: &mut Slots) {
        match self {
            Self::Triples(_) | Self::Path { .. } | Self::Table { .. } => self.possible(into),
            Self::Join(sides) => sides.iter().for_each(|side| side.node.mentioned(into)),
            Self::LeftJoin { left, right, on } => {
                left.node.mentioned(into);
                right.node.mentioned(into);
                if let Some(on) = on {
                    on.slots(into);
                }
            }
            Self::Filter { inner, on } => {
                inner.mentioned(into);
                on.slots(into);
            }
            Self::Union(all) => all.iter().for_each(|node| node.mentioned(into)),
            Self::Extend { inner, slot, value } => {
                inner.mentioned(into);
                into.insert(*slot);
                value.slots(into);
            }
            Self::Minus { left, right } => {
                left.mentioned(into);
                right.node.mentioned(into);
            }
            Self::Order { inner, by } => {
                inner.mentioned(into);
                for (e, _) in by {
                    e.slots(into);
                }
            }
            Self::Project { links, .. } => into.extend(links.iter().map(|link| link.1)),
            Self::Distinct(inner) | Self::Slice { inner, .. } => inner.mentioned(into),
            Self::Group { inner, sums, .. } => {
                inner.mentioned(into);
                into.extend(sums.iter().map(|sum| sum.0));
            }
        }
    }

    /// Adds the slots that a row of the node may have.
    pub(crate) fn possible(&self, into: &mut Slots) {
        let slot = |pos: &Pos| match pos {
            Pos::Slot(slot) => Some(*slot),
            Pos::Const(_) => None,
        };
        match self {
            Self::Triples(all) => into.extend(all.iter().flatten().filter_map(slot)),
            Self::Path { subject, object, .. } => into.extend([subject, object].into_iter().filter_map(slot)),
            Self::Table { slots, .. } => into.extend(slots),
            Self::Join(sides) => sides.iter().for_each(|side| side.node.possible(into)),
            Self::LeftJoin { left, right, .. } => {
                left.node.possible(into);
                right.node.possible(into);
            }
            Self::Union(all) => all.iter().for_each(|node| node.possible(into)),
            Self::Extend { inner, slot, .. } => {
                inner.possible(into);
                into.insert(*slot);
            }
            Self::Filter { inner, .. }
            | Self::Minus { left: inner, .. }
            | Self::Order { inner, .. }
            | Self::Distinct(inner)
            | Self::Slice { inner, .. } => inner.possible(into),
            Self::Project { links, .. } => into.extend(links.iter().map(|link| link.1)),
            Self::Group { keys, sums, .. } => {
                into.extend(keys);
                into.extend(sums.iter().map(|sum| sum.0));
            }
        }
    }

    /// The slots that every row of the node has.
    pub(crate) fn certain(&self) -> Slots {
        match self {
            Self::Triples(_) | Self::Path { .. } => self.all_possible(),
            Self::Table { slots, rows } => slots
                .iter()
                .enumerate()
                .filter(|(at, _)| rows.iter().all(|row| row.get(*at).is_some_and(Option::is_some)))
                .map(|(_, slot)| *slot)
                .collect(),
            Self::Join(sides) => sides.iter().flat_map(|side| side.node.certain()).collect(),
            Self::LeftJoin { left, .. } => left.node.certain(),
            Self::Union(all) => {
                let mut all = all.iter().map(Self::certain);
                let first = all.next().unwrap_or_default();
                all.fold(first, |kept, next| kept.intersection(&next).copied().collect())
            }
            Self::Extend { inner, .. }
            | Self::Filter { inner, .. }
            | Self::Minus { left: inner, .. }
            | Self::Order { inner, .. }
            | Self::Distinct(inner)
            | Self::Slice { inner, .. } => inner.certain(),
            Self::Project { inner, links } => {
                let inside = inner.certain();
                links.iter().filter(|link| inside.contains(&link.0)).map(|link| link.1).collect()
            }
            Self::Group { inner, keys, .. } => {
                let inside = inner.certain();
                keys.iter().copied().filter(|key| inside.contains(key)).collect()
            }
        }
    }

    fn all_possible(&self) -> Slots {
        let mut slots = Slots::new();
        self.possible(&mut slots);
        slots
    }

    /// Whether evaluating it on top of a row that may bind `outer` gives what joining its own rows to it would.
    fn is_safe(&self, outer: &Slots) -> bool {
        let within = |slots: &Slots, certain: &Slots| slots.intersection(outer).all(|s| certain.contains(s));
        let of = |expr: &Expr| {
            let mut slots = Slots::new();
            expr.slots(&mut slots);
            slots
        };
        match self {
            Self::Triples(_) | Self::Path { .. } | Self::Table { .. } | Self::Join(_) => true,
            Self::LeftJoin { left, right, on } => {
                let certain = left.node.certain();
                within(&right.node.all_possible(), &certain)
                    && on.as_ref().is_none_or(|on| within(&of(on), &certain))
            }
            Self::Filter { inner, on } => inner.is_safe(outer) && within(&of(on), &inner.certain()),
            Self::Union(all) => all.iter().all(|node| node.is_safe(outer)),
            Self::Extend { inner, slot, value } => {
                inner.is_safe(outer) && !outer.contains(slot) && within(&of(value), &inner.certain())
            }
            Self::Minus { left, right } => {
                left.is_safe(outer) && within(&right.node.all_possible(), &left.certain())
            }
            Self::Order { .. }
            | Self::Project { .. }
            | Self::Distinct(_)
            | Self::Slice { .. }
            | Self::Group { .. } => outer.is_empty(),
        }
    }

    /// Decides for every side below how it is joined, when rows that come to this node may bind `outer`.
    pub(crate) fn mark(&mut self, outer: &Slots) {
        let nothing = Slots::new();
        match self {
            Self::Triples(_) | Self::Path { .. } | Self::Table { .. } => {}
            Self::Join(sides) => {
                let (mut before, mut certain) = (outer.clone(), Slots::new());
                for side in sides {
                    side.mark(&before, &certain);
                    before.extend(side.slots.iter());
                    certain.extend(side.node.certain());
                }
            }
            Self::LeftJoin { left, right, on } => {
                left.mark(outer, &nothing);
                let before = outer.iter().chain(&left.slots).copied().collect();
                right.mark(&before, &left.node.certain());
                on.iter_mut().for_each(Expr::mark);
            }
            Self::Filter { inner, on } => {
                inner.mark(outer);
                on.mark();
            }
            Self::Union(all) => all.iter_mut().for_each(|node| node.mark(outer)),
            Self::Extend { inner, value, .. } => {
                inner.mark(outer);
                value.mark();
            }
            Self::Minus { left, right } => {
                left.mark(outer);
                right.mark(&nothing, &left.certain());
                right.inward = false;
            }
            Self::Order { inner, by } => {
                inner.mark(&nothing);
                for (e, _) in by {
                    e.mark();
                }
            }
            Self::Project { inner, .. } | Self::Distinct(inner) | Self::Slice { inner, .. } => {
                inner.mark(&nothing);
            }
            Self::Group { inner, sums, .. } => {
                inner.mark(&nothing);
                sums.iter_mut().filter_map(|(_, sum)| sum.of.as_mut()).for_each(Expr::mark);
            }
        }
    }
}

impl Side {
    pub(crate) fn new(node: Node) -> Self {
        Self { node, inward: false, keys: Vec::new(), slots: Vec::new() }
    }

    fn mark(&mut self, outer: &Slots, certain: &Slots) {
        self.slots = self.node.all_possible().into_iter().collect();
        self.inward = self.node.is_safe(outer);
        self.keys = self.node.certain().intersection(certain).copied().collect();
        let nothing = Slots::new();
        self.node.mark(if self.inward { outer } else { &nothing });
    }
}
