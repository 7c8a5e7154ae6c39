//! Datasets that can be downloaded, and the folder they are kept in.
//!
//! The catalogue and the cache are always here; downloading is behind the feature `fetch`, so that users of the
//! library who do not want it do not build an HTTP client.

mod catalogue;
#[cfg(feature = "fetch")]
mod download;

use std::env;
use std::path::{Path, PathBuf};

pub use catalogue::{CATALOGUE, Content, Entry, RemoteFile};
#[cfg(feature = "fetch")]
pub use download::{fetch, fetch_into};

/// A dataset that could not be fetched. Whatever the reason, the cache holds whole, verified files only.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// A name that is not in the catalogue.
    #[error("no dataset is called '{name}'; there are {}", names().collect::<Vec<_>>().join(", "))]
    Unknown {
        /// The name that was asked for.
        name: String,
    },
    /// Nothing says where caches belong.
    #[error("there is no folder to keep datasets in: set GLYPHNET_CACHE to one")]
    NoCache,
    /// A mirror that is no address.
    #[error("'{mirror}' is no mirror: give the address of a folder that holds the files, http://... or https://...")]
    Mirror {
        /// The mirror that was asked for.
        mirror: String,
    },
    /// The server could not be reached, or the connection broke.
    #[error("'{url}' after {received} bytes: {problem}; check the connection or give another --mirror")]
    Connection {
        /// What was being downloaded.
        url: String,
        /// How much of it had come.
        received: u64,
        /// What went wrong.
        problem: String,
    },
    /// The server answered, but not with the file.
    #[error("'{url}': the server answers with status {status}; give another --mirror")]
    Status {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// More bytes than the file can have.
    #[error("'{url}': the server sends more than {limit} bytes, so this is not the file; give another --mirror")]
    TooLong {
        /// What was being downloaded.
        url: String,
        /// The most bytes that the file can have.
        limit: u64,
    },
    /// A file that is not the published one.
    #[error(
        "'{url}': {bytes} bytes with SHA-256 {found}, but the published file has {expected_bytes} bytes with SHA-256 \
         {expected}; try again or give another --mirror"
    )]
    Checksum {
        /// What was downloaded.
        url: String,
        /// Its length.
        bytes: u64,
        /// Its digest.
        found: String,
        /// The published length.
        expected_bytes: u64,
        /// The published digest.
        expected: &'static str,
    },
    /// The cache could not be written.
    #[error("cannot write '{}': {source}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// No mirror of the catalogue has the file.
    #[error("no mirror has {file}:{}", attempts.iter().map(|error| format!("\n  {error}")).collect::<String>())]
    AllMirrors {
        /// The file.
        file: &'static str,
        /// What each mirror did wrong.
        attempts: Vec<FetchError>,
    },
}

/// The names of the datasets that can be fetched.
pub fn names() -> impl Iterator<Item = &'static str> {
    CATALOGUE.iter().map(|entry| entry.name)
}

/// The catalogue's entry for `name`.
///
/// # Errors
/// [`FetchError::Unknown`], which lists the names there are.
pub fn entry(name: &str) -> Result<&'static Entry, FetchError> {
    CATALOGUE.iter().find(|entry| entry.name == name).ok_or_else(|| FetchError::Unknown { name: name.to_owned() })
}

/// The folder that fetched datasets are kept in, one folder each: `$GLYPHNET_CACHE`, else `glyphnet` in the cache
/// folder of the platform (`$XDG_CACHE_HOME` or `~/.cache`, on macOS `~/Library/Caches`, on Windows
/// `%LOCALAPPDATA%`). It need not exist.
pub fn cache_folder() -> Option<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(folder) = set("GLYPHNET_CACHE") {
        return Some(folder);
    }
    let platform = if cfg!(windows) {
        set("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        env::home_dir().map(|home| home.join("Library/Caches"))
    } else {
        // The specification has relative paths ignored.
        let xdg = set("XDG_CACHE_HOME").filter(|folder| folder.is_absolute());
        xdg.or_else(|| env::home_dir().map(|home| home.join(".cache")))
    };
    platform.map(|folder| folder.join("glyphnet"))
}

/// The folder of IDX files of the dataset `name`, if it was fetched completely.
pub fn cached(name: &str) -> Option<PathBuf> {
    cached_in(&cache_folder()?, entry(name).ok()?)
}

/// [`cached`], in a cache at a place of its own.
pub fn cached_in(cache: &Path, entry: &Entry) -> Option<PathBuf> {
    let folder = cache.join(entry.name);
    entry.files.iter().all(|file| folder.join(file.name).is_file()).then_some(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_well_formed() {
        assert!(names().eq(["mnist", "fashion-mnist", "kmnist"]));
        for entry in CATALOGUE {
            assert!(entry.mirrors.iter().all(|mirror| mirror.starts_with("http") && mirror.ends_with('/')));
            assert!(!entry.licence.is_empty() && !entry.checksums.is_empty());
            let digests = entry.files.iter().map(|file| file.sha256);
            let contents = entry.files.iter().filter_map(|file| file.content).map(|content| content.sha256);
            for digest in digests.chain(contents) {
                assert!(
                    digest.len() == 64 && digest.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f')),
                    "{digest}"
                );
            }
        }
    }

    /// The content digests of the catalogue are those of the MNIST that is embedded.
    #[test]
    fn mnist_is_the_embedded_mnist() {
        let sums = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/mnist/SHA256SUMS");
        let sums = std::fs::read_to_string(sums).unwrap();
        for file in entry("mnist").unwrap().files {
            let line = format!("{}  {}\n", file.content.unwrap().sha256, file.name.trim_end_matches(".gz"));
            assert!(sums.contains(&line), "{line}");
        }
    }

    #[test]
    fn unknown_names_are_told_the_known_ones() {
        let message = entry("emnist").unwrap_err().to_string();
        assert_eq!(message, "no dataset is called 'emnist'; there are mnist, fashion-mnist, kmnist");
        assert_eq!(cached("emnist"), None);
    }

    #[test]
    fn a_dataset_is_cached_when_all_its_files_are_there() {
        let cache = tempfile::tempdir().unwrap();
        let entry = entry("kmnist").unwrap();
        let folder = cache.path().join("kmnist");
        std::fs::create_dir(&folder).unwrap();
        for file in entry.files {
            assert_eq!(cached_in(cache.path(), entry), None);
            std::fs::write(folder.join(file.name), b"x").unwrap();
        }
        assert_eq!(cached_in(cache.path(), entry), Some(folder));
    }
}
