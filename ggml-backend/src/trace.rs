//! Spans and events of the library and the runtime as lines of ggml's log: `GGML_TT_LOG`.
//!
//! ```text
//! info     a graph                       how long it took, and errors and warnings
//! debug    + nodes, booting              operator, name and launches of each
//! trace    + launches, uploads, downloads
//! ```
//! A span is a line when it ends: within which others it was, its fields, and its times. Without the setting there is no subscriber, and a
//! span costs the look at one word.

use std::io;

use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;
use tt_settings::LOG;

use crate::abi::log;

/// Begins to write lines, if the environment asks for them.
pub fn start() {
    let Some(text) = LOG.text() else { return };
    match text.parse::<LevelFilter>() {
        Ok(level) => subscribe(level),
        Err(_) => {
            log::error(&format!("{}={text}: is none of error, warn, info, debug, trace, off", LOG.name))
        }
    }
}

fn subscribe(level: LevelFilter) {
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_span_events(FmtSpan::CLOSE)
        .with_ansi(false)
        .with_target(false)
        // No time of day; without a timer at all there would be no times of spans either.
        .with_timer(())
        .with_writer(ToLog)
        .finish();
    // ggml may load the library again: the subscriber that is there stays.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// Writes to ggml's log.
struct ToLog;

impl<'a> MakeWriter<'a> for ToLog {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line(Level::INFO)
    }

    fn make_writer_for(&'a self, meta: &tracing::Metadata<'_>) -> Line {
        Line(*meta.level())
    }
}

/// A line of a level. Programs that show no lines for developers would hide what was asked for: those are information here.
struct Line(Level);

impl io::Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim();
        match self.0 {
            Level::ERROR => log::error(text),
            Level::WARN => log::warn(text),
            _ => log::info(text),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
