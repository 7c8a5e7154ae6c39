//! Pages of made-up runs: whole ones, and ones that lack what a run may lack.

use glyphnet::ImageShape;
use glyphnet::evaluate::{SavedSplit, Score};
use glyphnet::recipe::Recipe;
use glyphnet::train::Metrics;

use super::page::MOST_LOSSES;
use super::*;
use crate::numbers::percent;
use crate::pictures::history;
use glyphnet::saved_run::{DataFacts, SavedRun, SplitFacts, Thumbnails};

/// A number from 0 to 1 that looks random.
fn noise(n: usize) -> f64 {
    let mut x = (n as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    ((x ^ (x >> 29)) % 10_000) as f64 / 10_000.0
}

/// Of each five images about one is taken for another class.
fn predictions(split: &str, classes: usize, images: usize) -> SavedSplit {
    let labels: Vec<u32> = (0..images).map(|image| (image % classes) as u32).collect();
    let mut probabilities = Vec::new();
    for (image, &label) in labels.iter().enumerate() {
        let taken = if noise(image) < 0.2 { (noise(image * 7) * classes as f64) as usize } else { label as usize };
        let sure = 0.5 + 0.499 * noise(image * 3);
        let rest = (1.0 - sure) / (classes - 1) as f64;
        probabilities.extend((0..classes).map(|class| if class == taken { sure as f32 } else { rest as f32 }));
    }
    SavedSplit {
        split: split.to_owned(),
        indices: (100..100 + images as u32).collect(),
        labels,
        probabilities,
        classes,
    }
}

fn thumbnails(split: &str, shape: ImageShape, count: usize) -> Thumbnails {
    let pixels = (0..count * shape.len()).map(|at| (noise(at) * 255.0) as u8).collect();
    Thumbnails { split: split.to_owned(), rows: (0..count as u32).collect(), shape, pixels }
}

fn score(saved: &SavedSplit) -> Score {
    let analysis = glyphnet::analysis::Analysis::new(&saved.labels, &saved.probabilities, saved.classes).unwrap();
    Score { loss: analysis.loss, accuracy: analysis.accuracy }
}

/// A finished run with everything in it.
fn run(classes: usize, images: usize, shape: ImageShape, stored: usize) -> SavedRun {
    let [validation, test] = ["validation", "test"].map(|split| predictions(split, classes, images));
    let counts = |saved: &SavedSplit| SplitFacts {
        split: saved.split.clone(),
        images,
        per_class: Some((0..classes as u32).map(|c| saved.labels.iter().filter(|&&l| l == c).count() as u64).collect()),
    };
    let metrics = Metrics {
        recipe: "seed".to_owned(),
        seed: 0,
        threads: 2,
        simd: "avx2".to_owned(),
        epochs_run: 12,
        best_epoch: 9,
        train_seconds: 31.4,
        images_per_second: 9045.2,
        data_wait_seconds: 0.2,
        flops: Some(71_000_000_000_000),
        validation: Some(score(&validation)),
        test: Some(score(&test)),
        interrupted: false,
        extended: Vec::new(),
        members: Vec::new(),
    };
    let facts = DataFacts {
        classes: (0..classes).map(|class| format!("kind {class}")).collect(),
        image: shape,
        splits: vec![counts(&validation), counts(&test)],
    };
    SavedRun {
        path: "runs/seed-1".into(),
        name: "seed-1".to_owned(),
        recipe: Recipe::load("seed").unwrap(),
        facts: Some(facts),
        history: history(12, true),
        metrics: Some(metrics),
        predictions: vec![validation, test],
        thumbnails: ["validation", "test"].map(|split| thumbnails(split, shape, stored)).to_vec(),
    }
}

fn small() -> SavedRun {
    run(3, 300, ImageShape::new(10, 8, 3), 200)
}

/// The texts of a page's elements must be well nested; gives the names of all elements that were opened.
fn elements(page: &str) -> Vec<String> {
    const EMPTY: [&str; 4] = ["meta", "link", "input", "!DOCTYPE"];
    let (mut open, mut all): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    let mut rest = page;
    while let Some(start) = rest.find('<') {
        let end = start + rest[start..].find('>').unwrap();
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "before {}", &rest[..rest.len().min(200)]);
            continue;
        }
        let name = tag.split([' ', '/']).next().unwrap();
        assert!(!name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '!'), "<{tag}>");
        all.push(name.to_owned());
        if ["script", "style"].contains(&name) {
            rest = &rest[rest.find(&format!("</{name}>")).unwrap() + name.len() + 3..];
        } else if !EMPTY.contains(&name) && !tag.ends_with('/') {
            open.push(name.to_owned());
        }
    }
    assert!(open.is_empty(), "{open:?}");
    all
}

