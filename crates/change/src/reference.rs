//! What the stages decide, said again: plainly, slowly, and by other means than theirs. Kinds of values are compared by
//! what they admit of a list of samples, events by walking them; a property test holds the pipeline against it.

use std::collections::{BTreeMap, BTreeSet};

use knhk_ontology::Schema;
use knhk_ontology::delta::{AddedProperty, ChangedProperty, Delta, PropertyRef};
use knhk_ontology::schema::{Cardinality, Compatibility, Datatype, Property, Range};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::doctrine::DoctrineSet;
use crate::finding::{Code, Severity, Stage};
use crate::fixture::*;
use crate::guards::GuardSet;
use crate::window::Window;

/// Class and key → property.
type Keys = BTreeMap<(String, String), Property>;

fn keys_of(schema: &Schema) -> Keys {
    let classes = schema.classes.values();
    let keys = classes.flat_map(|class| {
        let name = class.iri.local_name().to_owned();
        class.properties.iter().map(move |(key, property)| ((name.clone(), key.clone()), property.clone()))
    });
    keys.collect()
}

fn at(place: &PropertyRef) -> (String, String) {
    (place.domain.local_name().to_owned(), place.key.clone())
}

/// The keys after the change; none when it cannot be applied, with why.
fn applied(before: &Keys, delta: &Delta) -> Result<Keys, BTreeSet<Code>> {
    let (mut after, mut wrong) = (before.clone(), BTreeSet::new());
    for place in &delta.removed_properties {
        if after.remove(&at(place)).is_none() {
            wrong.insert(Code::UnknownDomain);
        }
    }
    for changed in &delta.changed_properties {
        after.insert(at(&changed.target), changed.property.clone());
    }
    for added in &delta.added_properties {
        let key = (added.domain.local_name().to_owned(), added.property.key.clone());
        if after.insert(key, added.property.clone()).is_some() {
            wrong.insert(Code::Collision);
        }
    }
    if wrong.is_empty() { Ok(after) } else { Err(wrong) }
}

fn of_kind(keys: &Keys, property: &Property, value: &Value) -> bool {
    let number = value.as_f64();
    let bounded = || property.facets.max.is_none_or(|max| number.is_none_or(|n| n <= max.to_f64()));
    let listed = || {
        let listed = property.facets.values.as_ref();
        listed.is_none_or(|values| value.as_str().is_none_or(|text| values.contains(text)))
    };
    let fits = |range: &Range| match range {
        Range::Datatype(Datatype::String) => value.is_string(),
        Range::Datatype(Datatype::Boolean) => value.is_boolean(),
        Range::Datatype(Datatype::Integer) => value.is_i64(),
        Range::Datatype(_) => value.is_number(),
        Range::Class(class) => value.is_object() && faults(keys, class.local_name(), value).is_empty(),
    };
    property.ranges.iter().any(fits) && bounded() && listed()
}

/// Where an object is wrong: class, key, and whether the key is one that the class does not have.
fn faults(keys: &Keys, class: &str, object: &Value) -> Vec<(String, String, bool)> {
    let mut found = Vec::new();
    let fields = object.as_object().unwrap();
    for (key, value) in fields {
        let place = (class.to_owned(), key.clone());
        let Some(property) = keys.get(&place) else {
            found.push((place.0, place.1, true));
            continue;
        };
        let inner = property.ranges.iter().find_map(|range| match range {
            Range::Class(class) if value.is_object() => Some(class.local_name()),
            _ => None,
        });
        match inner {
            Some(inner) => found.extend(faults(keys, inner, value)),
            None if !of_kind(keys, property, value) => found.push((place.0, place.1, false)),
            None => {}
        }
    }
    for ((of, key), property) in keys {
        if of == class && property.cardinality.is_required() && !fields.contains_key(key) {
            found.push((of.clone(), key.clone(), false));
        }
    }
    found
}

fn samples() -> Vec<Value> {
    vec![json!(1), json!(5), json!(20), json!(1.5), json!("x"), json!("q"), json!(true), json!({})]
}

/// Whether some value, or none, is allowed by the first and not by the second.
fn loses(keys: &Keys, one: Option<&Property>, other: Option<&Property>) -> bool {
    let Some(one) = one else {
        // Without the key objects lack it; who must have it no longer may.
        return other.is_some_and(|other| other.cardinality.is_required());
    };
    let Some(other) = other else { return true };
    let admits = |property: &Property, value: &Value| match property.ranges.first() {
        Some(Range::Class(_)) => value.is_object(),
        _ => of_kind(keys, property, value),
    };
    (other.cardinality.is_required() && !one.cardinality.is_required())
        || samples().iter().any(|value| admits(one, value) && !admits(other, value))
}

