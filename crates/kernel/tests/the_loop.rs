//! The kernel by itself: inputs in, decisions out, the same ones every time, and the same state after a restart.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)] // A test may fail.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use knhk_evidence::Hash;
use knhk_evidence::block::{Block, BlockPosition, Payloads};
use knhk_evidence::hash::Bytes;
use knhk_evidence::input::{Input, InputKind};
use knhk_evidence::intern::Table;
use knhk_evidence::receipt::{Operation, Outcome};
use knhk_evidence::record::{Record, dedupe_key};
use knhk_kernel::decision::{Body, CycleOutcome, Decision, Verdict};
use knhk_kernel::inputs::{
    Command, CycleDue, KernelStarted, Measured, PromoteMode, SEMANTICS_VERSION, SectorAdmitted,
};
use knhk_kernel::replay::{Disagreement, Replay};
use knhk_kernel::sealed::{Sealed, StateSealed};
use knhk_kernel::{Kernel, KernelError};

const ONTOLOGY: &str = r#"
@prefix knhk: <urn:knhk:ns#> . @prefix s: <urn:knhk:shop#> . @prefix sh: <http://www.w3.org/ns/shacl#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> . @prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> . @prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
<urn:knhk:sector:shop> a knhk:Sector ; rdfs:label "shop" ; rdfs:comment "Orders." ;
    owl:imports <urn:knhk:sector:core> ; knhk:namespace "urn:knhk:shop#" .
s:Order a owl:Class ; rdfs:label "Order" ; rdfs:comment "An order." ; rdfs:subClassOf knhk:Event ;
    knhk:inSector <urn:knhk:sector:shop> ; knhk:eventType "order.placed" .
s:Order.total a rdf:Property ; rdfs:label "total" ; rdfs:comment "To pay." ; rdfs:domain s:Order ; rdfs:range xsd:decimal ;
    knhk:cardinality "1" ; knhk:inSector <urn:knhk:sector:shop> .
s:Order-shape a sh:NodeShape ; sh:targetClass s:Order ; sh:closed true ; sh:ignoredProperties knhk:typeOnly ;
    sh:property s:Order.total-shape .
s:Order.total-shape a sh:PropertyShape ; sh:path s:Order.total ; knhk:key "total" ; sh:datatype xsd:decimal ;
    sh:minCount 1 ; sh:maxCount 1 .
"#;

/// What a log would hold, in order.
#[derive(Clone)]
enum Entry {
    Input(Input),
    Block(Block, Payloads),
    Decision(Decision),
}

/// A kernel and its log.
struct World {
    kernel: Kernel,
    log: Vec<Entry>,
    blocks: u64,
    previous: Hash,
    sequence: u64,
    time_ms: i64,
}

impl World {
    fn new() -> Self {
        Self::with(ONTOLOGY)
    }

    fn with(ontology: &str) -> Self {
        let mut world = Self {
            kernel: Kernel::new(),
            log: Vec::new(),
            blocks: 0,
            previous: Hash::ZERO,
            sequence: 0,
            time_ms: 1_790_000_000_000,
        };
        world.start();
        let files = BTreeMap::from([
            (
                "sector.toml".to_owned(),
                Bytes(b"name = \"shop\"\ntitle = \"Shop\"\nversion = \"1.0.0\"\n".to_vec()),
            ),
            ("ontology.ttl".to_owned(), Bytes(ontology.as_bytes().to_vec())),
        ]);
        let genesis = world.input(InputKind::SectorAdmitted, &SectorAdmitted { files }).unwrap();
        assert_eq!(genesis[0].draft.operation, Operation::SectorUpdated);
        world
    }

    fn start(&mut self) {
        let started = KernelStarted { semantics_version: SEMANTICS_VERSION, build: "test".into(), key_id: 7 };
        self.input(InputKind::KernelStarted, &started).unwrap();
    }

    fn input<T: serde::Serialize>(
        &mut self,
        kind: InputKind,
        body: &T,
    ) -> Result<Vec<Decision>, KernelError> {
        self.time_ms += 1_000;
        let input = Input::new(kind, Some("shop"), self.time_ms, body).unwrap();
        let decisions = self.kernel.step(&input, &mut ())?;
        self.log.push(Entry::Input(input));
        self.log.extend(decisions.iter().cloned().map(Entry::Decision));
        Ok(decisions)
    }

    fn intern(&mut self, table: Table, text: &str) -> u32 {
        if let Some(id) = self.kernel.names().id(table, text) {
            return id;
        }
        let body = self.kernel.names().propose(table, text);
        self.input(InputKind::Interned, &body).unwrap();
        body.id
    }

