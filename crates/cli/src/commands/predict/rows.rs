//! What `predict` found, and its three forms. JSON and CSV are described in docs/predict-output.md and stay as they are.

use std::io::Write as _;

use serde::Serialize;

use crate::args::OutputFormat;
use crate::classify::Choice;
use crate::commands::text::percent;
use crate::error::CliError;
use crate::output::Out;
use crate::table::{Align, Table};

/// The answer for one image.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Row {
    /// The file, as it was named or found.
    pub(crate) input: String,
    /// The image's number in a CSV file, from 1; nothing for image files.
    pub(crate) row: Option<usize>,
    /// Whether dark and light were swapped.
    pub(crate) inverted: bool,
    /// The likeliest classes, the best first; never empty.
    pub(crate) top: Vec<Choice>,
}

/// Prints all answers.
pub(crate) fn write(rows: &[Row], format: OutputFormat, model: &str, out: &mut Out) -> Result<(), CliError> {
    match format {
        OutputFormat::Table => write_table(rows, out),
        OutputFormat::Json => write_json(rows, model, out),
        OutputFormat::Csv => write_csv(rows, out),
    }
}

fn write_table(rows: &[Row], out: &mut Out) -> Result<(), CliError> {
    if rows.is_empty() {
        return Ok(());
    }
    let (left, right) = (Align::Left, Align::Right);
    let mut table =
        Table::new([("input", left), ("class", left), ("probability", right), ("runners-up", left), ("", left)]);
    for row in rows {
        let Some((best, others)) = row.top.split_first() else { continue };
        let others: Vec<String> =
            others.iter().map(|c| format!("{} {}", c.class, percent(f64::from(c.probability)))).collect();
        table.row([
            row.row.map_or_else(|| row.input.clone(), |number| format!("{} row {number}", row.input)),
            best.class.clone(),
            percent(f64::from(best.probability)),
            others.join(", "),
            if row.inverted { "(dark and light swapped)".to_owned() } else { String::new() },
        ]);
    }
    Ok(table.write(out)?)
}

fn write_json(rows: &[Row], model: &str, out: &mut Out) -> Result<(), CliError> {
    #[derive(Serialize)]
    struct Document<'a> {
        model: &'a str,
        predictions: Vec<Prediction<'a>>,
    }
    #[derive(Serialize)]
    struct Prediction<'a> {
        input: &'a str,
        row: Option<usize>,
        inverted: bool,
        class: &'a str,
        label: usize,
        probability: f32,
        top: &'a [Choice],
    }
    let predictions = rows.iter().filter_map(|row| {
        let Choice { class, label, probability } = row.top.first()?;
        let Row { input, row: number, inverted, top } = row;
        let (label, probability) = (*label, *probability);
        Some(Prediction { input, row: *number, inverted: *inverted, class, label, probability, top })
    });
    out.json(&Document { model, predictions: predictions.collect() })
}

fn write_csv(rows: &[Row], out: &mut Out) -> Result<(), CliError> {
    let ranks = rows.iter().map(|row| row.top.len()).max().unwrap_or(1);
    let mut heading: Vec<String> = ["input", "row", "inverted", "class", "probability"].map(str::to_owned).to_vec();
    heading.extend((2..=ranks).flat_map(|rank| [format!("class_{rank}"), format!("probability_{rank}")]));
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(&heading)?;
    for row in rows {
        let mut record = vec![row.input.clone(), row.row.map_or_else(String::new, |n| n.to_string())];
        record.push(row.inverted.to_string());
        record.extend(row.top.iter().flat_map(|choice| [choice.class.clone(), choice.probability.to_string()]));
        writer.write_record(&record)?;
    }
    let bytes = writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
    Ok(out.write_all(&bytes)?)
}
