//! The environment variables of the library and of the simulator, a row each.
//!
//! The library and the runtime read a setting here and nowhere else; its value is looked up once in a process. (The simulator, which is
//! used without them too, reads its own: `TT_SIM_*`.) The tables in `README.md` and `docs/development.md` are made from this one, and
//! tests clear what is in it, so that the settings of a person's own shell do not change what is tested.
//!
//! ```text
//! environment --[read_all, when the library is loaded]--> Setting::get, ::text, ::is_on
//! ```

use std::ffi::{OsStr, OsString};
use std::sync::OnceLock;

/// Who a setting is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Audience {
    /// Users of the library: the table is in `README.md`.
    Users,
    /// Developers: the table is in `docs/development.md`.
    Developers,
}

/// An environment variable.
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// Who it is for.
    pub audience: Audience,
    /// Values and what they mean, as Markdown.
    pub meaning: &'static str,
    /// The page of `docs/` that says more, perhaps with a heading.
    pub page: Option<&'static str>,
    value: OnceLock<Option<OsString>>,
}

const fn row(
    name: &'static str,
    audience: Audience,
    page: Option<&'static str>,
    meaning: &'static str,
) -> Setting {
    Setting { name, audience, page, meaning, value: OnceLock::new() }
}

impl Setting {
    /// Its value; an empty one is none.
    pub fn get(&self) -> Option<&OsStr> {
        let read = || std::env::var_os(self.name).filter(|value| !value.is_empty());
        self.value.get_or_init(read).as_deref()
    }

    /// Its value, if that is text.
    pub fn text(&self) -> Option<&str> {
        self.get()?.to_str()
    }

    /// Whether it is `1`, `on`, `yes` or `true`.
    pub fn is_on(&self) -> bool {
        self.text().is_some_and(means_yes)
    }
}

fn means_yes(value: &str) -> bool {
    ["1", "on", "yes", "true"].iter().any(|yes| value.eq_ignore_ascii_case(yes))
}

macro_rules! settings {
    ($($name:ident = $row:expr;)*) => {
        $(
            #[doc = concat!("`", stringify!($name), "`: see its `meaning`.")]
            pub static $name: Setting = $row;
        )*
        /// All settings, in the order of the tables.
        pub static ALL: &[&Setting] = &[$(&$name),*];
    };
}

use Audience::{Developers, Users};

settings! {
    BACKEND_PATH = row(
        "GGML_BACKEND_PATH",
        Users,
        None,
        "llama.cpp's own: path of the library to load",
    );
    DEVICES = row(
        "GGML_TT_DEVICES",
        Users,
        Some("cards.md"),
        "which devices to offer. `0`, `0000:01:00.0` or the serial number of a board: a card, `0.1`: one chip of it; `sim` or `sim:n150`: \
         a simulated n150; `sim:n300`: a simulated n300; `ttsim:PATH`: the vendor's simulator, a `libttsim.so`. Several with commas. Not set: \
         every card found",
    );
    WEIGHTS = row(
        "GGML_TT_WEIGHTS",
        Users,
        Some("weights.md"),
        "what matrix weights become on the device: tiles of `tf32`, `bf16`, `bfp8` or `bfp4`, or `exact`, not rounded a second time where the \
         type allows it; not set: BFP8_b for quantised types, BF16 for F16 and BF16, TF32 for F32",
    );
    PACK = row(
        "GGML_TT_PACK",
        Users,
        Some("weights.md"),
        "`search`: block-float exponents with the smallest error instead of the vendor's rule",
    );
    MATRIX_UNITS = row(
        "GGML_TT_MATRIX_UNITS",
        Users,
        Some("cards.md#power"),
        "how many matrix units work at the same time in products of many rows, for boards that hang or compute wrong under full load; \
         `0`: all. Not set: 48 on a card, all on a simulator",
    );
    IMATRIX = row(
        "GGML_TT_IMATRIX",
        Users,
        Some("weights.md"),
        "importance matrix of llama.cpp (a file): the log and the statistics say what weights lose by it",
    );
    STATS = row(
        "GGML_TT_STATS",
        Users,
        Some("debugging.md#how-fast-is-it"),
        "file that receives one line of JSON at the end: operators that ran on the device, instructions executed, times of \
         passes over the model",
    );
    DEBUG = row(
        "GGML_TT_DEBUG",
        Developers,
        Some("debugging.md"),
        "`1`: says why an operator does not run on the device",
    );
    LOG = row(
        "GGML_TT_LOG",
        Developers,
        Some("debugging.md"),
        "`info`, `debug` or `trace`: writes a line when a graph, a node, or a launch or transfer ends, with its time",
    );
    OPFILTER = row(
        "GGML_TT_OPFILTER",
        Developers,
        Some("debugging.md"),
        "regular expression: keeps operators off the device",
    );
    PROFILE = row(
        "GGML_TT_PROFILE",
        Developers,
        Some("debugging.md"),
        "`1`: prints a table of what ran",
    );
    TIMELINE = row(
        "GGML_TT_TIMELINE",
        Developers,
        Some("simulator.md#timeline"),
        "file that receives a timeline of operators and launches by the card's own clock, for Perfetto",
    );
    FUSION = row(
        "GGML_TT_FUSION",
        Developers,
        Some("debugging.md"),
        "`0`: computes every node by itself; names with commas: only these fusions",
    );
    CHECK = row(
        "GGML_TT_CHECK",
        Developers,
        Some("debugging.md"),
        "`1`: computes every operator on ggml's CPU backend too, and compares",
    );
    SFPU = row(
        "GGML_TT_SFPU",
        Developers,
        Some("sfpu-functions.md"),
        "`0`: keeps elementwise operators, softmax and norms off the vector unit, on the data-movement cores; what only \
         training needs runs there in any case",
    );
    KERNELS = row(
        "GGML_TT_KERNELS",
        Developers,
        None,
        "folder with kernel images (`brisc`, `trisc0`, .. as ELF files, made for the device's chip) to load instead of the \
         built-in ones",
    );
    ANY_GGML = row(
        "GGML_TT_ANY_GGML",
        Developers,
        Some("hosts.md"),
        "`1`: have the interface of an older ggml tested too, and serve it if it passes",
    );
    SIM_TRACE = row(
        "TT_SIM_TRACE",
        Developers,
        Some("simulator.md#trace"),
        "a trace of the simulated chip",
    );
    SIM_BOARD = row(
        "TT_SIM_BOARD",
        Developers,
        Some("simulator.md"),
        "board that the simulator is as a `libttsim.so`",
    );
    SIM_THREADS = row(
        "TT_SIM_THREADS",
        Developers,
        Some("simulator.md"),
        "threads of the simulator as a `libttsim.so`: 1 to 1024",
    );
    SIM_MODE = row(
        "TT_SIM_MODE",
        Developers,
        Some("simulator.md"),
        "mode of the simulator as a `libttsim.so`: `fast`, `timed` or `async=SEED`",
    );
    SIM_CLOCKS = row(
        "TT_SIM_CLOCKS",
        Developers,
        Some("simulator.md"),
        "clocks of the simulator as a `libttsim.so` for one that its caller asks for",
    );
}

