//! Which instructions the kernels use: detected once, carried as a value that proves the CPU has them.

use std::fmt;
use std::str::FromStr;

use pulp::{Simd, WithSimd};

/// An instruction set that this CPU has. A value can only be made by [`Isa::detect`], [`Isa::available`] or by
/// parsing a name, all of which ask the CPU first; holding one is the proof that its kernels may run.
#[derive(Clone, Copy)]
pub struct Isa(Inner);

#[derive(Clone, Copy)]
enum Inner {
    Scalar(pulp::Scalar),
    #[cfg(target_arch = "x86_64")]
    Avx2(pulp::x86::V3),
    #[cfg(target_arch = "x86_64")]
    Avx512(pulp::x86::V4),
    #[cfg(target_arch = "aarch64")]
    Neon(pulp::aarch64::Neon),
}

/// Plain code without intrinsics, for the compiler to vectorize anew for each instruction set.
pub trait Vectorize {
    /// What [`run`](Vectorize::run) returns.
    type Output;

    /// The work. It and all that it calls must be `#[inline(always)]`: what is not inlined is compiled for the
    /// plain instruction set, once.
    fn run(self) -> Self::Output;
}

/// [`Vectorize`] as [`pulp`] takes it.
struct Plain<W>(W);

impl<W: Vectorize> WithSimd for Plain<W> {
    type Output = W::Output;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> W::Output {
        self.0.run()
    }
}

/// Why a named instruction set cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IsaError {
    /// The name is not one of `auto`, `avx512`, `avx2`, `neon`, `scalar`.
    #[error("unknown instruction set '{0}': expected auto, avx512, avx2, neon or scalar")]
    Unknown(String),
    /// The name is known, but this CPU does not have it.
    #[error("this CPU does not have {0}; it has {1}")]
    Unavailable(String, String),
}

impl Isa {
    /// The plain instruction set that every CPU has.
    pub const SCALAR: Isa = Isa(Inner::Scalar(pulp::Scalar));

    /// The fastest instruction set that this CPU has.
    pub fn detect() -> Isa {
        Isa::available()[0]
    }

    /// Every instruction set that this CPU has, the fastest first, the plain one last.
    pub fn available() -> Vec<Isa> {
        let mut found = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            found.extend(pulp::x86::V4::try_new().map(|t| Isa(Inner::Avx512(t))));
            found.extend(pulp::x86::V3::try_new().map(|t| Isa(Inner::Avx2(t))));
        }
        #[cfg(target_arch = "aarch64")]
        found.extend(pulp::aarch64::Neon::try_new().map(|t| Isa(Inner::Neon(t))));
        found.push(Isa::SCALAR);
        found
    }

    /// The name used on the command line and in run folders: `avx512`, `avx2`, `neon` or `scalar`.
    pub fn name(self) -> &'static str {
        match self.0 {
            Inner::Scalar(_) => "scalar",
            #[cfg(target_arch = "x86_64")]
            Inner::Avx2(_) => "avx2",
            #[cfg(target_arch = "x86_64")]
            Inner::Avx512(_) => "avx512",
            #[cfg(target_arch = "aarch64")]
            Inner::Neon(_) => "neon",
        }
    }

    /// How many f32 values one register holds.
    pub fn lanes(self) -> usize {
        match self.0 {
            Inner::Scalar(_) => 1,
            #[cfg(target_arch = "x86_64")]
            Inner::Avx2(_) => 8,
            #[cfg(target_arch = "x86_64")]
            Inner::Avx512(_) => 16,
            #[cfg(target_arch = "aarch64")]
            Inner::Neon(_) => 4,
        }
    }

    /// Does `work` compiled for this instruction set. The result depends on the set only where `work` lets it.
    #[inline]
    pub fn vectorize<W: Vectorize>(self, work: W) -> W::Output {
        self.run(Plain(work))
    }

    /// The proof that the CPU has AVX-512, if this is that set: for what `pulp` has no word for.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn avx512(self) -> Option<pulp::x86::V4> {
        match self.0 {
            Inner::Avx512(simd) => Some(simd),
            _ => None,
        }
    }

    /// Runs `kernel` compiled for this instruction set.
    #[inline]
    pub(crate) fn run<K: WithSimd>(self, kernel: K) -> K::Output {
        match self.0 {
            Inner::Scalar(simd) => Simd::vectorize(simd, kernel),
            #[cfg(target_arch = "x86_64")]
            Inner::Avx2(simd) => Simd::vectorize(simd, kernel),
            #[cfg(target_arch = "x86_64")]
            Inner::Avx512(simd) => Simd::vectorize(simd, kernel),
            #[cfg(target_arch = "aarch64")]
            Inner::Neon(simd) => Simd::vectorize(simd, kernel),
        }
    }
}

/// The fastest set, as [`Isa::detect`].
impl Default for Isa {
    fn default() -> Isa {
        Isa::detect()
    }
}

impl PartialEq for Isa {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Isa {}

impl fmt::Debug for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Isa({})", self.name())
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Isa {
    type Err = IsaError;

    fn from_str(name: &str) -> Result<Isa, IsaError> {
        if name == "auto" {
            return Ok(Isa::detect());
        }
        if !["avx512", "avx2", "neon", "scalar"].contains(&name) {
            return Err(IsaError::Unknown(name.to_owned()));
        }
        let available = Isa::available();
        available.iter().copied().find(|isa| isa.name() == name).ok_or_else(|| {
            let has: Vec<_> = available.iter().map(|isa| isa.name()).collect();
            IsaError::Unavailable(name.to_owned(), has.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_back_to_the_same_set() {
        for isa in Isa::available() {
            assert_eq!(isa.name().parse::<Isa>(), Ok(isa));
        }
        assert_eq!("auto".parse::<Isa>(), Ok(Isa::detect()));
        assert_eq!(Isa::available().last(), Some(&Isa::SCALAR));
    }

    #[test]
    fn unknown_and_missing_sets_are_told_apart() {
        assert!(matches!("sse9".parse::<Isa>(), Err(IsaError::Unknown(_))));
        let missing = if cfg!(target_arch = "x86_64") { "neon" } else { "avx2" };
        assert!(matches!(missing.parse::<Isa>(), Err(IsaError::Unavailable(_, _))));
    }
}
