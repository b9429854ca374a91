//! `knhk ontology` on a data directory and on plain files.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test may fail.

mod common;

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use common::{example, json, knhk, list, run, text};
use flate2::Compression;
use flate2::write::GzEncoder;

const PREFIXES: &str = "@prefix sh: <http://www.w3.org/ns/shacl#> .\n@prefix e: <http://e.org/> .\n\
    @prefix owl: <http://www.w3.org/2002/07/owl#> .\n@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .\n";
const SHAPES: &str = "e:S a sh:NodeShape ; sh:targetClass e:Order ;
    sh:property [ sh:path e:total ; sh:minCount 1 ; sh:message \"an order has a total\" ] ;
    sh:property [ sh:path [ sh:inversePath e:of ] ; sh:maxCount 1 ] .";

fn write(dir: &Path, name: &str, body: &str) {
    fs::write(dir.join(name), format!("{PREFIXES}{body}")).unwrap();
}

/// The example morning, and a rollback after it.
fn with_history() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for file in ["events-normal.ndjson", "events-drift.ndjson"] {
        common::observe(dir.path(), "logistics", &[&example(file)]);
    }
    let (code, _, err) =
        run(dir.path(), &["rollback", "--data", "data", "--to", "1.4.0", "--reason", "too <early> & \"so\""]);
    assert_eq!((code, err.as_str()), (0, ""));
    dir
}

#[test]
fn files_that_conform_end_with_0_others_with_1_and_what_is_wrong_is_told() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "shapes.ttl", SHAPES);
    write(dir.path(), "good.ttl", "e:a a e:Order ; e:total 3 . e:x e:of e:a .");
    write(dir.path(), "bad.ttl", "e:a a e:Order . e:x e:of e:a . e:y e:of e:a . [] a e:Order .");
    let validate = |data: &str, more: &[&str]| {
        let mut all = vec!["ontology", "validate", data, "--shapes", "shapes.ttl"];
        all.extend_from_slice(more);
        run(dir.path(), &all)
    };
    let (code, out, err) = validate("good.ttl", &[]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(out, "good.ttl: 3 triples; conforms\n");
    let (code, out, _) = validate("bad.ttl", &[]);
    assert_eq!(code, 1);
    for expected in [
        "does not conform: 3 violations",
        "MinCount",
        "MaxCount",
        "^<http://e.org/of>",
        "an order has a total",
    ] {
        assert!(out.contains(expected), "{expected} is missing in {out}");
    }
    let (code, document) = json(dir.path(), &["ontology", "validate", "bad.ttl", "--shapes", "shapes.ttl"]);
    assert_eq!((code, document["conforms"].as_bool()), (1, Some(false)));
    assert_eq!(list(&document, "results").len(), 3);
    // The report is RDF that reads back.
    let (code, report, _) = validate("bad.ttl", &["--as", "turtle"]);
    assert_eq!((code, report.matches("a sh:ValidationResult").count()), (1, 3));
    fs::write(dir.path().join("report.ttl"), &report).unwrap();
    let (code, _, err) =
        run(dir.path(), &["ontology", "diff", "--files", "report.ttl", "report.ttl", "--exit-code"]);
    assert_eq!((code, err.as_str()), (0, ""));
    let (code, report, _) = validate("good.ttl", &["--as", "turtle"]);
    assert_eq!((code, report.contains("sh:conforms true .")), (0, true));
}

#[test]
fn shapes_in_the_data_are_used_when_no_others_are_given() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "all.ttl", &format!("{SHAPES} e:a a e:Order ."));
    assert_eq!(run(dir.path(), &["ontology", "validate", "all.ttl"]).0, 1);
    // Several files are one graph, gzipped ones too.
    write(dir.path(), "more.ttl", "e:a e:total 1 .");
    let mut zipped = GzEncoder::new(Vec::new(), Compression::fast());
    zipped.write_all(&fs::read(dir.path().join("more.ttl")).unwrap()).unwrap();
    fs::write(dir.path().join("more.ttl.gz"), zipped.finish().unwrap()).unwrap();
    let (code, _, err) = run(dir.path(), &["ontology", "validate", "all.ttl", "more.ttl.gz"]);
    assert_eq!((code, err.as_str()), (0, ""));
}