/// What one case holds beside the schema and the change.
#[derive(Clone, Debug)]
struct Rules {
    predicate: &'static str,
    strict: bool,
    protected: &'static str,
    level: Compatibility,
}

fn verdict(before: &Schema, delta: &Delta, rules: &Rules, events: &[Value]) -> BTreeSet<(Stage, Code)> {
    let old = keys_of(before);
    let new = match applied(&old, delta) {
        Ok(new) => new,
        Err(codes) => return codes.into_iter().map(|code| (Stage::Static, code)).collect(),
    };
    let mut found = BTreeSet::new();
    if old == new {
        found.insert((Stage::Static, Code::EmptyChange));
        return found;
    }
    let places: BTreeSet<_> =
        old.keys().chain(new.keys()).filter(|at| old.get(*at) != new.get(*at)).collect();
    let strengthens = |at: &(String, String)| loses(&old, old.get(at), new.get(at));
    let weakens = |at: &(String, String)| loses(&old, new.get(at), old.get(at));

    // Q2
    let wrong = |keys: &Keys, event: &Value| faults(keys, "Stroke", event);
    let rejected_before = events.iter().filter(|event| !wrong(&old, event).is_empty()).count();
    let rejected_after = events.iter().filter(|event| !wrong(&new, event).is_empty()).count();
    let blamed = |event: &&Value| {
        let mut faults = wrong(&new, event).into_iter();
        faults.any(|(class, key, undeclared)| !undeclared && places.contains(&(class, key)))
    };
    if events.iter().filter(blamed).count() * 100 > events.len() {
        found.insert((Stage::Invariants, Code::Unsound));
    }
    if rejected_after > rejected_before {
        found.insert((Stage::Invariants, Code::MoreViolations));
    }

    // Doctrine
    let gone = |at: &&(String, String)| !new.contains_key(*at);
    let comes_required =
        |at: &&(String, String)| !old.contains_key(*at) && new[*at].cardinality.is_required();
    let broken = match rules.predicate {
        "no_removal" => places.iter().any(gone),
        "no_strengthening" => places.iter().any(|at| strengthens(at)),
        "no_weakening" => places.iter().any(|at| weakens(at)),
        _ => places.iter().any(comes_required),
    };
    if broken {
        found.insert((Stage::Doctrine, Code::Predicate));
    }

    // Guards
    for at in &places {
        guard(rules, &old, &new, at, weakens(at), &mut found);
    }

    // Compatibility
    let backward = matches!(rules.level, Compatibility::Backward | Compatibility::Full);
    let forward = matches!(rules.level, Compatibility::Forward | Compatibility::Full);
    if backward && places.iter().any(|at| strengthens(at)) {
        found.insert((Stage::Compatibility, Code::NotBackward));
    }
    if forward && places.iter().any(|at| weakens(at)) {
        found.insert((Stage::Compatibility, Code::NotForward));
    }
    let newly = |event: &Value| wrong(&old, event).is_empty() && !wrong(&new, event).is_empty();
    if backward && events.iter().any(newly) {
        found.insert((Stage::Compatibility, Code::NewlyRejected));
    }
    found
}

fn guard(
    rules: &Rules,
    old: &Keys,
    new: &Keys,
    at: &(String, String),
    weakens: bool,
    found: &mut BTreeSet<(Stage, Code)>,
) {
    let mut harm = |code| found.extend([(Stage::Guards, code)]);
    let name = format!("{}.{}", at.0, at.1);
    let (was, is) = (old.get(at), new.get(at));
    if rules.protected == at.0 || rules.protected == name {
        let Some(was) = was else {
            // Protected as a whole class only: the property itself is new.
            if rules.protected == at.0 && is.unwrap().cardinality.is_required() {
                harm(Code::ProtectedNarrowed);
            }
            return;
        };
        let Some(is) = is else { return harm(Code::ProtectedRemoved) };
        if was.ranges != is.ranges {
            harm(Code::ProtectedRangeChanged);
        }
        if was.deprecated != is.deprecated || was.label != is.label {
            harm(Code::ProtectedRedefined);
        }
        let shrinks = |one: &Property, other: &Property| {
            let required = other.cardinality.is_required() && !one.cardinality.is_required();
            let listed = match (&one.facets.values, &other.facets.values) {
                (_, None) => false,
                (None, Some(_)) => true,
                (Some(one), Some(other)) => !one.is_subset(other),
            };
            let bounded = match (one.facets.max, other.facets.max) {
                (_, None) => false,
                (None, Some(_)) => true,
                (Some(one), Some(other)) => other < one,
            };
            required || listed || bounded
        };
        if shrinks(was, is) {
            harm(Code::ProtectedNarrowed);
        }
        if rules.strict && shrinks(is, was) {
            harm(Code::ProtectedWeakened);
        }
        return;
    }
    if !rules.strict {
        return;
    }
    let inside = rules.protected.starts_with("Tool");
    let leads = |property: Option<&Property>| {
        property.is_some_and(|p| p.ranges == [Range::Class(iri("Tool"))].into())
    };
    if name == "Stroke.tool" && inside {
        let optional = was.is_some_and(|was| was.cardinality.is_required())
            && is.is_some_and(|is| !is.cardinality.is_required());
        if !leads(is) || optional {
            harm(Code::ProtectedWeakened);
        }
    }
    if rules.protected == "Stroke" && at.0 == "Tool" && was.is_some() && weakens {
        harm(Code::ProtectedWeakened);
    }
}

