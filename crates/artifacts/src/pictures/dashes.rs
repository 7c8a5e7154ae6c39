//! Broken lines, which are told apart without colours.

use plotters::style::Color;

use super::canvas::Canvas;

/// Draws a line through `points` that is broken as `pattern` says: so many pixels drawn, so many left out, and so on,
/// from its beginning again. An empty pattern draws it whole.
pub(crate) fn dashed(canvas: &mut Canvas, points: &[(f32, f32)], width: f32, pattern: &[f32], colour: &impl Color) {
    if pattern.iter().sum::<f32>() <= 0.0 {
        return canvas.line(points, width, colour);
    }
    let mut lengths = pattern.iter().copied().cycle();
    let (mut left, mut drawn) = (lengths.next().unwrap_or(1.0), true);
    let mut dash: Vec<(f32, f32)> = points.first().copied().into_iter().collect();
    for ends in points.windows(2) {
        let (from, to) = (ends[0], ends[1]);
        let length = (to.0 - from.0).hypot(to.1 - from.1);
        let mut gone = 0.0;
        while length - gone > left {
            gone += left;
            let share = gone / length;
            let at = (from.0 + share * (to.0 - from.0), from.1 + share * (to.1 - from.1));
            dash.push(at);
            if drawn {
                canvas.line(&dash, width, colour);
            }
            dash = vec![at];
            (left, drawn) = (lengths.next().unwrap_or(1.0), !drawn);
        }
        left -= length - gone;
        dash.push(to);
    }
    if drawn {
        canvas.line(&dash, width, colour);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pictures::theme::{INK, PAPER};

    #[test]
    fn a_pattern_goes_on_around_corners() {
        let mut canvas = Canvas::new(60.0, 60.0);
        dashed(&mut canvas, &[(5.5, 5.5), (25.5, 5.5), (25.5, 45.5)], 1.0, &[10.0, 5.0], &INK);
        // Drawn: 0 to 10, 15 to 25 around the corner at 20, 30 to 40, 45 to 55.
        let at = |along: f32| if along < 20.0 { (5.5 + along, 5.5) } else { (25.5, along - 14.5) };
        for along in [2.0, 8.0, 17.0, 20.0, 23.0, 32.0, 38.0, 47.0, 53.0] {
            assert_eq!(canvas.colour(at(along)), INK, "{along}");
        }
        for along in [12.0, 13.0, 27.0, 28.0, 42.0, 43.0, 57.0, 58.0] {
            assert_eq!(canvas.colour(at(along)), PAPER, "{along}");
        }
    }

    #[test]
    fn odd_lines_and_patterns_end() {
        let mut canvas = Canvas::new(20.0, 20.0);
        for points in [&[][..], &[(3.0, 3.0)], &[(3.0, 3.0), (3.0, 3.0)]] {
            for pattern in [&[][..], &[0.0], &[4.0], &[0.0, 3.0]] {
                dashed(&mut canvas, points, 1.0, pattern, &INK);
            }
        }
    }
}
