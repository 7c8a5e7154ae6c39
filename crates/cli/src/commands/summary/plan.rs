//! `summary --plan`: how a network will be run.

use std::io::Write as _;

use glyphnet::nn::{
    BackwardReport, Kernels, MemoryReport, Network, PlanReport, SegmentReport, SegmentStart, StageReport,
    TrainerOptions,
};
use glyphnet::recipe::Recipe;

use crate::args::SummaryArgs;
use crate::commands::isa;
use crate::commands::text::{count, grouped};
use crate::error::CliError;
use crate::output::Out;
use crate::table::{Align, Table};

/// Writes the plans for training, where there is a recipe, and for inference.
pub(super) fn write(
    network: &Network,
    recipe: Option<&Recipe>,
    args: &SummaryArgs,
    out: &mut Out,
) -> Result<(), CliError> {
    let isa = isa(args.simd.as_deref().unwrap_or("auto"))?;
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let threads = args.threads.map_or_else(cores, usize::from);
    if let Some(recipe) = recipe {
        let options = TrainerOptions {
            isa,
            kernels: Kernels::default(),
            batch_size: args.batch_size.map_or(recipe.train.batch_size, usize::from),
            seed: recipe.train.seed,
            label_smoothing: 0.0,
            class_weights: None,
            optimizer: recipe.optimizer.clone(),
            // Which steps count makes no difference to the memory.
            averaging: recipe.averaging(1),
        };
        write_plan(&PlanReport::training(network, threads, &options), out)?;
        writeln!(out)?;
    }
    write_plan(&PlanReport::inference(network, threads, isa), out)
}

fn write_plan(plan: &PlanReport, out: &mut Out) -> Result<(), CliError> {
    let (isa, threads) = (plan.isa, count(plan.threads, "thread"));
    match plan.batch {
        Some(batch) => {
            let (samples, chunks) = (grouped(batch.samples as u64), count(batch.chunks, "chunk"));
            writeln!(out, "training: {isa}, {threads}, batches of {samples} in {chunks}")?;
        }
        None => writeln!(out, "inference: {isa}, {threads}")?,
    }
    writeln!(out)?;
    let mut table = Table::new([("layers", Align::Left), ("MACs", Align::Right), ("how", Align::Left)]);
    for (number, segment) in plan.segments.iter().enumerate() {
        let how = format!("groups of {}{}", count(segment.group, "image"), start(segment));
        table.row([format!("segment {}", number + 1), String::new(), how]);
        for stage in &segment.stages {
            table.row([format!("  {}", layers(stage)), grouped(stage.macs), kernel(stage)]);
        }
    }
    table.write(out)?;
    writeln!(out)?;
    write_memory(&plan.memory, out)
}

fn start(segment: &SegmentReport) -> &'static str {
    match segment.start {
        SegmentStart::Input => "",
        SegmentStart::BatchSums => "; waits for the whole batch: its sums",
        SegmentStart::WholeBatch => "; waits for the whole batch: large dense layer",
    }
}

/// The kernel, and what of the way back is left out.
fn kernel(stage: &StageReport) -> String {
    let left_out = match stage.backward {
        BackwardReport::Inference | BackwardReport::Whole => "",
        BackwardReport::Nothing => "; no way back",
        BackwardReport::Input => "; frozen: back to its input alone",
    };
    format!("{}{left_out}", stage.kernel)
}

/// The names of a stage's layers, of more than two the first and the last.
fn layers(stage: &StageReport) -> String {
    match &stage.layers[..] {
        [first, _, .., last] => format!("{first} .. {last}"),
        few => few.join(" + "),
    }
}

fn write_memory(memory: &MemoryReport, out: &mut Out) -> Result<(), CliError> {
    let mut table = Table::new([("memory", Align::Left), ("KiB", Align::Right)]);
    let parts = [
        ("weights, running averages", memory.weights),
        ("weights packed for kernels", memory.packed),
        ("optimizer", memory.optimizer),
        ("gradients", memory.gradients),
        ("activations", memory.activations),
        ("scratch of threads", memory.scratch),
        ("total", memory.total()),
    ];
    for (name, bytes) in parts.into_iter().filter(|(_, bytes)| *bytes > 0) {
        table.row([name.to_owned(), grouped(bytes.div_ceil(1024))]);
    }
    Ok(table.write(out)?)
}
