//! What may differ between a page and a run: times, speeds, and the last digit of a fraction.

use image::RgbImage;

/// Whether `shown` is what was found, and the first difference in words if not.
///
/// - Numbers before `s` or `images/s`, and the column `seconds` of a CSV file, are times and speeds: they may differ.
/// - A number with decimals may be off by one in its last place. Trained is with the pages' instruction set, but
///   `evaluate` and `predict` take the best one of the machine, which rounds its sums in another order.
pub(crate) fn lines(shown: &[String], found: &[String]) -> Result<(), String> {
    let (masked_shown, masked_found) = (masked(shown), masked(found));
    let same = |i: usize| match (masked_shown.get(i), masked_found.get(i)) {
        (Some(shown), Some(found)) => alike(shown, found),
        _ => false,
    };
    let Some(place) = (0..shown.len().max(found.len())).find(|&i| !same(i)) else { return Ok(()) };
    let line = |lines: &[String]| lines.get(place).map_or("nothing".to_owned(), |line| format!("'{line}'"));
    Err(format!("line {} is {}, but should be {}", place + 1, line(shown), line(found)))
}

/// The lines with `_` for times and speeds.
fn masked(lines: &[String]) -> Vec<String> {
    let seconds = lines.first().and_then(|line| line.split(',').position(|column| column == "seconds"));
    let mask = |line: &String| match seconds {
        Some(column) => {
            let cells = line.split(',').enumerate().map(|(i, cell)| if i == column { "_" } else { cell });
            cells.collect::<Vec<_>>().join(",")
        }
        None => without_times(line),
    };
    lines.iter().map(mask).collect()
}

/// Whether two lines are the same but for the last digits of fractions.
fn alike(shown: &str, found: &str) -> bool {
    let (shown, found): (Vec<&str>, Vec<&str>) = (shown.split(' ').collect(), found.split(' ').collect());
    shown.len() == found.len() && shown.iter().zip(&found).all(|(a, b)| a == b || in_last_place(a, b))
}

/// Whether two numbers with the same decimals differ by one in the last.
fn in_last_place(shown: &str, found: &str) -> bool {
    let units = |word: &str| {
        let (whole, decimals) = word.trim_end_matches([',', ';', ')']).split_once('.')?;
        Some((decimals.len(), format!("{whole}{decimals}").parse::<i64>().ok()?))
    };
    match (units(shown), units(found)) {
        (Some((places, a)), Some((same_places, b))) => places == same_places && a.abs_diff(b) <= 1,
        _ => false,
    }
}

fn without_times(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let is_time = |i: usize| {
        let number = words[i].starts_with(|c: char| c.is_ascii_digit());
        let unit = words.get(i + 1).map(|word| word.trim_end_matches([',', ';', '.']));
        number && matches!(unit, Some("s" | "images/s"))
    };
    (0..words.len()).map(|i| if is_time(i) { "_" } else { words[i] }).collect::<Vec<_>>().join(" ")
}

/// Whether two PNGs show the same, and the difference in words if not. The edges of letters and lines are rounded from
/// fractions: one pixel in a thousand may be off by more than 8 of 255 grey levels.
pub(crate) fn pictures(shown: &[u8], found: &[u8]) -> Result<(), String> {
    let decode =
        |bytes: &[u8]| Ok::<RgbImage, String>(image::load_from_memory(bytes).map_err(|e| e.to_string())?.to_rgb8());
    let (shown, found) = (decode(shown)?, decode(found)?);
    if shown.dimensions() != found.dimensions() {
        return Err(format!("it has {:?} pixels, but should have {:?}", shown.dimensions(), found.dimensions()));
    }
    let differs = |(a, b): &(&image::Rgb<u8>, &image::Rgb<u8>)| a.0.iter().zip(&b.0).any(|(a, b)| a.abs_diff(*b) > 8);
    let (different, all) = (shown.pixels().zip(found.pixels()).filter(differs).count(), shown.pixels().len());
    if different * 1000 > all { Err(format!("{different} of {all} pixels differ")) } else { Ok(()) }
}
