//! Exact duplicates: images whose every pixel is the same, within a split or, worse, between splits.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::source::{Part, Source};

/// Where an image stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The split.
    pub part: Part,
    /// The image's index there.
    pub index: u32,
    /// Its label, if it has one.
    pub label: Option<u32>,
}

/// All exact duplicates of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Duplicates {
    /// Groups of two or more places that hold the same image; in order of first appearance.
    pub groups: Vec<Vec<Place>>,
}

impl Duplicates {
    /// How many images of `part` repeat an earlier one of the same part.
    pub fn within(&self, part: Part) -> usize {
        let in_part = |group: &Vec<Place>| group.iter().filter(|p| p.part == part).count();
        self.groups.iter().map(|g| in_part(g).saturating_sub(1)).sum()
    }

    /// How many images of `other` are also in `part`: with a test set as `other`, how many answers were seen before.
    pub fn between(&self, part: Part, other: Part) -> usize {
        let count = |group: &&Vec<Place>| group.iter().filter(|p| p.part == other).count();
        self.groups.iter().filter(|g| g.iter().any(|p| p.part == part)).map(|g| count(&g)).sum()
    }

    /// The groups whose places do not agree on a label.
    pub fn contradictions(&self) -> impl Iterator<Item = &[Place]> {
        let contradicts = |group: &&Vec<Place>| {
            let mut labels = group.iter().filter_map(|p| p.label);
            let first = labels.next();
            labels.any(|l| Some(l) != first)
        };
        self.groups.iter().filter(contradicts).map(Vec::as_slice)
    }
}

/// Finds the exact duplicates of a source, within and between its splits.
pub fn find(source: &Source) -> Duplicates {
    let total = source.parts().map(|(_, data)| data.len()).sum();
    let mut first: HashMap<&[u8], (Place, Option<usize>)> = HashMap::with_capacity(total);
    let mut groups: Vec<Vec<Place>> = Vec::new();
    for (part, data) in source.parts() {
        for (i, image) in data.images.iter().enumerate() {
            let label = data.labels.as_ref().and_then(|l| l.get(i).copied());
            let place = Place { part, index: i as u32, label };
            match first.entry(image) {
                Entry::Vacant(entry) => {
                    entry.insert((place, None));
                }
                Entry::Occupied(mut entry) => {
                    let (original, group) = entry.get_mut();
                    let group = *group.get_or_insert_with(|| {
                        groups.push(vec![*original]);
                        groups.len() - 1
                    });
                    groups[group].push(place);
                }
            }
        }
    }
    groups.sort_by_key(|g| g[0]);
    Duplicates { groups }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceKind;
    use crate::types::{Dataset, ImageShape, Images};

    fn data(pixels: &[u8], labels: &[u32]) -> Dataset {
        let images = Images::new(ImageShape::new(1, 1, 1), pixels.to_vec()).unwrap();
        Dataset { images, labels: Some(labels.to_vec()) }
    }

    #[test]
    fn repeats_are_counted_within_and_between_splits() {
        let source = Source {
            name: "t".into(),
            kind: SourceKind::Idx,
            classes: vec![],
            train: data(&[5, 6, 5, 5, 7], &[0, 1, 0, 0, 1]),
            validation: None,
            test: Some(data(&[7, 9, 5, 8, 8, 7], &[1, 1, 3, 0, 0, 1])),
            notes: vec![],
        };
        let found = find(&source);
        assert_eq!(found.groups.len(), 3);
        assert_eq!(
            found.groups[0].iter().map(|p| (p.part, p.index)).collect::<Vec<_>>(),
            [(Part::Train, 0), (Part::Train, 2), (Part::Train, 3), (Part::Test, 2)]
        );
        assert_eq!(found.within(Part::Train), 2);
        assert_eq!(found.within(Part::Test), 2);
        assert_eq!(found.between(Part::Train, Part::Test), 3);
        assert_eq!(found.between(Part::Test, Part::Train), 4);
        let contradictions: Vec<_> = found.contradictions().collect();
        assert_eq!(contradictions.len(), 1);
        assert_eq!(contradictions[0].len(), 4);
    }
}
