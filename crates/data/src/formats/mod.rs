//! The formats a source may come in; one file each.

pub mod folder;
pub(crate) mod gz;
pub mod idx;
pub mod kaggle;
pub(crate) mod npz;

/// The first few of many names, for a message: `a, b, c and 12 more`.
pub(crate) fn some_of(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = names[..names.len().min(SHOWN)].join(", ");
    if names.len() > SHOWN { format!("{shown} and {} more", names.len() - SHOWN) } else { shown }
}
