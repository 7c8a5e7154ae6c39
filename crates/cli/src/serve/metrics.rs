//! What is counted, and how Prometheus reads it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::loaded::Loaded;

/// Upper ends of the buckets of a request's time, in seconds.
const SECONDS: [f64; 14] =
    [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// Upper ends of the buckets of a batch's size, in images.
const IMAGES: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// Everything that is counted.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    requests: Mutex<BTreeMap<(&'static str, u16), Histogram<14>>>,
    batches: Mutex<Histogram<9>>,
    /// Requests that are being answered.
    pub(crate) active: Gauge,
    /// Connections that are open.
    pub(crate) connections: Arc<Gauge>,
    reloads: [AtomicU64; 2],
    /// Lines of the log that were dropped because nobody read them fast enough.
    pub(crate) lost_lines: AtomicU64,
}

/// How often values fell below each bound, and their sum.
#[derive(Debug, Clone)]
struct Histogram<const N: usize> {
    counts: [u64; N],
    count: u64,
    sum: f64,
}

impl<const N: usize> Default for Histogram<N> {
    fn default() -> Self {
        Histogram { counts: [0; N], count: 0, sum: 0.0 }
    }
}

impl<const N: usize> Histogram<N> {
    fn add(&mut self, bounds: &[f64; N], value: f64) {
        if let Some(bucket) = bounds.iter().position(|&bound| value <= bound) {
            self.counts[bucket] += 1;
        }
        self.count += 1;
        self.sum += value;
    }

    /// Prometheus's lines; `labels` end in a comma where there are some.
    fn write(&self, text: &mut String, name: &str, labels: &str, bounds: &[f64; N]) {
        let mut below = 0;
        for (bound, count) in bounds.iter().zip(self.counts) {
            below += count;
            let _ = writeln!(text, "{name}_bucket{{{labels}le=\"{bound}\"}} {below}");
        }
        let _ = writeln!(text, "{name}_bucket{{{labels}le=\"+Inf\"}} {}", self.count);
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.trim_end_matches(',')) };
        let _ = writeln!(text, "{name}_sum{labels} {}", self.sum);
        let _ = writeln!(text, "{name}_count{labels} {}", self.count);
    }
}

/// A number that goes up and down.
#[derive(Debug, Default)]
pub(crate) struct Gauge(AtomicU64);

/// One more in a gauge, until it is dropped.
pub(crate) struct Counted<G: Deref<Target = Gauge>>(G);

impl<G: Deref<Target = Gauge>> Counted<G> {
    pub(crate) fn new(gauge: G) -> Counted<G> {
        gauge.0.fetch_add(1, Ordering::Relaxed);
        Counted(gauge)
    }
}

impl Gauge {
    pub(crate) fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl<G: Deref<Target = Gauge>> Drop for Counted<G> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Metrics {
    /// A request was answered.
    pub(crate) fn request(&self, route: &'static str, status: u16, took: Duration) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.entry((route, status)).or_default().add(&SECONDS, took.as_secs_f64());
    }

    /// So many images were predicted together.
    pub(crate) fn batch(&self, images: usize) {
        self.batches.lock().unwrap_or_else(PoisonError::into_inner).add(&IMAGES, images as f64);
    }

    /// The model was read again, or could not be.
    pub(crate) fn reload(&self, succeeded: bool) {
        self.reloads[usize::from(!succeeded)].fetch_add(1, Ordering::Relaxed);
    }

    /// Batches and images that were predicted.
    pub(crate) fn predicted(&self) -> (u64, u64) {
        let batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        (batches.count, batches.sum as u64)
    }

    /// All of it in Prometheus's text format 0.0.4.
    pub(crate) fn text(&self, name: &str, loaded: &Loaded, waiting: usize) -> String {
        let mut text = String::with_capacity(8 << 10);
        heading(&mut text, "glyphnet_request_seconds", "histogram", "Time from a request's headers to its response.");
        for (&(route, status), histogram) in self.requests.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let labels = format!("route=\"{route}\",status=\"{status}\",");
            histogram.write(&mut text, "glyphnet_request_seconds", &labels, &SECONDS);
        }
        heading(&mut text, "glyphnet_batch_images", "histogram", "Images that were predicted together.");
        let batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner).clone();
        batches.write(&mut text, "glyphnet_batch_images", "", &IMAGES);
        let mut single = |name: &str, kind: &str, help: &str, labels: &str, value: u64| {
            heading(&mut text, name, kind, help);
            let _ = writeln!(text, "{name}{labels} {value}");
        };
        single("glyphnet_waiting_images", "gauge", "Images that wait for a thread.", "", waiting as u64);
        single("glyphnet_active_requests", "gauge", "Requests that are being answered.", "", self.active.value());
        single("glyphnet_connections", "gauge", "Open connections.", "", self.connections.value());
        let lost = self.lost_lines.load(Ordering::Relaxed);
        single("glyphnet_log_lines_lost_total", "counter", "Lines of the log that were dropped.", "", lost);
        let (input, parameters) = (loaded.model().input(), loaded.model().networks().parameters());
        let labels = format!(
            "{{name=\"{name}\",input=\"{input}\",classes=\"{}\",parameters=\"{parameters}\",generation=\"{}\"}}",
            loaded.model().classes().len(),
            loaded.generation(),
        );
        single("glyphnet_model_info", "gauge", "The model that is served; generation counts its reloads.", &labels, 1);
        heading(&mut text, "glyphnet_reloads_total", "counter", "Attempts to read the model again.");
        for (result, count) in ["ok", "failed"].iter().zip(&self.reloads) {
            let _ = writeln!(text, "glyphnet_reloads_total{{result=\"{result}\"}} {}", count.load(Ordering::Relaxed));
        }
        text
    }
}

fn heading(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative() {
        let mut histogram = Histogram::<2>::default();
        for value in [0.5, 1.0, 1.5, 9.0] {
            histogram.add(&[1.0, 2.0], value);
        }
        let mut text = String::new();
        histogram.write(&mut text, "x", "a=\"b\",", &[1.0, 2.0]);
        let expected = [
            "x_bucket{a=\"b\",le=\"1\"} 2",
            "x_bucket{a=\"b\",le=\"2\"} 3",
            "x_bucket{a=\"b\",le=\"+Inf\"} 4",
            "x_sum{a=\"b\"} 12",
            "x_count{a=\"b\"} 4",
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_gauge_falls_when_what_it_counts_ends() {
        let gauge = Gauge::default();
        let inside = Counted::new(&gauge);
        assert_eq!(gauge.value(), 1);
        drop(inside);
        assert_eq!(gauge.value(), 0);
    }
}
