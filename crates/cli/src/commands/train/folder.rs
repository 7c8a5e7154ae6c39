//! The run's folder: named or numbered, and never one that holds something already.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::error::CliError;

/// Where runs are put that name no folder.
const RUNS: &str = "runs";

/// Makes the folder of a run before anything is computed: `wanted` if given, else `runs/<name>-<n>`.
pub(crate) fn create(wanted: Option<&Path>, name: &str) -> Result<PathBuf, CliError> {
    match wanted {
        Some(folder) => named(folder),
        None => numbered(Path::new(RUNS), name),
    }
}

fn named(folder: &Path) -> Result<PathBuf, CliError> {
    fs::create_dir_all(folder).map_err(|error| {
        let occupied = folder.exists() && !folder.is_dir();
        let reason = if occupied { "it exists and is no folder".to_owned() } else { error.to_string() };
        CliError::failed(format!("cannot make the run folder '{}': {reason}; name another with --out", folder.display()))
    })?;
    if fs::read_dir(folder)?.next().is_some() {
        let hint = "name a new or an empty one with --out";
        return Err(CliError::failed(format!("the run folder '{}' is not empty: {hint}", folder.display())));
    }
    Ok(folder.to_owned())
}

/// The next number that no run has had; made at once, so that two runs that start together get one each.
fn numbered(runs: &Path, name: &str) -> Result<PathBuf, CliError> {
    let cannot = |path: &Path, error: std::io::Error| {
        let hint = "change to a folder that can be written, or name one with --out";
        CliError::failed(format!("cannot make the run folder '{}': {error}; {hint}", path.display()))
    };
    fs::create_dir_all(runs).map_err(|error| cannot(runs, error))?;
    let mut number = 1 + highest(runs, name).map_err(|error| cannot(runs, error))?;
    loop {
        let folder = runs.join(format!("{name}-{number}"));
        match fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(cannot(&folder, error)),
        }
    }
}

/// The highest number of a run of this name; 0 without any.
fn highest(runs: &Path, name: &str) -> std::io::Result<u64> {
    let mut highest = 0;
    for entry in fs::read_dir(runs)? {
        let file_name = entry?.file_name();
        let number = file_name.to_str().and_then(|f| f.strip_prefix(name)?.strip_prefix('-')?.parse().ok());
        highest = highest.max(number.unwrap_or(0));
    }
    Ok(highest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_on_after_the_highest() {
        let folder = tempfile::tempdir().unwrap();
        let runs = folder.path().join("runs");
        let next = |name: &str| numbered(&runs, name).map_err(|_| "refused").unwrap();
        assert_eq!(next("seed"), runs.join("seed-1"));
        assert_eq!(next("seed"), runs.join("seed-2"));
        fs::create_dir(runs.join("seed-10")).unwrap();
        fs::create_dir(runs.join("seed-best")).unwrap();
        assert_eq!(next("seed"), runs.join("seed-11"));
        assert_eq!(next("se"), runs.join("se-1"));
    }
}
