"""Lets SHACL engines from PyPI validate the cases that a test wrote, and compares their results with ours.

    shacl-peers.py FOLDER

FOLDER holds N.shapes.ttl, N.data.ttl and N.expected. Ends with 1 if an engine finds something else anywhere.
"""

import collections
import logging
import pathlib
import re
import sys

import pyshacl
import rdflib
import shacl
from rdflib.namespace import RDF, SH

# The text of a literal is what it is, whatever other text has the same value.
rdflib.NORMALIZE_LITERALS = False
# Cases have texts that are not of their datatype; rdflib would say so of each.
logging.getLogger("rdflib.term").setLevel(logging.CRITICAL)

# What an engine gets wrong by the Recommendation: cases whose name and shapes match are left out for that engine.
LEFT_OUT = {
    # Gives IRIs an order; SPARQL has none for them.
    "pyshacl": re.compile("sh:lessThan"),
    # Looks for other predicates at the node that a closed property shape is about instead of at its values.
    "shacl": re.compile("every.*sh:closed", re.DOTALL),
}

REPEATED = {SH.zeroOrMorePath: "*", SH.oneOrMorePath: "+", SH.zeroOrOnePath: "?"}


def path_text(graph, path, inside=False):
    """The path in the notation of SPARQL, with parentheses as we write them."""
    if isinstance(path, rdflib.URIRef):
        return path.n3()
    ways = graph.value(path, SH.alternativePath)
    if ways is not None:
        return "(" + "|".join(path_text(graph, way) for way in graph.items(ways)) + ")"
    if graph.value(path, RDF.first) is not None:
        text = "/".join(path_text(graph, step) for step in graph.items(path))
    elif (inverse := graph.value(path, SH.inversePath)) is not None:
        text = "^" + path_text(graph, inverse, True)
    else:
        text = next(
            path_text(graph, inner, True) + sign
            for operator, sign in REPEATED.items()
            if (inner := graph.value(path, operator)) is not None
        )
    return f"({text})" if inside else text


def results(report, shapes):
    """Focus, path, value, component and shape of each result. Blank nodes have no names to compare."""
    found = collections.Counter()
    for result in report.objects(None, SH.result):
        value = lambda term: "" if (it := report.value(result, term)) is None else it.n3()
        path = report.value(result, SH.resultPath)
        # Some reports hold the path, others only the name of its node in the shapes.
        holder = report if path is None or (path, None, None) in report else shapes
        shape = report.value(result, SH.sourceShape)
        found[
            " ".join(
                [
                    value(SH.focusNode),
                    "" if path is None else path_text(holder, path),
                    value(SH.value),
                    str(report.value(result, SH.sourceConstraintComponent)),
                    str(shape) if isinstance(shape, rdflib.URIRef) else "_:",
                ]
            )
        ] += 1
    return found


def flat(lines):
    """Sequences within sequences are one sequence: some reports say it so."""
    inner = re.compile(r"(?<![\^])\(([^()|]*)\)(?![*+?])")
    found = collections.Counter()
    for line, count in lines.items():
        while (next_line := inner.sub(r"\1", line)) != line:
            line = next_line
        found[line] += count
    return found


def by_pyshacl(shapes_file, data_file):
    shapes = rdflib.Graph().parse(shapes_file)
    data = rdflib.Graph().parse(data_file)
    _, report, _ = pyshacl.validate(data, shacl_graph=shapes, inplace=True, advanced=False)
    return results(report, report)


def by_shacl(shapes_file, data_file):
    report = shacl.validate(str(data_file), str(shapes_file))
    return results(rdflib.Graph().parse(data=report.turtle, format="turtle"), rdflib.Graph())


def main():
    folder = pathlib.Path(sys.argv[1])
    cases = sorted(path.name.split(".")[0] for path in folder.glob("*.expected"))
    wrong = 0
    for name, engine in [("pyshacl", by_pyshacl), ("shacl", by_shacl)]:
        same, different, found, compared = 0, [], 0, 0
        for case in cases:
            text = (folder / f"{case}.shapes.ttl").read_text(encoding="utf-8")
            if LEFT_OUT[name].search(case + text):
                continue
            compared += 1
            lines = (folder / f"{case}.expected").read_text(encoding="utf-8").splitlines()
            expected = flat(collections.Counter(lines))
            theirs = flat(engine(folder / f"{case}.shapes.ttl", folder / f"{case}.data.ttl"))
            found += sum(expected.values())
            if theirs == expected:
                same += 1
            else:
                different.append((case, expected - theirs, theirs - expected))
        print(f"{name}: {same} of {compared} cases the same, {found} results of ours in all, {len(cases) - compared} cases left out")
        for case, ours, theirs in different[:20]:
            print(f"  {case}: only ours {dict(ours)}; only theirs {dict(theirs)}")
        wrong += len(different)
        # What compares nothing proves nothing.
        if compared < 100 or found < 100:
            sys.exit("too few cases or results to compare")
    sys.exit(1 if wrong else 0)


main()
