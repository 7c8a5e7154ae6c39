//! Numbers along the side of a chart.

use crate::sample_grid::can_draw;
use crate::text::Typeface;

/// A range of numbers, and those of them that are written beside it. On a logarithmic axis all are logarithms to the
/// base 10.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Axis {
    pub(crate) from: f64,
    pub(crate) to: f64,
    /// Where something is written, and what.
    ticks: Vec<(f64, String)>,
    pub(crate) logarithmic: bool,
}

impl Axis {
    /// A range that ends at round numbers and has `low` and `high` in it, with about `most` of them written. What is no
    /// finite number, or next to nothing, counts as 0.
    pub(crate) fn linear(low: f64, high: f64, most: usize) -> Axis {
        let usable = |value: f64| value.is_finite() && value.abs() > 1e-290;
        let [low, high] = [low, high].map(|value| if usable(value) { value.clamp(-1e300, 1e300) } else { 0.0 });
        let (low, high) = (low.min(high), low.max(high));
        let pad = if low == 0.0 { 1.0 } else { low.abs() * 0.05 };
        let (low, high) = if high - low > high.abs() * 1e-9 { (low, high) } else { (low - pad, high + pad) };
        let step = round_step((high - low) / most.max(1) as f64);
        let (first, last) = ((low / step + 1e-9).floor(), (high / step - 1e-9).ceil());
        let ticks = (0..=(last - first) as usize).map(|place| (first + place as f64) * step);
        let ticks = ticks.map(|at| (at, number(at, step))).collect();
        Axis { from: first * step, to: last * step, ticks, logarithmic: false }
    }

    /// A logarithmic range around `low` and `high`, which must be above 0, with about six numbers written.
    pub(crate) fn decades(low: f64, high: f64) -> Axis {
        Axis::powers(low, high, 6)
    }

    /// The same with about `most` numbers.
    pub(crate) fn powers(low: f64, high: f64, most: usize) -> Axis {
        let (low, high) = (low.log10(), high.log10());
        let pad = ((high - low) * 0.04).max(0.02);
        let (from, to) = (low - pad, high + pad);
        let factors: &[f64] = if to - from < 2.5 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let stride = ((to - from) / most.max(1) as f64).ceil().max(1.0) as usize;
        let powers = (from.floor() as i32..=to.ceil() as i32).step_by(stride);
        let values = powers.flat_map(|power| factors.iter().map(move |factor| (factor, power)));
        let ticks = values.map(|(factor, power)| (factor.log10() + f64::from(power), decade(*factor, power)));
        let ticks = ticks.filter(|(at, _)| (from..=to).contains(at)).collect();
        Axis { from, to, ticks, logarithmic: true }
    }

    /// For losses: from 0, or logarithmic where the highest is more than 25 times the lowest.
    pub(crate) fn from_zero_or_decades(low: f64, high: f64) -> Axis {
        if low > 0.0 && high / low > 25.0 { Axis::decades(low, high) } else { Axis::linear(0.0, high, 5) }
    }

    /// For learning rates: from 0, or logarithmic where most have less than a fifth of the highest, as after steps down.
    pub(crate) fn of_rates(rates: impl Iterator<Item = f64> + Clone) -> Axis {
        let low = rates.clone().fold(f64::INFINITY, f64::min);
        let high = rates.clone().fold(0.0, f64::max);
        let (few, all) = rates.fold((0, 0), |(few, all), rate| (few + usize::from(rate < high / 5.0), all + 1));
        if low > 0.0 && few * 2 > all { Axis::decades(low, high) } else { Axis::linear(0.0, high * 1.05, 4) }
    }

    /// Epochs 1 to `count`, as many of them written as fit into `width` pixels at this text size.
    pub(crate) fn epochs(count: usize, width: f32, size: f32) -> Axis {
        let count = count.max(1);
        let pad = if count == 1 { 0.6 } else { (count - 1) as f64 * 0.035 };
        let label = Typeface::new(size).width(&count.to_string()) + 28.0;
        let most = (width / label).floor().max(1.0);
        let step = round_step(count as f64 / f64::from(most)).max(1.0);
        let ticks = (1..=count).filter(|epoch| (*epoch as f64 % step) == 0.0);
        let ticks = ticks.map(|epoch| (epoch as f64, epoch.to_string())).collect();
        Axis { from: 1.0 - pad, to: count as f64 + pad, ticks, logarithmic: false }
    }

    /// Words side by side, at 1, 2, and so on, each cut to its share of `width` pixels at this text size.
    pub(crate) fn words(words: &[String], width: f32, size: f32) -> Axis {
        let face = Typeface::new(size);
        let count = words.len().max(1);
        let room = (width / count as f32 - 8.0).max(0.0);
        let written = |(place, word): (usize, &String)| {
            let word = if can_draw(word) { face.fit(word, room) } else { (place + 1).to_string() };
            ((place + 1) as f64, word)
        };
        let ticks = words.iter().enumerate().map(written).collect();
        Axis { from: 0.5, to: count as f64 + 0.5, ticks, logarithmic: false }
    }

    /// The same numbers with so much more on both sides.
    pub(crate) fn widened(self, room: f64) -> Axis {
        Axis { from: self.from - room, to: self.to + room, ..self }
    }

    /// Where `value` is on it.
    pub(crate) fn at(&self, value: f64) -> f64 {
        if self.logarithmic { value.log10() } else { value }
    }

