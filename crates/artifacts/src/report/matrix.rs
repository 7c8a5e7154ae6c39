//! The confusion matrix, whose cells open the images behind them, and the classes that are mixed up most.

use std::cmp::Reverse;

use super::page::{Page, Split, shortened};
use crate::html::Html;
use crate::numbers::{count, grouped};

/// A larger matrix would be no help: of more classes those are shown that are mixed up most.
const MOST_CLASSES: usize = 50;
/// Pairs of classes that are listed.
const MOST_PAIRS: usize = 12;
/// Shades of cells.
const SHADES: usize = 15;
/// Names longer than this are cut beside the matrix.
const LONGEST_NAME: usize = 24;

impl Page<'_> {
    pub(super) fn write_matrix(&self, html: &mut Html, split: &Split<'_>) {
        let counts = &split.analysis.confusion;
        let labels = labels(split);
        let size = match labels.len() {
            0..=5 => "five",
            6..=12 => "few",
            13..=24 => "some",
            _ => "many",
        };
        html.put(
            "<div class=\"block matrix-block {}\"><h3>Confusion matrix <small>{} images</small></h3>\n",
            &[&size, &split.name()],
        );
        if labels.len() < counts.classes() {
            html.put(
                "<p class=\"note\">The {} of {} that are mixed up most.</p>\n",
                &[&labels.len(), &count(counts.classes(), "class")],
            );
        }
        html.raw(
            "<div class=\"tools\"><div class=\"switch script\" role=\"group\" aria-label=\"What the cells show\">\
             <button type=\"button\" data-show=\"counts\" aria-pressed=\"true\">images</button>\
             <button type=\"button\" data-show=\"shares\" aria-pressed=\"false\">% of the label</button></div>",
        );
        write_ramp(html);
        html.raw("</div>\n<div class=\"scroll\">");
        let names: Vec<String> = labels.iter().map(|&label| shortened(&self.class(label), LONGEST_NAME)).collect();
        self.write_cells(html, split, &labels, &names);
        html.raw("</div>\n<p class=\"cell-text quiet\" aria-live=\"polite\"></p>\n</div>\n");
    }

    fn write_cells(&self, html: &mut Html, split: &Split<'_>, labels: &[u32], names: &[String]) {
        let counts = &split.analysis.confusion;
        let upright = if names.iter().any(|name| name.chars().count() > 3) { "upright" } else { "" };
        html.put(
            "<table class=\"matrix {}\"><caption class=\"hidden\">Rows are labels, columns what the images of the {} \
             split were taken for.</caption>\n",
            &[&upright, &split.name()],
        );
        html.raw("<thead><tr><td class=\"corner\"><span>label</span><span>taken for</span></td>");
        for name in names {
            html.put("<th scope=\"col\"><span>{}</span></th>", &[name]);
        }
        html.raw("</tr></thead>\n<tbody>\n");
        for (&label, name) in labels.iter().zip(names) {
            html.put("<tr data-label=\"{}\"><th scope=\"row\">{}</th>", &[&label, name]);
            let total = counts.row_total(label as usize);
            for &predicted in labels {
                let count = counts.count(label as usize, predicted as usize);
                let own = if label == predicted { " own" } else { "" };
                if count == 0 {
                    html.raw("<td></td>");
                    continue;
                }
                let share = count as f64 / total as f64;
                html.put(
                    "<td class=\"s{}{}\"><button type=\"button\" data-as=\"{}\"><b>{}</b><i>{}</i></button></td>",
                    &[&shade(share), &own, &predicted, &grouped(count), &in_percent(share)],
                );
            }
            html.raw("</tr>\n");
        }
        html.raw("</tbody></table>");
    }

    /// The pairs of classes that are mixed up most, with the first images of each.
    pub(super) fn write_pairs(&self, html: &mut Html, split: &Split<'_>) {
        html.put("<div class=\"block\"><h3>Most confused <small>{} images</small></h3>\n", &[&split.name()]);
        let confused = &split.analysis.confused;
        if confused.is_empty() {
            html.raw("<p>No class is taken for another.</p></div>\n");
            return;
        }
        html.raw(
            "<table class=\"pairs\"><thead><tr><th scope=\"col\">label</th><th scope=\"col\">taken for</th>\
             <th scope=\"col\" class=\"n\">images</th><th scope=\"col\" class=\"n\">of the \
             label</th></tr></thead><tbody>\n",
        );
        for pair in confused.iter().take(MOST_PAIRS) {
            html.put(
                "<tr><td>{}</td><td>{}</td><td class=\"n\"><button type=\"button\" class=\"open\" data-label=\"{}\" \
                 data-as=\"{}\">{}</button></td><td class=\"n\">{} %</td></tr>\n",
                &[
                    &self.class(pair.label),
                    &self.class(pair.predicted),
                    &pair.label,
                    &pair.predicted,
                    &grouped(pair.count),
                    &in_percent(pair.share_of_label),
                ],
            );
        }
        html.raw("</tbody></table>\n");
        if confused.len() > MOST_PAIRS {
            html.put("<p class=\"quiet\">and {} more</p>\n", &[&count(confused.len() - MOST_PAIRS, "pair")]);
        }
        html.raw("</div>\n");
    }
}

/// The classes of the matrix: all, or those that are mixed up most.
fn labels(split: &Split<'_>) -> Vec<u32> {
    let counts = &split.analysis.confusion;
    let mut labels: Vec<u32> = (0..counts.classes() as u32).collect();
    if labels.len() > MOST_CLASSES {
        let mut mixed = vec![0; labels.len()];
        for pair in &split.analysis.confused {
            mixed[pair.label as usize] += pair.count;
            mixed[pair.predicted as usize] += pair.count;
        }
        labels.sort_by_key(|&label| Reverse(mixed[label as usize]));
        labels.truncate(MOST_CLASSES);
        labels.sort_unstable();
    }
    labels
}

/// The shade of a share from 0 to 1. Errors are few: the square root tells 1 % from 4 %.
fn shade(share: f64) -> usize {
    (share.sqrt() * (SHADES - 1) as f64).round() as usize
}

fn in_percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        _ if percent >= 99.95 => format!("{percent:.0}"),
        _ if percent < 0.05 => "<0.1".to_owned(),
        _ => format!("{percent:.1}"),
    }
}

/// How much colour each shade has, in style rules. Even the faintest is no empty cell, and text can be read on the
/// fullest.
pub(super) fn shades() -> String {
    let part = |shade: usize| 16.0 + 59.0 * shade as f64 / (SHADES - 1) as f64;
    (0..SHADES).map(|shade| format!(".s{shade}{{--part:{:.0}%}}", part(shade))).collect()
}

fn write_ramp(html: &mut Html) {
    html.raw("<p class=\"ramp quiet\" aria-hidden=\"true\"><span class=\"own\">right</span><b>wrong</b>");
    for share in [0.001, 0.01, 0.1, 1.0] {
        html.put("<span class=\"s{}\">{} %</span>", &[&shade(share), &(share * 100.0)]);
    }
    html.raw("</p>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shades_span_all_shares_and_shares_are_written_briefly() {
        assert_eq!([0.0, 0.01, 0.04, 1.0].map(shade), [0, 1, 3, 14]);
        assert_eq!([0.0001, 0.0123, 0.9994, 0.9996, 1.0].map(in_percent), ["<0.1", "1.2", "99.9", "100", "100"]);
        assert_eq!(shades().matches("--part").count(), SHADES);
    }
}
