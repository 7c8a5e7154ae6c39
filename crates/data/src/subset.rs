//! Some images of a dataset, without a copy of them.

use crate::types::{Dataset, ImageShape};

/// Images of a dataset in an order of their own, with the labels that belong to them. They are looked up, not copied.
#[derive(Clone, Debug)]
pub struct Subset<'a> {
    dataset: &'a Dataset,
    rows: Vec<u32>,
}

impl<'a> Subset<'a> {
    /// The images of `dataset` at `rows`, in that order.
    ///
    /// # Panics
    /// If a row is not below the number of images, or of labels where there are labels.
    pub fn new(dataset: &'a Dataset, rows: Vec<u32>) -> Subset<'a> {
        let bound = dataset.labels.as_ref().map_or(dataset.len(), |labels| labels.len().min(dataset.len()));
        assert!(rows.iter().all(|&row| (row as usize) < bound), "rows of a subset must be below {bound}");
        Subset { dataset, rows }
    }

    /// How many images there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no image at all.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The shape of each image.
    pub fn shape(&self) -> ImageShape {
        self.dataset.images.shape()
    }

    /// The `H x W x C` pixels of image `i` of the subset.
    ///
    /// # Panics
    /// If `i` is not below [`len`](Subset::len).
    pub fn image(&self, i: usize) -> &'a [u8] {
        self.dataset.images.get(self.rows[i] as usize)
    }

    /// The class index of image `i` of the subset, if the dataset has labels.
    ///
    /// # Panics
    /// If `i` is not below [`len`](Subset::len).
    pub fn label(&self, i: usize) -> Option<u32> {
        let row = self.rows[i] as usize;
        self.dataset.labels.as_ref().map(|labels| labels[row])
    }

    /// The images, one slice of `H x W x C` pixels each.
    pub fn images(&self) -> impl ExactSizeIterator<Item = &'a [u8]> {
        (0..self.len()).map(|i| self.image(i))
    }

    /// The class indices, none if the dataset has no labels.
    pub fn labels(&self) -> impl Iterator<Item = u32> {
        (0..self.len()).filter_map(|i| self.label(i))
    }

    /// A dataset of its own: a copy of the images and labels.
    pub fn to_dataset(&self) -> Dataset {
        self.dataset.select(&self.rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Images;

    fn dataset(labels: Option<Vec<u32>>) -> Dataset {
        Dataset { images: Images::new(ImageShape::new(1, 2, 1), (0..8).collect()).unwrap(), labels }
    }

    #[test]
    fn a_subset_shows_what_its_copy_holds() {
        let whole = dataset(Some(vec![5, 6, 7, 8]));
        let subset = Subset::new(&whole, vec![3, 0, 3]);
        let copy = subset.to_dataset();
        assert_eq!((subset.len(), subset.is_empty(), subset.shape()), (3, false, ImageShape::new(1, 2, 1)));
        assert_eq!(subset.images().collect::<Vec<_>>(), [[6, 7], [0, 1], [6, 7]]);
        assert_eq!(subset.images().collect::<Vec<_>>(), copy.images.iter().collect::<Vec<_>>());
        assert_eq!(subset.labels().collect::<Vec<_>>(), [8, 5, 8]);
        assert_eq!(Some(subset.labels().collect()), copy.labels);
        assert_eq!(Subset::new(&dataset(None), vec![1]).labels().count(), 0);
    }

    #[test]
    #[should_panic(expected = "must be below 4")]
    fn a_row_that_does_not_exist_is_refused_at_once() {
        Subset::new(&dataset(None), vec![0, 4]);
    }
}
