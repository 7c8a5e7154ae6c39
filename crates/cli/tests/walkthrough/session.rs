//! The commands of the walkthrough, run in order in a folder of their own, and its Rust.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use glyphnet::Isa;
use tempfile::TempDir;

/// What the example prints before and after everything else, to tell its lines from the test harness's.
pub(crate) const BEGIN: &str = "---- the example begins ----";
pub(crate) const END: &str = "---- the example ends ----";

/// The ignored test that is nothing but the example.
const EXAMPLE: &str = "example_alone";

/// A folder in which one page is acted out.
pub(crate) struct Session {
    folder: TempDir,
}

/// The instruction set whose numbers are in the pages, if this CPU has it: AVX2, which nearly every x86-64 CPU has. The
/// bits of a run depend on the instruction set and on nothing else of the machine.
pub(crate) fn isa_of_the_pages() -> Option<Isa> {
    "avx2".parse().ok()
}

impl Session {
    pub(crate) fn new() -> Session {
        Session { folder: tempfile::tempdir().unwrap() }
    }

    /// Runs shell commands, which must succeed, and gives the lines of their standard error, then of their standard
    /// output. Training is held to the pages' instruction set.
    pub(crate) fn shell(&self, commands: &[String]) -> Vec<String> {
        let held = |line: &String| match isa_of_the_pages() {
            Some(isa) if line.starts_with("glyphnet train") => format!("{line} --simd {isa}"),
            _ => line.clone(),
        };
        let script: Vec<String> = commands.iter().map(held).collect();
        let binary = Path::new(env!("CARGO_BIN_EXE_glyphnet"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = binary.parent().map(Path::to_owned).into_iter().chain(std::env::split_paths(&path));
        let mut shell = Command::new("sh");
        shell.args(["-euc", &script.join("\n")]).env("PATH", std::env::join_paths(folders).unwrap());
        let Output { status, stdout, stderr } = self.output(&mut shell);
        let text = String::from_utf8(stderr).unwrap() + &String::from_utf8(stdout).unwrap();
        assert!(status.success(), "{commands:?}: {text}");
        text.lines().map(str::to_owned).collect()
    }

    /// Runs the example in this folder, in a process of its own, and gives what it printed in each of its steps, which
    /// it numbers.
    pub(crate) fn example(&self) -> BTreeMap<String, Vec<String>> {
        let mut test = Command::new(std::env::current_exe().unwrap());
        test.args(["--ignored", "--exact", EXAMPLE, "--nocapture"]);
        let Output { status, stdout, stderr } = self.output(&mut test);
        let stdout = String::from_utf8(stdout).unwrap();
        assert!(status.success(), "{stdout}{}", String::from_utf8_lossy(&stderr));
        let (_, printed) = stdout.split_once(BEGIN).unwrap();
        let (printed, _) = printed.split_once(END).unwrap();
        let mut steps: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut step = 0;
        // What a slow machine puts in between.
        let slow = format!("test {EXAMPLE} has been running");
        for line in printed.trim_start_matches('\n').lines().filter(|line| !line.starts_with(&slow)) {
            if line.starts_with(&format!("{}. ", step + 1)) {
                step += 1;
                steps.insert(step.to_string(), Vec::new());
            } else if let Some(lines) = steps.get_mut(&step.to_string()) {
                lines.push(line.to_owned());
            }
        }
        steps
    }

    /// A file of the folder, if it is there.
    pub(crate) fn file(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.folder.path().join(name)).ok()
    }

    fn output(&self, command: &mut Command) -> Output {
        let folder = self.folder.path();
        command.current_dir(folder).stdin(Stdio::null()).env_remove("COLORTERM");
        command.env("XDG_CACHE_HOME", folder.join("cache")).env("HOME", folder.join("home"));
        command.output().unwrap()
    }
}
