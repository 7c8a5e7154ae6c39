//! Images one by one: the worst losses, and labels that are probably wrong.

use super::page::{MOST_ISSUES, MOST_LOSSES, Page, Split};
use crate::html::Html;
use crate::numbers::{count, grouped};

impl Page<'_> {
    pub(super) fn write_losses(&self, html: &mut Html, split: &Split<'_>) {
        let losses = &split.analysis.top_losses;
        html.put("<div class=\"block\"><h3>Largest losses <small>{} images</small></h3>\n", &[&split.name()]);
        html.put(
            "<p class=\"note\">The {} images with the largest loss, the worst first: label, what it was taken for, \
             and how surely.</p>\n<ul class=\"gallery\">\n",
            &[&losses.len().min(MOST_LOSSES)],
        );
        for loss in losses.iter().take(MOST_LOSSES) {
            self.write_image(html, split, loss.row as u32, loss.predicted, loss.probability);
        }
        html.raw("</ul></div>\n");
    }

    pub(super) fn write_issues(&self, html: &mut Html, split: &Split<'_>) {
        let issues = split.issues();
        html.put("<div class=\"block\"><h3>Labels that may be wrong <small>{} images</small></h3>\n", &[&split.name()]);
        if issues.is_empty() {
            html.raw("<p class=\"note\">Confident learning finds no label that is probably wrong.</p></div>\n");
            return;
        }
        let shown =
            if issues.len() > MOST_ISSUES { format!("; here the likeliest {MOST_ISSUES}") } else { String::new() };
        html.put(
            "<p class=\"note\">Confident learning questions {} of {} ({}){}. A question is no verdict: images that \
             are rare or hard to read are among them.</p>\n<ul class=\"gallery\">\n",
            &[
                &grouped(issues.len() as u64),
                &count(split.analysis.images, "label"),
                &crate::numbers::percent(issues.len() as f64 / split.analysis.images as f64),
                &shown,
            ],
        );
        for issue in issues.iter().take(MOST_ISSUES) {
            self.write_image(html, split, issue.row as u32, issue.suggested, issue.suggested_probability);
        }
        html.raw("</ul></div>\n");
    }

    /// An image under its label, with another class and the probability of that.
    fn write_image(&self, html: &mut Html, split: &Split<'_>, row: u32, other: u32, probability: f32) {
        let label = split.saved.labels[row as usize];
        html.put("<li><button type=\"button\" class=\"image\" data-row=\"{}\">", &[&row]);
        match split.sheet.as_ref().and_then(|sheet| sheet.position(row)) {
            Some(position) => html.put("<span class=\"thumb\" style=\"background-position:{}\"></span>", &[&position]),
            None => html.put("<span class=\"thumb none\">image {}</span>", &[&split.saved.indices[row as usize]]),
        }
        html.put("<span class=\"label\">{}</span>", &[&self.class(label)]);
        if other == label {
            html.raw("<span class=\"quiet\">right, but only</span>");
        } else {
            html.put("<span class=\"other\">\u{2192} {}</span>", &[&self.class(other)]);
        }
        html.put("<span class=\"sure\">{}</span></button></li>\n", &[&surely(probability)]);
    }
}

/// A probability in per cent, never rounded to certainty.
pub(super) fn surely(probability: f32) -> String {
    let percent = f64::from(probability) * 100.0;
    match percent {
        _ if percent >= 100.0 => "100 %".to_owned(),
        _ if percent >= 99.95 => ">99.9 %".to_owned(),
        _ if percent > 0.0 && percent < 0.05 => "<0.1 %".to_owned(),
        _ => format!("{percent:.1} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_rounded_to_certainty() {
        let written = [0.0, 1e-5, 0.5, 0.9994, 0.9996, 1.0].map(surely);
        assert_eq!(written, ["0.0 %", "<0.1 %", "50.0 %", "99.9 %", ">99.9 %", "100 %"]);
    }
}
