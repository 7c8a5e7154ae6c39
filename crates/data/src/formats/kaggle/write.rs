//! Writing a source as `train.csv` and `test.csv`.

use std::io::Write;
use std::path::Path;

use crate::atomic::AtomicFile;
use crate::error::DataError;
use crate::source::{Part, Source, write_class_file};
use crate::types::{Dataset, ImageShape};

/// So many images are written between two reports of progress.
const STEP: usize = 1000;

/// Writes `train.csv` and `test.csv` into `folder`, the latter without labels; `progress` counts images.
pub(crate) fn write(source: &Source, folder: &Path, progress: &mut dyn FnMut(usize)) -> Result<(), DataError> {
    check(source)?;
    write_file(&folder.join("train.csv"), &source.train, source.train.labels.as_deref(), progress)?;
    if let Some(test) = &source.test {
        write_file(&folder.join("test.csv"), test, None, progress)?;
    }
    write_class_file(source, &[Part::Train], folder)
}

/// Refuses what a Kaggle CSV cannot hold.
fn check(source: &Source) -> Result<(), DataError> {
    let refuse =
        |problem: String| Err(DataError::Convert { name: source.name.clone(), format: "Kaggle's CSV", problem });
    let ImageShape { height, width, channels } = source.shape();
    if channels != 1 {
        return refuse(format!("its images have {channels} channels, and a CSV holds grey images only"));
    }
    if height != width {
        return refuse(format!("its images are {height} x {width}, and a CSV holds square images only"));
    }
    if source.validation.is_some() {
        return refuse("it has a validation split, which CSV files lack: give sizes to split it anew".to_string());
    }
    if source.train.labels.is_none() {
        return refuse("its training images have no labels".to_string());
    }
    Ok(())
}

fn write_file(
    path: &Path,
    data: &Dataset,
    labels: Option<&[u32]>,
    progress: &mut dyn FnMut(usize),
) -> Result<(), DataError> {
    let failed = || DataError::write(path);
    let numbers: Vec<String> = (0..=255).map(|v: u8| v.to_string()).collect();
    let mut file = AtomicFile::create(path).map_err(failed())?;
    let mut line: Vec<u8> = Vec::new();
    if labels.is_some() {
        line.extend(b"label,");
    }
    let names: Vec<String> = (0..data.images.shape().len()).map(|i| format!("pixel{i}")).collect();
    line.extend(names.join(",").bytes());
    line.push(b'\n');
    for (i, image) in data.images.iter().enumerate() {
        if let Some(label) = labels.and_then(|l| l.get(i)) {
            line.extend(label.to_string().bytes());
            line.push(b',');
        }
        for &v in image {
            line.extend_from_slice(numbers[usize::from(v)].as_bytes());
            line.push(b',');
        }
        line.pop();
        line.push(b'\n');
        file.write_all(&line).map_err(failed())?;
        line.clear();
        if (i + 1) % STEP == 0 {
            progress(STEP);
        }
    }
    progress(data.len() % STEP);
    file.commit().map_err(failed())
}
