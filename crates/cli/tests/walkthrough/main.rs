//! The walkthrough and the READMEs, in both languages, show what the program and the library do: every command of
//! `docs/walkthrough.md` is run, every Rust line is compiled and run, and what they print is compared with the page.
//!
//! After a change on purpose this rewrites the code, the outputs and the pictures of both walkthroughs (on a CPU with AVX2):
//!
//!     UPDATE_WALKTHROUGH=1 cargo test --package glyphnet-cli --test walkthrough

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod compare;
#[path = "../../examples/walkthrough.rs"]
#[allow(dead_code, reason = "its main is for cargo run")]
mod example;
mod markdown;
mod session;

use std::collections::BTreeMap;
use std::fs;

use markdown::{Block, Page, Picture, regions, repository};
use session::{BEGIN, END, Session, isa_of_the_pages};

const PAGES: [&str; 2] = ["docs/walkthrough.md", "docs/walkthrough.ko.md"];
const READMES: [&str; 2] = ["README.md", "README.ko.md"];

/// The names of a walkthrough's kinds of blocks, in its info strings.
const SHELL: &str = "sh";
const RUST: &str = "rust";
const OUTPUT: &str = "text";
const RECIPE: &str = "toml";
const FILE: &str = "csv";

/// What a page should show.
struct Truth {
    /// The lines of each block.
    code: Vec<Vec<String>>,
    /// By the name of the file that a picture is a copy of.
    files: BTreeMap<String, Vec<u8>>,
}

#[test]
fn the_walkthrough_shows_what_its_commands_and_its_rust_do() {
    let pages = PAGES.map(Page::read);
    let truth = act_out(&pages[0]);
    if std::env::var_os("UPDATE_WALKTHROUGH").is_some() {
        assert!(isa_of_the_pages().is_some(), "the outputs in the walkthrough are those of AVX2");
        update(&pages, &truth);
    }
    let problems: Vec<String> = PAGES.map(Page::read).iter().flat_map(|page| problems(page, &truth)).collect();
    let advice = "if that is meant, run UPDATE_WALKTHROUGH=1 cargo test --package glyphnet-cli --test walkthrough";
    assert!(problems.is_empty(), "{}\n{advice}", problems.join("\n"));
}

#[test]
#[ignore = "the_walkthrough_shows_what_its_commands_and_its_rust_do runs it, in a folder of its own"]
fn example_alone() {
    if !std::path::Path::new("kaggle/train.csv").exists() {
        return; // not in that folder
    }
    println!("{BEGIN}");
    example::run(isa_of_the_pages().unwrap_or_else(glyphnet::Isa::detect)).unwrap();
    println!("{END}");
}

#[test]
fn both_languages_show_the_same() {
    for [english, korean] in [PAGES, READMES].map(|names| names.map(Page::read)) {
        let differences = english.differences(&korean);
        assert!(differences.is_empty(), "{}", differences.join("\n"));
        assert_eq!(english.shape(), korean.shape(), "headings and tables of {}", korean.path.display());
        assert_eq!(english.pictures(), korean.pictures(), "pictures of {}", korean.path.display());
        let (mut of_english, mut of_korean) = (pages_linked(&english), pages_linked(&korean));
        of_english.sort_unstable();
        of_korean.sort_unstable();
        assert_eq!(of_english, of_korean, "links of {}", korean.path.display());
    }
}

/// Where the links of a page lead, whatever the language there; anchors are in the language of the page.
fn pages_linked(page: &Page) -> Vec<String> {
    let neutral = |link: String| link.split('#').next().unwrap_or_default().replace(".ko.md", ".md");
    page.links().into_iter().map(neutral).collect()
}

#[test]
fn links_between_files_lead_somewhere() {
    for page in PAGES.iter().chain(&READMES).map(|name| Page::read(name)) {
        let folder = page.path.parent().unwrap();
        for link in page.links().iter().filter(|link| !link.starts_with("http")) {
            let file = link.split('#').next().unwrap();
            assert!(file.is_empty() || folder.join(file).exists(), "{}: {link}", page.path.display());
        }
    }
}

#[test]
fn the_readme_shows_lines_of_the_example() {
    let mut example: Vec<String> = fs::read_to_string(repository().join("crates/glyphnet/examples/reference.rs"))
        .unwrap()
        .lines()
        .map(|line| line.trim().to_owned())
        .collect();
    example.retain(|line| !line.is_empty());
    let page = Page::read("README.md");
    let shown = page.blocks.iter().find(|block| block.language() == RUST).unwrap();
    let shown: Vec<&str> = shown.lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty()).collect();
    assert!(example.windows(shown.len()).any(|lines| lines == shown), "README.md:{:#?}", shown);
}