    /// Events with these `data` texts, as one block.
    fn events(&mut self, event_type: &str, data: &[String]) {
        let sector = u16::try_from(self.intern(Table::Sector, "shop")).unwrap();
        let source = self.intern(Table::Source, "till");
        let type_id = u16::try_from(self.intern(Table::EventType, event_type)).unwrap();
        let mut records = Vec::new();
        let mut payloads = Vec::new();
        for (i, data) in data.iter().enumerate() {
            let id = format!("e{}", self.sequence + i as u64);
            let payload = format!(r#"{{"type":"{event_type}","id":"{id}","source":"till","data":{data}}}"#);
            let mut record = Record {
                event_type: type_id,
                source,
                event_time_ms: self.time_ms + i64::try_from(i).unwrap() * 1_000,
                ingest_time_ms: self.time_ms,
                dedupe_key: dedupe_key("till", &id),
                data_digest: Hash::of(data.as_bytes()).prefix(),
                ..Record::default()
            };
            record.set_payload(payload.as_bytes()).unwrap();
            records.push(record);
            payloads.push(payload.into_bytes());
        }
        let position = BlockPosition {
            sector,
            number: self.blocks,
            previous: self.previous,
            first_sequence: self.sequence,
        };
        let block = Block::seal(position, records).unwrap();
        let payloads = Payloads::seal(&block, &payloads).unwrap();
        self.blocks += 1;
        self.previous = block.header().digest();
        self.sequence += data.len() as u64;
        let decisions = self.kernel.step_block(&block, &payloads).unwrap();
        assert_eq!(decisions[0].draft.operation, Operation::ObservationIngested);
        self.log.push(Entry::Block(block, payloads));
        self.log.extend(decisions.into_iter().map(Entry::Decision));
    }

    fn orders(&mut self, n: u32, data: impl Fn(u32) -> String) {
        let data: Vec<String> = (0..n).map(data).collect();
        self.events("order.placed", &data);
    }

    fn measure(&mut self) {
        let measured =
            Measured { admission_batch_mean_ns: 900, admission_p99_ns: 3_000, resident_bytes: 20 << 20 };
        self.input(InputKind::Measurement, &measured).unwrap();
    }

    fn cycle(&mut self, promote: PromoteMode) -> Vec<Decision> {
        self.measure();
        self.input(InputKind::CycleDue, &CycleDue { rejected: 0, duplicates: 0, promote }).unwrap()
    }

    fn version(&self) -> String {
        self.kernel.sector("shop").unwrap().history().head().version.to_string()
    }
}

fn bodies(decisions: &[Decision]) -> Vec<Body> {
    decisions.iter().map(|d| Body::from_bytes(&d.body).unwrap()).collect()
}

fn replay(log: &[Entry]) -> Result<u64, Disagreement> {
    let mut replay = Replay::new();
    feed(&mut replay, log)?;
    Ok(replay.finish()?.decisions)
}

fn feed(replay: &mut Replay, log: &[Entry]) -> Result<(), Disagreement> {
    for entry in log {
        match entry {
            Entry::Input(input) => replay.input(input)?,
            Entry::Block(block, payloads) => replay.block(block, payloads)?,
            Entry::Decision(decision) => replay.receipt(&decision.draft, decision.id)?,
        }
    }
    Ok(())
}

/// A kernel that folds the log instead of deciding it.
fn restore(log: &[Entry], payloads_from: usize) -> Kernel {
    let mut kernel = Kernel::new();
    for (at, entry) in log.iter().enumerate() {
        match entry {
            Entry::Input(input) => kernel.restore_input(input).unwrap(),
            Entry::Block(block, payloads) => {
                kernel.restore_block(block, (at >= payloads_from).then_some(payloads)).unwrap();
            }
            Entry::Decision(d) => kernel.restore_receipt(&d.draft, d.id, &d.body).unwrap(),
        }
    }
    kernel
}

fn with_total(i: u32) -> String {
    format!(r#"{{"total":{i}.5}}"#)
}

fn with_note(i: u32) -> String {
    format!(r#"{{"total":{i},"note":"n{i}"}}"#)
}

#[test]
fn a_stream_that_agrees_gives_five_linked_receipts_and_no_change() {
    let mut world = World::new();
    world.orders(50, with_total);
    let decisions = world.cycle(PromoteMode::Policy);
    let Body::LoopCycleCompleted(summary) = bodies(&decisions).pop().unwrap() else {
        panic!("a summary is last")
    };
    assert_eq!((summary.outcome, summary.patterns, summary.promotions), (CycleOutcome::Success, 0, 0));
    assert!(summary.receipts.len() >= 4, "and this one is the fifth");
    for (before, after) in decisions.iter().zip(&decisions[1..]) {
        assert_eq!(after.draft.parent, Some(before.id));
        assert_eq!(after.draft.sequence, before.draft.sequence + 1);
    }
    assert_eq!(world.version(), "1.0.0");
}

#[test]
fn a_new_field_is_found_proposed_checked_and_promoted_and_then_agrees() {
    let mut world = World::new();
    world.orders(40, with_note);
    let bodies = bodies(&world.cycle(PromoteMode::Policy));
    let Body::PatternDetected(detected) = &bodies[0] else { panic!("{bodies:?}") };
    assert_eq!((detected.patterns.len(), detected.conform, detected.observations), (1, 0, 40));
    let Body::ProposalGenerated(planned) = &bodies[1] else { panic!() };
    assert_eq!(planned.proposals[0].content().changes[0].path, "note");
    let Body::ValidationExecuted(validated) = &bodies[2] else { panic!() };
    assert_eq!((validated.stages.len(), &validated.verdict), (7, &Verdict::Promote));
    let Body::SnapshotPromoted(promoted) = &bodies[3] else { panic!() };
    assert_eq!(promoted.parents, vec![validated.against]);
    assert_eq!(world.version(), "1.1.0");

    world.orders(40, with_note);
    assert_eq!(world.cycle(PromoteMode::Policy).len(), 4, "no proposal, no promotion");
}

#[test]
fn a_cycle_without_new_events_finds_nothing_again() {
    let mut world = World::new();
    world.orders(40, with_note);
    world.cycle(PromoteMode::Policy);
    let decisions = world.cycle(PromoteMode::Policy);
    let Body::PatternDetected(detected) = &bodies(&decisions)[0] else { panic!("{decisions:?}") };
    assert_eq!((detected.patterns.len(), detected.observations), (0, 0));
    assert_eq!(world.version(), "1.1.0");
    // Nor does a restart bring the old window back.
    let mut restarted = World { kernel: restore(&world.log, 0), ..world };
    restarted.start();
    restarted.cycle(PromoteMode::Policy);
    assert_eq!(restarted.version(), "1.1.0");
    replay(&restarted.log).unwrap();
}

#[test]
fn too_little_evidence_is_observed_and_not_proposed() {
    let mut world = World::new();
    world.orders(11, with_note);
    let bodies = bodies(&world.cycle(PromoteMode::Policy));
    let Body::PatternDetected(detected) = &bodies[0] else { panic!() };
    assert_eq!(detected.patterns.len(), 1);
    let Body::ProposalGenerated(planned) = &bodies[1] else { panic!() };
    assert!(planned.proposals.is_empty());
}

#[test]
fn without_a_measurement_what_was_not_checked_is_not_let_through() {
    let mut world = World::new();
    world.orders(40, with_note);
    let due = CycleDue { rejected: 0, duplicates: 0, promote: PromoteMode::Policy };
    let bodies = bodies(&world.input(InputKind::CycleDue, &due).unwrap());
    let Body::ValidationExecuted(validated) = &bodies[2] else { panic!("{bodies:?}") };
    assert!(
        matches!(&validated.verdict, Verdict::Hold { why } if why.contains("KNHK-S211")),
        "{validated:?}"
    );
    assert_eq!(world.version(), "1.0.0");
}

#[test]
fn the_same_inputs_lead_to_the_same_decisions() {
    let mut world = World::new();
    world.orders(40, with_note);
    world.cycle(PromoteMode::Hold);
    let held = world.kernel.sector("shop").unwrap().held().next().unwrap().id().to_string();
    world.input(InputKind::OperatorCommand, &Command::Promote { proposal: held }).unwrap();
    world.orders(30, with_total);
    world.cycle(PromoteMode::Policy);
    let genesis = world.kernel.sector("shop").unwrap().history().chain().last().unwrap().0.to_string();
    let back = Command::Rollback { to: genesis, reason: "test".into() };
    world.input(InputKind::OperatorCommand, &back).unwrap();
    assert_eq!(world.version(), "2.0.0");
    assert!(replay(&world.log).unwrap() > 10);
}

#[test]
fn replay_says_where_an_edited_input_leads_elsewhere() {
    let mut world = World::new();
    world.orders(40, with_note);
    world.cycle(PromoteMode::Policy);
    let edited: Vec<Entry> = world
        .log
        .iter()
        .cloned()
        .map(|entry| match entry {
            Entry::Input(input) if input.kind == InputKind::CycleDue => {
                let due = CycleDue { rejected: 0, duplicates: 0, promote: PromoteMode::Hold };
                Entry::Input(Input::new(input.kind, Some("shop"), input.time_ms, &due).unwrap())
            }
            entry => entry,
        })
        .collect();
    let Err(Disagreement::Different { logged, derived }) = replay(&edited) else { panic!("it must differ") };
    assert_eq!(logged.operation, Operation::ValidationExecuted);
    assert!(matches!(derived.outcome, Outcome::Pending { .. }));

    let mut cut = world.log.clone();
    let last = cut.len() - 1;
    cut.remove(last);
    assert!(matches!(replay(&cut), Err(Disagreement::Missing { .. })));
    let mut twice = world.log.clone();
    twice.push(world.log[last].clone());
    assert!(matches!(replay(&twice), Err(Disagreement::Unfounded { .. })));
    let without_start = &world.log[1..];
    assert!(matches!(replay(without_start), Err(Disagreement::Undecidable { .. })));
}

#[test]
fn a_restart_decides_as_if_it_had_never_stopped() {
    let mut world = World::new();
    world.orders(40, with_note);
    world.cycle(PromoteMode::Hold);
    world.orders(25, with_total);
    // Stop in the middle of a window; only the blocks of the last two windows still have payloads.
    world.kernel = restore(&world.log, 0);
    world.start();
    world.orders(25, with_note);
    world.cycle(PromoteMode::Policy);
    let held = world.kernel.sector("shop").unwrap().held().next().map(|p| p.id().to_string());
    let windows_before = world.log.len();
    world.orders(40, |i| format!(r#"{{"total":{i},"note":"x","gift":true}}"#));
    world.cycle(PromoteMode::Hold);
    world.kernel = restore(&world.log, windows_before);
    world.start();
    if let Some(proposal) = held {
        world.input(InputKind::OperatorCommand, &Command::Promote { proposal }).unwrap();
    }
    // What a replay without any restart derives is what the restarted kernels decided.
    replay(&world.log).unwrap();
}

#[test]
fn a_measurement_lasts_for_its_cycle_and_no_longer_whether_or_not_the_kernel_restarts() {
    let mut world = World::new();
    world.orders(40, with_total);
    world.cycle(PromoteMode::Policy);
    world.orders(40, with_note);
    // No measurement before this cycle, and two more without events after it.
    let due = CycleDue { rejected: 0, duplicates: 0, promote: PromoteMode::Hold };
    world.input(InputKind::CycleDue, &due).unwrap();
    world.input(InputKind::CycleDue, &due).unwrap();
    world.input(InputKind::CycleDue, &due).unwrap();
    // Only the blocks after the last-but-one cycle that had any come back with payloads: here the second block.
    let second = world.log.iter().rposition(|entry| matches!(entry, Entry::Block(..))).unwrap();
    world.kernel = restore(&world.log, second);
    world.start();
    let held = world.kernel.sector("shop").unwrap().held().next().unwrap().id().to_string();
    world.input(InputKind::OperatorCommand, &Command::Promote { proposal: held }).unwrap();
    replay(&world.log).unwrap();
}

#[test]
fn a_held_change_is_replayed_against_the_last_events_even_after_a_run_of_repeats() {
    let mut world = World::new();
    world.orders(40, with_note);
    world.cycle(PromoteMode::Hold);
    world.cycle(PromoteMode::Hold);
    let held = world.kernel.sector("shop").unwrap().held().next().unwrap().id().to_string();
    let decisions = world.input(InputKind::OperatorCommand, &Command::Promote { proposal: held }).unwrap();
    let Body::ValidationExecuted(validated) = &bodies(&decisions)[0] else { panic!("{decisions:?}") };
    let codes: Vec<_> = validated.stages.iter().flat_map(|s| &s.findings).map(|f| f.code.as_str()).collect();
    assert!(!codes.contains(&"KNHK-S704") && !codes.contains(&"KNHK-S207"), "{codes:?}");
    replay(&world.log).unwrap();
}

#[test]
fn what_a_person_rejected_is_held_when_it_comes_again() {
    let mut world = World::new();
    world.orders(40, with_note);
    world.cycle(PromoteMode::Hold);
    let proposal = world.kernel.sector("shop").unwrap().held().next().unwrap().id().to_string();
    world
        .input(InputKind::OperatorCommand, &Command::Reject { proposal, reason: "not ours".into() })
        .unwrap();
    world.orders(40, with_note);
    world.kernel = restore(&world.log, 0);
    world.start();
    let bodies = bodies(&world.cycle(PromoteMode::Policy));
    let Body::ValidationExecuted(validated) = &bodies[2] else { panic!("{bodies:?}") };
    assert!(matches!(&validated.verdict, Verdict::Hold { why } if why.contains("not ours")), "{validated:?}");
    replay(&world.log).unwrap();
}

#[test]
fn commands_that_cannot_be_obeyed_change_nothing() {
    let mut world = World::new();
    let before = world.log.len();
    for (command, code) in [
        (Command::Rollback { to: "00".into(), reason: String::new() }, "KNHK-E1711"),
        (Command::Promote { proposal: "0".repeat(64) }, "KNHK-E1713"),
        (Command::Reject { proposal: "zz".into(), reason: String::new() }, "KNHK-E1713"),
    ] {
        let error = world.input(InputKind::OperatorCommand, &command).unwrap_err();
        assert_eq!(error.code(), code);
    }
    let head = world.kernel.sector("shop").unwrap().history().head().id.to_string();
    let nothing = Command::Rollback { to: head, reason: String::new() };
    assert_eq!(world.input(InputKind::OperatorCommand, &nothing).unwrap_err().code(), "KNHK-E1712");
    assert_eq!(world.log.len(), before);
    let again = SectorAdmitted { files: BTreeMap::new() };
    assert_eq!(world.input(InputKind::SectorAdmitted, &again).unwrap_err().code(), "KNHK-E1705");
    assert_eq!(world.input(InputKind::ModelAnswer, &"?").unwrap_err().code(), "KNHK-E1701");
}

#[test]
fn another_semantics_version_is_refused() {
    let mut kernel = Kernel::new();
    let started = KernelStarted { semantics_version: SEMANTICS_VERSION + 1, build: "test".into(), key_id: 7 };
    let input = Input::new(InputKind::KernelStarted, None, 1, &started).unwrap();
    assert_eq!(kernel.step(&input, &mut ()).unwrap_err().code(), "KNHK-E1702");
}

#[test]
fn a_stale_promotion_is_refused() {
    let mut world = World::new();
    let stale = world.kernel.world().current().sectors["shop"].clone();
    world.orders(40, with_note);
    world.cycle(PromoteMode::Policy);
    let now = world.kernel.world().current();
    let error = world.kernel.world().promote("shop", Some(stale.snapshot.id), &stale).unwrap_err();
    assert_eq!(error.code(), "KNHK-E1709");
    assert_eq!(world.kernel.world().current().epoch, now.epoch, "nothing changed");
}

#[test]
fn readers_always_see_one_whole_world() {
    let mut world = World::new();
    world.orders(40, with_note);
    world.cycle(PromoteMode::Policy);
    let history = world.kernel.sector("shop").unwrap().history().clone();
    let versions: Vec<_> = history.chain().map(|(id, _, _)| id).collect();
    let current = world.kernel.world().current().sectors["shop"].clone();
    let promoter = world.kernel.world();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut reader = promoter.reader();
                    let (mut epoch, mut seen) = (0, 0_u64);
                    while !done.load(Ordering::Relaxed) || seen == 0 {
                        let world = reader.load();
                        let sector = &world.sectors["shop"];
                        assert!(world.epoch >= epoch, "time does not run backwards");
                        assert_eq!(sector.snapshot.sigma.content_id(), sector.snapshot.content_id);
                        (epoch, seen) = (world.epoch, seen + 1);
                    }
                })
            })
            .collect();
        let mut expected = current.snapshot.id;
        for round in 0..2_000 {
            let snapshot = history.snapshot(&versions[round % versions.len()]).unwrap();
            let (doctrine, guards) = (Arc::clone(&current.doctrine), Arc::clone(&current.guards));
            let next = knhk_kernel::world::SectorWorld::new(Arc::new(snapshot), doctrine, guards);
            let id = next.snapshot.id;
            promoter.promote("shop", Some(expected), &Arc::new(next)).unwrap();
            expected = id;
        }
        done.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.join().unwrap();
        }
    });
}

