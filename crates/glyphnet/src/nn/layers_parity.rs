//! Every layer against PyTorch: output, gradient by the input, gradients by the parameters, running statistics; and
//! output in inference mode. On every instruction set, all samples at once and one by one, which must give the same
//! bits where a layer does not couple the batch.

use serde::Deserialize;

use super::layer::{Backward, Kernels, Op, OpContext, Pass, Tape, Values};
use super::{Activation, LayerSpec, Shape};
use glyphnet_kernels::{Isa, Moments};

#[path = "../../tests/common/golden.rs"]
mod golden;
use golden::{Differences, Golden};

#[derive(Deserialize)]
struct Case {
    name: String,
    layers: Vec<LayerSpec>,
}

/// One layer at work, with all that belongs to it.
struct Stage {
    /// `None` where the layer moves no data.
    op: Option<Box<dyn Op>>,
    tensors: Vec<(&'static str, bool)>,
    ranges: Vec<std::ops::Range<usize>>,
    output: Shape,
}

/// The layers of a case, one after another.
struct Chain {
    stages: Vec<Stage>,
    weights: Vec<f32>,
    state: Vec<f32>,
    samples: usize,
    input: Shape,
}

/// What a pass in training mode gives.
struct Passed {
    output: Vec<f32>,
    d_input: Vec<f32>,
    gradient: Vec<f32>,
}

impl Chain {
    fn new(golden: &Golden, case: &Case, isa: Isa, training: bool) -> Chain {
        let input = golden.get(&case.name, "input");
        let samples = input.shape[0];
        let input = Shape::from(input.image_shape());
        let mut chain = Chain { stages: Vec::new(), weights: Vec::new(), state: Vec::new(), samples, input };
        for (index, spec) in case.layers.iter().enumerate() {
            let input = chain.stages.last().map_or(input, |stage| stage.output);
            let layer = spec.layer();
            let output = layer.output(input).unwrap_or_else(|error| panic!("{}: layer {index}: {error}", case.name));
            let (mut tensors, mut ranges) = (Vec::new(), Vec::new());
            for parameter in layer.parameters(input) {
                let values = golden.get(&case.name, &format!("{index}/{}", parameter.name));
                assert_eq!(values.shape, parameter.shape, "{}: shape of {index}/{}", case.name, parameter.name);
                let array = if parameter.trained { &mut chain.weights } else { &mut chain.state };
                ranges.push(array.len()..array.len() + values.values.len());
                array.extend(values.values);
                tensors.push((parameter.name, parameter.trained));
            }
            let kernels = Kernels::Fast;
            let context = OpContext {
                isa,
                input,
                output,
                index,
                tensors: ranges.clone(),
                training,
                input_gradient: true,
                frozen: false,
                batch_size: 0,
                kernels,
            };
            let op = layer.op(&context);
            chain.stages.push(Stage { op, tensors, ranges, output });
        }
        let values = Values { weights: &chain.weights, state: &chain.state };
        chain.stages.iter_mut().filter_map(|stage| stage.op.as_mut()).for_each(|op| op.prepare(values));
        chain
    }

    /// Forward and backward, `group` samples at a time.
    fn run(&mut self, x: &[f32], upstream: &[f32], group: usize) -> Passed {
        let mut values = vec![x.to_vec()];
        let mut tapes = Vec::new();
        for i in 0..self.stages.len() {
            self.settle(i, &values[i]);
            let (y, tape) = self.forward(i, &values[i], group);
            values.push(y);
            tapes.push(tape);
        }
        let mut gradient = vec![0.0; self.weights.len()];
        let mut dy = upstream.to_vec();
        for (i, (floats, indices)) in tapes.iter_mut().enumerate().rev() {
            self.settle_backward(i, &values[i], &dy, &mut gradient);
            dy = self.backward(i, [&values[i], &values[i + 1]], dy, (floats, indices), group, &mut gradient);
        }
        Passed { output: values.pop().unwrap(), d_input: dy, gradient }
    }

