//! Repacks `data/mnist/*.gz` for feature `embedded-mnist`: images become blocks of deflate, which all cores decode at
//! once, where a gzip file would be one core's work and twice as long even there:
//! `count: u32`, then `count` pairs of `u32` (raw length, packed length), then the packed blocks; little-endian.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "embedded-mnist")]
    if let Err(problem) = repack::all() {
        println!("cargo::error=cannot embed MNIST: {problem}");
    }
}

#[cfg(feature = "embedded-mnist")]
mod repack {
    use std::io::{Read, Write as _};
    use std::path::{Path, PathBuf};
    use std::{env, fs};

    /// Raw bytes per block: small enough to share out among cores, large enough to compress well.
    const BLOCK: usize = 1 << 18;
    /// Deflate's level: 9 would save two hundredths, and take ten times as long.
    const LEVEL: u32 = 6;

    /// Name, IDX magic number and count of each file.
    const FILES: [(&str, u32, usize); 4] = [
        ("train-images-idx3-ubyte", 0x0803, 60_000),
        ("train-labels-idx1-ubyte", 0x0801, 60_000),
        ("t10k-images-idx3-ubyte", 0x0803, 10_000),
        ("t10k-labels-idx1-ubyte", 0x0801, 10_000),
    ];

    pub(crate) fn all() -> Result<(), String> {
        let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
        let data = Path::new(&env::var_os("CARGO_MANIFEST_DIR").ok_or("CARGO_MANIFEST_DIR is not set")?)
            .join("../../data/mnist");
        for (name, magic, count) in FILES {
            let path = data.join(format!("{name}.gz"));
            println!("cargo::rerun-if-changed={}", path.display());
            let say = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
            let packed = fs::read(&path).map_err(|e| say(&e))?;
            let mut raw = Vec::new();
            flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut raw).map_err(|e| say(&e))?;
            let is_images = magic == 0x0803;
            let (header, item) = if is_images { (16, 28 * 28) } else { (8, 1) };
            let begins = [magic.to_be_bytes(), (count as u32).to_be_bytes()].concat();
            if raw.len() != header + count * item || !raw.starts_with(&begins) {
                return Err(say(&"not the IDX file it should be"));
            }
            let packed = if is_images { blocks(&raw[header..]).map_err(|e| say(&e))? } else { raw[header..].to_vec() };
            fs::write(out.join(name), packed).map_err(|e| say(&e))?;
        }
        Ok(())
    }

    fn blocks(raw: &[u8]) -> std::io::Result<Vec<u8>> {
        let packed = raw.chunks(BLOCK).map(|block| {
            let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::new(LEVEL));
            encoder.write_all(block)?;
            encoder.finish()
        });
        let packed = packed.collect::<Result<Vec<_>, _>>()?;
        let mut out = (packed.len() as u32).to_le_bytes().to_vec();
        for (raw, packed) in raw.chunks(BLOCK).zip(&packed) {
            out.extend((raw.len() as u32).to_le_bytes());
            out.extend((packed.len() as u32).to_le_bytes());
        }
        out.extend(packed.concat());
        Ok(out)
    }
}
