//! Learning curves, which the reader can go through epoch by epoch.

use glyphnet::train::history::EpochRecord;
use serde::Serialize;

use super::page::Page;
use crate::html::{Html, Px};
use crate::numbers::{count, percent};
use crate::pictures::axis::Axis;

/// Size of a panel and of the frame that holds its curves, in the panel's own units: CSS pixels on a wide screen.
const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 232.0;
const RIGHT: f64 = WIDTH - 10.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = HEIGHT - 30.0;
/// Size of its text.
const TEXT: f32 = 12.0;
/// So many epochs have a mark each; more would run together.
const MOST_MARKS: usize = 40;
/// So many epochs have their place on the page; of longer runs it has some.
const MOST_EPOCHS: usize = 400;

/// A quantity of an epoch, where it is known, and how it is written.
type Value = Option<(f64, String)>;

/// A curve: how it is drawn, and its values.
struct Curve {
    class: &'static str,
    values: Vec<Value>,
}

struct Panel {
    id: &'static str,
    title: &'static str,
    x: Axis,
    y: Axis,
    left: f64,
    curves: Vec<Curve>,
}

/// What the script needs to follow the reader's finger: places in a panel's units, and texts.
#[derive(Serialize)]
pub(super) struct Curves {
    epochs: Vec<u32>,
    panels: Vec<PanelData>,
}

#[derive(Serialize)]
struct PanelData {
    id: &'static str,
    x: Vec<f64>,
    curves: Vec<CurveData>,
}

#[derive(Serialize)]
struct CurveData {
    y: Vec<Option<f64>>,
    text: Vec<String>,
}

impl Page<'_> {
    /// The curves, and what the script needs of them; nothing before the first epoch is over.
    pub(super) fn write_curves(&self, html: &mut Html) -> Option<Curves> {
        let epochs = thinned(&self.run.history, self.kept);
        let last = epochs.last()?;
        let shown = epochs.iter().position(|epoch| Some(epoch.epoch) == self.kept).unwrap_or(epochs.len() - 1);
        let panels = panels(&epochs, self.run.history.len());
        html.raw("<section id=\"curves\"><h2>Learning curves</h2>\n");
        self.write_legend(html, &epochs);
        html.raw("<div class=\"charts\">\n");
        for panel in &panels {
            panel.write(html, &epochs, shown, self.kept);
        }
        html.put(
            "</div>\n<p class=\"epoch script\"><label for=\"epoch\">Epoch</label> \
             <input type=\"range\" id=\"epoch\" min=\"0\" max=\"{}\" value=\"{}\"> <output \
             id=\"epoch-number\">{}</output></p>\n",
            &[&(epochs.len() - 1), &shown, &epochs[shown].epoch],
        );
        write_table(html, &epochs, last.epoch as usize, self.kept);
        html.raw("</section>\n");
        Some(Curves {
            epochs: epochs.iter().map(|epoch| epoch.epoch).collect(),
            panels: panels.iter().map(|panel| panel.data(&epochs)).collect(),
        })
    }

    fn write_legend(&self, html: &mut Html, epochs: &[&EpochRecord]) {
        html.raw("<ul class=\"legend\"><li><span class=\"key training\"></span>training, as the epoch went</li>");
        if epochs.iter().any(|epoch| epoch.val_loss.is_some()) {
            html.raw("<li><span class=\"key validation\"></span>validation, after the epoch</li>");
        }
        if let Some(kept) = self.kept {
            html.put("<li><span class=\"key ring\"></span>epoch {}, whose network was kept</li>", &[&kept]);
        }
        html.raw("</ul>\n");
    }
}

/// Of a long history every so many epochs, with the last and the one that was kept.
fn thinned(history: &[EpochRecord], kept: Option<u32>) -> Vec<&EpochRecord> {
    let step = history.len().div_ceil(MOST_EPOCHS).max(1);
    let last = history.len();
    let wanted = |epoch: &&EpochRecord| {
        let number = epoch.epoch as usize;
        number % step == 1 % step || number == last || Some(epoch.epoch) == kept
    };
    history.iter().filter(wanted).collect()
}

