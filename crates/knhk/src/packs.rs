//! Sector packs: the shipped ones, and directories.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;

use knhk_ontology::pack::{PACK_BYTES_MAX, Pack};

use crate::embedded::PACKS;
use crate::error::CliError;

/// The shipped packs' names, core aside.
pub(crate) fn shipped() -> Vec<&'static str> {
    let mut names: Vec<_> = PACKS.iter().map(|(sector, _, _)| *sector).collect();
    names.dedup();
    names
}

/// The files of a shipped pack or of a pack directory. A directory wins over a shipped pack of the same name only when it
/// is written as a path (`./logistics`).
pub(crate) fn files(sector: &str) -> Result<BTreeMap<String, Vec<u8>>, CliError> {
    let embedded: BTreeMap<_, _> = PACKS
        .iter()
        .filter(|(name, _, _)| *name == sector)
        .map(|(_, file, bytes)| ((*file).to_owned(), bytes.to_vec()))
        .collect();
    if !embedded.is_empty() {
        return Ok(embedded);
    }
    let dir = Path::new(sector);
    if !dir.join("sector.toml").is_file() {
        let name = sector.to_owned();
        return Err(CliError::UnknownPack { name, shipped: shipped().join(", ") });
    }
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir).map_err(CliError::reading(dir))? {
        let path = entry.map_err(CliError::reading(dir))?.path();
        let is_part = ["ttl", "toml", "jsonld"].iter().any(|e| path.extension().is_some_and(|x| x == *e));
        let Some(name) = path.file_name().and_then(|n| n.to_str()).filter(|_| is_part && path.is_file())
        else {
            continue;
        };
        // One byte more than a whole pack may have: the pack refuses it, and no more than that is read.
        let mut bytes = Vec::new();
        let file = fs::File::open(&path).map_err(CliError::reading(&path))?;
        file.take(PACK_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(CliError::reading(&path))?;
        files.insert(name.to_owned(), bytes);
    }
    Ok(files)
}

/// The pack itself, parsed and checked.
pub(crate) fn load(sector: &str) -> Result<Pack, CliError> {
    Ok(Pack::from_files(&files(sector)?)?)
}
