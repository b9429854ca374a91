import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.reflect.Method;

/**
 * TopBraid SHACL as a peer that is asked line by line, as engine.py describes. By reflection, so that any Java compiler
 * can build it without the engine's own classes.
 */
public final class TopBraid {
    private TopBraid() {}

    private static Object load(String file) throws Exception {
        Class<?> manager = Class.forName("org.apache.jena.riot.RDFDataMgr");
        return manager.getMethod("loadModel", String.class).invoke(null, file);
    }

    public static void main(String[] arguments) throws Exception {
        Object data = load(arguments[0]);
        Object shapes = load(arguments[1]);
        Class<?> model = Class.forName("org.apache.jena.rdf.model.Model");
        Class<?> configuration = Class.forName("org.topbraid.shacl.validation.ValidationEngineConfiguration");
        Object settings = configuration.getConstructor().newInstance();
        configuration.getMethod("setValidateShapes", boolean.class).invoke(settings, false);
        Method validate = Class.forName("org.topbraid.shacl.validation.ValidationUtil")
            .getMethod("validateModel", model, model, configuration);
        Class<?> property = Class.forName("org.apache.jena.rdf.model.Property");
        Class<?> node = Class.forName("org.apache.jena.rdf.model.RDFNode");
        Class<?> resource = Class.forName("org.apache.jena.rdf.model.Resource");
        Object type = Class.forName("org.apache.jena.vocabulary.RDF").getField("type").get(null);
        Object result = Class.forName("org.apache.jena.rdf.model.ResourceFactory")
            .getMethod("createResource", String.class)
            .invoke(null, "http://www.w3.org/ns/shacl#ValidationResult");
        System.out.println("ready");
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            if (!line.equals("full")) {
                System.out.println("unknown " + line);
                continue;
            }
            long begin = System.nanoTime();
            Object report = validate.invoke(null, data, shapes, settings);
            long took = System.nanoTime() - begin;
            Object about = resource.getMethod("getModel").invoke(report);
            Object found = model.getMethod("listSubjectsWithProperty", property, node).invoke(about, type, result);
            int results = ((java.util.List<?>) found.getClass().getMethod("toList").invoke(found)).size();
            System.out.println(took + " " + results);
        }
    }
}
