//! Shapes that are classes (SHACL §2.1.3.3), written with the target that they imply.

use crate::graph::Graph;
use crate::iri::Iri;
use crate::triple::{Term, Triple};
use crate::vocab;

/// The shapes graph with `sh:targetClass` on every shape that is a class, in place of the class's type: what a shape is
/// validated on is then said in one way. `owl:Class` counts as `rdfs:Class`, as ontologies take it, whether or not the
/// graph says that it is a subclass.
#[must_use]
pub fn explicit(shapes: &Graph) -> Graph {
    let mut graph = shapes.clone();
    for kind in ["NodeShape", "PropertyShape"] {
        let kind = Term::Iri(Iri::derived(format!("{}{kind}", vocab::SH_NAMESPACE)));
        for shape in shapes.subjects(&vocab::RDF_TYPE, &kind) {
            for class in [&*vocab::OWL_CLASS, &*vocab::RDFS_CLASS] {
                if graph.remove(&Triple::new(&shape, &vocab::RDF_TYPE, class.clone())) {
                    graph.insert(&Triple::new(&shape, &vocab::SH_TARGET_CLASS, shape.clone()));
                }
            }
        }
    }
    graph
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shacl::Shapes;
    use crate::turtle;

    #[test]
    fn a_shape_that_is_a_class_is_validated_on_its_instances() {
        let text =
            "@prefix sh: <http://www.w3.org/ns/shacl#> . @prefix owl: <http://www.w3.org/2002/07/owl#> .
            <urn:C> a owl:Class, sh:NodeShape ; sh:property [ sh:path <urn:p> ; sh:minCount 1 ] .
            <urn:D> <http://www.w3.org/2000/01/rdf-schema#subClassOf> <urn:C> .
            <urn:x> a <urn:C> . <urn:y> a <urn:D> . <urn:z> a <urn:D> ; <urn:p> 1 .";
        let graph = turtle::parse(text).unwrap();
        let found = Shapes::compile(&explicit(&graph)).unwrap().validate(graph.iter()).unwrap();
        let focus: Vec<&str> = found.iter().map(|found| found.focus.as_str()).collect();
        assert_eq!(focus, ["<urn:x>", "<urn:y>"]);
    }
}