    fn pass(weights: &[f32], first: usize) -> Pass<'_> {
        Pass { weights, seed: 0, step: 0, first }
    }

    /// Values of one sample before stage `i`.
    fn width(&self, i: usize) -> usize {
        if i == 0 { self.input.len() } else { self.stages[i - 1].output.len() }
    }

    fn forward(&self, i: usize, x: &[f32], group: usize) -> (Vec<f32>, (Vec<f32>, Vec<u32>)) {
        let Some(op) = &self.stages[i].op else { return (x.to_vec(), Default::default()) };
        let (needs, width, out) = (op.needs(), self.width(i), self.stages[i].output.len());
        // NaN shows what was not written.
        let mut y = vec![f32::NAN; self.samples * out];
        let (mut floats, mut indices) =
            (vec![f32::NAN; self.samples * needs.floats], vec![0; self.samples * needs.indices]);
        let mut scratch = vec![f32::NAN; needs.scratch];
        for first in (0..self.samples).step_by(group) {
            let end = (first + group).min(self.samples);
            let cut = |width: usize| first * width..end * width;
            let tape = Tape { floats: &mut floats[cut(needs.floats)], indices: &mut indices[cut(needs.indices)] };
            let pass = Chain::pass(&self.weights, first);
            op.forward(&pass, &x[cut(width)], &mut y[cut(out)], tape, &mut scratch);
        }
        (y, (floats, indices))
    }

    fn backward(
        &self,
        i: usize,
        [x, y]: [&[f32]; 2],
        mut dy: Vec<f32>,
        (floats, indices): (&mut [f32], &mut [u32]),
        group: usize,
        gradient: &mut [f32],
    ) -> Vec<f32> {
        let Some(op) = &self.stages[i].op else { return dy };
        let (needs, width, out) = (op.needs(), self.width(i), self.stages[i].output.len());
        let mut dx = vec![f32::NAN; self.samples * width];
        let mut scratch = vec![f32::NAN; needs.scratch];
        let (mut gathered, mut scribble) = (vec![0.0; needs.gathered], vec![u32::MAX; needs.scratch_indices]);
        for first in (0..self.samples).step_by(group) {
            let end = (first + group).min(self.samples);
            let cut = |width: usize| first * width..end * width;
            let tape = Tape { floats: &mut floats[cut(needs.floats)], indices: &mut indices[cut(needs.indices)] };
            let (x, y, dy, dx) = (&x[cut(width)], &y[cut(out)], &mut dy[cut(out)], Some(&mut dx[cut(width)]));
            let pass = Chain::pass(&self.weights, first);
            let (gathered, indices) = (&mut gathered[..], &mut scribble[..]);
            let io = Backward { x, y, dy, dx, gathered, indices };
            op.backward(&pass, io, tape, &mut scratch, gradient);
        }
        op.flush(&gathered, gradient);
        dx
    }

    /// Hands the batch's moments to stage `i`, collected from two unequal parts as two chunks would.
    fn settle(&mut self, i: usize, x: &[f32]) {
        let (first, rest) = x.split_at(self.width(i) * self.samples.div_ceil(3));
        let Some(op) = self.stages[i].op.as_mut() else { return };
        let Some(coupled) = op.coupled_mut() else { return };
        let [mut merged, mut second] = [Moments::new(coupled.channels()), Moments::new(coupled.channels())];
        coupled.collect(first, &mut merged);
        coupled.collect(rest, &mut second);
        merged.merge(&second);
        coupled.settle(&merged, &self.weights, &mut self.state);
    }

    fn settle_backward(&mut self, i: usize, x: &[f32], dy: &[f32], gradient: &mut [f32]) {
        let Some(op) = self.stages[i].op.as_mut() else { return };
        let Some(coupled) = op.coupled_mut() else { return };
        let mut sums = vec![0.0; 2 * coupled.channels()];
        coupled.collect_backward(x, dy, &mut sums);
        coupled.settle_backward(&sums, gradient);
    }

