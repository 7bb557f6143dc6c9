//! A timeline of what the host does with a chip whose inside is not seen, as of a card: the lines of the process `host` in the same format.

use std::fs::File;
use std::io::BufWriter;

use super::timeline::Timeline;
use super::{Mark, TraceConfig, TraceError, write_error};

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
}

impl Drop for HostTimeline {
    fn drop(&mut self) {
        // There is nobody to report the error to.
        let _ = self.timeline.finish();
    }
}