// --- Cases

#[derive(Clone, Debug)]
struct Kind(usize, bool, bool, bool);

fn kind() -> impl Strategy<Value = Kind> {
    (0..6_usize, any::<bool>(), proptest::bool::weighted(0.1), proptest::bool::weighted(0.1))
        .prop_map(|(kind, required, deprecated, labelled)| Kind(kind, required, deprecated, labelled))
}

fn made(class: &str, key: &str, Kind(kind, required, deprecated, labelled): &Kind) -> Property {
    let cardinality = if *required { Cardinality::One } else { Cardinality::ZeroOrOne };
    let datatypes = [
        Datatype::String,
        Datatype::Integer,
        Datatype::Decimal,
        Datatype::Boolean,
        Datatype::Integer,
        Datatype::String,
    ];
    let mut made = property(class, key, literal(datatypes[*kind]), cardinality);
    match kind {
        4 => made.facets.max = Some(10.into()),
        5 => made.facets.values = Some(["x".to_owned()].into()),
        _ => {}
    }
    made.deprecated = *deprecated;
    if *labelled {
        made.label.push('!');
    }
    made
}

fn base(kinds: &[Kind; 3], tool_required: bool, level: Compatibility) -> Schema {
    let mut tool = property("Stroke", "tool", [Range::Class(iri("Tool"))].into(), Cardinality::ZeroOrOne);
    if tool_required {
        tool.cardinality = Cardinality::One;
    }
    let stroke = vec![made("Stroke", "a", &kinds[0]), made("Stroke", "b", &kinds[1]), tool];
    let mut schema = schema_of(vec![
        class("Stroke", &[STROKE], stroke),
        class("Tool", &[], vec![made("Tool", "n", &kinds[2])]),
    ]);
    schema.settings.compatibility = level;
    schema
}

/// What happens to one key: nothing, or it goes, or it changes.
fn happens() -> impl Strategy<Value = Option<Option<Kind>>> {
    prop_oneof![4 => Just(None), 1 => Just(Some(None)), 2 => kind().prop_map(|kind| Some(Some(kind)))]
}

type Happening = (Vec<Option<Option<Kind>>>, Option<Option<bool>>, [Option<Kind>; 2], u8);

fn happening() -> impl Strategy<Value = Happening> {
    (
        proptest::collection::vec(happens(), 3),
        prop_oneof![4 => Just(None), 1 => Just(Some(None)), 1 => any::<bool>().prop_map(|r| Some(Some(r)))],
        [proptest::option::weighted(0.3, kind()), proptest::option::weighted(0.3, kind())],
        prop_oneof![8 => Just(0_u8), 1 => Just(1), 1 => Just(2)],
    )
}

