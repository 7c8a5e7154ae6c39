//! Precision, recall and F1 of each class.

use glyphnet::analysis::{Averages, ClassMetrics};

use super::page::{Page, Split};
use crate::html::Html;
use crate::numbers::{count, grouped, percent};

/// Classes that are listed; of more, those that are found worst.
const MOST_CLASSES: usize = 200;

impl Page<'_> {
    pub(super) fn write_classes(&self, html: &mut Html, split: &Split<'_>) {
        let analysis = &split.analysis;
        let mut classes: Vec<(u32, &ClassMetrics)> = (0..).zip(&analysis.per_class).collect();
        html.put("<div class=\"block\"><h3>Classes <small>{} images</small></h3>\n", &[&split.name()]);
        if classes.len() > MOST_CLASSES {
            classes.sort_by(|(_, a), (_, b)| a.f1.total_cmp(&b.f1));
            classes.truncate(MOST_CLASSES);
            let all = count(analysis.classes, "class");
            html.put("<p class=\"note\">The {} of {} that are found worst.</p>\n", &[&MOST_CLASSES, &all]);
        }
        html.raw(
            "<div class=\"scroll tall\" tabindex=\"0\"><table class=\"sortable\"><thead><tr>\
             <th scope=\"col\">class</th><th scope=\"col\" class=\"n\">precision</th><th scope=\"col\" \
             class=\"n\">recall</th>\
             <th scope=\"col\" class=\"n\">F1</th><th scope=\"col\" class=\"n\">images</th></tr></thead>\n<tbody>\n",
        );
        for (label, class) in classes {
            html.put("<tr><th scope=\"row\" data-value=\"{}\">{}</th>", &[&label, &self.class(label)]);
            for value in [class.precision, class.recall, class.f1] {
                html.put(
                    "<td class=\"n part\" style=\"--part:{}%\">{}</td>",
                    &[&format_args!("{:.1}", value * 100.0), &percent(value)],
                );
            }
            html.put("<td class=\"n\">{}</td></tr>\n", &[&grouped(class.support)]);
        }
        html.raw("</tbody>\n<tfoot>\n");
        write_average(html, "mean of the classes", &analysis.macro_average);
        write_average(html, "weighted by images", &analysis.weighted_average);
        html.raw("</tfoot></table></div></div>\n");
    }
}

fn write_average(html: &mut Html, name: &str, averages: &Averages) {
    html.put(
        "<tr><th scope=\"row\">{}</th><td class=\"n\">{}</td><td class=\"n\">{}</td><td \
         class=\"n\">{}</td><td></td></tr>\n",
        &[&name, &percent(averages.precision), &percent(averages.recall), &percent(averages.f1)],
    );
}