#[test]
fn what_the_data_is_looked_up_in_is_not_validated_itself() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "shapes.ttl", SHAPES);
    write(dir.path(), "data.ttl", "e:a a e:Rush . e:x e:of e:a . e:y e:of e:a .");
    write(dir.path(), "classes.ttl", "e:Rush rdfs:subClassOf e:Order . e:sample a e:Order .");
    let alone = ["ontology", "validate", "data.ttl", "--shapes", "shapes.ttl"];
    assert_eq!(run(dir.path(), &alone).0, 0, "nobody says that a rush is an order");
    let (code, document) = json(dir.path(), &[&alone[..], &["--with", "classes.ttl"]].concat());
    let focus: Vec<&str> = list(&document, "results").iter().map(|r| r["focus"].as_str().unwrap()).collect();
    assert_eq!((code, focus), (1, vec!["<http://e.org/a>"; 2]));
    let (_, document) =
        json(dir.path(), &["ontology", "validate", "data.ttl", "classes.ttl", "--shapes", "shapes.ttl"]);
    assert_eq!(list(&document, "results").len(), 3);
}

#[test]
fn what_is_not_evaluated_is_refused_or_told_never_skipped() {
    let dir = tempfile::tempdir().unwrap();
    let rule = "sh:rule [ a sh:TripleRule ; sh:subject sh:this ; sh:predicate e:p ; sh:object e:o ]";
    write(dir.path(), "shapes.ttl", &format!("{SHAPES} e:S {rule} ."));
    write(dir.path(), "good.ttl", "e:a a e:Order ; e:total 3 .");
    let arguments = ["ontology", "validate", "good.ttl", "--shapes", "shapes.ttl"];
    let (code, out, err) = run(dir.path(), &arguments);
    assert!(code >= 5 && out.is_empty(), "{out}");
    assert!(err.contains("KNHK-E1304") && err.contains("shapes.ttl"), "{err}");
    let allowed = [&arguments[..], &["--allow-unsupported"]].concat();
    let (code, out, _) = run(dir.path(), &allowed);
    assert_eq!(code, 0);
    for expected in
        ["conforms, as far as it was evaluated", "NOT EVALUATED", "sh:rule on 1 node (http://e.org/S)"]
    {
        assert!(out.contains(expected), "{expected} is missing in {out}");
    }
    let (_, document) = json(dir.path(), &allowed);
    assert_eq!(document["not_evaluated"][0]["term"], "sh:rule");
    let (_, report, _) = run(dir.path(), &[&allowed[..], &["--as", "turtle"]].concat());
    assert!(report.starts_with("# not evaluated: sh:rule on 1 node"), "{report}");
}

#[test]
fn mistakes_with_files_get_a_code() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "data.ttl", "e:a a e:Order .");
    write(dir.path(), "broken.ttl", "e:a a .");
    fs::write(dir.path().join("broken.nt"), "<urn:a> <urn:b> .\n").unwrap();
    fs::write(dir.path().join("latin.ttl"), b"<urn:a> <urn:b> \"\xe9\" .").unwrap();
    fs::write(dir.path().join("data.txt"), "").unwrap();
    let mut circle = String::new();
    for (a, b) in (0..24).flat_map(|a| (0..24).map(move |b| (a, b))).filter(|(a, b)| a != b) {
        let _ = writeln!(circle, "_:n{a} e:p _:n{b} .");
    }
    write(dir.path(), "circle.ttl", &circle);
    for (arguments, code) in [
        (&["ontology", "validate", "data.ttl"][..], "KNHK-E1861"),
        (&["ontology", "validate", "data.txt"], "KNHK-E1860"),
        (&["ontology", "validate", "missing.ttl"], "KNHK-E1801"),
        (&["ontology", "validate", "broken.ttl"], "KNHK-E1303"),
        (&["ontology", "validate", "broken.nt"], "KNHK-E1350"),
        (&["ontology", "validate", "latin.ttl"], "KNHK-E1350"),
        (&["ontology", "diff", "--files", "data.ttl", "circle.ttl"], "KNHK-E1351"),
    ] {
        let (got, out, err) = run(dir.path(), arguments);
        assert!(got >= 5 && out.is_empty(), "{arguments:?}: {got} {out}");
        assert!(err.contains(code), "{arguments:?}: {err}");
    }
    for usage in [
        &["ontology", "diff"][..],
        &["ontology", "diff", "--files", "data.ttl"],
        &["ontology", "diff", "--files", "a.ttl", "b.ttl", "--data", "d"],
        &["ontology", "diff", "--files", "a.ttl", "b.ttl", "--from", "1.0.0"],
        &["ontology", "validate"],
    ] {
        assert_eq!(run(dir.path(), usage).0, 4, "{usage:?}");
    }
}

