//! What to trace: `TT_SIM_TRACE=FILE[,tile=x-y][,core=brisc+trisc0][,clock=a..b][,kind=insn+noc|timeline]`.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};

use tt_isa::map::RiscV;
use tt_isa::noc::NocXy;

/// Name of the environment variable.
pub const VARIABLE: &str = "TT_SIM_TRACE";

/// What to trace, and where to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TraceConfig {
    /// File that is written; one that is there is overwritten.
    pub file: PathBuf,
    /// RISC-V and Tensix instructions, as text.
    pub instructions: bool,
    /// NoC packets, as text.
    pub noc: bool,
    /// Timeline for Perfetto, as Chrome's JSON trace events. Excludes text.
    pub timeline: bool,
    /// Tiles, NoC 0 or translated coordinates; none means all. A NoC packet is traced if either end is one of them.
    pub tiles: Vec<NocXy>,
    /// A bit a core, by [`RiscV`] number; a Tensix thread's instructions go with its core.
    pub cores: u8,
    /// First clock.
    pub from: u64,
    /// Clock at which it ends.
    pub to: u64,
}

/// A trace that cannot be made.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TraceError {
    /// No file name.
    #[error("{VARIABLE} begins with the name of a file: FILE[,tile=x-y][,core=..][,clock=a..b][,kind=..]")]
    NoFile,
    /// A setting that is none.
    #[error(
        "{VARIABLE}: `{0}` is none of tile=x-y, core=NAME+NAME, clock=a..b, kind=insn+noc or kind=timeline"
    )]
    Setting(String),
    /// Not a coordinate.
    #[error("{VARIABLE}: tile={0}: a tile is two numbers below 64, as in tile=1-2")]
    Tile(String),
    /// Not a core.
    #[error("{VARIABLE}: core={0}: cores are brisc, trisc0, trisc1, trisc2, ncrisc, several with +")]
    Core(String),
    /// Not a range.
    #[error("{VARIABLE}: clock={0}: clocks are a range a..b, a.. or ..b, with a less than b")]
    Clock(String),
    /// Not a kind.
    #[error("{VARIABLE}: kind={0}: kinds are insn, noc, insn+noc, or timeline, which has a file of its own")]
    Kind(String),
    /// There is no such tile on the chip.
    #[error("{VARIABLE}: {0} is no Tensix tile of this chip")]
    NoTile(NocXy),
    /// The file cannot be written.
    #[error("cannot write the trace {file}: {why}")]
    Write {
        /// The file.
        file: PathBuf,
        /// What the system says.
        why: String,
    },
}

/// Cores in their textual form.
const CORES: [(&str, RiscV); 5] = [
    ("brisc", RiscV::Brisc),
    ("trisc0", RiscV::Trisc0),
    ("trisc1", RiscV::Trisc1),
    ("trisc2", RiscV::Trisc2),
    ("ncrisc", RiscV::Ncrisc),
];
const ALL_CORES: u8 = 0b1_1111;

/// Chips of this process whose traces the environment names.
static CHIPS: AtomicUsize = AtomicUsize::new(0);

impl TraceConfig {
    /// Everything, to a file: the timeline if its name ends in `.json`, else text.
    pub fn new(file: impl Into<PathBuf>) -> Self {
        let file = file.into();
        let timeline = file.extension().is_some_and(|extension| extension == "json");
        Self {
            file,
            instructions: !timeline,
            noc: !timeline,
            timeline,
            tiles: Vec::new(),
            cores: ALL_CORES,
            from: 0,
            to: u64::MAX,
        }
    }

    /// What the environment asks for, if it does. The second chip of a process gets `.1` after the file's name, and so on.
    ///
    /// # Errors
    /// The variable's text means nothing.
    pub fn from_env() -> Result<Option<Self>, TraceError> {
        let Some(text) = std::env::var_os(VARIABLE).filter(|text| !text.is_empty()) else { return Ok(None) };
        let config: Self = text.to_string_lossy().parse()?;
        Ok(Some(config.numbered(CHIPS.fetch_add(1, Ordering::Relaxed))))
    }

    fn numbered(mut self, chip: usize) -> Self {
        if chip > 0 {
            self.file.as_mut_os_string().push(format!(".{chip}"));
        }
        self
    }

    /// Whether a core's instructions are wanted.
    pub fn has_core(&self, core: RiscV) -> bool {
        self.cores >> core as u32 & 1 != 0
    }

    /// Whether a clock is wanted.
    pub fn has_clock(&self, clock: u64) -> bool {
        (self.from..self.to).contains(&clock)
    }

