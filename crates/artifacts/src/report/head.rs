//! The beginning of the page: what the run is, in words, and what it came to.

use std::fmt::Display;

use glyphnet::ImageShape;
use glyphnet::evaluate::Score;
use glyphnet::saved_run::RunState;

use super::page::Page;
use crate::html::Html;
use crate::numbers::{count, grouped, percent};

impl Page<'_> {
    pub(super) fn write_head(&self, html: &mut Html) {
        html.raw("<header class=\"top\"><div class=\"wrap\">\n");
        html.put("<p class=\"kind\">Training run</p>\n<h1>{}</h1>\n", &[&self.run.name]);
        html.put("<p class=\"lead\">{} {}</p>\n", &[&self.what(), &self.progress()]);
        html.raw("<div class=\"cards\">\n");
        self.write_scores(html);
        self.write_speed(html);
        html.raw("</div>\n</div></header>\n");
    }

    /// What the run is.
    fn what(&self) -> String {
        let network = match &self.network {
            Some(network) => count(network.parameters(), "parameter"),
            None => count(self.run.recipe.layer.len(), "layer"),
        };
        let network = match self.run.recipe.train.ensemble {
            1 => format!("A network of {network}"),
            networks => format!("The average of {networks} networks of {network} each"),
        };
        let images = self.run.facts.as_ref().map_or_else(|| "images".to_owned(), |facts| images(facts.image));
        let classes = match self.classes.len() {
            0 => "the classes".to_owned(),
            classes => count(classes, "class"),
        };
        // The whole path is told among the data.
        let source = self.run.recipe.data.source.trim_end_matches('/');
        let source = source.rsplit_once('/').map_or(source, |(_, name)| name);
        let recipe = self.noted("recipe").map(|name| format!(", recipe {name}")).unwrap_or_default();
        format!("{network} that tells {classes} of {images} apart, trained on {source}{recipe}.")
    }

    /// How far it has come.
    fn progress(&self) -> String {
        if self.run.recipe.train.ensemble > 1 {
            return self.progress_of_members();
        }
        let (done, planned) = (self.run.history.len(), self.run.recipe.train.epochs);
        let epochs = count(done, "epoch");
        match (self.state, self.kept) {
            (RunState::Open, _) if done == 0 => {
                "No epoch is over yet: this page tells more after the first one.".to_owned()
            }
            (RunState::Open, Some(kept)) => {
                format!(
                    "It has had {done} of at most {}; the best so far is epoch {kept}.",
                    count(planned as usize, "epoch")
                )
            }
            (RunState::Open, None) => format!("It has had {done} of at most {}.", count(planned as usize, "epoch")),
            (RunState::Interrupted, Some(kept)) => format!(
                "It was interrupted after {epochs}; the network of epoch {kept} was kept. The test images were not \
                 looked at."
            ),
            (RunState::Interrupted, None) => {
                "It was interrupted in its first epoch, and the network as it was then was kept.".to_owned()
            }
            (RunState::Finished, kept) => format!("{} {}", self.length(done, planned as usize), self.chosen(kept)),
        }
    }

    /// Each network is a run of its own, with a report of its own.
    fn progress_of_members(&self) -> String {
        let Some(metrics) = &self.run.metrics else {
            return "Its networks are not all trained yet.".to_owned();
        };
        let mut alone: Vec<f64> =
            metrics.members.iter().filter_map(|member| Some(member.validation.or(member.test)?.accuracy)).collect();
        alone.sort_by(f64::total_cmp);
        let alone = match &alone[..] {
            [lowest, .., highest] => format!("; each alone is right on {} to {}", percent(*lowest), percent(*highest)),
            _ => String::new(),
        };
        format!("They had {} together{alone}.", count(metrics.epochs_run as usize, "epoch"))
    }

    fn length(&self, done: usize, planned: usize) -> String {
        if done < planned {
            format!("It ended after {done} of at most {}.", count(planned, "epoch"))
        } else {
            format!("It had {}.", count(done, "epoch"))
        }
    }

    fn chosen(&self, kept: Option<u32>) -> String {
        match (kept, self.monitor) {
            (Some(kept), Some(monitor)) => {
                format!(
                    "The network of epoch {kept} was kept, the best one by {}.",
                    monitor.name().replace("val_", "validation ")
                )
            }
            (Some(_), None) => "There are no validation images, so the network of the last epoch was kept.".to_owned(),
            (None, _) => String::new(),
        }
    }

    /// A card for each accuracy that is known.
    fn write_scores(&self, html: &mut Html) {
        let test = self.run.metrics.as_ref().and_then(|metrics| metrics.test);
        match (test, self.state) {
            (Some(test), _) => self.write_score(html, "test", test),
            (None, RunState::Finished) => {
                card(html, "test accuracy", "unknown", &"The data have no test images with labels.");
            }
            (None, _) => {}
        }
        if let Some(validation) = self.run.validation() {
            self.write_score(html, "validation", validation);
        }
    }

    fn write_score(&self, html: &mut Html, split: &str, score: Score) {
        let wrong = self
            .splits
            .iter()
            .find(|of| of.name() == split)
            .map(|of| format!("{} of {} wrong, ", grouped(of.wrong()), count(of.analysis.images, "image")));
        let detail = format!("{}loss {:.4}", wrong.unwrap_or_default(), score.loss);
        card(html, &format!("{split} accuracy"), &percent(score.accuracy), &detail);
    }

    fn write_speed(&self, html: &mut Html) {
        let seconds: f64 = self.run.history.iter().map(|epoch| epoch.seconds).sum();
        if let Some(metrics) = &self.run.metrics {
            let threads = count(metrics.threads, "thread");
            let detail =
                format!("{} images/s on {threads}, {}", grouped(metrics.images_per_second as u64), metrics.simd);
            card(html, "training time", &duration(metrics.train_seconds), &detail);
        } else if !self.run.history.is_empty() {
            let each = seconds / self.run.history.len() as f64;
            card(html, "time so far", &duration(seconds), &format!("{} an epoch", duration(each)));
        }
    }
}

fn card(html: &mut Html, name: &str, value: &str, detail: &dyn Display) {
    html.put(
        "<div class=\"card\"><p class=\"name\">{}</p><p class=\"value\">{}</p><p class=\"detail\">{}</p></div>\n",
        &[&name, &value, detail],
    );
}

/// `28 × 28 grey images`.
fn images(ImageShape { height, width, channels }: ImageShape) -> String {
    let colour = match channels {
        1 => "grey",
        3 => "colour",
        _ => "",
    };
    format!("{height} \u{d7} {width} {colour} images").replace("  ", " ")
}

/// A time as people say it: `6.2 s`, `3 min 8 s`, `2 h 10 min`.
pub(super) fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..10 => format!("{seconds:.1} s"),
        10..100 => format!("{whole} s"),
        100..6000 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_images_read_well() {
        let times = [0.04, 6.23, 9.96, 75.0, 188.0, 7800.0];
        assert_eq!(times.map(duration), ["0.0 s", "6.2 s", "10 s", "75 s", "3 min 8 s", "2 h 10 min"]);
        assert_eq!(images(ImageShape::new(28, 20, 1)), "28 \u{d7} 20 grey images");
        assert_eq!(images(ImageShape::new(8, 8, 2)), "8 \u{d7} 8 images");
    }
}