/// Looks up all settings. What is read later is what was there now.
pub fn read_all() {
    for setting in ALL {
        setting.get();
    }
}

/// The rows of the table for an audience, for a page from which `docs/` is at `docs`.
pub fn markdown(audience: Audience, docs: &str) -> String {
    let mut text = "| variable | meaning |\n|---|---|\n".to_owned();
    for setting in ALL.iter().filter(|setting| setting.audience == audience) {
        let more = setting.page.map_or(String::new(), |page| {
            let file = page.split('#').next().unwrap_or(page);
            format!(" ([{docs}{file}]({docs}{page}))")
        });
        text += &format!("| `{}` | {}{more} |\n", setting.name, setting.meaning);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::{Path, PathBuf};

    #[test]
    fn yes_has_four_words() {
        assert!(["1", "on", "YES", "True"].iter().all(|word| means_yes(word)));
        assert!(!["0", "off", "2", " 1"].iter().any(|word| means_yes(word)));
    }

    /// The pages have the tables; `TT_UPDATE_DOCS=1` writes them anew.
    #[test]
    fn pages_have_the_table() {
        for (page, audience, docs) in [("README.md", Users, "docs/"), ("docs/development.md", Developers, "")]
        {
            let path = format!("{ROOT}{page}");
            let text = std::fs::read_to_string(&path).unwrap();
            let table = markdown(audience, docs);
            let first = ALL.iter().find(|setting| setting.audience == audience).unwrap().name;
            let row = text.find(&format!("| `{first}` |")).expect("the first row");
            let start = text[..row].rfind("| variable |").expect("the head of the table");
            let end = start + text[start..].find("\n\n").map_or(text.len() - start, |end| end + 1);
            if text[start..end] != table && std::env::var_os("TT_UPDATE_DOCS").is_some() {
                std::fs::write(&path, format!("{}{table}{}", &text[..start], &text[end..])).unwrap();
                continue;
            }
            assert_eq!(
                text[start..end],
                table,
                "{page} is not what the table says: run with TT_UPDATE_DOCS=1"
            );
        }
    }

    const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../");

    fn files(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => files(&path, extension, found),
                false if path.extension().is_some_and(|it| it == extension) => found.push(path),
                false => {}
            }
        }
    }

    /// A page names no setting that is not in the table: `GGML_TT_*`, `TT_SIM_*`.
    #[test]
    fn pages_name_settings_of_the_table() {
        let mut pages = vec![Path::new(ROOT).join("README.md"), Path::new(ROOT).join("CONTRIBUTING.md")];
        files(&Path::new(ROOT).join("docs"), "md", &mut pages);
        for page in pages {
            let text = std::fs::read_to_string(&page).unwrap();
            let words = text.split(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'));
            for word in words.filter(|word| word.starts_with("GGML_TT_") || word.starts_with("TT_SIM_")) {
                let is_known = ALL.iter().any(|setting| setting.name == word);
                assert!(is_known || word.ends_with('_'), "{}: {word} is not in the table", page.display());
            }
        }
    }

    /// The library and the runtime look at the environment nowhere else.
    #[test]
    fn nobody_else_reads_the_environment() {
        let mut sources = Vec::new();
        files(&Path::new(ROOT).join("ggml-backend/src"), "rs", &mut sources);
        files(&Path::new(ROOT).join("tt-runtime/src"), "rs", &mut sources);
        assert!(sources.len() > 50, "{sources:?}");
        for source in sources {
            let text = std::fs::read_to_string(&source).unwrap();
            let reads = text.lines().find(|line| line.contains("env::var") && !line.contains("TT_FULL"));
            assert_eq!(reads, None, "{}", source.display());
        }
    }
}
