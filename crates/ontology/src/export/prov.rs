//! The history of a sector in PROV-O (W3C Recommendation of 30 April 2013).
//!
//! | in the log | in PROV |
//! |---|---|
//! | snapshot | `prov:Entity`, and a `prov:specializationOf` its content, named by the content id |
//! | promotion, rollback, genesis, check of a proposal | `prov:Activity`, named by its receipt |
//! | proposal | `prov:Entity`, attributed to its proposer |
//! | proposer, kernel | `prov:SoftwareAgent` |
//! | operator | `prov:Agent`: who holds the signing key |

use std::fmt::Write as _;

use crate::iri::Iri;
use crate::snapshot::{ContentId, SnapshotId, Version};
use crate::triple::{Literal, Triple};
use crate::turtle;
use crate::vocab;

/// What happened to a sector's ontology.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The receipt's id, which names the activity; absent when the receipt is not kept, and then the activity is named by
    /// what it made.
    pub receipt: Option<String>,
    /// When, as `xsd:dateTime`.
    pub at: String,
    /// What.
    pub what: What,
}

/// A version that came into force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    /// The version.
    pub snapshot: SnapshotId,
    /// What it says.
    pub content: ContentId,
    /// Its number.
    pub version: Version,
    /// The one it took over from.
    pub parent: Option<SnapshotId>,
}

/// A kind of event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The first version was made from a pack.
    Genesis(Made),
    /// A proposal became a version.
    Promoted(Made, String),
    /// Earlier content became a version again.
    RolledBack {
        /// The new version.
        made: Made,
        /// The version whose content it has.
        to: SnapshotId,
        /// The operator's words.
        reason: String,
    },
    /// A version came into force; how is no longer kept.
    Unknown(Made),
    /// A proposal was made.
    Proposed {
        /// Its id.
        proposal: String,
        /// Who made it.
        proposer: String,
        /// The version it changes.
        base: SnapshotId,
    },
    /// A proposal was checked.
    Checked {
        /// Its id.
        proposal: String,
        /// The version it was checked against.
        against: SnapshotId,
        /// `promote`, `hold` or `reject`.
        verdict: &'static str,
        /// Whether a person decided.
        by_operator: bool,
    },
}

const PROV: &str = "http://www.w3.org/ns/prov#";

/// Writes the history of `sector` as Turtle.
pub fn turtle(sector: &str, events: &[Event]) -> String {
    let mut graph = Written { triples: Vec::new() };
    let kernel = Iri::derived("urn:knhk:agent:kernel".to_owned());
    let operator = Iri::derived("urn:knhk:agent:operator".to_owned());
    graph.software(&kernel);
    graph.is(&operator, "Agent");
    for event in events {
        match &event.what {
            What::Genesis(made) | What::Unknown(made) => {
                graph.made(event, made, &kernel);
            }
            What::Promoted(made, proposal) => {
                let activity = graph.made(event, made, &kernel);
                graph.link(&activity, "used", &proposal_iri(proposal));
                if let Some(parent) = &made.parent {
                    graph.link(&snapshot_iri(&made.snapshot), "wasRevisionOf", &snapshot_iri(parent));
                }
            }
            What::RolledBack { made, to, reason } => {
                let activity = graph.made(event, made, &operator);
                graph.link(&activity, "used", &snapshot_iri(to));
                graph.link(&snapshot_iri(&made.snapshot), "wasDerivedFrom", &snapshot_iri(to));
                graph.say(&activity, &knhk("reason"), Literal::string(reason.as_str()));
            }
            What::Proposed { proposal, proposer, base } => {
                let (iri, agent) = (proposal_iri(proposal), agent_iri(proposer));
                graph.software(&agent);
                graph.say(&agent, &vocab::RDFS_LABEL, Literal::string(proposer.as_str()));
                graph.is(&iri, "Entity");
                graph.link(&iri, "wasAttributedTo", &agent);
                graph.link(&iri, "wasDerivedFrom", &snapshot_iri(base));
                graph.time(&iri, "generatedAtTime", &event.at);
            }
            What::Checked { proposal, against, verdict, by_operator } => {
                let agent = if *by_operator { &operator } else { &kernel };
                let activity = graph.activity(event, &format!("check:{proposal}:{against}"), agent);
                graph.link(&activity, "used", &proposal_iri(proposal));
                graph.link(&activity, "used", &snapshot_iri(against));
                graph.say(&activity, &knhk("verdict"), Literal::string(*verdict));
            }
        }
    }
    graph.say(
        &Iri::derived(format!("{}{sector}", vocab::SECTOR_PREFIX)),
        &vocab::RDFS_LABEL,
        Literal::string(sector),
    );
    turtle::write(graph.triples, &[("prov", PROV)])
}

