//! `GROUP BY` and the set functions (SPARQL 1.1 §11). Values are summed and joined in order of their text.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::OntologyError;
use crate::index::Index;
use crate::sparql::budget::Held;
use crate::sparql::order::Key;
use crate::sparql::plan::{Node, Operator, Slot, Sum, SumKind};
use crate::sparql::run::{Flow, Row, Run, Sink, Step, Val};
use crate::triple::{Literal, Term};
use crate::vocab;

/// What a value in a group is counted as, in bytes.
const VALUE_BYTES: usize = 48;

#[derive(Default)]
struct Gathered {
    count: u64,
    values: Vec<Val>,
    seen: BTreeSet<Val>,
    rows: BTreeSet<Row>,
    failed: bool,
}

impl<I: Index> Run<'_, '_, I> {
    pub(crate) fn group(
        &self,
        inner: &Node,
        keys: &[Slot],
        sums: &[(Slot, Sum)],
        base: &Row,
        row: &mut Row,
        out: Sink<'_>,
    ) -> Step {
        let mut held = self.budget.hold();
        let empty = || sums.iter().map(|_| Gathered::default()).collect::<Vec<_>>();
        let mut groups: BTreeMap<Vec<Option<Val>>, Vec<Gathered>> = BTreeMap::new();
        if keys.is_empty() {
            groups.insert(Vec::new(), empty());
        }
        self.node(inner, base, row, &mut |row| {
            let key: Vec<Option<Val>> = keys.iter().map(|key| row[*key]).collect();
            if !groups.contains_key(&key) {
                held.more((key.len() + 4 * (sums.len() + 1)) * VALUE_BYTES)?;
                groups.insert(key.clone(), empty());
            }
            for (gathered, (_, sum)) in groups.get_mut(&key).into_iter().flatten().zip(sums) {
                self.gather(gathered, sum, row, &mut held)?;
            }
            Ok(Flow::More)
        })?;
        for (key, gathered) in groups {
            let mut bound: Vec<(Slot, Option<Val>)> = keys.iter().copied().zip(key).collect();
            for (gathered, (slot, sum)) in gathered.into_iter().zip(sums) {
                bound.push((*slot, self.finish(gathered, sum)?));
            }
            if self.with(row, &bound, out)? == Flow::Enough {
                return Ok(Flow::Enough);
            }
        }
        Ok(Flow::More)
    }

    fn gather(
        &self,
        gathered: &mut Gathered,
        sum: &Sum,
        row: &mut Row,
        held: &mut Held<'_, '_>,
    ) -> Result<(), OntologyError> {
        self.budget.step(1)?;
        let Some(of) = &sum.of else {
            if !sum.distinct {
                gathered.count += 1;
            } else if !gathered.rows.contains(row) {
                held.more((row.len() + 2) * VALUE_BYTES)?;
                gathered.rows.insert(row.clone());
            }
            return Ok(());
        };
        match self.evaluate(of, row)? {
            None => gathered.failed = true,
            Some(value) if sum.distinct => {
                if gathered.seen.insert(value) {
                    held.more(VALUE_BYTES)?;
                }
            }
            Some(_) if matches!(sum.kind, SumKind::Count) => gathered.count += 1,
            Some(value) => {
                held.more(VALUE_BYTES)?;
                gathered.values.push(value);
            }
        }
        Ok(())
    }

    fn finish(&self, gathered: Gathered, sum: &Sum) -> Result<Option<Val>, OntologyError> {
        if matches!(sum.kind, SumKind::Count) {
            let distinct = u64::try_from(gathered.seen.len() + gathered.rows.len()).unwrap_or(u64::MAX);
            let count = gathered.count.saturating_add(distinct);
            return self.value(&number(count)).map(Some);
        }
        if gathered.failed && !matches!(sum.kind, SumKind::Sample) {
            return Ok(None);
        }
        let mut terms: Vec<Term> =
            gathered.values.into_iter().chain(gathered.seen).filter_map(|value| self.term(value)).collect();
        let count = u64::try_from(terms.len()).unwrap_or(u64::MAX);
        self.budget.step(count.saturating_mul(u64::from(count.checked_ilog2().unwrap_or(0) + 1)))?;
        terms.sort_unstable();
        let found = match &sum.kind {
            SumKind::Count => None,
            SumKind::Sample => terms.into_iter().next(),
            SumKind::Least => {
                terms.into_iter().map(|t| Key::new(Some(t), false)).min().and_then(Key::into_term)
            }
            SumKind::Greatest => {
                terms.into_iter().map(|t| Key::new(Some(t), false)).max().and_then(Key::into_term)
            }
            SumKind::Joined(separator) => {
                let mut text = String::new();
                for (at, term) in terms.iter().enumerate() {
                    let Term::Literal(literal) = term else { return Ok(None) };
                    self.check_text(text.len() + separator.len() + literal.value().len())?;
                    if at > 0 {
                        text.push_str(separator);
                    }
                    text.push_str(literal.value());
                }
                Some(Literal::string(text).into())
            }
            SumKind::Sum | SumKind::Average => {
                let mut total = number(0);
                for term in terms {
                    let Some(next) = self.apply(&Operator::Add, &[total, term])? else { return Ok(None) };
                    total = next;
                }
                match sum.kind {
                    SumKind::Average if count > 0 => {
                        self.apply(&Operator::Divide, &[total, number(count)])?
                    }
                    _ => Some(total),
                }
            }
        };
        found.map(|term| self.value(&term)).transpose()
    }
}

fn number(value: u64) -> Term {
    Literal::typed(value.to_string(), vocab::XSD_INTEGER.clone()).into()
}
