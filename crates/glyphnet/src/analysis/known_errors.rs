//! Labels of well-known test sets that are known to be wrong.

use glyphnet_data::{Dataset, ImageShape};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// Where the list for MNIST comes from.
const SOURCE: &str = "label errors found by human vote in Northcutt, Athalye, Mueller, \"Pervasive Label Errors in Test \
                      Sets Destabilize Machine Learning Benchmarks\" (2021), labelerrors.com";
/// Images of MNIST's test set.
const IMAGES: usize = 10_000;
const SHAPE: ImageShape = ImageShape::new(28, 28, 1);
/// The sum of all images' [`digest`]s, which does not depend on their order.
const SUM: u64 = 0xDD32_560F_5550_4C7E;
/// The digests of the images to which fewer than three of five people gave their label (`mturk/mnist_mturk.json` in
/// cleanlab/label-errors), with their rows in the published order.
const WRONG: [u64; 15] = [
    0x5D22_799A_0E7E_8BF7, // 947: an 8, say the labels; a 9, say people
    0xC000_E846_8804_B34E, // 1621: 0; 6
    0x934A_2C0C_3993_AFE3, // 1901: 9; 4
    0x469F_2D12_C82F_97D6, // 2130: 4; as many say 9
    0x72F0_50F7_0262_DCA1, // 2462: 2; 0
    0x6835_FE5A_1FC0_C784, // 2597: 5; 3
    0x696E_73CB_3CDD_6D09, // 2654: 6; neither 6 nor 1
    0x6811_5E19_A58A_913A, // 3520: 6; neither 6 nor 4
    0x527D_CAA8_F580_8EFF, // 3558: 5; 0
    0xEFCA_EF73_5531_1B49, // 5937: 5; 3
    0x5F46_B49C_3DDA_E57F, // 6651: 0; 6
    0x2281_08B6_F80B_276F, // 6783: 1; 6
    0x8F3A_2955_DB98_376D, // 8527: 4; as many say 9
    0xDAAD_A88D_4598_B142, // 9679: 6; neither 6 nor 3
    0x53D1_497A_8C76_1D01, // 9729: 5; 6
];

/// Images whose labels are known to be wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KnownErrors {
    /// Who found them.
    pub source: &'static str,
    /// Their rows in the dataset, ascending.
    pub rows: Vec<u32>,
}

/// The wrong labels of a dataset that is known: so far that is MNIST's test set, whole, in any order, with its published
/// labels. It is recognised by pixels and labels, whatever it is called.
pub fn known_label_errors(dataset: &Dataset) -> Option<KnownErrors> {
    let labels = dataset.labels.as_ref().filter(|labels| labels.len() == IMAGES)?;
    if dataset.len() != IMAGES || dataset.images.shape() != SHAPE {
        return None;
    }
    let digests: Vec<u64> =
        dataset.images.iter().zip(labels).map(|(pixels, &label)| digest(pixels, label)).collect::<Option<_>>()?;
    if digests.iter().fold(0, |sum: u64, &digest| sum.wrapping_add(digest)) != SUM {
        return None;
    }
    let wrong = digests.iter().zip(0_u32..).filter(|(digest, _)| WRONG.contains(digest));
    Some(KnownErrors { source: SOURCE, rows: wrong.map(|(_, row)| row).collect() })
}

/// The first eight bytes, little-endian, of the SHA-256 of the pixels with the label behind them as one more byte.
fn digest(pixels: &[u8], label: u32) -> Option<u64> {
    let mut hash = Sha256::new();
    hash.update(pixels);
    hash.update([u8::try_from(label).ok()?]);
    hash.finalize().first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}
