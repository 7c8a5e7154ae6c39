//! A network as a table.

use std::fmt::Display;

use glyphnet::nn::Network;

use super::Html;
use crate::numbers::grouped;

/// The layers with their shapes, parameters and multiplications, in one table.
pub(crate) fn write_network_table(html: &mut Html, network: &Network) {
    html.raw(
        "<div class=\"scroll\"><table><thead><tr><th scope=\"col\">layer</th>\
         <th scope=\"col\">output</th><th scope=\"col\" class=\"n\">parameters</th>\
         <th scope=\"col\" class=\"n\">multiplications</th></tr></thead><tbody>\n",
    );
    html.put(
        "<tr><td>input</td><td>{}</td><td class=\"n\">0</td><td class=\"n\">0</td></tr>\n",
        &[&times(&network.input())],
    );
    for layer in network.layers() {
        html.put(
            "<tr><td>{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>\n",
            &[&layer.name, &times(&layer.output), &grouped(layer.parameters() as u64), &grouped(layer.macs)],
        );
    }
    html.put(
        "</tbody><tfoot><tr><td>all</td><td></td><td class=\"n\">{}</td><td \
         class=\"n\">{}</td></tr></tfoot></table></div>\n",
        &[&grouped(network.parameters() as u64), &grouped(network.macs())],
    );
}

/// `28 × 28 × 1` for `28 x 28 x 1`.
pub(crate) fn times(shape: &dyn Display) -> String {
    shape.to_string().replace(" x ", " \u{d7} ")
}
