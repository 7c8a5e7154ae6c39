//! What a split comes to in a few figures, and how far they may be looked at.

use super::page::{Page, Split};
use crate::html::Html;
use crate::numbers::{grouped, percent};

impl Page<'_> {
    pub(super) fn write_summary(&self, html: &mut Html, split: &Split<'_>) {
        let analysis = &split.analysis;
        html.put("<p class=\"note\">{}</p>\n", &[&self.caution(split)]);
        let mut figures = vec![
            ("accuracy".to_owned(), percent(analysis.accuracy)),
            ("wrong".to_owned(), format!("{} of {}", grouped(split.wrong()), grouped(analysis.images as u64))),
        ];
        figures.extend(analysis.top.iter().map(|top| (format!("in the best {}", top.k), percent(top.accuracy))));
        figures.extend([
            ("mean F1".to_owned(), percent(analysis.macro_average.f1)),
            ("loss".to_owned(), format!("{:.4}", analysis.loss)),
            ("Brier score".to_owned(), format!("{:.4}", analysis.brier)),
            ("calibration error".to_owned(), percent(analysis.calibration.ece)),
        ]);
        html.raw("<dl class=\"figures\">");
        for (name, value) in figures {
            html.put("<div><dt>{}</dt><dd>{}</dd></div>", &[&name, &value]);
        }
        html.raw("</dl>\n");
    }

    /// What these images may be used for.
    fn caution(&self, split: &Split<'_>) -> &'static str {
        let other = self.splits.iter().any(|split| split.name() == "validation");
        match split.name() {
            "test" if other => {
                "Neither training nor the choice of the epoch has seen these images: they say how good the network \
                 is. Whoever \
                 looks at these errors and then changes the recipe chooses by them, and the figure is good for nothing \
                 afterwards; the validation images are there for that."
            }
            "test" => {
                "Training has not seen these images: they say how good the network is. Whoever looks at these errors \
                 and then \
                 changes the recipe chooses by them; hold out validation images for that (data.validation)."
            }
            _ => {
                "Held out from training, and looked at after each epoch to choose the one to keep: these are the \
                 images to \
                 learn from what goes wrong."
            }
        }
    }
}
