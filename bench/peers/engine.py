"""An engine from PyPI as a peer that is asked line by line.

    engine.py ENGINE DATA.ttl SHAPES.ttl [CHANGED.ttl]

ENGINE is pyshacl or shifty. Reads both files, says `ready`, and for each line `full` validates everything and
answers with nanoseconds and the number of results (shifty: of focus nodes that fail). For `gate`, only shifty, the triples of CHANGED.ttl are added in
thought, and the answer is the time of that. Reading files and preparing shapes and indexes is never timed.
"""

import sys
import time


def pyshacl(data, shapes):
    import rdflib
    from pyshacl import validate

    data = rdflib.Graph().parse(data)
    shapes = rdflib.Graph().parse(shapes)
    result = rdflib.URIRef("http://www.w3.org/ns/shacl#ValidationResult")

    def full():
        _, report, _ = validate(data, shacl_graph=shapes, inplace=True, meta_shacl=False, advanced=False)
        return len(list(report.subjects(rdflib.RDF.type, result)))

    return {"full": full}


def shifty(data, shapes, changed=None):
    import shifty as engine

    text = [open(each, encoding="utf-8").read() for each in (data, shapes)]
    session = engine.EvidenceSession(text[1], text[0])
    orders = {"full": lambda: session.validate_conformance().failed}
    if changed is not None:
        repair = engine.RepairSession(text[1], text[0])
        delta = engine.delta_from_graph(add=open(changed, encoding="utf-8").read())
        orders["gate"] = lambda: len(repair.gate(delta).introduced)
    return orders


def main():
    engine, *files = sys.argv[1:]
    orders = {"pyshacl": pyshacl, "shifty": shifty}[engine](*files)
    print("ready", flush=True)
    for line in sys.stdin:
        order = orders.get(line.strip())
        if order is None:
            print("unknown", line.strip(), flush=True)
            continue
        begin = time.perf_counter_ns()
        results = order()
        print(time.perf_counter_ns() - begin, results, flush=True)


main()
