//! Which files `add` takes: those named, and all in the folders named.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

/// What was found under the paths that were named.
#[derive(Debug, Default)]
pub struct Found {
    /// Files, in the order of the paths and by name within folders; each once.
    pub files: Vec<PathBuf>,
    /// Paths that cannot be read, and why.
    pub faults: Vec<(PathBuf, String)>,
}

/// Looks at every path. Within folders hidden files, hidden folders and links are passed over; a path that is named is
/// taken whatever its name.
pub fn find(paths: &[PathBuf]) -> Found {
    let mut found = Found::default();
    let mut seen = HashSet::new();
    for path in paths {
        match std::fs::metadata(path) {
            Ok(facts) if facts.is_dir() => walk(path, &mut seen, &mut found),
            Ok(facts) if facts.is_file() => take(path, &mut seen, &mut found),
            Ok(_) => found.faults.push((path.clone(), "neither a file nor a folder".to_owned())),
            Err(error) => found.faults.push((path.clone(), error.to_string())),
        }
    }
    found
}

fn walk(folder: &Path, seen: &mut HashSet<PathBuf>, found: &mut Found) {
    let entries = WalkDir::new(folder).sort_by_file_name().into_iter();
    for entry in entries.filter_entry(|entry| entry.depth() == 0 || !is_hidden(entry)) {
        match entry {
            Ok(entry) if entry.file_type().is_file() => take(entry.path(), seen, found),
            Ok(_) => {}
            Err(error) => {
                let path = error.path().unwrap_or(folder).to_owned();
                let reason = error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
                found.faults.push((path, reason));
            }
        }
    }
}

fn take(path: &Path, seen: &mut HashSet<PathBuf>, found: &mut Found) {
    if seen.insert(absolute(path)) {
        found.files.push(path.to_owned());
    }
}

fn is_hidden(entry: &DirEntry) -> bool {
    entry.file_name().as_encoded_bytes().starts_with(b".")
}

/// The one path of a file, however it was named.
pub fn absolute(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// A path as it was named, with `/` and without `./`, the same on every system.
pub fn portable(path: &Path) -> String {
    let parts: Vec<_> = path
        .components()
        .filter(|part| !matches!(part, std::path::Component::CurDir | std::path::Component::RootDir))
        .map(|part| part.as_os_str().to_string_lossy())
        .collect();
    let root = if path.has_root() { "/" } else { "" };
    format!("{root}{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_walked_without_what_is_hidden() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let root = folder.path();
        std::fs::create_dir_all(root.join("b/.git"))?;
        for name in ["b/two.txt", "a.png", ".hidden", "b/.git/config", "b/one.wav"] {
            std::fs::write(root.join(name), name)?;
        }
        let named = [root.to_owned(), root.join("a.png"), root.join(".hidden"), root.join("gone")];
        let found = find(&named);
        let names: Vec<_> = found.files.iter().filter_map(|path| path.strip_prefix(root).ok()).map(portable).collect();
        assert_eq!(names, ["a.png", "b/one.wav", "b/two.txt", ".hidden"]);
        assert_eq!(found.faults.len(), 1);
        assert_eq!(found.faults[0].0, root.join("gone"));
        Ok(())
    }

    #[test]
    fn portable_paths() {
        assert_eq!(portable(Path::new("./a//b/c.txt")), "a/b/c.txt");
        assert_eq!(portable(Path::new("/a/b")), "/a/b");
        assert_eq!(portable(Path::new("../a")), "../a");
    }
}