    /// The inference output.
    fn infer(&self, x: &[f32]) -> Vec<f32> {
        (0..self.stages.len()).fold(x.to_vec(), |x, i| self.forward(i, &x, self.samples).0)
    }

    fn couples(&self) -> bool {
        self.stages.iter().any(|stage| stage.op.as_ref().is_some_and(|op| op.coupled().is_some()))
    }
}

fn check(golden: &Golden, case: &Case, isa: Isa, differences: &mut Differences) {
    let get = |name: &str| golden.get(&case.name, name).values;
    let (x, upstream, output) = (get("input"), get("upstream"), get("output"));
    let mut whole = Vec::new();
    for group in [usize::MAX, 1] {
        let mut chain = Chain::new(golden, case, isa, true);
        let group = group.min(chain.samples);
        let passed = chain.run(&x, &upstream, group);
        let mut compare = |name: &str, found: &[f32]| {
            let what = || format!("{} on {isa}, {group} at a time: {name}", case.name);
            differences.compare(what, found, &get(name));
        };
        compare("output", &passed.output);
        compare("d_input", &passed.d_input);
        for (i, stage) in chain.stages.iter().enumerate() {
            for ((name, trained), range) in stage.tensors.iter().zip(&stage.ranges) {
                match trained {
                    true => compare(&format!("{i}/d_{name}"), &passed.gradient[range.clone()]),
                    false => compare(&format!("{i}/after_{name}"), &chain.state[range.clone()]),
                }
            }
        }
        if whole.is_empty() {
            whole.clone_from(&passed.output);
        }
        if !chain.couples() && whole != passed.output {
            differences.note(format!("{} on {isa}: a sample's output depends on its companions", case.name));
        }
    }
    let inferred = Chain::new(golden, case, isa, false).infer(&x);
    let wanted = golden.find(&case.name, "inference").map_or(output, |tensor| tensor.values);
    differences.compare(|| format!("{} on {isa}: inference", case.name), &inferred, &wanted);
}

#[test]
fn layers_equal_pytorch() {
    let golden = Golden::open("layers.safetensors");
    let cases: Vec<Case> = golden.cases();
    assert!(cases.len() >= 100, "only {} cases", cases.len());
    let mut differences = Differences::default();
    for isa in Isa::available() {
        cases.iter().for_each(|case| check(&golden, case, isa, &mut differences));
    }
    differences.check(600);
}

#[test]
fn every_layer_and_activation_has_golden_values() {
    let cases: Vec<Case> = Golden::open("layers.safetensors").cases();
    let specs: Vec<&LayerSpec> = cases.iter().flat_map(|case| &case.layers).collect();
    for kind in ["conv2d", "max_pool2d", "avg_pool2d", "global_avg_pool2d", "batch_norm", "flatten", "dense"] {
        let count = specs.iter().filter(|spec| spec.kind() == kind).count();
        assert!(count >= 3, "{kind} has {count} cases");
    }
    let (mut alone, mut fused) = (Vec::new(), Vec::new());
    for spec in specs {
        match spec {
            LayerSpec::Activation(layer) => alone.push(layer.activation),
            LayerSpec::Conv2d(layer) => fused.push(layer.activation),
            LayerSpec::Dense(layer) => fused.push(layer.activation),
            _ => {}
        }
    }
    use Activation::{Elu, Gelu, LeakyRelu, Relu, Sigmoid, Silu, Softmax, Tanh};
    for activation in [Relu, LeakyRelu, Elu, Gelu, Silu, Sigmoid, Tanh, Softmax] {
        assert!(alone.contains(&activation), "{activation:?} alone has no case");
        assert!(fused.contains(&activation), "{activation:?} after a product has no case");
    }
}
