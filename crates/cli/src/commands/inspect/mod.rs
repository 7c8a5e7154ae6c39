//! `inspect`: what is in the data.

mod columns;
mod facts;

use std::io::Write as _;
use std::path::Path;

use glyphnet_data::{Polarity, Source};
use serde::Serialize;

use self::facts::{Facts, SplitFacts};
use super::samples::Samples;
use super::text::{count, grouped};
use super::{check_png, source};
use crate::args::InspectArgs;
use crate::error::CliError;
use crate::output::Out;
use crate::progress;
use crate::table::{Align, Table};
use crate::terminal::{self, Style};

/// More classes than this are not listed one by one.
const MOST_CLASSES: usize = 60;
/// Width of the longest bar, in columns.
const BAR_WIDTH: usize = 24;

pub(crate) fn run(args: InspectArgs, out: &mut Out) -> Result<(), CliError> {
    check_png(&args.out)?;
    let source = source::open_silently(&args.source.data, &args.source.image.options())?;
    let spinner = progress::spinner("looking at the images");
    let facts = Facts::of(&source, columns::names(&source));
    spinner.finish_and_clear();
    let samples = Samples::choose(&source, args.seed);
    samples.save(&args.out)?;
    if args.json {
        #[derive(Serialize)]
        struct Document<'a> {
            #[serde(flatten)]
            facts: &'a Facts,
            samples: &'a Path,
        }
        return out.json(&Document { facts: &facts, samples: &args.out });
    }
    write_facts(&facts, out)?;
    write_samples(&source, &samples, &args.out, out)
}

fn write_facts(facts: &Facts, out: &mut Out) -> Result<(), CliError> {
    let bold = |text: &str| Style::stdout().bold(text);
    writeln!(out, "{} ({})", bold(&facts.source), facts.format)?;
    writeln!(out)?;
    writeln!(out, "images       {} (height x width x channels)", facts.shape)?;
    for split in &facts.splits {
        let labels = if split.class_counts.is_some() { "" } else { ", without labels" };
        writeln!(out, "{:<12} {}{labels}", split.name, count(split.images, "image"))?;
    }
    if let Some(columns) = &facts.columns {
        writeln!(out, "columns      {}", columns_in_short(columns))?;
    }
    writeln!(out, "classes      {}", facts.classes.len())?;
    writeln!(out, "polarity     {}", polarity_in_words(facts.polarity))?;
    writeln!(out, "fingerprint  {}", facts.fingerprint)?;
    writeln!(out)?;
    write_classes(facts, out)?;
    writeln!(out)?;
    write_pixels(facts, out)?;
    writeln!(out)?;
    write_duplicates(facts, out)?;
    for note in &facts.notes {
        writeln!(out, "\nnote: {note}")?;
    }
    Ok(())
}

fn columns_in_short(columns: &[String]) -> String {
    match columns {
        [first, second, .., last] if columns.len() > 4 => {
            format!("{}: {first}, {second} ... {last}", grouped(columns.len() as u64))
        }
        few => few.join(", "),
    }
}

fn polarity_in_words(polarity: Polarity) -> &'static str {
    match polarity {
        Polarity::LightOnDark => "light on dark",
        Polarity::DarkOnLight => "dark on light",
        Polarity::Mixed => "neither light on dark nor dark on light throughout",
    }
}

