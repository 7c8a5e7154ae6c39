//! Feeding a target, with an eye on panics, time and memory.

use std::collections::HashSet;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::mutate::Mutator;
use crate::target::Target;

/// The most that may be spent on one input.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Time.
    pub time: Duration,
    /// Memory, bytes beyond what was in use before.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { time: Duration::from_secs(10), bytes: 512 << 20 }
    }
}

/// How memory is measured: by functions of the program's allocator.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Bytes in use.
    pub current: fn() -> usize,
    /// The most bytes that were in use since the last reset.
    pub peak: fn() -> usize,
    /// Forgets the peak.
    pub reset: fn(),
}

/// How much to feed.
#[derive(Clone, Copy, Debug)]
pub struct Campaign {
    /// At most so many inputs.
    pub inputs: u64,
    /// Not longer than this.
    pub time: Duration,
    /// The inputs follow from this number.
    pub seed: u64,
    /// No input is longer, bytes.
    pub longest: usize,
    /// What one input may take.
    pub limits: Limits,
}

/// An input that should not have done what it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What happened.
    pub what: String,
    /// The input.
    pub input: Vec<u8>,
}

/// What came of a campaign.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Inputs that were fed.
    pub inputs: u64,
    /// Different words that came back.
    pub words: usize,
    /// One finding for each place.
    pub findings: Vec<Finding>,
    /// The slowest input.
    pub slowest: Duration,
    /// The most memory that an input took, bytes.
    pub most_bytes: usize,
}

/// At most so many inputs are kept to start from.
const KEPT: usize = 4096;

/// Feeds `target` mutations of its seeds; `watch` sees each input before the target does.
pub fn campaign(
    target: &'static Target,
    campaign: &Campaign,
    memory: Option<Memory>,
    mut watch: impl FnMut(u64, &[u8]),
) -> Report {
    let mut known = (target.seeds)();
    let mut heard = HashSet::new();
    let mut report = Report::default();
    let mut mutator = Mutator::new(target, campaign.seed, campaign.longest);
    let start = Instant::now();
    let sound = known.len();
    let mut first = known.clone().into_iter();
    while report.inputs < campaign.inputs && start.elapsed() < campaign.time {
        let input = first.next().unwrap_or_else(|| mutator.next(&known, sound));
        watch(report.inputs, &input);
        report.inputs += 1;
        let outcome = check_one(target, &input, &campaign.limits, memory);
        report.slowest = report.slowest.max(outcome.time);
        report.most_bytes = report.most_bytes.max(outcome.bytes);
        let (what, is_finding) = match outcome.result {
            Ok(words) => (words, false),
            Err(what) => (what, true),
        };
        if !heard.insert(without_particulars(&what)) {
            continue;
        }
        if is_finding {
            report.findings.push(Finding { what, input });
        } else if known.len() < KEPT {
            known.push(input);
        }
    }
    report.words = heard.len();
    report
}

/// What one input did.
#[derive(Debug)]
pub struct Checked {
    /// The target's words, or what went wrong.
    pub result: Result<String, String>,
    /// How long it took.
    pub time: Duration,
    /// How much memory it took, bytes; 0 if that is not measured.
    pub bytes: usize,
}

/// The panic that was caught last: message and place.
static PANIC: Mutex<String> = Mutex::new(String::new());

/// Feeds one input.
pub fn check_one(target: &Target, input: &[u8], limits: &Limits, memory: Option<Memory>) -> Checked {
    let before = memory.map_or(0, |memory| {
        (memory.reset)();
        (memory.current)()
    });
    let old = panic::take_hook();
    panic::set_hook(Box::new(|info| {
        if let Ok(mut panic) = PANIC.lock() {
            *panic = info.to_string();
        }
    }));
    let start = Instant::now();
    let result = panic::catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    let time = start.elapsed();
    panic::set_hook(old);
    let bytes = memory.map_or(0, |memory| (memory.peak)().saturating_sub(before));
    let result = match result {
        Err(_) => Err(format!("panic: {}", PANIC.lock().map(|panic| panic.clone()).unwrap_or_default())),
        Ok(_) if time > limits.time => Err("it takes too long".to_owned()),
        Ok(_) if bytes > limits.bytes => Err("it takes too much memory".to_owned()),
        Ok(words) => Ok(words),
    };
    Checked { result, time, bytes }
}

/// The words without what differs from input to input: numbers and what is quoted.
fn without_particulars(words: &str) -> String {
    let mut short = String::new();
    let mut quoted = false;
    for c in words.chars().take(300) {
        match c {
            '\'' | '`' | '"' => quoted = !quoted,
            _ if quoted => {}
            '0'..='9' if short.ends_with('#') => {}
            '0'..='9' => short.push('#'),
            _ => short.push(c),
        }
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::Container;

    fn picky(bytes: &[u8]) -> String {
        assert!(!bytes.contains(&b'!'), "no exclamations");
        format!("{} bytes", bytes.len())
    }

    static PICKY: Target =
        Target { name: "picky", run: picky, seeds: || vec![vec![b'a'; 4]], words: &["!"], container: Container::None };

    #[test]
    fn a_panic_is_found_once_and_the_same_inputs_come_again() {
        let limits = Limits::default();
        let plan = Campaign { inputs: 300, time: Duration::from_secs(60), seed: 1, longest: 64, limits };
        let mut inputs = [Vec::new(), Vec::new()];
        for inputs in &mut inputs {
            let report = campaign(&PICKY, &plan, None, |_, input| inputs.push(input.to_vec()));
            assert_eq!((report.inputs, report.findings.len()), (300, 1));
            assert!(report.findings[0].what.contains("no exclamations"));
            assert!(report.findings[0].input.contains(&b'!'));
        }
        assert_eq!(inputs[0], inputs[1]);
    }

    #[test]
    fn what_takes_too_long_or_too_much_is_a_finding() {
        let too_long = Limits { time: Duration::ZERO, ..Limits::default() };
        assert_eq!(check_one(&PICKY, b"a", &too_long, None).result, Err("it takes too long".to_owned()));
        let memory = Memory { current: || 1, peak: || 5, reset: || {} };
        let outcome = check_one(&PICKY, b"a", &Limits { bytes: 3, ..Limits::default() }, Some(memory));
        assert_eq!((outcome.result, outcome.bytes), (Err("it takes too much memory".to_owned()), 4));
    }

    #[test]
    fn particulars_are_left_out() {
        assert_eq!(without_particulars("'x.csv', line 12: 'ab' is not 300"), ", line #:  is not #");
    }
}
