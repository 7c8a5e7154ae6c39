//! Kaggle's submission file.

use std::path::Path;

use glyphnet_data::atomic::write_atomic;

use crate::error::ArtifactError;

/// Writes `ImageId,Label` rows, ids from 1 in the order of `labels`, replacing `path` only once all is written.
///
/// # Errors
/// When `path` cannot be written.
pub fn write_submission<'a>(path: &Path, labels: impl IntoIterator<Item = &'a str>) -> Result<(), ArtifactError> {
    let bytes = rows(labels).map_err(|error| ArtifactError::write(path)(error.into()))?;
    write_atomic(path, &bytes).map_err(ArtifactError::write(path))
}

fn rows<'a>(labels: impl IntoIterator<Item = &'a str>) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["ImageId", "Label"])?;
    for (id, label) in (1_u64..).zip(labels) {
        writer.write_record([&id.to_string(), label])?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_count_from_one_and_awkward_names_are_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("submission.csv");
        write_submission(&path, ["7", "0", "cat, black"]).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "ImageId,Label\n1,7\n2,0\n3,\"cat, black\"\n");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "only the submission is left");
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = write_submission(&folder.path().join("no/such/submission.csv"), ["1"]).unwrap_err();
        assert!(error.to_string().contains("submission.csv"), "{error}");
    }
}