fn delta(before: &Schema, (keys, tool, added, mistake): &Happening) -> Delta {
    let mut delta = Delta::default();
    for ((class, key), happens) in [("Stroke", "a"), ("Stroke", "b"), ("Tool", "n")].into_iter().zip(keys) {
        match happens {
            None => {}
            Some(None) => delta.removed_properties.push(place(class, key)),
            Some(Some(kind)) => delta
                .changed_properties
                .push(ChangedProperty { target: place(class, key), property: made(class, key, kind) }),
        }
    }
    match tool {
        None => {}
        Some(None) => delta.removed_properties.push(place("Stroke", "tool")),
        Some(Some(required)) => {
            let mut property = before.classes[&iri("Stroke")].properties["tool"].clone();
            property.cardinality = if *required { Cardinality::One } else { Cardinality::ZeroOrOne };
            delta.changed_properties.push(ChangedProperty { target: place("Stroke", "tool"), property });
        }
    }
    for ((class, key), kind) in [("Stroke", "c"), ("Tool", "m")].into_iter().zip(added) {
        if let Some(kind) = kind {
            delta
                .added_properties
                .push(AddedProperty { domain: iri(class), property: made(class, key, kind) });
        }
    }
    match mistake {
        1 => delta.removed_properties.push(place("Stroke", "nothing")),
        2 => {
            let mut again = property("Stroke", "b", literal(Datatype::String), Cardinality::One);
            again.iri = iri("Stroke.other");
            if !delta.removed_properties.contains(&place("Stroke", "b")) {
                delta.added_properties.push(AddedProperty { domain: iri("Stroke"), property: again });
            }
        }
        _ => {}
    }
    delta
}

fn event() -> impl Strategy<Value = Value> {
    let value = || proptest::option::weighted(0.8, proptest::sample::select(samples()[..7].to_vec()));
    let tool = proptest::option::weighted(0.6, (value(), value()));
    (value(), value(), proptest::option::weighted(0.2, Just(json!(1))), tool).prop_map(|(a, b, c, tool)| {
        let mut event = serde_json::Map::new();
        let tool = tool.map(|(n, m)| {
            let fields = [("n", n), ("m", m.filter(Value::is_boolean))];
            Value::Object(fields.into_iter().filter_map(|(k, v)| Some((k.to_owned(), v?))).collect())
        });
        for (key, value) in [("a", a), ("b", b), ("c", c), ("tool", tool)] {
            event.extend(value.map(|value| (key.to_owned(), value)));
        }
        Value::Object(event)
    })
}

fn rules() -> impl Strategy<Value = Rules> {
    (
        proptest::sample::select(vec![
            "no_removal",
            "no_strengthening",
            "no_weakening",
            "additions_optional",
        ]),
        any::<bool>(),
        proptest::sample::select(vec!["Stroke.a", "Tool.n", "Tool", "Stroke"]),
        proptest::sample::select(vec![Compatibility::Backward, Compatibility::Forward, Compatibility::Full]),
    )
        .prop_map(|(predicate, strict, protected, level)| Rules { predicate, strict, protected, level })
}

fn bench(before: &Schema, rules: &Rules, events: &[Value]) -> Bench {
    let mut bench = Bench::new(before);
    let doctrine = format!(
        "[[rule]]\nid = \"R\"\nname = \"r\"\ndescription = \"\"\nenforcement = \"mandatory\"\nsource = \"\"\nversion = 1\n\
         constraint = {{ type = \"custom\", predicate = \"{}\" }}\n",
        rules.predicate
    );
    bench.doctrine = DoctrineSet::from_toml(doctrine.as_bytes()).unwrap();
    let kind = if rules.strict { "safety_interlock" } else { "approval_chain" };
    let list = if rules.protected.contains('.') { "properties" } else { "classes" };
    let guards = format!(
        "[[guard]]\nid = \"G\"\nname = \"g\"\ndescription = \"\"\ntype = \"{kind}\"\ncriticality = \"high\"\n\
         {list} = [\"{NAMESPACE}{}\"]\ntier = \"cold\"\n",
        rules.protected
    );
    bench.guards = GuardSet::from_toml(guards.as_bytes()).unwrap();
    bench.window = Window::default();
    for (n, event) in events.iter().enumerate() {
        bench.observe(STROKE, &event.to_string(), i64::try_from(n).unwrap());
    }
    bench
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_stages_decide_what_the_reference_says(
        kinds in [kind(), kind(), kind()],
        tool_required in any::<bool>(),
        happening in happening(),
        rules in rules(),
        events in proptest::collection::vec(event(), 1..12),
    ) {
        let before = base(&kinds, tool_required, rules.level);
        let delta = delta(&before, &happening);
        let expected = verdict(&before, &delta, &rules, &events);
        let checked = bench(&before, &rules, &events).check(delta.clone());
        let mut found = BTreeSet::new();
        for result in checked.results() {
            let errors = result.findings.iter().filter(|finding| finding.severity == Severity::Error);
            found.extend(errors.map(|finding| (result.stage, finding.code)));
        }
        prop_assert_eq!(&found, &expected, "{:?}\n{:#?}", rules, delta);
        let failed: BTreeSet<Stage> = checked.failed_stages().map(|result| result.stage).collect();
        prop_assert_eq!(failed, expected.iter().map(|(stage, _)| *stage).collect::<BTreeSet<_>>());
    }
}