/// The first proposal's verdict in a cycle's decisions.
/// Seals the kernel, logs it, and gives the place in the log and the objects.
fn seal(world: &mut World) -> (usize, Sealed) {
    let sealed = world.kernel.seal().unwrap();
    let at = world.log.len();
    world.input(InputKind::StateSealed, &StateSealed { digest: sealed.digest }).unwrap();
    (at, sealed)
}

#[test]
fn a_kernel_goes_on_from_its_sealed_state_and_replay_starts_there() {
    let mut world = World::new();
    world.orders(40, with_note);
    world.cycle(PromoteMode::Policy);
    roll_back(&mut world, None, "too early");
    world.orders(40, |i| format!(r#"{{"total":{i},"gift":true}}"#));
    assert!(matches!(world.kernel.seal(), Err(KernelError::WindowOpen { .. })));
    world.cycle(PromoteMode::Hold);
    let (at, sealed) = seal(&mut world);

    // Back from its objects it is the same, down to the last byte; from fewer or other objects it does not come back.
    let unseal = |objects: &BTreeMap<Hash, Vec<u8>>| {
        Kernel::unseal(sealed.digest, &mut |digest| objects.get(&digest).cloned())
    };
    assert_eq!(unseal(&sealed.objects).unwrap().seal().unwrap(), sealed);
    for digest in sealed.objects.keys() {
        let mut objects = sealed.objects.clone();
        objects.remove(digest);
        assert!(matches!(unseal(&objects), Err(KernelError::SealedObject { .. })));
        objects.insert(*digest, b"other".to_vec());
        assert!(matches!(unseal(&objects), Err(KernelError::SealedObject { .. })));
    }

    // It decides on as if it had never stopped: what was rolled back is held, what was held waits.
    world.kernel = unseal(&sealed.objects).unwrap();
    world
        .kernel
        .absorb(&Input::new(InputKind::StateSealed, None, 0, &StateSealed { digest: sealed.digest }).unwrap())
        .unwrap();
    world.start();
    world.orders(40, |i| format!(r#"{{"total":{i},"note":"x","gift":true}}"#));
    let again = world.cycle(PromoteMode::Policy);
    assert!(matches!(verdict(&again), Verdict::Hold { why } if why.contains("too early")), "{again:?}");

    // The whole log replays, past the seal; so does what comes after it, from the seal.
    let whole = replay(&world.log).unwrap();
    let mut late = Replay::from(unseal(&sealed.objects).unwrap());
    feed(&mut late, &world.log[at..]).unwrap();
    assert!(late.finish().unwrap().decisions < whole);
    // A seal that the log does not lead to is found.
    let mut forged = world.log.clone();
    let other = StateSealed { digest: Hash::of(b"other") };
    forged[at] = Entry::Input(Input::new(InputKind::StateSealed, None, world.time_ms, &other).unwrap());
    assert!(matches!(replay(&forged), Err(Disagreement::Undecidable { why }) if why.contains("sealed")));
}

fn verdict(decisions: &[Decision]) -> Verdict {
    let found = bodies(decisions).into_iter().find_map(|body| match body {
        Body::ValidationExecuted(validated) => Some(validated.verdict),
        _ => None,
    });
    found.unwrap()
}

fn roll_back(world: &mut World, to: Option<knhk_ontology::SnapshotId>, reason: &str) {
    let to = to.unwrap_or_else(|| world.kernel.sector("shop").unwrap().before_the_current().unwrap());
    let back = Command::Rollback { to: to.to_string(), reason: reason.into() };
    world.input(InputKind::OperatorCommand, &back).unwrap();
}

fn head(world: &World) -> knhk_ontology::SnapshotId {
    world.kernel.sector("shop").unwrap().history().head().id
}

#[test]
fn what_was_rolled_back_is_held_when_it_comes_again() {
    let mut world = World::new();
    world.orders(40, with_note);
    world.cycle(PromoteMode::Policy);
    let promoted = head(&world);
    roll_back(&mut world, None, "too early");
    world.kernel = restore(&world.log, 0);
    world.start();
    world.orders(40, with_note);
    let again = world.cycle(PromoteMode::Policy);
    assert!(matches!(verdict(&again), Verdict::Hold { why } if why.contains("too early")), "{again:?}");
    assert_eq!(world.version(), "2.0.0", "the rollback stands");

    // A person who goes forward again, or promotes it, takes the no back.
    roll_back(&mut world, Some(promoted), "now");
    roll_back(&mut world, None, &"still too early ".repeat(5_000));
    let held = world.kernel.sector("shop").unwrap().held().next().unwrap().id().to_string();
    world
        .input(InputKind::OperatorCommand, &Command::Reject { proposal: held, reason: "again".into() })
        .unwrap();
    roll_back(&mut world, Some(promoted), "now");
    roll_back(&mut world, None, &"still too early ".repeat(5_000));
    world.orders(40, with_note);
    let again = world.cycle(PromoteMode::Policy);
    assert!(matches!(verdict(&again), Verdict::Hold { why } if why.contains("still") && why.len() < 1_100));
    let held = world.kernel.sector("shop").unwrap().held().next().unwrap().id().to_string();
    let decisions = world.input(InputKind::OperatorCommand, &Command::Promote { proposal: held }).unwrap();
    assert_eq!(verdict(&decisions), Verdict::Promote);
    replay(&world.log).unwrap();
}

#[test]
fn rolling_back_without_a_target_goes_further_back_each_time_and_never_forward() {
    let mut world = World::new();
    let genesis = head(&world);
    world.orders(40, with_note);
    world.cycle(PromoteMode::Policy);
    let first = head(&world);
    world.orders(40, |i| format!(r#"{{"total":{i},"gift":true}}"#));
    world.cycle(PromoteMode::Policy);
    let content = |world: &World, id| {
        let history = world.kernel.sector("shop").unwrap().history().clone();
        history.sigma(&id).unwrap().content_id()
    };
    roll_back(&mut world, None, "once");
    assert_eq!(content(&world, head(&world)), content(&world, first));
    world.kernel = restore(&world.log, 0);
    world.start();
    roll_back(&mut world, None, "twice");
    assert_eq!(content(&world, head(&world)), content(&world, genesis));
    let error = world.kernel.sector("shop").unwrap().before_the_current().unwrap_err();
    assert_eq!(error.code(), "KNHK-E1716");
}

#[test]
fn a_thousand_patterns_with_long_paths_are_told_in_receipts_that_fit() {
    // An order that contains itself: its paths are as long as a producer likes.
    let key = "k".repeat(900);
    let ontology = format!(
        r#"{ONTOLOGY}
s:Order.{key} a rdf:Property ; rdfs:label "part" ; rdfs:comment "Of it." ; rdfs:domain s:Order ; rdfs:range s:Order ;
    knhk:cardinality "0..1" ; knhk:inSector <urn:knhk:sector:shop> .
s:Order-shape sh:property s:Order.{key}-shape .
s:Order.{key}-shape a sh:PropertyShape ; sh:path s:Order.{key} ; knhk:key "{key}" ; sh:class s:Order ; sh:maxCount 1 .
"#
    );
    let mut world = World::with(&ontology);
    let leaves = (0..1_500).map(|n| format!(r#","leaf{n}":1"#)).collect::<Vec<_>>().concat();
    let order = |i: u32| {
        let before = format!(r#"{{"total":{i},"{key}":"#).repeat(60);
        format!(r#"{before}{{"total":1{leaves}}}{}"#, "}".repeat(60))
    };
    world.orders(20, order);
    let decisions = world.cycle(PromoteMode::Policy);
    let mut places = std::collections::BTreeSet::new();
    for decision in &decisions {
        assert!(decision.body.len() < 16 << 20);
        if let Body::PatternDetected(detected) = Body::from_bytes(&decision.body).unwrap() {
            assert!(decision.body.len() < 5 << 20);
            for pattern in detected.patterns {
                assert!(pattern.path.len() <= 1_024);
                assert!(places.insert((pattern.id, pattern.path)), "one place, one path");
            }
        }
    }
    assert_eq!(places.len(), 1_500);
    let Some(Body::LoopCycleCompleted(summary)) = bodies(&decisions).pop() else { panic!() };
    assert_eq!((summary.outcome, summary.promotions), (CycleOutcome::Success, 1));
    world.orders(20, order);
    let Some(Body::LoopCycleCompleted(summary)) = bodies(&world.cycle(PromoteMode::Policy)).pop() else {
        panic!()
    };
    assert_eq!(summary.patterns, 0, "what was proposed is what was found");
    replay(&world.log).unwrap();
}

/// Decides, as a kernel would that failed in its analysis, that the cycle over the open window failed.
fn fail_cycle(world: &mut World) {
    let state = world.kernel.sector("shop").unwrap();
    let Some(Entry::Decision(last)) = world.log.iter().rfind(|e| matches!(e, Entry::Decision(_))) else {
        panic!()
    };
    let body = Body::LoopCycleCompleted(knhk_kernel::decision::CycleSummary {
        observations: state.profile().events().events(),
        duplicates: 0,
        rejected: 0,
        patterns: 0,
        proposals: 0,
        passed: 0,
        failed: 0,
        promotions: 0,
        held: 0,
        outcome: CycleOutcome::Failed { reason: "no room".into() },
        receipts: Vec::new(),
        baseline: knhk_observation::Baseline::default(),
    });
    let bytes = body.to_bytes().unwrap();
    let draft = knhk_evidence::receipt::Draft {
        operation: Operation::LoopCycleCompleted,
        outcome: Outcome::Error { reason: "no room".into() },
        sequence: last.draft.sequence + 1,
        parent: Some(last.id),
        evidence_digest: Hash::of(&bytes),
        ..last.draft.clone()
    };
    let id = draft.id().unwrap();
    world.kernel.restore_receipt(&draft, id, &bytes).unwrap();
    world.log.push(Entry::Decision(Decision { draft, id, body: bytes }));
}

#[test]
fn a_failed_cycle_leaves_its_events_to_the_next_one() {
    let mut world = World::new();
    world.orders(30, with_note);
    fail_cycle(&mut world);
    world.orders(10, with_note);
    let log = world.log.clone();
    let running = std::mem::take(&mut world.kernel);
    for kernel in [running, restore(&log, 0)] {
        world = World { log: log.clone(), kernel, ..world };
        world.start();
        let decisions = world.cycle(PromoteMode::Policy);
        let Body::PatternDetected(detected) = &bodies(&decisions)[0] else { panic!("{decisions:?}") };
        assert_eq!((detected.observations, detected.patterns[0].evidence.n), (40, 40));
        assert_eq!(verdict(&decisions), Verdict::Promote);
    }
}

#[test]
fn a_decision_that_cannot_take_effect_leaves_the_state_as_it_was() {
    let mut world = World::new();
    world.orders(40, with_note);
    world.cycle(PromoteMode::Policy);
    let promotion = world
        .log
        .iter()
        .position(|e| matches!(e, Entry::Decision(d) if d.draft.operation == Operation::SnapshotPromoted))
        .unwrap();
    let Entry::Decision(right) = world.log[promotion].clone() else { panic!() };
    let Body::SnapshotPromoted(mut promoted) = Body::from_bytes(&right.body).unwrap() else { panic!() };
    promoted.snapshot_id = promoted.parents[0];
    let wrong = Body::SnapshotPromoted(promoted).to_bytes().unwrap();

    let mut kernel = restore(&world.log[..promotion], 0);
    let told = |kernel: &Kernel| {
        let state = kernel.sector("shop").unwrap();
        (state.receipts(), state.history().head().id, kernel.world().current().epoch, format!("{state:?}"))
    };
    let before = told(&kernel);
    let error = kernel.restore_receipt(&right.draft, right.id, &wrong).unwrap_err();
    assert_eq!(error.code(), "KNHK-E1710");
    assert_eq!(told(&kernel), before);
    kernel.restore_receipt(&right.draft, right.id, &right.body).unwrap();
    assert_eq!(kernel.sector("shop").unwrap().history().head().version.to_string(), "1.1.0");
}

#[test]
fn a_log_of_another_build_is_refused_with_the_names_of_both() {
    #[derive(serde::Serialize)]
    struct Ingested {
        block: Hash,
        number: u64,
        observations: u64,
        conform: u64,
        extra: u64,
    }
    let mut world = World::new();
    let Some(Entry::Decision(last)) = world.log.last() else { panic!() };
    let ingested = Ingested { block: Hash::ZERO, number: 0, observations: 1, conform: 1, extra: 1 };
    let body =
        knhk_evidence::canonical::to_bytes(&BTreeMap::from([("observation_ingested", ingested)])).unwrap();
    let draft = knhk_evidence::receipt::Draft {
        operation: Operation::ObservationIngested,
        sequence: last.draft.sequence + 1,
        parent: Some(last.id),
        evidence_digest: Hash::of(&body),
        ..last.draft.clone()
    };
    let error = world.kernel.restore_receipt(&draft, draft.id().unwrap(), &body).unwrap_err();
    assert_eq!(error.code(), "KNHK-E1717");
    let text = error.to_string();
    for part in ["ObservationIngested", "extra", "written by test,", knhk_kernel::inputs::BUILD] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let input = Input::new(InputKind::CycleDue, Some("shop"), 1, &BTreeMap::from([("rejected", 0)])).unwrap();
    assert_eq!(world.kernel.restore_input(&input).unwrap_err().code(), "KNHK-E1717");
}

#[test]
fn a_broken_invariant_is_an_error_a_count_and_a_receipt_and_survives_a_restart() {
    let mut world = World::new();
    world.orders(40, with_note);
    let measured = Measured { admission_batch_mean_ns: 90, admission_p99_ns: 3_000, resident_bytes: 2 << 30 };
    world.input(InputKind::Measurement, &measured).unwrap();
    let due = CycleDue { rejected: 0, duplicates: 0, promote: PromoteMode::Policy };
    let decisions = world.input(InputKind::CycleDue, &due).unwrap();
    let bodies = bodies(&decisions);
    let Body::ValidationExecuted(validated) = &bodies[2] else { panic!("{bodies:?}") };
    assert!(matches!(validated.verdict, Verdict::Reject { .. }));
    let Body::InvariantViolation(violated) = &bodies[3] else { panic!("{bodies:?}") };
    assert_eq!((Some(violated.proposal), violated.against), (validated.proposal, validated.against));
    assert_eq!(violated.findings.iter().map(|f| f.rule.as_str()).collect::<Vec<_>>(), ["Q5"]);
    assert_eq!(decisions[3].draft.operation, Operation::InvariantViolation);
    assert!(
        matches!(&decisions[3].draft.outcome, Outcome::Error { reason } if reason.starts_with("Q5: resident_bytes"))
    );
    let expected = BTreeMap::from([("Q5".to_owned(), 1)]);
    assert_eq!(world.kernel.sector("shop").unwrap().violations(), &expected);
    assert_eq!(restore(&world.log, 0).sector("shop").unwrap().violations(), &expected);
    replay(&world.log).unwrap();

    // A change that breaks none leaves none.
    world.orders(40, with_note);
    world.cycle(PromoteMode::Policy);
    assert_eq!(world.version(), "1.1.0");
    assert_eq!(world.kernel.sector("shop").unwrap().violations(), &expected);
}

#[test]
fn a_pack_that_does_not_compose_with_core_is_not_admitted() {
    let mut world = World::new();
    let admit = |world: &mut World, name: &str, ontology: &str| {
        let manifest = format!("name = \"{name}\"\ntitle = \"T\"\nversion = \"1.0.0\"\n");
        let files = BTreeMap::from([
            ("sector.toml".to_owned(), Bytes(manifest.into_bytes())),
            ("ontology.ttl".to_owned(), Bytes(ontology.as_bytes().to_vec())),
        ]);
        world.time_ms += 1_000;
        let input =
            Input::new(InputKind::SectorAdmitted, Some(name), world.time_ms, &SectorAdmitted { files });
        world.kernel.step(&input.unwrap(), &mut ()).map(|decisions| decisions.len())
    };
    let other = ONTOLOGY.replace("urn:knhk:shop#", "urn:knhk:stall#").replace("sector:shop", "sector:stall");
    let other = other.replace("rdfs:label \"shop\"", "rdfs:label \"stall\"").replace("order.placed", "sold");
    let importing = other.replace(
        "owl:imports <urn:knhk:sector:core>",
        "owl:imports <urn:knhk:sector:core> , <urn:knhk:sector:shop>",
    );
    let refused = admit(&mut world, "stall", &importing).unwrap_err();
    assert!(refused.to_string().contains("belongs in core"), "{refused}");
    assert!(world.kernel.sector("stall").is_err(), "nothing of it stays");
    assert_eq!(admit(&mut world, "stall", &other).unwrap(), 1);
}
