"""Checks what `knhk ontology export` and `log --as svg` wrote with programs that share no code with it.

    python exports.py DIRECTORY

DIRECTORY holds, per layer (core, sector, composed), LAYER.ttl, LAYER.nq and LAYER.jsonld; show.json; prov.ttl and
snapshots.json (the output of `ontology log`); N.kgcl with N.kgcl.json for each change; and *.svg. Used are rdflib, prov
and kgcl-schema from PyPI, and Python's own XML parser.
"""

import hashlib
import json
import sys
import xml.dom.minidom
from pathlib import Path

import prov.model
import rdflib
from kgcl_schema.datamodel import kgcl
from kgcl_schema.grammar.parser import parse_statement

PROV = rdflib.Namespace("http://www.w3.org/ns/prov#")
KNHK = rdflib.Namespace("urn:knhk:ns#")


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def root(keys):
    """The root of docs/formats/ontology-identifiers.md, from sorted digests of lines."""
    if not keys:
        return sha(b"")
    if len(keys) == 1:
        return sha(b"\x00" + keys[0])
    bit = lambda key, n: key[n // 8] >> (7 - n % 8) & 1
    n = next(n for n in range(256) if bit(keys[0], n) != bit(keys[-1], n))
    return sha(bytes([1, n]) + root([k for k in keys if not bit(k, n)]) + root([k for k in keys if bit(k, n)]))


def quads(path: Path, syntax: str):
    """Every (subject, predicate, object, graph or None); a literal by its text, not by its value."""
    dataset = rdflib.Dataset(default_union=False)
    dataset.parse(path, format=syntax)
    name = lambda graph: None if graph in (None, rdflib.graph.DATASET_DEFAULT_GRAPH_ID) else str(graph)
    found = {(s.n3(), p.n3(), o.n3(), name(g)) for s, p, o, g in dataset.quads()}
    assert found, f"{path.name}: nothing was read"
    assert not any(term.startswith("_:") for s, p, o, _ in found for term in (s, o)), f"{path.name}: blank nodes"
    return found


def graphs(directory: Path) -> None:
    lines, composed = {}, set()
    for layer in ("core", "sector"):
        turtle = quads(directory / f"{layer}.ttl", "turtle")
        for ending, syntax in (("nq", "nquads"), ("jsonld", "json-ld")):
            other = quads(directory / f"{layer}.{ending}", syntax)
            assert other == turtle, f"{layer}.{ending} differs: {sorted(other ^ turtle)[:3]}"
        lines[layer] = (directory / f"{layer}.nq").read_text(encoding="utf-8").splitlines(keepends=True)
        assert lines[layer] == sorted(lines[layer]) and len(lines[layer]) == len(turtle)
        composed |= {quad[:3] for quad in turtle}
        # The comparison must be able to fail.
        missing = directory / f"{layer}.less.nq"
        missing.write_text("".join(lines[layer][1:]), encoding="utf-8")
        assert quads(missing, "nquads") != turtle, "a missing line was not seen"
        print(f"  {layer}: {len(turtle)} triples, the same in Turtle, N-Quads and JSON-LD")
    assert {quad[:3] for quad in quads(directory / "composed.ttl", "turtle")} == composed
    named = quads(directory / "composed.nq", "nquads")
    assert named == quads(directory / "composed.jsonld", "json-ld"), "composed: N-Quads and JSON-LD differ"
    assert {quad[:3] for quad in named} == composed and len({quad[3] for quad in named}) == 2
    shown = json.loads((directory / "show.json").read_text(encoding="utf-8"))
    roots = [root(sorted({sha(line.encode()) for line in lines[layer]})) for layer in ("core", "sector")]
    content = sha(b"knhk-content/v1\n" + roots[0] + roots[1]).hex()
    assert content == shown["content_id"], f"content id {content} is not {shown['content_id']}"
    print(f"  content id {content[:12]} computed from the exported lines")


def history(directory: Path) -> None:
    graph = rdflib.Graph().parse(directory / "prov.ttl")
    snapshots = json.loads((directory / "snapshots.json").read_text(encoding="utf-8"))
    for snapshot in snapshots:
        node = rdflib.URIRef(f"urn:knhk:snapshot:{snapshot['snapshot_id']}")
        assert (node, rdflib.RDF.type, PROV.Entity) in graph, snapshot
        assert str(graph.value(node, KNHK.contentId)) == snapshot["content_id"]
        assert (graph.value(node, PROV.wasGeneratedBy), rdflib.RDF.type, PROV.Activity) in graph
        ended = list(graph.objects(node, PROV.wasInvalidatedBy))
        assert len(ended) == (0 if snapshot["current"] else 1), snapshot
        for parent in snapshot["parents"]:
            assert (node, PROV.wasDerivedFrom, rdflib.URIRef(f"urn:knhk:snapshot:{parent}")) in graph
    classes = {PROV.Entity, PROV.Activity, PROV.Agent, PROV.SoftwareAgent}
    known = {s for s, o in graph.subject_objects(rdflib.RDF.type) if o in classes}
    links = [PROV[name] for name in ("used", "wasAssociatedWith", "wasAttributedTo", "wasDerivedFrom", "wasGeneratedBy",
                                     "wasInvalidatedBy", "wasRevisionOf", "specializationOf")]
    for link in links:
        pairs = list(graph.subject_objects(link))
        assert pairs, f"no {link}"
        assert all(s in known and o in known for s, o in pairs), f"{link} of something that is not described"
    document = prov.model.ProvDocument.deserialize(directory / "prov.ttl", format="rdf", rdf_format="turtle")
    records = document.get_records()
    kinds = {kind: sum(isinstance(record, kind) for record in records)
             for kind in (prov.model.ProvEntity, prov.model.ProvActivity, prov.model.ProvAgent)}
    assert all(kinds.values()), kinds
    assert kinds[prov.model.ProvEntity] == len(set(graph.subjects(rdflib.RDF.type, PROV.Entity)))
    print(f"  history of {len(snapshots)} snapshots in {len(graph)} triples; the prov package reads "
          + ", ".join(f"{count} {kind.__name__.removeprefix('Prov').lower()} records" for kind, count in kinds.items()))


def changes(directory: Path) -> None:
    statements = own = typed = 0
    seen = set()
    for path in sorted(directory.glob("*.kgcl")):
        kinds = []
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("#"):
                own += line.startswith("# knhk:")
                continue
            statement = parse_statement(line)
            kinds.append(type(statement).__name__)
            statements += 1
        said = json.loads(path.with_suffix(".kgcl.json").read_text(encoding="utf-8"))
        assert said and [change["id"] for change in said] == [f"CHANGE:{n + 1:06}" for n in range(len(said))], path
        for change in said:
            kind = change.pop("type")
            if kind == "knhk:ConstraintChange":
                continue
            made = getattr(kgcl, kind)(type=kind, **change)
            assert str(made.id) == change["id"]
            typed += 1
            # A class that is created with its label takes KGCL two lines.
            line = {"ClassCreation": "NodeCreation"}.get(kind, kind)
            assert line in kinds or any(c in change.get("name", "") for c in "'\n"), (path.name, kind, kinds)
            seen.add(kind)
    assert statements and typed and own and {"ClassCreation", "NodeDeletion", "PlaceUnder"} <= seen, seen
    print(f"  KGCL: {statements} statements read by its grammar, {typed} changes by its schema "
          f"({', '.join(sorted(seen))}), {own} extension lines")


def pictures(directory: Path) -> None:
    for path in sorted(directory.glob("*.svg")):
        document = xml.dom.minidom.parse(str(path))
        elements = document.getElementsByTagName("*")
        assert document.documentElement.tagName == "svg" and len(elements) > 10
        for element in elements:
            for name, value in element.attributes.items():
                assert name not in ("href", "xlink:href", "src"), f"{path.name}: {name}"
                assert "url(" not in value or value.startswith("url(#"), f"{path.name}: {value}"
        print(f"  {path.name}: well-formed, {len(elements)} elements, nothing from elsewhere")


def main() -> int:
    directory = Path(sys.argv[1])
    for check in (graphs, history, changes, pictures):
        check(directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
