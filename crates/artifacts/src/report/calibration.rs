//! How far the probabilities can be believed: the reliability diagram and its figures.

use glyphnet::analysis::{Bin, Calibration};

use super::page::Split;
use crate::html::{Html, Px};
use crate::numbers::{count, grouped, percent};
use crate::pictures::reliability::wilson;

/// Size of the diagram and of its frame, in its own units.
const WIDTH: f64 = 380.0;
const HEIGHT: f64 = 372.0;
const LEFT: f64 = 48.0;
const RIGHT: f64 = WIDTH - 20.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 270.0;
/// The strip below, which shows where the images are.
const STRIP: std::ops::Range<f64> = 284.0..326.0;

pub(super) fn write_calibration(html: &mut Html, split: &Split<'_>) {
    let calibration = &split.analysis.calibration;
    html.put("<div class=\"block\"><h3>Calibration <small>{} images</small></h3>\n", &[&split.name()]);
    html.put("<p class=\"note\">{}</p>\n", &[&in_words(calibration, split.analysis.accuracy)]);
    write_diagram(html, calibration);
    html.raw(
        "<ul class=\"legend\"><li><span class=\"key whiskers\"></span>right, with its 95 % interval (Wilson)</li>\
         <li><span class=\"key dashes\"></span>as sure as right</li></ul>\n",
    );
    write_table(html, calibration);
    html.raw("</div>\n");
}

fn in_words(calibration: &Calibration, accuracy: f64) -> String {
    let sure = calibration.mean(|bin| bin.confidence);
    let verdict = match sure - accuracy {
        gap if gap.abs() < 0.0005 => "that fits".to_owned(),
        gap if gap > 0.0 => format!("{:.2} points too sure", gap * 100.0),
        gap => format!("{:.2} points too modest", -gap * 100.0),
    };
    let (ece, mce) = (percent(calibration.ece), percent(calibration.mce));
    format!(
        "On average the network is {} sure of its answer and right in {}: {verdict}. Expected calibration error {ece}, \
         the largest of a bin {mce}.",
        percent(sure),
        percent(accuracy)
    )
}

fn x(share: f64) -> Px {
    Px(LEFT + share * (RIGHT - LEFT))
}

fn y(share: f64) -> Px {
    Px(BOTTOM - share * (BOTTOM - TOP))
}

fn write_diagram(html: &mut Html, calibration: &Calibration) {
    html.put(
        "<svg class=\"reliability\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"Reliability diagram: share that \
         is right by probability\">\n",
        &[&Px(WIDTH), &Px(HEIGHT)],
    );
    for step in 0..=5 {
        let share = f64::from(step) / 5.0;
        let label = format!("{:.0} %", share * 100.0);
        html.put("<path class=\"grid\" d=\"M{} {}H{}\"/>", &[&Px(LEFT), &y(share), &Px(RIGHT)]);
        html.put("<text class=\"y\" x=\"{}\" y=\"{}\">{}</text>", &[&Px(LEFT - 6.0), &Px(y(share).0 + 4.0), &label]);
        html.put("<text class=\"x\" x=\"{}\" y=\"{}\">{}</text>\n", &[&x(share), &Px(STRIP.end + 18.0), &label]);
    }
    let most = calibration.bins.iter().map(|bin| bin.count).max().unwrap_or(0);
    for bin in calibration.bins.iter().filter(|bin| bin.count > 0) {
        write_bin(html, bin, most);
    }
    html.put("<path class=\"ideal\" d=\"M{} {}L{} {}\"/>\n", &[&x(0.0), &y(0.0), &x(1.0), &y(1.0)]);
    html.put("<path class=\"axis\" d=\"M{} {}H{}\"/>", &[&Px(LEFT), &Px(BOTTOM), &Px(RIGHT)]);
    html.put("<path class=\"axis\" d=\"M{} {}H{}\"/>", &[&Px(LEFT), &Px(STRIP.end), &Px(RIGHT)]);
    html.put("<text class=\"y\" x=\"{}\" y=\"{}\">images</text>", &[&Px(LEFT - 6.0), &Px(STRIP.end)]);
    html.put(
        "<text class=\"x\" x=\"{}\" y=\"{}\">probability of the answer</text>\n</svg>\n",
        &[&Px((LEFT + RIGHT) / 2.0), &Px(HEIGHT - 6.0)],
    );
}

/// The share that is right as a bar, with a mark where the images are in the mean and what chance alone could make of
/// so few; below, how many images there are, by their logarithm.
fn write_bin(html: &mut Html, bin: &Bin, most: u64) {
    let (left, width) = (Px(x(bin.lower).0 + 1.0), Px(x(bin.upper).0 - x(bin.lower).0 - 2.0));
    let share = (bin.count as f64 + 1.0).ln() / (most as f64 + 1.0).ln();
    let high = Px(((STRIP.end - STRIP.start) * share).max(1.5));
    let right = Px((BOTTOM - y(bin.accuracy).0).max(1.0));
    html.put(
        "<g><title>{} to {}: {}, {} sure on average, {} right</title>",
        &[
            &format_args!("{:.0}", bin.lower * 100.0),
            &format_args!("{:.0} %", bin.upper * 100.0),
            &count(bin.count as usize, "image"),
            &percent(bin.confidence),
            &percent(bin.accuracy),
        ],
    );
    let (sure, [low, high_end]) = (x(bin.confidence), wilson(bin).map(y));
    for (class, bottom, height) in [("bin", BOTTOM, right), ("count", STRIP.end, high)] {
        html.put(
            "<rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>",
            &[&class, &left, &Px(bottom - height.0), &width, &height],
        );
    }
    html.put("<path class=\"whisker\" d=\"M{} {}V{}\"/>", &[&sure, &low, &high_end]);
    html.put("<circle class=\"mean\" cx=\"{}\" cy=\"{}\" r=\"4\"/></g>\n", &[&sure, &y(bin.accuracy)]);
}

fn write_table(html: &mut Html, calibration: &Calibration) {
    html.raw(
        "<details><summary>Figures of the bins</summary><div class=\"scroll\"><table class=\"numbers\"><thead><tr>\
         <th scope=\"col\">probability</th><th scope=\"col\">images</th><th scope=\"col\">mean probability</th>\
         <th scope=\"col\">right</th></tr></thead><tbody>\n",
    );
    for bin in calibration.bins.iter().filter(|bin| bin.count > 0) {
        html.put(
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td></tr>\n",
            &[
                &format_args!("{:.1} to {:.1} %", bin.lower * 100.0, bin.upper * 100.0),
                &grouped(bin.count),
                &percent(bin.confidence),
                &percent(bin.accuracy),
            ],
        );
    }
    html.raw("</tbody></table></div></details>\n");
}