/// What the script is told.
fn told(page: &str) -> serde_json::Value {
    let (_, rest) = page.split_once("<script type=\"application/json\" id=\"run\">").unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

/// The page's words, without tags.
fn words(page: &str) -> String {
    let body = page.split_once("<body>").unwrap().1;
    let mut text = String::new();
    let mut inside = false;
    for c in body.chars() {
        match c {
            '<' => inside = true,
            '>' => inside = false,
            c if !inside => text.push(c),
            _ => {}
        }
    }
    text
}

#[test]
fn a_finished_run_has_everything() {
    let run = small();
    let page = html(&run).unwrap();
    elements(&page);
    let text = words(&page);
    let test = score(&run.predictions[1]).accuracy;
    for expected in [
        "seed-1",
        "tells 3 classes of 10 \u{d7} 8 colour images apart, trained on mnist",
        "It ended after 12 of at most 100 epochs. The network of epoch 9 was kept, the best one by validation loss.",
        &percent(test),
        "Validation images",
        "Test images",
        "chooses by them",
        "kind 2",
        "conv2d_1",
        "patience = 10",
        "glyphnet train --recipe runs/seed-1/run.toml",
        "31 s",
    ] {
        assert!(text.contains(expected), "no {expected}");
    }
    let order = ["id=\"validation\"", "id=\"test\"", "id=\"network\""].map(|id| page.find(id).unwrap());
    assert!(order.is_sorted(), "{order:?}");
}

#[test]
fn cells_hold_the_counts_and_the_script_knows_the_images_behind_them() {
    let run = small();
    let page = html(&run).unwrap();
    let SavedSplit { labels, probabilities, .. } = &run.predictions[0];
    let taken: Vec<usize> = probabilities
        .chunks_exact(3)
        .map(|row| (0..3).max_by(|&a, &b| row[a].total_cmp(&row[b]).then(b.cmp(&a))).unwrap())
        .collect();
    let of = |cell: (usize, usize), first: usize| {
        labels.iter().zip(&taken).take(first).filter(|&(&label, &as_)| (label as usize, as_) == cell).count()
    };
    let section = page.split_once("id=\"validation\"").unwrap().1;
    let row = section.split_once("<tr data-label=\"1\">").unwrap().1.split_once("</tr>").unwrap().0;
    for predicted in 0..3 {
        let cell = format!("data-as=\"{predicted}\"><b>{}</b>", of((1, predicted), 300));
        assert!(row.contains(&cell), "no {cell} in {row}");
    }
    let told = told(&page);
    let images = told["splits"][0]["images"].as_array().unwrap();
    assert_eq!(images.len(), 200);
    let behind = images.iter().filter(|image| image[2] == 1 && image[4][0][0] == 2).count();
    assert_eq!(behind, of((1, 2), 200));
    assert!(behind > 2);
    // Numbers in the dataset are not those of the rows.
    assert!(images.iter().all(|image| image[1].as_u64() == image[0].as_u64().map(|row| row + 100)));
    assert_eq!(told["curves"]["epochs"].as_array().unwrap().len(), 12);
    assert_eq!(told["curves"]["panels"][0]["curves"][1]["text"][1], "0.1100");
}

#[test]
fn a_run_may_lack_anything() {
    let page_of = |change: &dyn Fn(&mut SavedRun)| {
        let mut run = small();
        change(&mut run);
        let page = html(&run).unwrap();
        elements(&page);
        let known: Vec<&str> = page.split("id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        for link in page.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(known.contains(&link), "#{link} leads nowhere");
        }
        words(&page)
    };
    let training = |run: &mut SavedRun| {
        (run.metrics, run.predictions, run.thumbnails) = (None, Vec::new(), Vec::new());
        run.history.truncate(3);
    };
    let text = page_of(&training);
    assert!(text.contains("It has had 3 of at most 100 epochs; the best so far is epoch 3."), "{text}");
    assert!(text.contains("validation accuracy") && text.contains("--resume"), "{text}");
    let text = page_of(&|run| {
        training(run);
        run.history.clear();
    });
    assert!(text.contains("No epoch is over yet"), "{text}");
    let interrupted = |run: &mut SavedRun| {
        (run.predictions, run.thumbnails) = (Vec::new(), Vec::new());
        run.metrics.as_mut().unwrap().test = None;
    };
    let text = page_of(&interrupted);
    assert!(text.contains("It was interrupted after 12 epochs; the network of epoch 9 was kept."), "{text}");
    let text = page_of(&|run| {
        interrupted(run);
        let metrics = run.metrics.as_mut().unwrap();
        (metrics.validation, metrics.best_epoch, metrics.epochs_run) = (None, 0, 0);
        run.history.clear();
    });
    assert!(text.contains("interrupted in its first epoch"), "{text}");
    let text = page_of(&|run| {
        drop(run.predictions.remove(0));
        drop(run.thumbnails.remove(0));
        run.history = history(12, false);
        let metrics = run.metrics.as_mut().unwrap();
        (metrics.validation, metrics.best_epoch) = (None, 12);
    });
    assert!(
        text.contains("so the network of the last epoch was kept") && !text.contains("Validation images"),
        "{text}"
    );
    let text = page_of(&|run| {
        drop(run.predictions.remove(1));
        drop(run.thumbnails.remove(1));
        run.metrics.as_mut().unwrap().test = None;
    });
    assert!(text.contains("no test images with labels") && !text.contains("Test images"), "{text}");
    let text = page_of(&|run| run.thumbnails.clear());
    assert!(text.contains("Largest losses") && text.contains("image 1"), "{text}");
    let text = page_of(&|run| run.facts = None);
    assert!(text.contains("tells 3 classes of images apart") && text.contains("does not tell the shape"), "{text}");
}

#[test]
fn names_cannot_break_the_page() {
    let mut run = small();
    let plain = elements(&html(&run).unwrap());
    let hostile = "</script><script>alert(1)</script><img src=x onerror=\"alert(2)\">'";
    run.name = hostile.to_owned();
    run.recipe.data.source = hostile.to_owned();
    run.path = hostile.into();
    let names = ["</script><script>alert(1)</script>", "\"><b onmouseover='x'>", "  "];
    run.facts.as_mut().unwrap().classes = names.map(str::to_owned).to_vec();
    let page = html(&run).unwrap();
    assert_eq!(elements(&page), plain);
    assert!(page.contains("class 2"));
    assert_eq!(told(&page)["classes"][0], names[0]);
}

#[test]
fn the_page_asks_for_nothing() {
    let page = html(&small()).unwrap();
    crate::html::assert_asks_for_nothing(&page);
}

#[test]
fn the_page_stays_below_two_megabytes() {
    // Noise is what compresses least.
    for (classes, images, side) in [(47, 2000, 28), (50, 800, 64), (300, 900, 96)] {
        let mut run = run(classes, images, ImageShape::new(side, side, 3), images);
        run.history = history(5000, true);
        let metrics = run.metrics.as_mut().unwrap();
        (metrics.epochs_run, metrics.best_epoch) = (5000, 1234);
        let long = |class| format!("{class} {}", "\u{d55c}".repeat(200));
        run.facts.as_mut().unwrap().classes = (0..classes).map(long).collect();
        let page = html(&run).unwrap();
        elements(&page);
        assert!(page.len() < 2_000_000, "{classes} classes: {} bytes", page.len());
        assert!(page.contains("epoch 1234"));
        // The images that the page lists are stored before all others.
        let sections = ["validation", "test"].map(|id| page.split_once(&format!("id=\"{id}\"")).unwrap().1);
        for (at, section) in sections.into_iter().enumerate() {
            let section = section.split_once("</section>").unwrap().0;
            let stored = told(&page)["splits"][at]["images"].as_array().unwrap().clone();
            let listed = stored.iter().filter(|image| section.contains(&format!("data-row=\"{}\"", image[0])));
            assert!(stored.len() > 10 && listed.count() >= stored.len().min(MOST_LOSSES), "{classes} classes");
        }
    }
}

#[test]
fn images_that_do_not_fit_are_refused() {
    let refused = |change: fn(&mut Thumbnails)| {
        let mut run = small();
        change(&mut run.thumbnails[0]);
        html(&run).unwrap_err().to_string()
    };
    assert!(
        refused(|thumbnails| thumbnails.pixels.truncate(47_999)).contains("200 images of validation have 47999 values")
    );
    assert!(refused(|thumbnails| thumbnails.rows[7] = 300).contains("row 300, of 300"));
}
