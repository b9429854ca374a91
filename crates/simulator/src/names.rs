//! The names of a file system: as programs see them, as the disk has them, and what lies between.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::rng::Rng;
use crate::survival::Survival;

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Node {
    Directory,
    File(u64),
}

/// A change of names. A rename is one change, of both directories at once, as a journal makes it.
#[derive(Debug, Clone)]
enum Change {
    Link { path: PathBuf, node: Node },
    Rename { from: PathBuf, to: PathBuf, node: Node },
    Unlink { path: PathBuf, node: Node },
}

/// All names.
#[derive(Debug, Default)]
pub(crate) struct Names {
    seen: BTreeMap<PathBuf, Node>,
    disk: BTreeMap<PathBuf, Node>,
    unsynced: Vec<Change>,
}

impl Names {
    /// Makes the root directory, which is always there.
    pub(crate) fn format(&mut self) {
        for names in [&mut self.seen, &mut self.disk] {
            names.insert(PathBuf::from("/"), Node::Directory);
        }
    }

    pub(crate) fn get(&self, path: &Path) -> Option<Node> {
        self.seen.get(path).copied()
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = (&Path, u64)> {
        self.seen.iter().filter_map(|(path, node)| match node {
            Node::File(file) => Some((path.as_path(), *file)),
            Node::Directory => None,
        })
    }

    pub(crate) fn children(&self, directory: &Path) -> impl Iterator<Item = &Path> {
        self.seen.keys().map(PathBuf::as_path).filter(move |path| path.parent() == Some(directory))
    }

    pub(crate) fn link(&mut self, path: &Path, node: Node) {
        self.change(Change::Link { path: path.to_owned(), node });
    }

    pub(crate) fn rename(&mut self, from: &Path, to: &Path, node: Node) {
        self.change(Change::Rename { from: from.to_owned(), to: to.to_owned(), node });
    }

    pub(crate) fn unlink(&mut self, path: &Path, node: Node) {
        self.change(Change::Unlink { path: path.to_owned(), node });
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.seen);
        self.unsynced.push(change);
    }

    pub(crate) fn sync(&mut self, directory: &Path) {
        // What happened to a file before is older in the journal, so it is durable too, whichever directory it was in.
        let mut nodes = BTreeSet::new();
        let (mut here, mut elsewhere) = (Vec::new(), Vec::new());
        for change in self.unsynced.drain(..).rev() {
            if change.touches(directory) || nodes.contains(&change.node()) {
                if let Node::File(_) = change.node() {
                    nodes.insert(change.node());
                }
                here.push(change);
            } else {
                elsewhere.push(change);
            }
        }
        here.iter().rev().for_each(|change| change.apply(&mut self.disk));
        elsewhere.reverse();
        self.unsynced = elsewhere;
    }

    pub(crate) fn lose_power(&mut self, survival: Survival, rng: &mut Rng) {
        let changes = std::mem::take(&mut self.unsynced);
        for (change, survives) in changes.iter().zip(survival.names(changes.len(), rng)) {
            if survives {
                change.apply(&mut self.disk);
            }
        }
        // What lies in a directory whose own name is lost is lost with it.
        let disk = self.disk.clone();
        self.disk.retain(|path, _| path.ancestors().skip(1).all(|a| disk.get(a) == Some(&Node::Directory)));
        self.seen.clone_from(&self.disk);
    }

    /// Whether anything can still lead to a file.
    pub(crate) fn knows(&self, file: u64) -> bool {
        let node = Node::File(file);
        self.seen.values().chain(self.disk.values()).any(|known| *known == node)
            || self.unsynced.iter().any(|change| change.node() == node)
    }
}

impl Change {
    fn node(&self) -> Node {
        match self {
            Self::Link { node, .. } | Self::Rename { node, .. } | Self::Unlink { node, .. } => *node,
        }
    }

    fn touches(&self, directory: &Path) -> bool {
        match self {
            Self::Link { path, .. } | Self::Unlink { path, .. } => path.parent() == Some(directory),
            Self::Rename { from, to, .. } => [from, to].iter().any(|path| path.parent() == Some(directory)),
        }
    }

    fn apply(&self, names: &mut BTreeMap<PathBuf, Node>) {
        let mut unlink = |path: &Path, node| {
            if names.get(path) == Some(&node) {
                names.remove(path);
            }
        };
        match self {
            Self::Link { path, node } => {
                names.insert(path.clone(), *node);
            }
            Self::Rename { from, to, node } => {
                unlink(from, *node);
                names.insert(to.clone(), *node);
            }
            Self::Unlink { path, node } => unlink(path, *node),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_durable_only_when_its_directory_was_synced() {
        let mut names = Names::default();
        names.format();
        let (d, f, g) = (Path::new("/d"), Path::new("/d/f"), Path::new("/d/g"));
        names.link(d, Node::Directory);
        names.sync(Path::new("/"));
        names.link(f, Node::File(1));
        names.sync(d);
        names.rename(f, g, Node::File(1));
        names.link(f, Node::File(2));
        assert_eq!((names.get(f), names.get(g)), (Some(Node::File(2)), Some(Node::File(1))));
        names.lose_power(Survival::Nothing, &mut Rng::new(0));
        assert_eq!((names.get(f), names.get(g)), (Some(Node::File(1)), None));
        assert!(names.knows(1) && !names.knows(2));
    }

    #[test]
    fn what_lies_in_a_lost_directory_is_lost() {
        let mut names = Names::default();
        names.format();
        names.link(Path::new("/d"), Node::Directory);
        names.link(Path::new("/d/f"), Node::File(1));
        names.sync(Path::new("/d"));
        names.lose_power(Survival::Nothing, &mut Rng::new(0));
        assert_eq!(names.files().count(), 0);
    }
}