struct Written {
    triples: Vec<Triple>,
}

impl Written {
    fn is(&mut self, subject: &Iri, class: &str) {
        self.triples.push(Triple::new(subject, &vocab::RDF_TYPE, prov(class)));
    }

    /// Of both classes: not every reader infers the one from the other.
    fn software(&mut self, subject: &Iri) {
        self.is(subject, "Agent");
        self.is(subject, "SoftwareAgent");
    }

    fn link(&mut self, subject: &Iri, predicate: &str, object: &Iri) {
        self.triples.push(Triple::new(subject, &prov(predicate), object.clone()));
    }

    fn say(&mut self, subject: &Iri, predicate: &Iri, value: Literal) {
        self.triples.push(Triple::new(subject, predicate, value));
    }

    fn time(&mut self, subject: &Iri, predicate: &str, at: &str) {
        self.say(subject, &prov(predicate), Literal::typed(at, vocab::XSD_DATE_TIME.clone()));
    }

    fn activity(&mut self, event: &Event, otherwise: &str, agent: &Iri) -> Iri {
        let name = event.receipt.as_ref().map_or_else(
            || format!("urn:knhk:activity:{otherwise}"),
            |receipt| format!("urn:knhk:receipt:{receipt}"),
        );
        let activity = Iri::derived(name);
        self.is(&activity, "Activity");
        self.time(&activity, "endedAtTime", &event.at);
        self.link(&activity, "wasAssociatedWith", agent);
        activity
    }

    /// A version, what made it, and the end of the one before.
    fn made(&mut self, event: &Event, made: &Made, agent: &Iri) -> Iri {
        let (snapshot, content) = (snapshot_iri(&made.snapshot), content_iri(&made.content));
        let activity = self.activity(event, &format!("made:{}", made.snapshot), agent);
        self.is(&snapshot, "Entity");
        self.is(&content, "Entity");
        self.link(&snapshot, "specializationOf", &content);
        self.link(&snapshot, "wasGeneratedBy", &activity);
        self.time(&snapshot, "generatedAtTime", &event.at);
        self.say(&snapshot, &knhk("contentId"), Literal::string(made.content.to_string()));
        self.say(&snapshot, &knhk("version"), Literal::string(made.version.to_string()));
        if let Some(parent) = &made.parent {
            let parent = snapshot_iri(parent);
            self.link(&snapshot, "wasDerivedFrom", &parent);
            self.link(&activity, "used", &parent);
            self.link(&parent, "wasInvalidatedBy", &activity);
            self.time(&parent, "invalidatedAtTime", &event.at);
        }
        activity
    }
}

fn prov(local: &str) -> Iri {
    Iri::derived(format!("{PROV}{local}"))
}

fn knhk(local: &str) -> Iri {
    Iri::derived(format!("{}{local}", vocab::KNHK_NAMESPACE))
}

fn snapshot_iri(id: &SnapshotId) -> Iri {
    Iri::derived(format!("urn:knhk:snapshot:{id}"))
}

fn content_iri(id: &ContentId) -> Iri {
    Iri::derived(format!("urn:knhk:content:{id}"))
}

fn proposal_iri(id: &str) -> Iri {
    Iri::derived(format!("urn:knhk:proposal:{id}"))
}

/// A proposer's name may hold anything; whatever is no plain letter or digit is percent-encoded.
fn agent_iri(name: &str) -> Iri {
    let mut text = "urn:knhk:agent:proposer:".to_owned();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._/".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a String does not fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    Iri::derived(text)
}
