//! What the run was made of: network, data, recipe, where and how long it ran, and how to do it again.

use std::fmt::Display;

use glyphnet::saved_run::{RunState, SplitFacts};

use super::head::duration;
use super::page::Page;
use crate::error::ArtifactError;
use crate::html::{Html, times, write_network_table};
use crate::numbers::{count, grouped};
use crate::shell::quoted;

/// Classes that are listed with their images.
const MOST_CLASSES: usize = 300;

impl Page<'_> {
    pub(super) fn write_network(&self, html: &mut Html) {
        html.raw("<section id=\"network\"><h2>Network</h2>\n");
        let Some(network) = &self.network else {
            html.raw("<div class=\"scroll\"><table><thead><tr><th scope=\"col\">layer</th></tr></thead><tbody>\n");
            for layer in &self.run.recipe.layer {
                html.put("<tr><td>{}</td></tr>\n", &[&layer.kind()]);
            }
            html.raw(
                "</tbody></table></div>\n<p class=\"note\">The run does not tell the shape of its \
                 images.</p></section>\n",
            );
            return;
        };
        write_network_table(html, network);
        let (all, trained) = (network.parameters() as u64, network.trained_parameters() as u64);
        if all > trained {
            html.put("<p class=\"note\">{} of the parameters are not trained.</p>\n", &[&grouped(all - trained)]);
        }
        html.raw("</section>\n");
    }

    pub(super) fn write_data(&self, html: &mut Html) {
        html.raw("<section id=\"data\"><h2>Data</h2>\n");
        let mut list = List::new(html);
        list.entry("source", &self.run.recipe.data.source);
        for (name, key) in [("format", "data_format"), ("place", "data_path"), ("fingerprint", "data_fingerprint")] {
            list.noted(name, self.noted(key));
        }
        if let Some(facts) = &self.run.facts {
            list.entry("images", &format_args!("{} (height \u{d7} width \u{d7} channels)", times(&facts.image)));
        }
        if !self.classes.is_empty() {
            list.entry("classes", &grouped(self.classes.len() as u64));
        }
        list.end();
        match &self.run.facts {
            Some(facts) => self.write_counts(html, &facts.splits),
            None => html.raw("<p class=\"note\">The run does not tell how many images it had of each class.</p>\n"),
        }
        html.raw("</section>\n");
    }

    /// Images by class and split.
    fn write_counts(&self, html: &mut Html, splits: &[SplitFacts]) {
        html.raw("<div class=\"scroll tall\" tabindex=\"0\"><table><thead><tr><th scope=\"col\">class</th>");
        for split in splits {
            html.put("<th scope=\"col\" class=\"n\">{}</th>", &[&split.split]);
        }
        html.raw("</tr></thead><tbody>\n");
        let counted = splits.iter().any(|split| split.per_class.is_some());
        let listed = if counted { self.classes.len().min(MOST_CLASSES) } else { 0 };
        for label in 0..listed {
            html.put("<tr><th scope=\"row\">{}</th>", &[&self.class(label as u32)]);
            for split in splits {
                let images = split.per_class.as_ref().and_then(|counts| counts.get(label));
                html.put("<td class=\"n\">{}</td>", &[&images.map(|&images| grouped(images)).unwrap_or_default()]);
            }
            html.raw("</tr>\n");
        }
        html.raw("</tbody><tfoot><tr><th scope=\"row\">all</th>");
        for split in splits {
            html.put("<td class=\"n\">{}</td>", &[&grouped(split.images as u64)]);
        }
        html.raw("</tr></tfoot></table></div>\n");
        if counted && listed < self.classes.len() {
            html.put("<p class=\"note\">The first {} of {}.</p>\n", &[&listed, &count(self.classes.len(), "class")]);
        }
    }

    pub(super) fn write_recipe(&self, html: &mut Html) -> Result<(), ArtifactError> {
        let mut recipe = self.run.recipe.clone();
        recipe.provenance = None;
        let text = recipe.to_toml().map_err(|error| ArtifactError::report(&error))?;
        html.raw(
            "<section id=\"recipe\"><h2>Recipe</h2>\n<p class=\"note\">Every setting of the run, defaults \
             included.</p>\n",
        );
        html.raw("<pre tabindex=\"0\"><code class=\"tables\">");
        // Each table in an element of its own, so that no column begins within one.
        for table in text.trim_end().split_inclusive("\n\n") {
            html.put("<span>{}</span>", &[&table]);
        }
        html.raw("</code></pre>\n</section>\n");
        Ok(())
    }

    pub(super) fn write_environment(&self, html: &mut Html) {
        html.raw("<section id=\"environment\"><h2>Environment and time</h2>\n");
        let mut list = List::new(html);
        list.noted("processor", self.noted("cpu"));
        list.noted("instruction set", self.noted("simd"));
        if let Some(metrics) = &self.run.metrics {
            list.entry("threads", &metrics.threads);
        }
        list.noted("glyphnet", self.noted("glyphnet"));
        list.entry("seed", &self.run.recipe.train.seed);
        list.noted("command", self.noted("command"));
        let epochs = &self.run.history;
        let seconds: f64 = epochs.iter().map(|epoch| epoch.seconds).sum();
        if !epochs.is_empty() {
            let each = duration(seconds / epochs.len() as f64);
            list.entry(
                "epochs",
                &format_args!("{} in {}, {each} each, with validation", epochs.len(), duration(seconds)),
            );
        }
        if let Some(metrics) = &self.run.metrics {
            let speed = grouped(metrics.images_per_second as u64);
            list.entry("training steps", &format_args!("{}, {speed} images/s", duration(metrics.train_seconds)));
            list.entry("waiting for data", &duration(metrics.data_wait_seconds));
        }
        list.end();
        html.raw("</section>\n");
    }

    pub(super) fn write_again(&self, html: &mut Html) {
        html.raw("<section id=\"reproduce\"><h2>Do it again</h2>\n<p class=\"note\">");
        html.raw(
            "The first command repeats the run from its folder. On the same version and instruction set it comes to \
             the same bits, \
             with any number of threads.</p>\n<pre tabindex=\"0\"><code>",
        );
        let folder = self.run.path.display().to_string();
        html.put("glyphnet train --recipe {}\n", &[&quoted(&format!("{folder}/run.toml"))]);
        if self.state != RunState::Finished {
            html.put("glyphnet train --resume {}    # goes on where it was\n", &[&quoted(&folder)]);
        }
        html.put("glyphnet evaluate --model {}\n", &[&quoted(&folder)]);
        html.put("glyphnet report {}    # makes this page anew", &[&quoted(&folder)]);
        html.raw("</code></pre>\n</section>\n");
    }
}

/// Terms and what there is to say to them.
struct List<'a> {
    html: &'a mut Html,
}

impl List<'_> {
    fn new(html: &mut Html) -> List<'_> {
        html.raw("<dl class=\"facts\">\n");
        List { html }
    }

    fn entry(&mut self, name: &'static str, value: &dyn Display) {
        self.html.put("<div><dt>{}</dt><dd>{}</dd></div>\n", &[&name, value]);
    }

    fn noted(&mut self, name: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.entry(name, &value);
        }
    }

    fn end(self) {
        self.html.raw("</dl>\n");
    }
}
