//! Batch norm's running statistics of other weights than those they were gathered with.

use super::{Batch, Trainer};
use crate::nn::Network;

impl Trainer {
    /// Recomputes batch norm's running statistics of `network`, one of the trainer's layers: over `batches` they become the
    /// means of the batches' own, weighted by their images, as PyTorch's `update_bn` has it. The passes are those of
    /// training, dropout included. The trainer is left as it was; without batch norm or batches so is the network.
    ///
    /// # Panics
    /// If the network has other layers, or a batch is empty or larger than the trainer's.
    pub fn recalibrate<B: Batch>(&mut self, network: &mut Network, batches: impl IntoIterator<Item = B>) {
        let plan = &self.plan;
        let Some(last) = plan.segments.iter().rposition(|segment| plan.stages[segment.start].op.coupled().is_some())
        else {
            return;
        };
        assert_eq!(self.network.specs(), network.specs(), "a network of other layers");
        std::mem::swap(&mut self.network, network);
        self.in_pool(Trainer::prepare);
        let mut images = 0;
        for batch in batches {
            let before = images as f64;
            images += batch.len();
            self.keep_of_running_averages(Some(before / images as f64));
            self.in_pool(|trainer| trainer.forward_to(last, &batch));
        }
        self.keep_of_running_averages(None);
        std::mem::swap(&mut self.network, network);
        self.in_pool(Trainer::prepare);
    }

    fn keep_of_running_averages(&mut self, keep: Option<f64>) {
        self.plan.stages.iter_mut().filter_map(|stage| stage.op.coupled_mut()).for_each(|coupled| coupled.keep(keep));
    }
}
