//! What the kernel tests share: awkward sizes, values, and comparisons that say where and on which instruction set.
#![allow(dead_code, reason = "each test file uses its part")]

use glyphnet_kernels::Isa;
use glyphnet_kernels::random::{Purpose, Stream};

/// Lengths around the register sizes 1, 4, 8 and 16, and some longer ones.
pub(crate) const SIZES: [usize; 14] = [0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 100, 257];

/// `n` values, uniform in `[-size, size)`; another `tag` gives other values.
pub(crate) fn values(tag: u32, n: usize, size: f64) -> Vec<f32> {
    let mut stream = Stream::new(2024, Purpose::Sample, tag, n as u32);
    (0..n).map(|_| stream.uniform(-size, size) as f32).collect()
}

/// Each pair differs by at most `relative` of the wanted value plus `absolute`; NaN and infinities must agree.
pub(crate) fn assert_close(what: &str, got: &[f32], want: &[f32], relative: f64, absolute: f64) {
    assert_eq!(got.len(), want.len(), "{what}: lengths");
    for (i, (&g, &w)) in got.iter().zip(want).enumerate() {
        let same = g == w || (g.is_nan() && w.is_nan());
        let (g, w) = (f64::from(g), f64::from(w));
        assert!(same || (g - w).abs() <= relative * w.abs() + absolute, "{what}[{i}]: got {g:e}, want {w:e}");
    }
}

/// The same bits (any NaN equals any NaN).
pub(crate) fn assert_same(what: &str, got: &[f32], want: &[f32]) {
    assert_eq!(got.len(), want.len(), "{what}: lengths");
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        assert!(g.to_bits() == w.to_bits() || (g.is_nan() && w.is_nan()), "{what}[{i}]: got {g:e}, want {w:e}");
    }
}

/// Runs `check` for every instruction set of this CPU.
pub(crate) fn each_isa(check: impl Fn(Isa)) {
    for isa in Isa::available() {
        check(isa);
    }
}

/// The message of the panic that `f` must raise.
pub(crate) fn panic_message(f: impl FnOnce() + std::panic::UnwindSafe) -> String {
    let payload = std::panic::catch_unwind(f).expect_err("this call must panic");
    match (payload.downcast_ref::<String>(), payload.downcast_ref::<&str>()) {
        (Some(message), _) => message.clone(),
        (_, message) => message.copied().unwrap_or_default().to_owned(),
    }
}
