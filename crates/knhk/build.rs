//! Compiles the error pages of `docs/errors` and the shipped packs of `sectors` into the binary.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../..");
    let out = Path::new(&env::var("OUT_DIR")?).join("embedded.rs");
    let mut code = String::new();

    code.push_str("/// (code, page) of every error and finding, by code.\npub(crate) static PAGES: &[(&str, &str)] = &[\n");
    for path in files(&root.join("docs/errors"), "md")? {
        let name = path.file_stem().and_then(|n| n.to_str()).unwrap_or_default();
        writeln!(code, "    ({name:?}, include_str!({:?})),", text(&path)?)?;
    }
    code.push_str("];\n\n/// (sector, file name, content) of every shipped pack but core.\n");
    code.push_str("pub(crate) static PACKS: &[(&str, &str, &[u8])] = &[\n");
    let mut sectors: Vec<_> =
        fs::read_dir(root.join("sectors"))?.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
    sectors.sort();
    for sector in sectors.iter().filter(|s| s.join("sector.toml").is_file() && !s.ends_with("core")) {
        let name = sector.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        println!("cargo::rerun-if-changed={}", sector.display());
        for extension in ["toml", "ttl", "jsonld"] {
            for path in files(sector, extension)? {
                let file = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
                writeln!(code, "    ({name:?}, {file:?}, include_bytes!({:?})),", text(&path)?)?;
            }
        }
    }
    code.push_str("];\n");
    fs::write(out, code)?;
    println!("cargo::rerun-if-changed={}", root.join("docs/errors").display());
    println!("cargo::rerun-if-changed={}", root.join("sectors").display());
    Ok(())
}

fn files(dir: &Path, extension: &str) -> std::io::Result<Vec<std::path::PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == extension) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// The absolute path as text, which the generated code quotes.
fn text(path: &Path) -> Result<String, Box<dyn std::error::Error>> {
    let absolute = fs::canonicalize(path)?;
    Ok(absolute.to_str().ok_or("a path that is not UTF-8")?.to_owned())
}