fn panels(epochs: &[&EpochRecord], count: usize) -> Vec<Panel> {
    let loss = |value: f64| (value, format!("{value:.4}"));
    let share = |value: f64| (value * 100.0, percent(value));
    let rate = |value: f32| (f64::from(value), rate_text(value));
    let curve = |class, value: &dyn Fn(&EpochRecord) -> Value| {
        let finite = |value: Value| value.filter(|(value, _)| value.is_finite());
        Curve { class, values: epochs.iter().map(|epoch| finite(value(epoch))).collect() }
    };
    let losses = vec![
        curve("training", &|epoch| Some(loss(epoch.train_loss))),
        curve("validation", &|epoch| epoch.val_loss.map(loss)),
    ];
    let accuracies = vec![
        curve("training", &|epoch| Some(share(epoch.train_accuracy))),
        curve("validation", &|epoch| epoch.val_accuracy.map(share)),
    ];
    let rates = vec![curve("rate", &|epoch| Some(rate(epoch.learning_rate)))];
    let (low, high) = extremes(&losses);
    let loss_axis = Axis::from_zero_or_decades(low, high);
    let (low, high) = extremes(&accuracies);
    let accuracy_axis = Axis::linear(low, high, 5);
    let rate_axis = Axis::of_rates(rates[0].values.iter().flatten().map(|(rate, _)| *rate));
    vec![
        Panel::new("loss", "Loss", loss_axis, losses, count),
        Panel::new("accuracy", "Accuracy, %", accuracy_axis, accuracies, count),
        Panel::new("rate", "Learning rate", rate_axis, rates, count),
    ]
}

/// A learning rate with three digits that say something, and no zeros behind them.
fn rate_text(rate: f32) -> String {
    if rate == 0.0 {
        return "0".to_owned();
    }
    let short = format!("{rate:.2e}");
    let (digits, power) = short.split_once('e').unwrap_or((&short, "0"));
    let rounded = short.parse().unwrap_or(rate);
    let digits = digits.trim_end_matches('0').trim_end_matches('.');
    if (0.0005..1000.0).contains(&rate) { format!("{rounded}") } else { format!("{digits}e{power}") }
}

/// The lowest and the highest value.
fn extremes(curves: &[Curve]) -> (f64, f64) {
    let values = curves.iter().flat_map(|curve| curve.values.iter().flatten());
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), (value, _)| (low.min(*value), high.max(*value)))
}

impl Panel {
    fn new(id: &'static str, title: &'static str, y: Axis, mut curves: Vec<Curve>, epochs: usize) -> Panel {
        curves.retain(|curve| curve.values.iter().any(Option::is_some));
        let left = f64::from(y.widest(TEXT)).ceil() + 8.0;
        let x = Axis::epochs(epochs, (RIGHT - left) as f32, TEXT);
        Panel { id, title, x, y, left, curves }
    }

    fn x(&self, epoch: u32) -> f64 {
        let share = (f64::from(epoch) - self.x.from) / (self.x.to - self.x.from);
        self.left + share * (RIGHT - self.left)
    }

    fn y(&self, value: f64) -> f64 {
        BOTTOM - (self.y.at(value) - self.y.from) / (self.y.to - self.y.from) * (BOTTOM - TOP)
    }

    fn write(&self, html: &mut Html, epochs: &[&EpochRecord], shown: usize, kept: Option<u32>) {
        let kind = if self.y.logarithmic { " (log)" } else { "" };
        html.put("<figure class=\"chart\" id=\"chart-{}\"><figcaption><b>{}{}</b>", &[&self.id, &self.title, &kind]);
        html.put(" <span class=\"read\"><span class=\"at\">epoch {}</span>", &[&epochs[shown].epoch]);
        for curve in &self.curves {
            let text = curve.values[shown].as_ref().map_or("", |(_, text)| text);
            html.put(" <span class=\"is {}\">{}</span>", &[&curve.class, &text]);
        }
        html.put(
            "</span></figcaption>\n<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{} by epoch\">\n",
            &[&Px(WIDTH), &Px(HEIGHT), &self.title],
        );
        self.write_axes(html);
        let kept = epochs.iter().position(|epoch| Some(epoch.epoch) == kept);
        if let Some(at) = kept {
            let x = Px(self.x(epochs[at].epoch));
            html.put("<path class=\"kept\" d=\"M{} {}V{}\"/>\n", &[&x, &Px(TOP), &Px(BOTTOM)]);
        }
        self.curves.iter().for_each(|curve| self.write_curve(html, epochs, curve));
        // Validation chose the epoch, where there is one.
        if let Some((at, y)) = kept.and_then(|at| Some((at, self.curves.last()?.values[at].as_ref()?.0))) {
            let (x, y) = (Px(self.x(epochs[at].epoch)), Px(self.y(y)));
            html.put("<circle class=\"ring\" cx=\"{}\" cy=\"{}\" r=\"6\"/>\n", &[&x, &y]);
        }
        html.raw("<path class=\"cursor\" d=\"\"/>");
        for curve in &self.curves {
            html.put("<circle class=\"dot {}\" r=\"4\"/>", &[&curve.class]);
        }
        html.raw("\n</svg></figure>\n");
    }

