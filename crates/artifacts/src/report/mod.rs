//! `report.html`: a run as one page that needs nothing but itself.

mod calibration;
mod classes;
mod curves;
mod facts;
mod gallery;
mod head;
mod matrix;
mod page;
mod script;
mod sheet;
mod summary;

use glyphnet::saved_run::SavedRun;

use self::page::{Page, Split};
use self::script::ScriptData;
use crate::error::ArtifactError;
use crate::html::{Html, THEME_SCRIPT, THEME_STYLE, write_beginning};

const STYLE: &str = include_str!("assets/report.css");
const SCRIPT: &str = include_str!("assets/report.js");

/// A run as one HTML page: learning curves, what is mixed up and which images, calibration, labels that may be wrong,
/// network, data, recipe and how to do it again. It asks for nothing from anywhere, and stays under 2 MB.
///
/// Whatever the run lacks (it is still going on, has no validation or test split, no stored images) the page does
/// without.
///
/// # Errors
/// If stored images or predictions do not fit together, or something cannot be written down.
pub fn html(run: &SavedRun) -> Result<String, ArtifactError> {
    let page = Page::new(run)?;
    let mut html = Html::default();
    page.write_beginning(&mut html);
    page.write_head(&mut html);
    page.write_navigation(&mut html);
    html.raw("<main class=\"wrap\">\n");
    let curves = page.write_curves(&mut html);
    page.write_results(&mut html);
    page.write_network(&mut html);
    page.write_data(&mut html);
    page.write_recipe(&mut html)?;
    page.write_environment(&mut html);
    page.write_again(&mut html);
    html.raw("</main>\n");
    html.raw(
        "<dialog id=\"images\" aria-labelledby=\"images-title\"><form method=\"dialog\"><h2 \
         id=\"images-title\">Images</h2><button type=\"submit\" class=\"close\">Close</button></form><p \
         id=\"images-note\" class=\"quiet\"></p><div id=\"images-list\"></div></dialog>\n",
    );
    html.data("run", &ScriptData::new(&page, curves)).map_err(|error| ArtifactError::report(&error))?;
    for script in [THEME_SCRIPT, SCRIPT] {
        html.script(script);
    }
    html.raw("</body>\n</html>\n");
    Ok(html.into_text())
}

impl Page<'_> {
    fn write_beginning(&self, html: &mut Html) {
        write_beginning(html, &[THEME_SCRIPT, SCRIPT], "img-src data:");
        html.put("<title>{} \u{b7} glyphnet report</title>\n<style>\n", &[&self.run.name]);
        html.raw(THEME_STYLE);
        html.raw(STYLE);
        html.put("{}\n", &[&matrix::shades()]);
        for split in &self.splits {
            if let Some(sheet) = &split.sheet {
                html.put(
                    ".of-{} .thumb:not(.none){background-image:url(data:image/png;base64,{});background-size:{}}\n",
                    &[&split.name(), &sheet.png, &sheet.size()],
                );
            }
        }
        html.raw("</style>\n</head>\n<body>\n");
    }

    fn write_navigation(&self, html: &mut Html) {
        html.raw("<nav class=\"bar\" aria-label=\"Sections\"><div class=\"wrap\">\n<ul>");
        if !self.run.history.is_empty() {
            html.raw("<li><a href=\"#curves\">Curves</a></li>");
        }
        for split in &self.splits {
            html.put("<li><a href=\"#{}\">{}</a></li>", &[&split.name(), &capitalised(split.name())]);
        }
        for (id, name) in [
            ("network", "Network"),
            ("data", "Data"),
            ("recipe", "Recipe"),
            ("environment", "Environment"),
            ("reproduce", "Do it again"),
        ] {
            html.put("<li><a href=\"#{}\">{}</a></li>", &[&id, &name]);
        }
        html.raw("</ul>\n<button type=\"button\" id=\"theme\" class=\"script\">Dark</button>\n</div></nav>\n");
    }

    fn write_results(&self, html: &mut Html) {
        if self.splits.len() > 1 {
            html.raw("<div class=\"splits script\" role=\"group\" aria-label=\"Split\">");
            for (at, split) in self.splits.iter().enumerate() {
                html.put(
                    "<button type=\"button\" data-split=\"{}\" aria-pressed=\"{}\">{}</button>",
                    &[&split.name(), &(at == 0), &capitalised(split.name())],
                );
            }
            html.raw("</div>\n");
        }
        self.splits.iter().for_each(|split| self.write_split(html, split));
    }

    fn write_split(&self, html: &mut Html, split: &Split<'_>) {
        let (width, height) = split.sheet.as_ref().map_or((84, 84), |sheet| sheet.shown());
        html.put(
            "<section class=\"split of-{}\" id=\"{}\" style=\"--thumb-width:{}px;--thumb-height:{}px\">",
            &[&split.name(), &split.name(), &width, &height],
        );
        html.put("<h2>{} images</h2>\n", &[&capitalised(split.name())]);
        self.write_summary(html, split);
        html.raw("<div class=\"beside\">");
        self.write_matrix(html, split);
        self.write_pairs(html, split);
        html.raw("</div>\n<div class=\"beside\">");
        self.write_classes(html, split);
        calibration::write_calibration(html, split);
        html.raw("</div>\n");
        self.write_losses(html, split);
        self.write_issues(html, split);
        html.raw("</section>\n");
    }
}

/// `Validation` for `validation`.
fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
