//! Each target for a moment: its seeds, what once was found, and some thousand mutations.

use std::path::Path;
use std::time::Duration;

use glyphnet_fuzz::{Campaign, Limits, Memory, TARGETS, campaign, check_one};
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const MEMORY: Memory = Memory {
    current: || ALLOCATOR.current_usage(),
    peak: || ALLOCATOR.peak_usage(),
    reset: || ALLOCATOR.reset_peak_usage(),
};

/// All in one test, as memory is that of the whole process.
#[test]
fn no_input_makes_a_reader_panic_hang_or_take_much_memory() {
    let limits = Limits::default();
    for target in &TARGETS {
        let words: Vec<String> = (target.seeds)().iter().map(|seed| (target.run)(seed)).collect();
        let is_sound = |words: &&String| words.split("; ").any(|part| ["read", "a model"].contains(&part));
        assert!(words.iter().filter(is_sound).count() >= words.len().div_ceil(2), "{}: {words:?}", target.name);
        let found = Path::new(env!("CARGO_MANIFEST_DIR")).join("found").join(target.name);
        for entry in std::fs::read_dir(&found).into_iter().flatten() {
            let path = entry.unwrap().path();
            let outcome = check_one(target, &std::fs::read(&path).unwrap(), &limits, Some(MEMORY));
            assert!(outcome.result.is_ok(), "{}: {:?}", path.display(), outcome.result);
        }
        let plan = Campaign { inputs: 3000, time: Duration::from_secs(20), seed: 1, longest: 1 << 16, limits };
        let report = campaign(target, &plan, Some(MEMORY), |_, _| {});
        let findings: Vec<_> = report.findings.iter().map(|finding| &finding.what).collect();
        assert!(findings.is_empty(), "{}: {findings:#?}", target.name);
        assert!(report.words > 10, "{}: only {} different answers", target.name, report.words);
    }
}