    fn write_axes(&self, html: &mut Html) {
        for at in self.y.places() {
            let y = BOTTOM - (at - self.y.from) / (self.y.to - self.y.from) * (BOTTOM - TOP);
            html.put("<path class=\"grid\" d=\"M{} {}H{}\"/>", &[&Px(self.left), &Px(y), &Px(RIGHT)]);
            html.put("<text class=\"y\" x=\"{}\" y=\"{}\">", &[&Px(self.left - 6.0), &Px(y + 4.0)]);
            html.put("{}</text>\n", &[&self.y.label(at)]);
        }
        html.put("<path class=\"axis\" d=\"M{} {}H{}\"/>\n", &[&Px(self.left), &Px(BOTTOM), &Px(RIGHT)]);
        for at in self.x.places() {
            let x = Px(self.x(at as u32));
            html.put("<text class=\"x\" x=\"{}\" y=\"{}\">{}</text>", &[&x, &Px(BOTTOM + 18.0), &self.x.label(at)]);
        }
        html.raw("\n");
    }

    /// The line, broken where a value is missing, and a mark for each epoch if there are not too many.
    fn write_curve(&self, html: &mut Html, epochs: &[&EpochRecord], curve: &Curve) {
        let places = epochs.iter().zip(&curve.values);
        let places: Vec<Option<(Px, Px)>> = places
            .map(|(epoch, value)| value.as_ref().map(|(value, _)| (Px(self.x(epoch.epoch)), Px(self.y(*value)))))
            .collect();
        html.put("<path class=\"line {}\" d=\"", &[&curve.class]);
        let mut before = false;
        for place in &places {
            if let Some((x, y)) = place {
                html.put(if before { "L{} {}" } else { "M{} {}" }, &[x, y]);
            }
            before = place.is_some();
        }
        html.raw("\"/>\n");
        if places.len() <= MOST_MARKS {
            // A line without length has round or square ends: a mark.
            html.put("<path class=\"marks {}\" d=\"", &[&curve.class]);
            places.iter().flatten().for_each(|(x, y)| html.put("M{} {}h0", &[x, y]));
            html.raw("\"/>\n");
        }
    }

    fn data(&self, epochs: &[&EpochRecord]) -> PanelData {
        let curve = |curve: &Curve| CurveData {
            y: curve.values.iter().map(|value| value.as_ref().map(|(value, _)| tenths(self.y(*value)))).collect(),
            text: curve.values.iter().map(|value| value.as_ref().map_or("", |(_, text)| text).to_owned()).collect(),
        };
        PanelData {
            id: self.id,
            x: epochs.iter().map(|epoch| tenths(self.x(epoch.epoch))).collect(),
            curves: self.curves.iter().map(curve).collect(),
        }
    }
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// The same as a table, for those who want numbers or have no script.
fn write_table(html: &mut Html, epochs: &[&EpochRecord], last: usize, kept: Option<u32>) {
    let shown = if epochs.len() < last { format!(" ({} of them)", epochs.len()) } else { String::new() };
    html.put(
        "<details><summary>All figures of {}{}</summary><div class=\"scroll\">\n",
        &[&count(last, "epoch"), &shown],
    );
    html.raw(
        "<table class=\"numbers\"><thead><tr><th scope=\"col\">epoch</th><th scope=\"col\">training loss</th>\
         <th scope=\"col\">training accuracy</th><th scope=\"col\">validation loss</th>\
         <th scope=\"col\">validation accuracy</th><th scope=\"col\">learning rate</th>\
         <th scope=\"col\">seconds</th></tr></thead><tbody>\n",
    );
    for epoch in epochs {
        let mark = if Some(epoch.epoch) == kept { "kept" } else { "" };
        let (loss, accuracy) = (epoch.val_loss.map(|loss| format!("{loss:.4}")), epoch.val_accuracy.map(percent));
        html.put("<tr class=\"{}\"><th scope=\"row\">{}</th>", &[&mark, &epoch.epoch]);
        html.put(
            "<td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
            &[
                &format_args!("{:.4}", epoch.train_loss),
                &percent(epoch.train_accuracy),
                &loss.unwrap_or_default(),
                &accuracy.unwrap_or_default(),
                &rate_text(epoch.learning_rate),
                &format_args!("{:.1}", epoch.seconds),
            ],
        );
    }
    html.raw("</tbody></table></div></details>\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn learning_rates_are_short() {
        let rates = [0.001, 0.1, 0.000_812_139_8, 0.000_081_213_98, 1e-7, 0.0, 2.0];
        assert_eq!(rates.map(rate_text), ["0.001", "0.1", "0.000812", "8.12e-5", "1e-7", "0", "2"]);
    }
}