/// One row a class: its images in each labelled split, with a bar for the first.
fn write_classes(facts: &Facts, out: &mut Out) -> Result<(), CliError> {
    let labelled: Vec<(&str, &[usize])> =
        facts.splits.iter().filter_map(|split| Some((split.name.as_str(), split.class_counts.as_deref()?))).collect();
    let Some((_, leading)) = labelled.first() else { return Ok(()) };
    let most = leading.iter().copied().max().unwrap_or(0);
    let headings: Vec<(&str, Align)> = [("class", Align::Left)]
        .into_iter()
        .chain(labelled.iter().map(|(name, _)| (*name, Align::Right)))
        .chain([("", Align::Left)])
        .collect();
    let mut table = Table::new(headings);
    for (class, name) in facts.classes.iter().enumerate().take(MOST_CLASSES) {
        let counts = labelled.iter().map(|(_, counts)| grouped(counts[class] as u64));
        table.row([name.clone()].into_iter().chain(counts).chain([bar(leading[class], most)]));
    }
    table.write(out)?;
    if facts.classes.len() > MOST_CLASSES {
        writeln!(out, "... and {} more (all with --json)", count(facts.classes.len() - MOST_CLASSES, "class"))?;
    }
    Ok(())
}

/// A bar for `part`, [`BAR_WIDTH`] columns long for `most`, in eighths of a column.
fn bar(part: usize, most: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (part * BAR_WIDTH * 8).checked_div(most).unwrap_or(0);
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

fn write_pixels(facts: &Facts, out: &mut Out) -> Result<(), CliError> {
    let right = Align::Right;
    let mut table = Table::new(
        [("pixels", Align::Left), ("min", right), ("max", right), ("mean", right), ("std", right)]
            .into_iter()
            .chain([("mean/255", right), ("std/255", right)]),
    );
    for split in &facts.splits {
        for (channel, pixels) in split.pixels.iter().enumerate() {
            table.row([
                channel_name(split, channel),
                pixels.min.to_string(),
                pixels.max.to_string(),
                format!("{:.3}", pixels.mean),
                format!("{:.3}", pixels.std),
                format!("{:.4}", pixels.mean / 255.0),
                format!("{:.4}", pixels.std / 255.0),
            ]);
        }
    }
    Ok(table.write(out)?)
}

fn channel_name(split: &SplitFacts, channel: usize) -> String {
    match (split.pixels.len(), channel) {
        (3, channel) => format!("{} {}", split.name, ["red", "green", "blue"][channel]),
        (1, _) => split.name.clone(),
        (_, channel) => format!("{} {channel}", split.name),
    }
}

fn write_duplicates(facts: &Facts, out: &mut Out) -> Result<(), CliError> {
    for split in &facts.splits {
        match split.duplicates {
            0 => writeln!(out, "no image of {} is there twice", split.name)?,
            1 => writeln!(out, "1 image of {} repeats an earlier one exactly", split.name)?,
            n => writeln!(out, "{} of {} repeat an earlier one exactly", count(n, "image"), split.name)?,
        }
    }
    for shared in &facts.shared {
        match shared.images {
            0 => writeln!(out, "no image of {} is in {} too", shared.second, shared.first)?,
            1 => writeln!(out, "1 image of {} is in {} too, exactly", shared.second, shared.first)?,
            n => writeln!(out, "{} of {} are in {} too, exactly", count(n, "image"), shared.second, shared.first)?,
        }
    }
    match facts.contradictions {
        0 => {}
        1 => writeln!(out, "1 image is there under different labels")?,
        n => writeln!(out, "{} are there under different labels", count(n, "image"))?,
    }
    Ok(())
}

fn write_samples(source: &Source, samples: &Samples, path: &Path, out: &mut Out) -> Result<(), CliError> {
    if let Some(width) = terminal::picture_width() {
        let tiles = samples.tiles();
        let tiles: Vec<(&[u8], &str)> = tiles.iter().map(|tile| (tile.pixels, tile.label)).collect();
        writeln!(out, "\n{}", terminal::picture_grid(source.shape(), &tiles, super::samples::COLUMNS, width))?;
    }
    Ok(writeln!(out, "\nsamples written to {}", path.display())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_proportional() {
        assert_eq!(bar(10, 10), "█".repeat(24));
        assert_eq!(bar(1, 48), "▌");
        assert_eq!(bar(0, 10), "");
        assert_eq!(bar(0, 0), "");
    }
}
