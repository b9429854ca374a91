//! Interning: event types, sectors and sources have numbers in records; the log says which. See
//! `docs/formats/identifiers.md`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, within};
use crate::input::{Input, InputKind};
use crate::sealed::SealedState;

/// Bytes of an interned text.
pub const MAX_INTERNED_LEN: usize = 1024;
/// Event types of one log.
pub const MAX_EVENT_TYPES: u32 = 1 << 16;
/// Sectors of one log.
pub const MAX_SECTORS: u32 = 1 << 10;
/// Sources of one log.
pub const MAX_SOURCES: u32 = 1 << 20;

/// Which table a number belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Table {
    /// Event types: `u16` in records.
    EventType,
    /// Sectors: `u16` in records and block headers.
    Sector,
    /// Sources (producers): `u32` in records.
    Source,
}

impl Table {
    /// The name in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::EventType => "event_type",
            Self::Sector => "sector",
            Self::Source => "source",
        }
    }

    fn capacity(self) -> u32 {
        match self {
            Self::EventType => MAX_EVENT_TYPES,
            Self::Sector => MAX_SECTORS,
            Self::Source => MAX_SOURCES,
        }
    }
}

/// Body of an `interned` input: from here on, `id` in `table` means `text`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interned {
    /// The table.
    pub table: Table,
    /// The number: one more than the last of its table, the first being 0.
    pub id: u32,
    /// The text: 1 to [`MAX_INTERNED_LEN`] bytes, not yet in the table.
    pub text: String,
}

/// The three tables of a log.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    event_types: Names,
    sectors: Names,
    sources: Names,
}

#[derive(Debug, Clone, Default)]
struct Names {
    by_id: Vec<Arc<str>>,
    by_text: BTreeMap<Arc<str>, u32>,
}

impl Tables {
    fn names(&self, table: Table) -> &Names {
        match table {
            Table::EventType => &self.event_types,
            Table::Sector => &self.sectors,
            Table::Source => &self.sources,
        }
    }

    /// Tables whose texts are numbered in this order.
    ///
    /// # Errors
    /// Refuses what [`Tables::admit`] refuses.
    pub fn of(event_types: &[String], sectors: &[String], sources: &[String]) -> Result<Self> {
        let mut tables = Self::default();
        let all = [(Table::EventType, event_types), (Table::Sector, sectors), (Table::Source, sources)];
        for (table, texts) in all {
            for text in texts {
                let entry = tables.propose(table, text);
                tables.admit(&entry)?;
            }
        }
        Ok(tables)
    }

    /// Takes over what an input of a log says about names, when its entries are read in order from the first that is kept:
    /// an `interned`, or the `log_sealed` that stands for those before it.
    pub fn follow(&mut self, input: &Input) -> Result<()> {
        match input.kind {
            InputKind::Interned => self.admit(&input.decode()?),
            InputKind::LogSealed if self.len(Table::Sector) == 0 => {
                let SealedState { event_types, sectors, sources, .. } = SealedState::of(input)?;
                *self = Self::of(&event_types, &sectors, &sources)?;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The text behind a number.
    pub fn text(&self, table: Table, id: u32) -> Option<&str> {
        self.names(table).by_id.get(id as usize).map(|text| &**text)
    }

    /// The number of a text.
    pub fn id(&self, table: Table, text: &str) -> Option<u32> {
        self.names(table).by_text.get(text).copied()
    }

    /// The texts of a table, by number.
    pub fn texts(&self, table: Table) -> impl Iterator<Item = &str> {
        self.names(table).by_id.iter().map(|text| &**text)
    }

    /// How many numbers a table has given; they are 0 to this, exclusive.
    pub fn len(&self, table: Table) -> u32 {
        u32::try_from(self.names(table).by_id.len()).unwrap_or(u32::MAX)
    }

    /// The entry that gives `text` its number.
    pub fn propose(&self, table: Table, text: &str) -> Interned {
        Interned { table, id: self.len(table), text: text.to_owned() }
    }

    /// Takes over an entry.
    ///
    /// # Errors
    /// Refuses a number out of turn, a text that is empty, too long or already there, and a full table.
    pub fn admit(&mut self, entry: &Interned) -> Result<()> {
        let Interned { table, id, text } = entry;
        let wrong = |why| Error::Interned { table: table.name(), id: u64::from(*id), why };
        within("interned text", text.len(), MAX_INTERNED_LEN)?;
        if text.is_empty() {
            return Err(wrong("its text is empty"));
        }
        if *id != self.len(*table) {
            return Err(wrong("it is not the next number of its table"));
        }
        if *id >= table.capacity() {
            return Err(wrong("its table is full"));
        }
        if self.id(*table, text).is_some() {
            return Err(wrong("its text already has a number"));
        }
        let names = match table {
            Table::EventType => &mut self.event_types,
            Table::Sector => &mut self.sectors,
            Table::Source => &mut self.sources,
        };
        let text: Arc<str> = text.as_str().into();
        names.by_id.push(Arc::clone(&text));
        names.by_text.insert(text, *id);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_given_in_turn_and_once() {
        let mut tables = Tables::default();
        let order = tables.propose(Table::EventType, "order");
        assert_eq!(order.id, 0);
        tables.admit(&order).unwrap();
        assert_eq!(tables.text(Table::EventType, 0), Some("order"));
        assert_eq!(tables.id(Table::EventType, "order"), Some(0));
        assert_eq!(tables.id(Table::Source, "order"), None);

        assert!(tables.admit(&order).is_err());
        assert!(tables.admit(&tables.clone().propose(Table::EventType, "order")).is_err());
        assert!(tables.admit(&Interned { id: 2, ..tables.propose(Table::EventType, "x") }).is_err());
        assert!(tables.admit(&tables.clone().propose(Table::EventType, "")).is_err());
        assert!(
            tables.admit(&tables.clone().propose(Table::Source, &"x".repeat(MAX_INTERNED_LEN + 1))).is_err()
        );
        tables.admit(&tables.clone().propose(Table::EventType, "refund")).unwrap();
        assert_eq!(tables.len(Table::EventType), 2);
    }

    #[test]
    fn a_table_has_an_end() {
        let mut tables = Tables::default();
        for i in 0..MAX_SECTORS {
            tables.admit(&tables.clone().propose_cheaply(i)).unwrap();
        }
        assert!(matches!(tables.admit(&tables.propose(Table::Sector, "more")), Err(Error::Interned { .. })));
    }

    impl Tables {
        fn propose_cheaply(&self, i: u32) -> Interned {
            self.propose(Table::Sector, &format!("s{i}"))
        }
    }
}