    /// Where something is written.
    pub(crate) fn places(&self) -> Vec<f64> {
        self.ticks.iter().map(|(at, _)| *at).collect()
    }

    /// What is written there.
    pub(crate) fn label(&self, place: f64) -> String {
        let found = self.ticks.iter().find(|(at, _)| *at == place);
        found.map(|(_, label)| label.clone()).unwrap_or_default()
    }

    /// The width of the longest number at this text size, in pixels.
    pub(crate) fn widest(&self, size: f32) -> f32 {
        let face = Typeface::new(size);
        self.ticks.iter().map(|(_, label)| face.width(label)).fold(0.0, f32::max)
    }
}

/// The smallest of 1, 2, 5, 10, 20, ... (and 0.5, 0.2, ...) that is not below `step`.
fn round_step(step: f64) -> f64 {
    let power = (step.log10() + 1e-9).floor();
    let unit = 10_f64.powi(power as i32);
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * unit >= step * (1.0 - 1e-9));
    // 0.1 from one division is the number that people write; from a product it may be its neighbour.
    if power < 0.0 { factor.unwrap_or(10.0) / 10_f64.powi(-power as i32) } else { factor.unwrap_or(10.0) * unit }
}

/// A multiple of `step` with as many decimals as tell it from the next.
fn number(value: f64, step: f64) -> String {
    let decimals = (-(step.log10() + 1e-9).floor()).max(0.0);
    if value == 0.0 {
        return "0".to_owned();
    }
    if decimals <= 5.0 && value.abs() < 1e6 {
        return format!("{value:.*}", decimals as usize);
    }
    let digits = (value.abs().log10() + 1e-9).floor() - (step.log10() + 1e-9).floor();
    format!("{value:.*e}", digits.clamp(0.0, 6.0) as usize)
}

/// `factor` times ten to the `power`, as people write it.
fn decade(factor: f64, power: i32) -> String {
    match power {
        0..=5 => format!("{:.0}", factor * 10_f64.powi(power)),
        -4..0 => format!("{:.*}", -power as usize, factor / 10_f64.powi(-power)),
        _ => format!("{factor:.0}e{power}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> String {
        axis.places().iter().map(|&at| axis.label(at)).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn numbers_are_round_and_have_the_decimals_that_they_need() {
        assert_eq!(labels(&Axis::linear(0.0, 0.338, 5)), "0 0.1 0.2 0.3 0.4");
        assert_eq!(labels(&Axis::linear(97.34, 98.92, 5)), "97.0 97.5 98.0 98.5 99.0");
        assert_eq!(labels(&Axis::linear(0.0, 0.00105, 5)), "0 0.0005 0.0010 0.0015");
        assert_eq!(labels(&Axis::linear(0.0, 2.2e-7, 5)), "0 5e-8 1.0e-7 1.5e-7 2.0e-7 2.5e-7");
        assert_eq!(labels(&Axis::linear(0.0, 3.1e9, 4)), "0 1e9 2e9 3e9 4e9");
        assert_eq!(labels(&Axis::linear(100.0, 100.0, 4)), "95 100 105");
        assert_eq!(labels(&Axis::decades(0.012, 0.9)), "0.02 0.05 0.1 0.2 0.5 1");
        assert_eq!(labels(&Axis::decades(1e-7, 30.0)), "1e-6 0.0001 0.01 1");
    }

    #[test]
    fn every_range_holds_what_it_is_for() {
        let odd = [0.0, 1e-300, 1e-9, 0.1, 0.3, 1.0, 2.3, 97.0, 1e12, 1e300];
        for low in odd {
            for high in odd {
                let axis = Axis::linear(low, high, 5);
                let (least, most) = (low.min(high), low.max(high));
                assert!(axis.from <= least * (1.0 + 1e-9) && axis.to >= most * (1.0 - 1e-9), "{low} {high}: {axis:?}");
                assert!(axis.from < axis.to && (2..=12).contains(&axis.places().len()), "{low} {high}: {axis:?}");
            }
            let axis = Axis::decades(low.max(1e-9), low.max(1e-9) * 40.0);
            assert!(axis.places().len() >= 2 && axis.places().len() < 9, "{axis:?}");
        }
        for strange in [f64::NAN, f64::INFINITY] {
            let axis = Axis::linear(strange, strange, 5);
            assert!(axis.from.is_finite() && axis.from < axis.to);
        }
    }

    #[test]
    fn epochs_are_whole_and_do_not_crowd() {
        assert_eq!(labels(&Axis::epochs(1, 400.0, 18.0)), "1");
        assert_eq!(labels(&Axis::epochs(3, 400.0, 18.0)), "1 2 3");
        assert_eq!(labels(&Axis::epochs(10, 400.0, 18.0)), "2 4 6 8 10");
        assert_eq!(labels(&Axis::epochs(500, 400.0, 18.0)), "100 200 300 400 500");
        let none = Axis::epochs(0, 400.0, 18.0);
        assert!(none.from < none.to);
        for count in 1..600 {
            let axis = Axis::epochs(count, 220.0, 18.0);
            let gap = 220.0 / (axis.to - axis.from);
            let step = axis.places().windows(2).map(|pair| pair[1] - pair[0]).fold(f64::INFINITY, f64::min);
            assert!(step * gap > f64::from(axis.widest(18.0)) + 6.0, "{count}: {axis:?}");
            assert!(!axis.places().is_empty());
        }
    }
}
