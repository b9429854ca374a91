//! The named predicates of doctrine, decided on what a change does.

use knhk_ontology::Iri;
use knhk_ontology::decimal::Decimal;
use knhk_ontology::delta::Effect;

use super::{ClassChange, Meaning, PropertyChange, ValueChange, describe};
use crate::doctrine::Predicate;

/// One breach of a named predicate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// The term.
    pub term: Iri,
    /// What is wrong, in words.
    pub what: String,
    /// The state before.
    pub old: Option<String>,
    /// The state after.
    pub new: Option<String>,
}

impl ValueChange {
    /// How the number moves; `None` when there is no number on either side.
    fn direction(&self) -> Option<std::cmp::Ordering> {
        let number = |text: &Option<String>| text.as_ref()?.parse::<Decimal>().ok();
        Some(number(&self.new)?.cmp(&number(&self.old)?))
    }
}

impl Meaning {
    /// What breaks a named predicate, among the terms in scope. A property is in scope with its class.
    pub fn breaking(
        &self,
        predicate: Predicate,
        property: Option<&Iri>,
        in_scope: &dyn Fn(&Iri) -> bool,
    ) -> Vec<Breach> {
        let mut breaches = Vec::new();
        match predicate {
            Predicate::ValueNeverRaised | Predicate::ValueNeverLowered => {
                let wrong = match predicate {
                    Predicate::ValueNeverRaised => std::cmp::Ordering::Greater,
                    _ => std::cmp::Ordering::Less,
                };
                for value in &self.values {
                    let meant = property.is_some_and(|iri| *iri == value.subject || *iri == value.predicate);
                    // A first value moves nothing. What is no number cannot be shown to keep the rule.
                    if !meant || value.old.is_none() {
                        continue;
                    }
                    let what = match (&value.new, value.direction()) {
                        (None, _) => "the value is taken away",
                        (_, None) => "the value is not a number on both sides",
                        (_, Some(direction)) if direction == wrong => "the value moves the wrong way",
                        _ => continue,
                    };
                    breaches.push(Breach {
                        term: value.subject.clone(),
                        what: what.to_owned(),
                        old: value.old.clone(),
                        new: value.new.clone(),
                    });
                }
                return breaches;
            }
            _ => {}
        }
        // What happens to a class happens to those below it: they inherit its keys and its place.
        let concerns = |class: &Iri| self.concerned(class).any(in_scope);
        for (iri, changes) in self.classes.iter().filter(|(iri, _)| concerns(iri)) {
            let effect = changes.iter().map(|change| change.effect()).max().unwrap_or(Effect::Neutral);
            let what = match predicate {
                Predicate::NoRemoval if changes.contains(&ClassChange::Removed) => "the class is removed",
                Predicate::NoRemoval if changes.contains(&ClassChange::EventTypesRemoved) => {
                    "the class no longer describes some event types"
                }
                Predicate::NoStrengthening if effect == Effect::Strengthening => "data may become invalid",
                Predicate::NoWeakening if changes.iter().any(|change| change.weakens()) => {
                    "more data becomes valid"
                }
                _ => continue,
            };
            breaches.push(Breach { term: iri.clone(), what: what.to_owned(), old: None, new: None });
        }
        for (place, change) in &self.properties {
            let Some(iri) = change.iri() else { continue };
            let own =
                [&change.old, &change.new].into_iter().flatten().any(|property| in_scope(&property.iri));
            if !own && !concerns(&place.domain) {
                continue;
            }
            // A key that means another property has lost the one it meant.
            let has = |one: PropertyChange| change.changes.contains(&one);
            let removed =
                change.old.as_ref().filter(|_| has(PropertyChange::Removed) || has(PropertyChange::Replaced));
            let what = match predicate {
                Predicate::NoRemoval if removed.is_some() => "the property is removed",
                Predicate::RemovalAfterDeprecation if removed.is_some_and(|old| !old.deprecated) => {
                    "the property is removed without having been deprecated"
                }
                Predicate::NoStrengthening if change.effect == Effect::Strengthening => {
                    "data may become invalid"
                }
                Predicate::NoWeakening if change.weakens() => "more data becomes valid",
                Predicate::AdditionsOptional
                    if (has(PropertyChange::Added) || has(PropertyChange::Replaced))
                        && change.new.as_ref().is_some_and(|new| new.cardinality.is_required()) =>
                {
                    "the new property is required"
                }
                _ => continue,
            };
            breaches.push(Breach {
                term: iri.clone(),
                what: what.to_owned(),
                old: change.old.as_ref().map(describe),
                new: change.new.as_ref().map(describe),
            });
        }
        if predicate == Predicate::NoRemoval {
            let gone = self.values.iter().filter(|value| value.new.is_none());
            for value in gone.filter(|value| in_scope(&value.subject) || in_scope(&value.predicate)) {
                breaches.push(Breach {
                    term: value.subject.clone(),
                    what: "the value is taken away".to_owned(),
                    old: value.old.clone(),
                    new: None,
                });
            }
        }
        breaches
    }
}
