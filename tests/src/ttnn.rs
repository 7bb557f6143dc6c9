//! The vendor's functions for tiles as a reference: packing, unpacking, and the order of datums, where `TTNN_WHEEL` names the unpacked `ttnn` wheel.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use tt_runtime::layout::WeightFormat;

use crate::Missing;
use crate::tools::from_environment;

/// The wheel and the program that calls it.
pub struct Ttnn {
    folder: PathBuf,
    program: PathBuf,
}

impl Ttnn {
    /// From the environment; `program` is the path of `tt-ttnn-pack`.
    pub fn find(program: &Path) -> Result<Self, Missing> {
        let folder = from_environment("TTNN_WHEEL", "package folder of the ttnn 0.81.1 wheel")?;
        Ok(Self { folder, program: program.to_path_buf() })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let cluster = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/n150-cluster.yaml");
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .env("TTNN_WHEEL", &self.folder)
            .env("TT_METAL_RUNTIME_ROOT", &self.folder)
            .env("TT_METAL_MOCK_CLUSTER_DESC_PATH", cluster)
            .env("TT_LOGGER_LEVEL", "Fatal")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        command
    }

    /// Packs values that are in the order of tiles' datums.
    pub fn pack(&self, format: WeightFormat, values: &[f32]) -> Result<Vec<u8>> {
        let want = values.len() / 1024 * format.tile_bytes();
        self.filter(&[short_name(format)], to_bytes(values), want)
    }

    /// Values of tiles of a format of blocks, in the order of tiles' datums.
    pub fn unpack(&self, format: WeightFormat, tiles: &[u8]) -> Result<Vec<f32>> {
        let want = tiles.len() / format.tile_bytes() * 4096;
        Ok(from_bytes(&self.filter(&[short_name(format), "unpack"], tiles.to_vec(), want)?))
    }

    /// Values of a matrix, row by row, in the order of tiles and their datums.
    pub fn tilize(&self, values: &[f32], rows: usize, columns: usize) -> Result<Vec<f32>> {
        self.reorder("tilize", values, rows, columns)
    }

    /// The reverse of [`Self::tilize`].
    pub fn untilize(&self, values: &[f32], rows: usize, columns: usize) -> Result<Vec<f32>> {
        self.reorder("untilize", values, rows, columns)
    }

    fn reorder(&self, what: &str, values: &[f32], rows: usize, columns: usize) -> Result<Vec<f32>> {
        let (rows, columns) = (rows.to_string(), columns.to_string());
        Ok(from_bytes(&self.filter(&[what, &rows, &columns], to_bytes(values), values.len() * 4)?))
    }

    /// What the program makes of its input: `want` bytes.
    fn filter(&self, arguments: &[&str], bytes: Vec<u8>, want: usize) -> Result<Vec<u8>> {
        let mut child = self.command(arguments).spawn().context("cannot start tt-ttnn-pack")?;
        let mut input = child.stdin.take().context("no standard input")?;
        let feeder = std::thread::spawn(move || input.write_all(&bytes));
        let output = child.wait_with_output()?;
        let fed = feeder.join().map_err(|_| anyhow::anyhow!("the feeding thread panicked"))?;
        if !output.status.success() {
            bail!("tt-ttnn-pack failed ({})", output.status);
        }
        fed?;
        // The library logs to standard output before anything is packed; tiles are the end.
        let start = output.stdout.len().checked_sub(want).context("too few bytes from tt-ttnn-pack")?;
        Ok(output.stdout[start..].to_vec())
    }

    /// Values that it packs in a second. The library spreads the work over threads of its own, so one thread's worth is what
    /// it does on one processor.
    pub fn rate(&self, format: WeightFormat, seconds: f64, one_processor: bool) -> Result<f64> {
        let mut command = self.command(&[short_name(format)]);
        command.arg(seconds.to_string());
        if one_processor {
            command.arg("one");
        }
        let output = command.output()?;
        if !output.status.success() {
            bail!("tt-ttnn-pack failed ({})", output.status);
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let last = text.lines().last().context("tt-ttnn-pack printed nothing")?;
        last.trim().parse().with_context(|| format!("no number: {last}"))
    }
}

fn to_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn from_bytes(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

/// `bf16`, `bfp8` and so on.
pub fn short_name(format: WeightFormat) -> &'static str {
    match format {
        WeightFormat::Tf32 => "tf32",
        WeightFormat::Bf16 => "bf16",
        WeightFormat::Bfp8 => "bfp8",
        WeightFormat::Bfp4 => "bfp4",
        WeightFormat::Bfp2 => "bfp2",
    }
}
