//! What can be typed: one type per command. What it means is worked out in [`crate::commands`].

mod bench;
mod serve;
mod tune;

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use glyphnet::train::RateRange;

pub(crate) use self::bench::{BenchRecipeArgs, FinalNetwork};
pub(crate) use self::serve::{LogFormat, ServeArgs, is_plain};
pub(crate) use self::tune::{Method, TuneArgs};

/// From a pile of small labelled images to a trained classifier, on an ordinary CPU.
#[derive(Debug, Parser)]
#[command(name = "glyphnet", version, arg_required_else_help = true, after_help = FIRST_STEPS)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const FIRST_STEPS: &str = "\
First steps:
  glyphnet inspect               see the digits of MNIST, which are inside this program
  glyphnet train --fast-run      train the reference network on them for one epoch
  glyphnet train --data kaggle/train.csv

SRC is one of: mnist (inside this program, the default); the name of a fetched dataset; a folder of IDX files;
train.csv with a label column and pixels; an .npz as Keras ships it; a folder train/<class>/*.png with optional
validation/ and test/ beside train/. IDX and CSV files may be gzipped.

Exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show what is in the data, and write a grid of samples
    Inspect(InspectArgs),
    /// Train a network and save the run in a folder
    Train(TrainArgs),
    /// List the layers with their output shapes, parameters and multiplications
    Summary(SummaryArgs),
    /// Measure the loss and accuracy of a model on labelled data
    Evaluate(EvaluateArgs),
    /// Say which labels of the training images are probably wrong, as a list and a picture
    FindLabelIssues(LabelIssuesArgs),
    /// Find a learning rate by the range test: a few steps at growing rates, as a picture and a suggestion
    LrFind(LrFindArgs),
    /// Search for a better recipe: vary settings, train a trial of each, and keep what is best on validation
    Tune(TuneArgs),
    /// Show runs beside each other: results, settings that differ, and their learning curves in one picture
    Compare(CompareArgs),
    /// Train recipes from many seeds and print mean, spread, time and cost; goes on where it was interrupted
    BenchRecipe(BenchRecipeArgs),
    /// Classify images, folders of images and CSV files
    Predict(PredictArgs),
    /// Classify Kaggle's test.csv and write the submission file
    Submit(SubmitArgs),
    /// Show a run as one page that can be sent to anybody, report.html in its folder; it needs neither data nor model
    Report(ReportArgs),
    /// Write a model as a file that runs without this program: ONNX for other runtimes, or a page for browsers
    Export(ExportArgs),
    /// Serve a model over HTTP: a page, a JSON API and the Open Inference Protocol (docs/serving.md)
    Serve(ServeArgs),
    /// Copy data into another format
    Convert(ConvertArgs),
    /// Download a dataset and check it
    Fetch(FetchArgs),
}

/// Which data to open, and as what.
#[derive(Debug, ClapArgs)]
pub(crate) struct DataArgs {
    /// The data: mnist, a fetched dataset, a file or a folder
    #[arg(long, value_name = "SRC", default_value = "mnist")]
    pub(crate) data: String,
    #[command(flatten)]
    pub(crate) image: ImageArgs,
}

/// What to make of images that differ in size or colour.
#[derive(Debug, ClapArgs)]
pub(crate) struct ImageArgs {
    /// Resize image files to HEIGHTxWIDTH pixels, or to a square of N
    #[arg(long, value_name = "HxW|N", value_parser = parse_size)]
    pub(crate) size: Option<(usize, usize)>,
    /// Make images grey (1) or RGB (3)
    #[arg(long, value_name = "1|3", value_parser = ["1", "3"])]
    pub(crate) channels: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct InspectArgs {
    #[command(flatten)]
    pub(crate) source: DataArgs,
    /// Where the grid of samples goes, a .png
    #[arg(long, value_name = "FILE", default_value = "samples.png")]
    pub(crate) out: PathBuf,
    /// Which samples: another seed shows others
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// A recipe with what is laid over it, and how it is run on this machine.
#[derive(Debug, ClapArgs)]
pub(crate) struct RecipeArgs {
    /// A shipped recipe, or a file (a run.toml repeats its run)
    #[arg(long, value_name = "NAME|FILE", default_value = "seed")]
    pub(crate) recipe: String,
    /// The data, instead of the recipe's
    #[arg(long, value_name = "SRC")]
    pub(crate) data: Option<String>,
    /// Images per step
    #[arg(long, value_name = "N")]
    pub(crate) batch_size: Option<usize>,
    /// Seed of everything random
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Threads to use [default: all cores]; they do not change the result
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<std::num::NonZeroUsize>,
    /// Instruction set, for reading CSV and augmentation too: auto, avx512, avx2, neon or scalar
    #[arg(long, value_name = "SET", default_value = "auto")]
    pub(crate) simd: String,
    /// Replace any setting of the recipe, for example optimizer.learning_rate=0.01; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct TrainArgs {
    #[command(flatten)]
    pub(crate) settings: RecipeArgs,
    /// At most so many epochs; with --resume the run is extended to so many
    #[arg(long, value_name = "N")]
    pub(crate) epochs: Option<u32>,
    /// One epoch only
    #[arg(long, conflicts_with = "epochs")]
    pub(crate) fast_run: bool,
    /// Train so many networks, of seeds that follow each other, and average what they say; with --resume it adds networks
    #[arg(long, value_name = "N")]
    pub(crate) ensemble: Option<u32>,
    /// The run's folder, new or empty [default: runs/<recipe>-<n>]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Write event files for TensorBoard, into the folder tensorboard of the run; a run that has them goes on with them
    #[arg(long)]
    pub(crate) tensorboard: bool,
    /// Leave the test images alone: the network is not measured on them, nor is it where the run goes on
    #[arg(long)]
    pub(crate) no_test: bool,
    /// Draw no pictures and write no report
    #[arg(long)]
    pub(crate) no_report: bool,
    /// Take the end of standard input for a signal to stop: for a parent process
    #[arg(long, hide = true)]
    pub(crate) stop_at_eof: bool,
    /// Go on with the run in this folder, to the same result as if it had never been interrupted
    #[arg(long, value_name = "RUN", conflicts_with_all = ["recipe", "batch_size", "seed", "fast_run", "out"])]
    pub(crate) resume: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct LabelIssuesArgs {
    #[command(flatten)]
    pub(crate) settings: RecipeArgs,
    /// How many parts the training images are dealt into; each is judged by a network that was trained on the others
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) folds: usize,
    /// Epochs of each network [default: 5, or the recipe's if those are fewer]
    #[arg(long, value_name = "N")]
    pub(crate) epochs: Option<u32>,
    /// The folder of the results, new or empty [default: runs/label-issues-<n>]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct LrFindArgs {
    #[command(flatten)]
    pub(crate) settings: RecipeArgs,
    /// The rate of the first step
    #[arg(long, value_name = "RATE", allow_hyphen_values = true, default_value_t = RateRange::default().lowest())]
    pub(crate) from: f64,
    /// The rate of the last step; the test ends before it where the loss has grown too much
    #[arg(long, value_name = "RATE", allow_hyphen_values = true, default_value_t = RateRange::default().highest())]
    pub(crate) to: f64,
    /// Steps, each of one batch and at a rate of its own
    #[arg(long, value_name = "N", default_value_t = RateRange::default().steps())]
    pub(crate) steps: u32,
    /// Where the picture goes, a .png
    #[arg(long, value_name = "FILE", default_value = "lr-find.png")]
    pub(crate) out: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct SummaryArgs {
    /// A shipped recipe, or a file
    #[arg(long, value_name = "NAME|FILE", default_value = "seed", conflicts_with = "model")]
    pub(crate) recipe: String,
    /// A model file or a run folder, instead of a recipe
    #[arg(long, value_name = "FILE|RUN")]
    pub(crate) model: Option<PathBuf>,
    /// The data that gives a recipe its input shape and classes, instead of the recipe's
    #[arg(long, value_name = "SRC", conflicts_with = "model")]
    pub(crate) data: Option<String>,
    /// Print how the network will be run instead: what runs together, by which kernels, in how much memory
    #[arg(long)]
    pub(crate) plan: bool,
    /// Images per step, instead of the recipe's
    #[arg(long, value_name = "N", requires = "plan", conflicts_with = "model")]
    pub(crate) batch_size: Option<std::num::NonZeroUsize>,
    /// Threads to plan for [default: all cores]
    #[arg(long, value_name = "N", requires = "plan")]
    pub(crate) threads: Option<std::num::NonZeroUsize>,
    /// Instruction set: auto, avx512, avx2, neon or scalar [default: auto]
    #[arg(long, value_name = "SET", requires = "plan")]
    pub(crate) simd: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct EvaluateArgs {
    /// A model file or a run folder; the run's own train and validation images need its folder
    #[arg(long, value_name = "FILE|RUN")]
    pub(crate) model: PathBuf,
    /// The data [default: that of the run, else mnist]
    #[arg(long, value_name = "SRC")]
    pub(crate) data: Option<String>,
    /// The splits to measure; on the data of a run train and validation are what it learned from and held out
    #[arg(long = "split", value_enum, value_delimiter = ',', default_value = "test")]
    pub(crate) splits: Vec<SplitName>,
    /// Threads to use [default: all cores]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<std::num::NonZeroUsize>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct CompareArgs {
    /// The folders of two or more runs, finished or not
    #[arg(required = true, num_args = 2.., value_name = "RUN")]
    pub(crate) runs: Vec<PathBuf>,
    /// Where the picture of the learning curves goes, a .png
    #[arg(long, value_name = "FILE", default_value = "compare.png")]
    pub(crate) out: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct PredictArgs {
    /// A model file or a run folder
    #[arg(long, value_name = "FILE|RUN")]
    pub(crate) model: PathBuf,
    /// Images of any size, folders of images, CSV files of pixels
    #[arg(required = true, value_name = "INPUT")]
    pub(crate) inputs: Vec<PathBuf>,
    /// How to print: the formats json and csv are stable (docs/predict-output.md)
    #[arg(long, value_enum, default_value_t = OutputFormat::Table)]
    pub(crate) format: OutputFormat,
    /// Swap dark and light: auto swaps an image that is the other way round than what a grey model has learned, and
    /// never an image for a colour model; yes swaps all, no none
    #[arg(long, value_enum, default_value_t = Invert::Auto)]
    pub(crate) invert: Invert,
    /// How many classes to show for an image, the likeliest first
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = parse_top)]
    pub(crate) top: usize,
    /// Threads to use [default: all cores]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<std::num::NonZeroUsize>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct SubmitArgs {
    /// A model file or a run folder
    #[arg(long, value_name = "FILE|RUN")]
    pub(crate) model: PathBuf,
    /// Kaggle's test.csv (pixels, no labels; may be gzipped)
    #[arg(value_name = "test.csv")]
    pub(crate) input: PathBuf,
    /// The file to write
    #[arg(short, long, value_name = "FILE", default_value = "submission.csv")]
    pub(crate) output: PathBuf,
    /// Threads to use [default: all cores]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<std::num::NonZeroUsize>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ReportArgs {
    /// The run's folder; the run may be finished, interrupted or still training
    #[arg(value_name = "RUN")]
    pub(crate) run: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ExportArgs {
    /// A model file or a run folder
    #[arg(long, value_name = "FILE|RUN")]
    pub(crate) model: PathBuf,
    /// What to write
    #[arg(long, value_enum)]
    pub(crate) format: ExportFormat,
    /// The file to write [default: model.onnx or model.html]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Where the images come from on which the written file is compared with the model [default: the data of the run,
    /// else mnist]
    #[arg(long, value_name = "SRC")]
    pub(crate) data: Option<String>,
    /// Write a model with test-time augmentation (preprocess.tta_below) as one without: an ONNX file sees each image once
    #[arg(long)]
    pub(crate) without_tta: bool,
    /// Threads to use [default: all cores]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<std::num::NonZeroUsize>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ConvertArgs {
    /// The data to copy
    #[arg(value_name = "SRC")]
    pub(crate) source: String,
    /// The new folder, or file for npz
    #[arg(value_name = "DEST")]
    pub(crate) dest: PathBuf,
    /// The format to write
    #[arg(long, value_enum)]
    pub(crate) to: FormatName,
    /// Split anew: all labelled images are shuffled, the first N train, the next M test; Kaggle's test loses its labels
    #[arg(long, value_name = "N,M", value_delimiter = ',')]
    pub(crate) sizes: Vec<usize>,
    /// Seed of that shuffle
    #[arg(long, value_name = "N", default_value_t = 0, requires = "sizes")]
    pub(crate) seed: u64,
    #[command(flatten)]
    pub(crate) image: ImageArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct FetchArgs {
    /// mnist, fashion-mnist or kmnist
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Download from here first: the URL of the folder that holds the four files
    #[arg(long, value_name = "URL")]
    pub(crate) mirror: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SplitName {
    Train,
    Validation,
    Test,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    Table,
    Json,
    Csv,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Invert {
    Auto,
    Yes,
    No,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    Onnx,
    Html,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatName {
    Idx,
    Kaggle,
    Npz,
    Folder,
}

/// `32x48` is height and width, `32` both.
fn parse_size(text: &str) -> Result<(usize, usize), String> {
    let (height, width) = text.split_once(['x', 'X']).unwrap_or((text, text));
    let number = |side: &str| side.trim().parse::<usize>().ok().filter(|&n| n > 0);
    match (number(height), number(width)) {
        (Some(height), Some(width)) => Ok((height, width)),
        _ => Err("give a height and a width, for example 32x48, or one number for both".to_owned()),
    }
}

/// A number of classes, at least 1; more than there are means all.
fn parse_top(text: &str) -> Result<usize, String> {
    let number = text.parse::<usize>().ok().filter(|&n| n > 0);
    number.ok_or_else(|| "give a whole number, at least 1: how many classes to show".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn sizes_are_one_number_or_two() {
        assert_eq!(parse_size("28"), Ok((28, 28)));
        assert_eq!(parse_size("32x48"), Ok((32, 48)));
        for wrong in ["", "x", "32x", "-1", "0", "3.5", "1x2x3"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }
}
