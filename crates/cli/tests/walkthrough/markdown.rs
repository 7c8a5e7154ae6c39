//! What a Markdown page is made of, as far as the tests care: code, pictures, links, headings and tables.

use std::fs;
use std::path::{Path, PathBuf};

/// One page.
pub(crate) struct Page {
    pub(crate) path: PathBuf,
    lines: Vec<String>,
    /// Fenced and indented code, in order.
    pub(crate) blocks: Vec<Block>,
    /// Everything outside the code.
    prose: Vec<String>,
}

/// A block of code.
pub(crate) struct Block {
    /// What follows the opening fence, `rust 5`; nothing for indented code.
    pub(crate) info: String,
    /// The code, without the indentation of indented code.
    pub(crate) lines: Vec<String>,
    /// The number of the first of them in the page, from 0.
    pub(crate) first: usize,
}

/// A picture with the file that it is a copy of, in the folder where the page's commands run.
#[derive(Debug, PartialEq)]
pub(crate) struct Picture {
    /// Relative to the page.
    pub(crate) path: String,
    /// The picture's title, which names the file.
    pub(crate) drawn: String,
}

impl Block {
    /// The first word of the info string.
    pub(crate) fn language(&self) -> &str {
        self.info.split(' ').next().unwrap_or_default()
    }

    /// The rest of it.
    pub(crate) fn name(&self) -> &str {
        self.info.split_once(' ').map_or("", |(_, name)| name)
    }
}

impl Page {
    /// Reads a page of the repository.
    pub(crate) fn read(name: &str) -> Page {
        let path = repository().join(name);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut page = Page { path, lines: text.lines().map(str::to_owned).collect(), blocks: vec![], prose: vec![] };
        page.parse();
        page
    }

    fn parse(&mut self) {
        let mut lines = self.lines.iter().enumerate().peekable();
        let mut blank = true;
        while let Some((number, line)) = lines.next() {
            if let Some(info) = line.strip_prefix("```") {
                let code = lines.by_ref().map_while(|(_, line)| (line != "```").then(|| line.clone())).collect();
                self.blocks.push(Block { info: info.to_owned(), lines: code, first: number + 1 });
            } else if let (true, Some(code)) = (blank, line.strip_prefix("    ")) {
                let mut code = vec![code.to_owned()];
                while let Some((_, next)) = lines.next_if(|(_, line)| line.starts_with("    ")) {
                    code.push(next[4..].to_owned());
                }
                self.blocks.push(Block { info: String::new(), lines: code, first: number });
            } else {
                self.prose.push(line.clone());
            }
            blank = line.is_empty();
        }
    }

    /// The page with other code in its fenced blocks: `code[i]` instead of that of block `i`.
    pub(crate) fn with_code(&self, code: &[Vec<String>]) -> String {
        let (mut text, mut next) = (Vec::new(), 0);
        for (block, code) in self.blocks.iter().zip(code) {
            text.extend_from_slice(&self.lines[next..block.first]);
            text.extend_from_slice(code);
            next = block.first + block.lines.len();
        }
        text.extend_from_slice(&self.lines[next..]);
        text.join("\n") + "\n"
    }

    /// The pictures whose titles name a file.
    pub(crate) fn pictures(&self) -> Vec<Picture> {
        let titled = |(target, is_picture): &(String, bool)| {
            let (path, title) = target.split_once(" \"").filter(|_| *is_picture)?;
            Some(Picture { path: path.to_owned(), drawn: title.trim_end_matches('"').to_owned() })
        };
        self.targets().iter().filter_map(titled).collect()
    }

    /// Where links and pictures lead, without titles.
    pub(crate) fn links(&self) -> Vec<String> {
        self.targets().into_iter().map(|(target, _)| target.split(' ').next().unwrap_or_default().to_owned()).collect()
    }

    /// What stands in the parentheses of `[text](target)`, and whether it is a picture's.
    fn targets(&self) -> Vec<(String, bool)> {
        // Links may be broken over two lines.
        let prose = self.prose.join("\n");
        let mut targets = Vec::new();
        for (place, _) in prose.match_indices("](") {
            let Some((target, _)) = prose[place + 2..].split_once(')') else { continue };
            let opening = prose[..place].rfind('[').unwrap_or(0);
            targets.push((target.to_owned(), prose[..opening].ends_with('!')));
        }
        targets
    }

    /// The levels of the headings, and the sizes of the tables in rows and columns, in order.
    pub(crate) fn shape(&self) -> Vec<String> {
        let mut shape: Vec<String> = Vec::new();
        for line in &self.prose {
            let level = line.chars().take_while(|&c| c == '#').count();
            if level > 0 {
                shape.push(format!("heading {level}"));
            } else if line.starts_with('|') {
                shape.push(format!("row of {}", line.matches('|').count() - line.matches("\\|").count()));
            }
        }
        shape
    }

    /// The places of a page's code that differ from another's, in words.
    pub(crate) fn differences(&self, other: &Page) -> Vec<String> {
        let mut differences = Vec::new();
        if self.blocks.len() != other.blocks.len() {
            differences.push(format!("{} and {} blocks of code", self.blocks.len(), other.blocks.len()));
        }
        for (own, others) in self.blocks.iter().zip(&other.blocks) {
            if (&own.info, &own.lines) != (&others.info, &others.lines) {
                differences.push(format!("{}:{} and line {}", self.path.display(), own.first + 1, others.first + 1));
            }
        }
        differences
    }
}

/// The repository's root.
pub(crate) fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The lines between `// ANCHOR: name` and `// ANCHOR_END: name`, without their common indentation, by name in order.
pub(crate) fn regions(source: &str) -> Vec<(String, Vec<String>)> {
    let mut regions: Vec<(String, Vec<String>)> = Vec::new();
    let mut open = false;
    for line in source.lines() {
        if let Some(name) = line.trim().strip_prefix("// ANCHOR: ") {
            regions.push((name.to_owned(), Vec::new()));
            open = true;
        } else if line.trim().starts_with("// ANCHOR_END: ") {
            open = false;
        } else if let (true, Some((_, lines))) = (open, regions.last_mut()) {
            lines.push(line.to_owned());
        }
    }
    regions.iter_mut().for_each(|(_, lines)| dedent(lines));
    regions
}

/// Takes away the indentation that all lines share.
fn dedent(lines: &mut [String]) {
    let indentation = |line: &String| line.len() - line.trim_start().len();
    let common = lines.iter().filter(|line| !line.is_empty()).map(indentation).min().unwrap_or(0);
    for line in lines {
        line.drain(..common.min(line.len()));
    }
}