/// Runs all commands of a page in their order, then the example, and finds out what the page should show.
fn act_out(page: &Page) -> Truth {
    let source = fs::read_to_string(repository().join("crates/cli/examples/walkthrough.rs")).unwrap();
    let regions = regions(&source);
    let shown: Vec<&str> = page.blocks.iter().filter(|block| block.language() == RUST).map(Block::name).collect();
    let there: Vec<&str> = regions.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(shown, there, "the regions of the example are shown in order");

    let session = Session::new();
    let said: Vec<Vec<String>> = page
        .blocks
        .iter()
        .map(|block| if block.language() == SHELL { session.shell(&block.lines) } else { Vec::new() })
        .collect();
    let names: Vec<String> = named_files(page);
    let read = || names.iter().filter_map(|name| Some((name.clone(), session.file(name)?))).collect::<BTreeMap<_, _>>();
    let by_commands = read();
    let steps = session.example();
    let files = read();
    for (name, bytes) in &by_commands {
        assert!(files.get(name) == Some(bytes), "{name}: the example writes another file than the command");
    }
    let regions: BTreeMap<String, Vec<String>> = regions.into_iter().collect();
    let code = (0..page.blocks.len()).map(|i| {
        let block = &page.blocks[i];
        match block.language() {
            SHELL => block.lines.clone(),
            RUST => regions[block.name()].clone(),
            RECIPE => table_of(block.name(), block),
            FILE => head(&files[block.name()], &block.lines),
            OUTPUT => match page.blocks[..i].last() {
                Some(before) if before.language() == SHELL => said[i - 1].clone(),
                // Lines that belong to a step but are no step, such as `watch`, may stand between it and its output.
                Some(before) if before.language() == RUST => {
                    let step = page.blocks[..i].iter().rev().find_map(|block| steps.get(block.name()));
                    step.cloned().unwrap_or_default()
                }
                _ => panic!("{}: whose output is block {i}?", page.path.display()),
            },
            other => panic!("{}: what is a block of '{other}'?", page.path.display()),
        }
    });
    Truth { code: code.collect(), files }
}

/// The files that pictures and blocks of a page name.
fn named_files(page: &Page) -> Vec<String> {
    let blocks = page.blocks.iter().filter(|block| block.language() == FILE).map(|block| block.name().to_owned());
    blocks.chain(page.pictures().into_iter().map(|picture| picture.drawn)).collect()
}

/// The lines of a recipe from the header that a block begins with to the next empty line.
fn table_of(recipe: &str, block: &Block) -> Vec<String> {
    let toml = fs::read_to_string(repository().join(recipe)).unwrap();
    let header = block.lines.first().and_then(|line| line.split_whitespace().next()).unwrap_or_default();
    let begins = |line: &&str| !header.is_empty() && line.starts_with(header);
    let lines = toml.lines().skip_while(|line| !begins(line)).take_while(|line| !line.is_empty());
    let lines: Vec<String> = lines.map(str::to_owned).collect();
    assert!(!lines.is_empty(), "{recipe} has no table '{header}', as line {} of the page says", block.first + 1);
    lines
}

/// As many lines of a file as are shown; a last line `...` stands for the rest.
fn head(file: &[u8], shown: &[String]) -> Vec<String> {
    let text = String::from_utf8(file.to_vec()).unwrap();
    let rest = shown.last().is_some_and(|line| line == "...");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if rest && lines.len() >= shown.len() {
        lines.truncate(shown.len() - 1);
        lines.push("...".to_owned());
    }
    lines
}

/// Where a page differs from what it should show. A CPU without the instruction set of the pages learns another network:
/// there everything is run, but what comes out is compared with nothing.
fn problems(page: &Page, truth: &Truth) -> Vec<String> {
    let mut problems = Vec::new();
    if page.blocks.len() != truth.code.len() {
        return vec![format!("{}: {} blocks instead of {}", page.path.display(), page.blocks.len(), truth.code.len())];
    }
    for (block, code) in page.blocks.iter().zip(&truth.code) {
        if isa_of_the_pages().is_none() && matches!(block.language(), OUTPUT | FILE) {
            continue;
        }
        if let Err(problem) = compare::lines(&block.lines, code) {
            let place = block.first + 1;
            problems.push(format!("{}:{place}: block '{}': {problem}", page.path.display(), block.info));
        }
    }
    for Picture { path, drawn } in page.pictures() {
        let shown = fs::read(page.path.parent().unwrap().join(&path)).unwrap_or_default();
        let found = truth.files.get(&drawn).map_or(&[][..], Vec::as_slice);
        if let (true, Err(problem)) = (isa_of_the_pages().is_some(), compare::pictures(&shown, found)) {
            problems.push(format!("{}: {path} should be {drawn}: {problem}", page.path.display()));
        }
    }
    problems
}

/// Writes what they should show into the pages of one text, and their pictures. What is right in the first but for times
/// stays as it is.
fn update(pages: &[Page], truth: &Truth) {
    let blocks = pages[0].blocks.iter().zip(&truth.code);
    let kept = |shown: &Vec<String>, code: &Vec<String>| compare::lines(shown, code).is_ok().then(|| shown.clone());
    let code: Vec<Vec<String>> =
        blocks.map(|(block, code)| kept(&block.lines, code).unwrap_or_else(|| code.clone())).collect();
    for page in pages {
        assert_eq!(page.blocks.len(), code.len(), "blocks of code in {}", page.path.display());
        fs::write(&page.path, page.with_code(&code)).unwrap();
        for Picture { path, drawn } in page.pictures() {
            let (place, drawn) = (page.path.parent().unwrap().join(&path), &truth.files[&drawn]);
            if fs::read(&place).map_or(true, |shown| compare::pictures(&shown, drawn).is_err()) {
                fs::write(place, drawn).unwrap();
            }
        }
    }
}
