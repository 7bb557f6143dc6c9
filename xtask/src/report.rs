//! Steps of a longer run, with their times, and the table at its end.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

enum Outcome {
    Passed(Duration),
    Failed(Duration, String),
    Skipped(String),
}

/// Collects what each step did. A failing step does not stop the run: one run shows all that is wrong.
#[derive(Default)]
pub struct Report {
    steps: Vec<(String, Outcome)>,
    skipped: Vec<String>,
}

impl Report {
    /// Runs one step.
    pub fn step(&mut self, name: &str, body: impl FnOnce() -> Result<()>) {
        println!("\n== {name}");
        let start = Instant::now();
        let outcome = match body() {
            Ok(()) => Outcome::Passed(start.elapsed()),
            Err(error) => {
                eprintln!("{error:#}");
                let text = format!("{error:#}");
                Outcome::Failed(start.elapsed(), text.lines().next().unwrap_or_default().to_owned())
            }
        };
        self.steps.push((name.to_owned(), outcome));
    }

    /// Records a step that did not run.
    pub fn skip(&mut self, name: &str, reason: &str) {
        println!("\n== {name}: skipped, {reason}");
        self.steps.push((name.to_owned(), Outcome::Skipped(reason.to_owned())));
    }

    /// Records tests inside a step that said they were skipped.
    pub fn skipped_tests(&mut self, tests: Vec<String>) {
        self.skipped.extend(tests);
    }

    /// Prints the table; an error if a step failed.
    pub fn finish(self, closing: Option<&str>) -> Result<()> {
        println!("\n== summary");
        let mut failed = 0;
        for (name, outcome) in &self.steps {
            match outcome {
                Outcome::Passed(time) => println!("  ok       {:>7.1} s  {name}", time.as_secs_f64()),
                Outcome::Failed(time, why) => {
                    failed += 1;
                    println!("  FAILED   {:>7.1} s  {name}: {why}", time.as_secs_f64());
                }
                Outcome::Skipped(why) => println!("  skipped             {name}: {why}"),
            }
        }
        println!("\nskipped tests: {}", if self.skipped.is_empty() { "none" } else { "" });
        for line in &self.skipped {
            println!("  {line}");
        }
        if let Some(line) = closing {
            let unable = self.skipped.len();
            println!(
                "\n{line}{}",
                if unable > 0 {
                    format!("; {unable} of them could not run, see above")
                } else {
                    String::new()
                }
            );
        }
        if failed > 0 {
            bail!("{failed} of {} steps failed", self.steps.len());
        }
        Ok(())
    }
}
