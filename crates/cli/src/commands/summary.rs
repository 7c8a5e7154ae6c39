//! `summary`: the layers of a network, or the plan by which it runs.

mod plan;

use std::io::Write as _;

use glyphnet::Networks;
use glyphnet::nn::{Network, Sequential};
use glyphnet::recipe::Recipe;

use super::text::grouped;
use super::{model, run_data, source};
use crate::args::SummaryArgs;
use crate::error::CliError;
use crate::output::Out;
use crate::table::{Align, Table};

pub(crate) fn run(args: SummaryArgs, out: &mut Out) -> Result<(), CliError> {
    let (networks, recipe) = match &args.model {
        Some(path) => (model::load(path)?.networks().clone(), None),
        None => {
            let recipe = Recipe::load(&args.recipe)?;
            (of_recipe(&recipe, &args)?.into(), Some(recipe))
        }
    };
    if networks.count() > 1 {
        writeln!(out, "{} networks, averaged; this is each of them\n", networks.count())?;
    }
    match args.plan {
        true => plan::write(networks.first(), recipe.as_ref(), &args, out),
        false => write_layers(&networks, out),
    }
}

/// The network that training with this recipe would start from.
fn of_recipe(recipe: &Recipe, args: &SummaryArgs) -> Result<Network, CliError> {
    let name = match &args.data {
        Some(data) => data.clone(),
        None => run_data::locate(recipe, &args.recipe)?,
    };
    let source = source::open(&name, &source::options_of(recipe))?;
    Ok(Sequential::from(recipe.layer.clone()).build(source.shape(), source.classes.len(), recipe.train.seed)?)
}

fn write_layers(networks: &Networks, out: &mut Out) -> Result<(), CliError> {
    let network = networks.first();
    let mut table = Table::new([
        ("layer", Align::Left),
        ("output shape", Align::Left),
        ("parameters", Align::Right),
        ("MACs", Align::Right),
    ]);
    let input = network.input();
    table.row(["input".to_owned(), input.to_string(), "0".to_owned(), "0".to_owned()]);
    for layer in network.layers() {
        table.row([
            layer.name.clone(),
            layer.output.to_string(),
            grouped(layer.parameters() as u64),
            grouped(layer.macs),
        ]);
    }
    table.write(out)?;
    let (total, trained) = (network.parameters() as u64, network.trained_parameters() as u64);
    writeln!(out)?;
    writeln!(out, "parameters          {}", grouped(total))?;
    writeln!(out, "trainable           {}", grouped(trained))?;
    writeln!(out, "not trainable       {}", grouped(total - trained))?;
    writeln!(out, "MACs for one image  {}", grouped(network.macs()))?;
    if networks.count() > 1 {
        let (parameters, macs) = (networks.parameters() as u64, network.macs().saturating_mul(networks.count() as u64));
        writeln!(out, "of all networks     {} parameters, {} MACs for one image", grouped(parameters), grouped(macs))?;
    }
    Ok(())
}
