//! Images on which what was written is compared with the model: real ones that it has not learned from, where there are any.

use std::borrow::Cow;

use glyphnet::Model;
use glyphnet_data::{Dataset, ImageShape, Images, Part, Source};
use glyphnet_kernels::random::{Purpose, Stream};

use crate::args::ExportArgs;
use crate::commands::run_data::{self, Run};
use crate::commands::splits::Splits;
use crate::commands::text::count;
use crate::commands::{model, source};
use crate::error::{CliError, chain};
use crate::output::say;

/// So many are enough to see every mistake that rounding is not.
const MOST: usize = 1000;
/// How many to make up where no data fits.
const MADE_UP: usize = 256;
/// Real images inside the program.
const EMBEDDED: &str = "mnist";

/// Images to compare on.
pub(super) struct HeldOut {
    pub(super) images: Images,
    /// What they are, for example `1,000 test images of mnist`.
    pub(super) what: String,
}

/// Those of `--data`; else of the data that the model's run was trained on; else of MNIST, if the model takes such images;
/// else noise.
pub(super) fn find(model: &Model, args: &ExportArgs) -> Result<HeldOut, CliError> {
    let run = Run::of_model(&args.model)?;
    if let Some(name) = &args.data {
        return open(model, name, run.as_ref(), true);
    }
    if let Some(run) = &run {
        match run_data::locate(&run.recipe, &run.file).and_then(|name| open(model, &name, Some(run), false)) {
            Err(CliError::Failed(error)) => say!("note: without the data of the run: {}", chain(&*error)),
            found => return found,
        }
    }
    open(model, EMBEDDED, None, false).or_else(|_| made_up(model.input()))
}

/// Of the data that `name` names: test images, else those that the run held out, else those to train on.
fn open(model: &Model, name: &str, run: Option<&Run>, named: bool) -> Result<HeldOut, CliError> {
    let options = run.map(|run| source::options_of(&run.recipe)).unwrap_or_default();
    let data = model::open_images(model, name, &options, source::open_silently)?;
    let parts = [Part::Test, Part::Validation, Part::Train];
    let found = parts.into_iter().find_map(|part| {
        let images = split(&data, run, named, part)?.images.clone();
        (!images.is_empty()).then_some((part, images))
    });
    let (part, images) = found.ok_or_else(|| CliError::failed(format!("there are no images in {name}")))?;
    let images = spread(&images);
    let what = format!("{} of {name}", count(images.len(), &format!("{part} image")));
    Ok(HeldOut { images, what })
}

/// The images of one split. Test and train are as the data have them, whatever the run made of them.
fn split<'a>(data: &'a Source, run: Option<&Run>, named: bool, part: Part) -> Option<Cow<'a, Dataset>> {
    if part == Part::Validation {
        let splits = Splits::new(data, run, &[part], named).ok()?;
        return splits.get(part).ok().map(|dataset| Cow::Owned(dataset.into_owned()));
    }
    data.parts().find(|(own, _)| *own == part).map(|(_, dataset)| Cow::Borrowed(dataset))
}

/// At most [`MOST`], from all over: image folders are sorted by their classes.
fn spread(images: &Images) -> Images {
    let (all, kept) = (images.len(), images.len().min(MOST));
    images.select(&(0..kept).map(|i| (i * all / kept) as u32).collect::<Vec<u32>>())
}

/// Noise, each image of its own brightness and contrast; always the same.
fn made_up(shape: ImageShape) -> Result<HeldOut, CliError> {
    let mut draw = Stream::new(0, Purpose::Sample, 0, 0);
    let mut pixels = Vec::with_capacity(MADE_UP * shape.len());
    for _ in 0..MADE_UP {
        let (a, b) = (draw.uniform(0.0, 256.0), draw.uniform(0.0, 256.0));
        pixels.extend((0..shape.len()).map(|_| draw.uniform(a.min(b), a.max(b)) as u8));
    }
    let what =
        format!("{} of noise, for want of data that the model takes (--data names some)", count(MADE_UP, "image"));
    Ok(HeldOut { images: Images::new(shape, pixels)?, what })
}
