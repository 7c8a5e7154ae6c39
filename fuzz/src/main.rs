//! Feeds one target for as long as is asked, and writes what it finds to a folder.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use glyphnet_fuzz::{Campaign, Limits, Memory, TARGETS, by_name, campaign, check_one};
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const MEMORY: Memory = Memory {
    current: || ALLOCATOR.current_usage(),
    peak: || ALLOCATOR.peak_usage(),
    reset: || ALLOCATOR.reset_peak_usage(),
};

const USAGE: &str = "usage: glyphnet-fuzz TARGET [--inputs N] [--seconds T] [--seed S] [--longest BYTES] [--out FOLDER]
       glyphnet-fuzz TARGET FILE...     feeds these files
       glyphnet-fuzz TARGET --seeds FOLDER     writes the sound inputs, for another fuzzer
The input at work is FOLDER/TARGET-now: if the process dies or hangs, that was it.";

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
            eprintln!("{error}\n{USAGE}\ntargets: {}", names.join(", "));
            ExitCode::from(2)
        }
    }
}

/// What was typed.
struct Typed {
    campaign: Campaign,
    out: PathBuf,
    seeds: Option<PathBuf>,
    files: Vec<PathBuf>,
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Typed, Box<dyn Error>> {
    let limits = Limits::default();
    let campaign = Campaign { inputs: u64::MAX, time: Duration::MAX, seed: 0, longest: 1 << 16, limits };
    let mut typed = Typed { campaign, out: std::env::temp_dir(), seeds: None, files: Vec::new() };
    while let Some(word) = args.next() {
        if !word.starts_with("--") {
            typed.files.push(word.into());
            continue;
        }
        let value = args.next().ok_or_else(|| format!("{word} needs a value"))?;
        match word.as_str() {
            "--inputs" => typed.campaign.inputs = value.parse()?,
            "--seconds" => typed.campaign.time = Duration::from_secs(value.parse()?),
            "--seed" => typed.campaign.seed = value.parse()?,
            "--longest" => typed.campaign.longest = value.parse()?,
            "--out" => typed.out = value.into(),
            "--seeds" => typed.seeds = Some(value.into()),
            _ => return Err(format!("what is {word}?").into()),
        }
    }
    Ok(typed)
}

/// Whether nothing was found.
fn run() -> Result<bool, Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let name = args.next().ok_or("name a target")?;
    let target = by_name(&name).ok_or_else(|| format!("there is no target '{name}'"))?;
    let Typed { campaign: plan, out, seeds, files } = parse(args)?;
    if let Some(folder) = seeds {
        fs::create_dir_all(&folder)?;
        for (i, seed) in (target.seeds)().iter().enumerate() {
            fs::write(folder.join(format!("{name}-{i:02}")), seed)?;
        }
        return Ok(true);
    }
    if !files.is_empty() {
        let mut sound = true;
        for file in files {
            let outcome = check_one(target, &fs::read(&file)?, &plan.limits, Some(MEMORY));
            sound &= outcome.result.is_ok();
            println!("{}: {:?}, {:?}, {} bytes", file.display(), outcome.result, outcome.time, outcome.bytes);
        }
        return Ok(sound);
    }
    fs::create_dir_all(&out)?;
    let now = out.join(format!("{name}-now"));
    let start = Instant::now();
    let clock = watchdog(&now, plan.limits.time);
    let report = campaign(target, &plan, Some(MEMORY), |count, input| {
        clock.store(start.elapsed().as_millis() as u64, Ordering::Relaxed);
        if let Err(error) = fs::write(&now, input) {
            eprintln!("{}: {error}", now.display());
        }
        if count > 0 && count.is_multiple_of(100_000) {
            eprintln!("{name}: {count} inputs, {:.0} s", start.elapsed().as_secs_f64());
        }
    });
    fs::remove_file(&now)?;
    println!(
        "{name}: {} inputs in {:.0} s, {} different answers, slowest {:.2} s, most memory {:.1} MB, {} findings",
        report.inputs,
        start.elapsed().as_secs_f64(),
        report.words,
        report.slowest.as_secs_f64(),
        report.most_bytes as f64 / 1e6,
        report.findings.len()
    );
    for (i, finding) in report.findings.iter().enumerate() {
        let file = out.join(format!("{name}-{}-{i}", plan.seed));
        fs::write(&file, &finding.input)?;
        println!("{}: {}", file.display(), finding.what);
    }
    Ok(report.findings.is_empty())
}

/// Ends the process when an input takes ten times what it may; the clock is set when an input starts.
fn watchdog(now: &Path, limit: Duration) -> &'static AtomicU64 {
    let clock: &'static AtomicU64 = Box::leak(Box::new(AtomicU64::new(0)));
    let (now, start) = (now.to_owned(), Instant::now());
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(Duration::from_secs(1));
            let spent = start.elapsed().saturating_sub(Duration::from_millis(clock.load(Ordering::Relaxed)));
            if spent > 10 * limit {
                println!("it hangs: {}", now.display());
                std::process::exit(1);
            }
        }
    });
    clock
}