#[test]
fn two_files_are_compared_by_what_they_say() {
    let dir = tempfile::tempdir().unwrap();
    let old = "e:A a owl:Class ; rdfs:label \"A\" ; rdfs:subClassOf [ owl:onProperty e:p ; owl:hasValue 1 ] . e:B a owl:Class .";
    write(dir.path(), "old.ttl", old);
    write(
        dir.path(),
        "same.ttl",
        &format!("e:B a owl:Class .\n# other order\n{}", old.replace("e:B a owl:Class .", "")),
    );
    write(dir.path(), "new.ttl", &old.replace("hasValue 1", "hasValue 2").replace("e:B", "e:C"));
    let diff = |new: &str, more: &[&str]| {
        let mut all = vec!["ontology", "diff", "--files", "old.ttl", new];
        all.extend_from_slice(more);
        run(dir.path(), &all)
    };
    let (code, out, _) = diff("same.ttl", &["--exit-code"]);
    assert!(code == 0 && out.contains("0 statements gone, 0 statements new"), "{out}");
    assert_eq!(diff("new.ttl", &[]).0, 0);
    let (code, out, _) = diff("new.ttl", &["--exit-code"]);
    assert_eq!(code, 1);
    for expected in [
        "ADDED: 1 class",
        "REMOVED: 1 class",
        "CHANGED: 1 class",
        "http://e.org/A (A)",
        "- rdfs:subClassOf [ owl:hasValue \"1\"^^xsd:integer ; owl:onProperty <http://e.org/p> ]",
    ] {
        assert!(out.contains(expected), "{expected} is missing in {out}");
    }
    let (_, document) = json(dir.path(), &["ontology", "diff", "--files", "old.ttl", "new.ttl"]);
    assert_eq!(document["changed"][0]["kind"], "class");
    assert_eq!(document["old"]["triples"], 6);
}

#[test]
fn every_export_says_the_same_and_is_the_same_each_time() {
    let dir = with_history();
    let export = |form: &str, layer: &str, file: &str| {
        let arguments = ["ontology", "export", "--data", "data", "--as", form, "--layer", layer];
        let (code, out, err) = run(dir.path(), &[&arguments[..], &["--output", file]].concat());
        assert_eq!((code, out.as_str(), err.as_str()), (0, "", ""));
        let (_, out, _) = run(dir.path(), &arguments);
        assert_eq!(out, fs::read_to_string(dir.path().join(file)).unwrap());
    };
    for layer in ["core", "sector", "composed"] {
        for (form, file) in [("turtle", "x.ttl"), ("nquads", "x.nq"), ("jsonld", "x.jsonld")] {
            export(form, layer, file);
        }
        for other in ["x.nq", "x.jsonld"] {
            let (code, out, err) =
                run(dir.path(), &["ontology", "diff", "--files", "x.ttl", other, "--exit-code"]);
            assert_eq!((code, err.as_str()), (0, ""), "{layer} {other}: {out}");
        }
    }
    let (_, shown, _) = run(dir.path(), &["ontology", "show", "--data", "data", "--as", "turtle"]);
    export("turtle", "sector", "x.ttl");
    let (head, rest) = shown.split_once('\n').unwrap();
    assert!(head.starts_with("# logistics 2.0.0, snapshot "));
    assert_eq!(rest, fs::read_to_string(dir.path().join("x.ttl")).unwrap());
    for (form, option) in [("prov", "--layer=core"), ("kgcl", "--snapshot=1.0.0"), ("jsonld", "--from=1.0.0")]
    {
        let (code, _, err) = run(dir.path(), &["ontology", "export", "--data", "data", "--as", form, option]);
        assert!(code == 6 && err.contains("KNHK-E1863"), "{err}");
    }
}

#[test]
fn changes_and_history_are_exported() {
    let dir = with_history();
    let (code, lines, _) = run(
        dir.path(),
        &["ontology", "export", "--data", "data", "--as", "kgcl", "--from", "1.0.0", "--to", "1.9.1"],
    );
    assert_eq!(code, 0);
    for expected in [
        "# from 1.0.0 (",
        "create node <urn:knhk:logistics#Locker> 'Locker'\n",
        "create edge <urn:knhk:logistics#Locker> rdfs:subClassOf <urn:knhk:ns#Part>\n",
        "obsolete <urn:knhk:logistics#RoutePlanned.vehicleType> with replacement <urn:knhk:logistics#RoutePlanned.vehicleClass>\n",
        "# knhk:ConstraintChange <urn:knhk:logistics#RoutePlanned.distanceKm> \"range\" from \"integer\" to \"decimal\"\n",
    ] {
        assert!(lines.contains(expected), "{expected} is missing in {lines}");
    }
    let (_, changes) = json(dir.path(), &["ontology", "export", "--data", "data", "--as", "kgcl"]);
    assert!(
        changes.as_array().unwrap().iter().any(|change| change["type"] == "NodeDeletion"),
        "the rollback"
    );
    let (_, history, _) = run(dir.path(), &["ontology", "export", "--data", "data", "--as", "prov"]);
    let (_, log) = json(dir.path(), &["ontology", "log", "--data", "data"]);
    for snapshot in log.as_array().unwrap() {
        let id = snapshot["snapshot_id"].as_str().unwrap();
        assert!(history.contains(&format!("\n<urn:knhk:snapshot:{id}> a prov:Entity")), "{id}");
    }
    assert!(history.contains("knhk:reason \"too <early> & \\\"so\\\"\""));
    assert_eq!(history.matches("prov:wasInvalidatedBy").count(), log.as_array().unwrap().len() - 1);
}

