//! A timeline of what the host does with a chip whose inside is not seen, as of a card: the lines of the process `host` in the same format.

use std::fs::File;
use std::io::BufWriter;

use super::timeline::Timeline;
use super::{KernelSpan, Mark, TraceConfig, TraceError, write_error};

/// The timeline.
pub struct HostTimeline {
    config: TraceConfig,
    timeline: Timeline<BufWriter<File>>,
}

impl HostTimeline {
    /// Opens the file; `clocks_us`: clocks in a microsecond.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn new(config: TraceConfig, clocks_us: u32) -> Result<Self, TraceError> {
        let failed = |error| write_error(&config, &error);
        let file = BufWriter::new(File::create(&config.file).map_err(failed)?);
        let timeline = Timeline::new(file, &config, Some(clocks_us)).map_err(failed)?;
        Ok(Self { config, timeline })
    }

    /// Something begins or ends at a clock. The file is complete up to the last one that has ended.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn mark(&mut self, clock: u64, mark: &Mark) -> Result<(), TraceError> {
        let written = self.timeline.mark(clock, mark).and_then(|()| self.timeline.flush());
        written.map_err(|error| write_error(&self.config, &error))
    }

    /// A kernel has measured a span.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn kernel_span(&mut self, span: &KernelSpan) -> Result<(), TraceError> {
        let written = self.timeline.kernel_span(span.tile, span.core, span.name, span.clocks);
        written.and_then(|()| self.timeline.flush()).map_err(|error| write_error(&self.config, &error))
    }
}

impl Drop for HostTimeline {
    fn drop(&mut self) {
        // There is nobody to report the error to.
        let _ = self.timeline.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::trace::Track;

    #[test]
    fn it_has_the_hosts_lines_alone() {
        let file = std::env::temp_dir().join(format!("tt-host-timeline-{}.json", std::process::id()));
        let mut timeline = HostTimeline::new(TraceConfig::new(&file), 1000).expect("a file");
        for (clock, mark) in [
            (2_000, Mark::Begin(Track::Launches, "MATMUL".into())),
            (5_500, Mark::End(Track::Launches)),
            (2_000, Mark::Begin(Track::Operators, "MUL_MAT Qcur-0".into())),
            (5_500, Mark::End(Track::Operators)),
        ] {
            timeline.mark(clock, &mark).expect("it is written");
        }
        let so_far = std::fs::read_to_string(&file).expect("a file");
        assert!(so_far.contains("MUL_MAT Qcur-0"), "it is complete so far: {so_far}");
        drop(timeline);
        let text = std::fs::read_to_string(&file).expect("a file");
        let _ = std::fs::remove_file(&file);
        assert!(text.trim_end().ends_with(']'), "{text}");
        let launch = text.lines().find(|line| line.contains("MATMUL")).expect("the launch");
        assert!(launch.contains(r#""ts":2.000,"dur":3.500"#), "{launch}");
        assert!(!text.contains("tile"), "{text}");
        let missing = HostTimeline::new(TraceConfig::new("/nowhere/at/all.json"), 1000);
        assert!(missing.err().is_some_and(|error| error.to_string().contains("/nowhere/at/all.json")));
    }
}