    fn set(&mut self, setting: &str) -> Result<(), TraceError> {
        let unknown = || TraceError::Setting(setting.to_owned());
        let (key, value) = setting.split_once('=').ok_or_else(unknown)?;
        match key {
            "tile" => self.tiles.push(tile(value)?),
            "core" => self.cores = cores(value)?,
            "clock" => (self.from, self.to) = clocks(value)?,
            "kind" => (self.instructions, self.noc, self.timeline) = kinds(value)?,
            _ => return Err(unknown()),
        }
        Ok(())
    }
}

impl FromStr for TraceConfig {
    type Err = TraceError;

    fn from_str(text: &str) -> Result<Self, TraceError> {
        let mut parts = text.split(',');
        let file = parts.next().filter(|file| !file.is_empty()).ok_or(TraceError::NoFile)?;
        let mut config = Self::new(Path::new(file));
        parts.try_for_each(|setting| config.set(setting))?;
        Ok(config)
    }
}

fn tile(value: &str) -> Result<NocXy, TraceError> {
    let number = |text: &str| text.parse().ok().filter(|&n: &u8| n < 64);
    let pair = value.split_once('-').and_then(|(x, y)| Some(NocXy::new(number(x)?, number(y)?)));
    pair.ok_or_else(|| TraceError::Tile(value.to_owned()))
}

fn cores(value: &str) -> Result<u8, TraceError> {
    value.split('+').try_fold(0, |mask, name| {
        let known = CORES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        known.map(|&(_, core)| mask | 1 << core as u32).ok_or_else(|| TraceError::Core(value.to_owned()))
    })
}

fn clocks(value: &str) -> Result<(u64, u64), TraceError> {
    let wrong = || TraceError::Clock(value.to_owned());
    let (from, to) = value.split_once("..").ok_or_else(wrong)?;
    let number = |text: &str, default| match text {
        "" => Ok(default),
        _ => text.parse().map_err(|_| wrong()),
    };
    let (from, to) = (number(from, 0)?, number(to, u64::MAX)?);
    if from < to { Ok((from, to)) } else { Err(wrong()) }
}

/// Instructions, NoC, timeline.
fn kinds(value: &str) -> Result<(bool, bool, bool), TraceError> {
    match value {
        "insn" => Ok((true, false, false)),
        "noc" => Ok((false, true, false)),
        "insn+noc" | "noc+insn" => Ok((true, true, false)),
        "timeline" => Ok((false, false, true)),
        _ => Err(TraceError::Kind(value.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read() {
        let config: TraceConfig =
            "a b.txt,tile=1-2,tile=18-19,core=BRISC+trisc1,clock=5..70,kind=insn".parse().unwrap();
        let want = TraceConfig {
            file: "a b.txt".into(),
            instructions: true,
            noc: false,
            timeline: false,
            tiles: vec![NocXy::new(1, 2), NocXy::new(18, 19)],
            cores: 1 << RiscV::Brisc as u32 | 1 << RiscV::Trisc1 as u32,
            from: 5,
            to: 70,
        };
        assert_eq!(config, want);
        assert!(config.has_core(RiscV::Trisc1) && !config.has_core(RiscV::Ncrisc));
        assert!(config.has_clock(5) && !config.has_clock(70));
    }

    #[test]
    fn what_is_not_said_is_everything() {
        let text: TraceConfig = "trace.txt".parse().unwrap();
        assert!(text.instructions && text.noc && !text.timeline && text.cores == ALL_CORES);
        let json: TraceConfig = "trace.json,clock=9..".parse().unwrap();
        assert!(!json.instructions && !json.noc && json.timeline);
        assert_eq!((json.from, json.to), (9, u64::MAX));
    }

    #[test]
    fn what_means_nothing_is_said() {
        use TraceError as E;
        let error = |text: &str| text.parse::<TraceConfig>().unwrap_err();
        assert_eq!(error(""), E::NoFile);
        assert_eq!(error(",tile=1-1"), E::NoFile);
        assert_eq!(error("f,"), E::Setting("".into()));
        assert_eq!(error("f,tiles=1-1"), E::Setting("tiles=1-1".into()));
        for text in ["1", "1-", "-1", "1-64", "1-2-3", "x-y"] {
            assert_eq!(error(&format!("f,tile={text}")), E::Tile(text.into()));
        }
        for text in ["", "brisc+", "trisc3"] {
            assert!(matches!(error(&format!("f,core={text}")), E::Core(_)), "{text}");
        }
        for text in ["5", "5..5", "9..5", "a..", "-1.."] {
            assert_eq!(error(&format!("f,clock={text}")), E::Clock(text.into()));
        }
        for text in ["", "all", "timeline+insn"] {
            assert_eq!(error(&format!("f,kind={text}")), E::Kind(text.into()));
        }
    }

    #[test]
    fn chips_of_a_process_have_files_of_their_own() {
        let config = TraceConfig::new("out.json");
        assert_eq!(config.clone().numbered(0).file, Path::new("out.json"));
        assert_eq!(config.numbered(2).file, Path::new("out.json.2"));
    }
}