#[test]
fn an_ontology_is_shown_whole_and_term_by_term() {
    let dir = with_history();
    let (_, out, _) = run(dir.path(), &["ontology", "show", "--data", "data"]);
    for expected in [
        "logistics 2.0.0, in force since",
        "20 classes",
        "  DangerousGoodsDeclared",
        "  . regulation",
        "one of ADR",
        "SETTINGS",
    ] {
        assert!(out.contains(expected), "{expected} is missing in {out}");
    }
    let (_, document) = json(dir.path(), &["ontology", "show", "--data", "data"]);
    assert_eq!((document["version"].as_str(), list(&document, "classes").len()), (Some("2.0.0"), 20));
    for (term, expected) in [
        ("Shipment.packages", "sh:path logistics:Shipment.packages"),
        ("urn:knhk:logistics#Address", "class Address"),
        ("com.example.logistics.shipment.created", "class Shipment"),
        ("lockerId", "key lockerId of Address"),
    ] {
        let (code, out, err) = run(dir.path(), &["ontology", "show", "--data", "data", "--term", term]);
        assert!(code == 0 && out.contains(expected), "{term}: {out}{err}");
    }
    for (term, why) in [("shipmentId", "names 7 terms"), ("nothing", "no class or key is called")] {
        let (code, _, err) = run(dir.path(), &["ontology", "show", "--data", "data", "--term", term]);
        assert!(code == 6 && err.contains("KNHK-E1862") && err.contains(why), "{err}");
    }
}

#[test]
fn a_diff_says_what_came_and_went_and_what_version_that_asks_for() {
    let dir = with_history();
    let ends = ["--from", "1.0.0", "--to", "1.9.1"];
    let diff = [&["ontology", "diff", "--data", "data"][..], &ends].concat();
    let (code, out, _) = run(dir.path(), &[&diff[..], &["--exit-code"]].concat());
    assert_eq!(code, 1);
    for expected in
        ["ADDED", "CHANGED", "weakening: what was valid stays valid", "1.0.0 is followed by 1.1.0"]
    {
        assert!(out.contains(expected), "{expected} is missing in {out}");
    }
    assert!(!out.contains("REMOVED"));
    let (_, document) = json(dir.path(), &diff);
    assert_eq!(
        (document["effect"].as_str(), document["version_asked_for"].as_str()),
        (Some("weakening"), Some("1.1.0"))
    );
    assert_eq!(document["changes"][0]["group"], "added");
    // The content is that of 1.4.0 again.
    let same = ["ontology", "diff", "--data", "data", "--from", "1.4.0", "--to", "2.0.0", "--exit-code"];
    let (code, out, _) = run(dir.path(), &same);
    assert!(code == 0 && out.contains("nothing differs"), "{out}");
}

#[test]
fn a_history_is_drawn() {
    let dir = with_history();
    let (_, log) = json(dir.path(), &["ontology", "log", "--data", "data"]);
    let count = log.as_array().unwrap().len();
    let picture = |form: &str| {
        let output = knhk(dir.path(), &["ontology", "log", "--data", "data", "--as", form]);
        assert!(output.status.success());
        text(&output.stdout)
    };
    let svg = picture("svg");
    assert_eq!((svg.matches("<g>").count(), svg.matches("class=\"b\"").count()), (count, 1));
    assert!(svg.contains("2.0.0 (current)") && svg.contains("rollback to 1.4.0"));
    assert!(svg.contains("too &lt;early&gt; &amp; &quot;so&quot;"));
    let dot = picture("dot");
    assert!(dot.contains(&format!("s{} -> s4 [style=dashed", count - 1)), "{dot}");
    assert!(picture("mermaid").starts_with("flowchart TB\n"));
}
