//! The grid of a chip with what was found on it: as text for a terminal, and as SVG.
//!
//! Rows and columns are NoC 0's. A dead link is a mark between two routers, or behind the last one where it goes round the edge.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use tt_isa::chip::{CHIPS, Chip};
use tt_isa::noc::{Axis, NocXy};

use crate::findings::{Finding, Outcome, Place, verdict};
use crate::selftest::Report;

/// What stands at a position.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Tensix,
    /// A DRAM tile, with one of its banks that has the worst verdict.
    Dram,
    Ethernet,
    Pcie,
    Arc,
    Off,
    Empty,
}

/// A position with its verdict; `None`: nothing was tested there.
struct Cell {
    kind: Kind,
    outcome: Option<Outcome>,
}

impl Cell {
    fn letter(&self) -> char {
        match (self.kind, self.outcome) {
            (_, Some(Outcome::Hung)) => '!',
            (_, Some(Outcome::Failed)) => 'X',
            (Kind::Tensix, Some(_)) => 'T',
            (Kind::Tensix, None) => '?',
            (Kind::Dram, _) => 'D',
            (Kind::Ethernet, _) => 'E',
            (Kind::Pcie, _) => 'P',
            (Kind::Arc, _) => 'A',
            (Kind::Off, _) => '-',
            (Kind::Empty, _) => '.',
        }
    }
}

/// The picture's content.
struct Grid<'a> {
    size: NocXy,
    report: &'a Report,
    chip: Option<&'static Chip>,
}

impl<'a> Grid<'a> {
    fn new(report: &'a Report) -> Self {
        let [x, y] = report.grid;
        let chip = CHIPS.iter().find(|chip| chip.name == report.chip).copied();
        Self { size: NocXy::new(x, y), report, chip }
    }

    fn cell(&self, at: NocXy) -> Cell {
        let findings = &self.report.findings;
        if self.report.tiles.contains(&[at.x, at.y]) {
            return Cell { kind: Kind::Tensix, outcome: verdict(findings, at.into()) };
        }
        let Some(chip) = self.chip else { return Cell { kind: Kind::Empty, outcome: None } };
        let banks: Vec<usize> =
            (0..chip.dram.len()).filter(|&bank| chip.dram[bank].ports.contains(&at)).collect();
        if !banks.is_empty() {
            let verdicts = banks.iter().filter_map(|&number| verdict(findings, Place::Bank { number }));
            return Cell { kind: Kind::Dram, outcome: verdicts.max() };
        }
        let kind = match at {
            at if chip.ethernet.contains(&at) => Kind::Ethernet,
            at if at == chip.pcie => Kind::Pcie,
            at if at == chip.arc => Kind::Arc,
            at if chip.tensix_x.contains(&at.x) && chip.tensix_y.contains(&at.y) => Kind::Off,
            _ => Kind::Empty,
        };
        Cell { kind, outcome: None }
    }

    /// Whether a link between a router and the next one to the right, or below, is dead, in either direction.
    fn is_dead(&self, at: NocXy, axis: Axis) -> bool {
        let next = match axis {
            Axis::X => NocXy::new((at.x + 1) % self.size.x, at.y),
            Axis::Y => NocXy::new(at.x, (at.y + 1) % self.size.y),
        };
        let letter = if axis == Axis::X { 'x' } else { 'y' };
        let is = |finding: &Finding| match finding.place {
            Place::Link { noc: 0, x, y, axis } => axis == letter && NocXy::new(x, y) == at,
            Place::Link { x, y, axis, .. } => axis == letter && NocXy::new(x, y) == next,
            _ => false,
        };
        self.report.findings.iter().any(is)
    }
}

fn style(outcome: Option<Outcome>) -> Style {
    let color = match outcome {
        Some(Outcome::Passed) => AnsiColor::Green,
        Some(Outcome::Failed | Outcome::Hung) => AnsiColor::Red,
        Some(Outcome::Skipped) => AnsiColor::Yellow,
        None => return Style::new().dimmed(),
    };
    Style::new().fg_color(Some(color.into())).bold()
}

/// For a terminal; a stream that is none takes the colours out.
pub fn text(report: &Report) -> String {
    let grid = Grid::new(report);
    let (red, size) = (style(Some(Outcome::Failed)), grid.size);
    let mut out = String::from("    ");
    (0..size.x).for_each(|x| out += &format!("{x:>3} "));
    out += "  NoC 0\n";
    for y in 0..size.y {
        out += &format!("{y:>3} ");
        let mut below = String::new();
        for x in 0..size.x {
            let at = NocXy::new(x, y);
            let cell = grid.cell(at);
            let color = style(cell.outcome);
            let _ = write!(out, "  {color}{}{color:#}", cell.letter());
            out += &if grid.is_dead(at, Axis::X) { format!("{red}x{red:#}") } else { " ".to_owned() };
            below += &if grid.is_dead(at, Axis::Y) { format!("  {red}x{red:#} ") } else { "    ".to_owned() };
        }
        out += "\n";
        if !below.trim().is_empty() {
            out += &format!("    {below}\n");
        }
    }
    out += "T Tensix, D DRAM, E Ethernet, P PCIe, A ARC, - off; X fault, ! no answer, x dead link\n";
    out
}

/// Sizes in the picture.
const STEP: u32 = 46;
const BOX: u32 = 36;
const EDGE: u32 = 40;

/// As a picture.
pub fn svg(report: &Report) -> String {
    let grid = Grid::new(report);
    let (width, height) = (EDGE + STEP * u32::from(grid.size.x), EDGE + STEP * u32::from(grid.size.y));
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"8\" y=\"16\">{}: {}</text>\n",
        escaped(&report.device),
        if report.passed { "no fault" } else { "faults" }
    );
    for at in (0..grid.size.y).flat_map(|y| (0..grid.size.x).map(move |x| NocXy::new(x, y))) {
        draw(&mut out, &grid, at);
    }
    out + "</svg>\n"
}

fn draw(out: &mut String, grid: &Grid, at: NocXy) {
    let cell = grid.cell(at);
    let (x, y) = (EDGE / 2 + STEP * u32::from(at.x), EDGE - 10 + STEP * u32::from(at.y));
    let fill = match cell.outcome {
        Some(Outcome::Passed) => "#7bc47f",
        Some(Outcome::Failed | Outcome::Hung) => "#e05252",
        Some(Outcome::Skipped) => "#e8c15a",
        None => "#dddddd",
    };
    let place = Place::from(at);
    let notes: Vec<String> = grid
        .report
        .findings
        .iter()
        .filter(|finding| finding.place == place)
        .map(|finding| escaped(&finding.to_string()))
        .collect();
    let _ = writeln!(
        out,
        "<rect x=\"{x}\" y=\"{y}\" width=\"{BOX}\" height=\"{BOX}\" rx=\"4\" fill=\"{fill}\"><title>{at} {}</title></rect>\
         <text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
        notes.join("\n"),
        x + BOX / 2,
        y + BOX / 2 + 5,
        cell.letter()
    );
    for (axis, x, y) in [(Axis::X, x + BOX, y + BOX / 2 - 4), (Axis::Y, x + BOX / 2 - 4, y + BOX)] {
        if grid.is_dead(at, axis) {
            let (w, h) = if axis == Axis::X { (STEP - BOX, 8) } else { (8, STEP - BOX) };
            let _ =
                writeln!(out, "<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" fill=\"#c00000\"/>");
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tt_isa::noc::RouterLink;

    fn report() -> Report {
        let dead = RouterLink { noc: 1, from: NocXy::new(3, 2), axis: Axis::X };
        Report {
            device: "a <card>".to_owned(),
            chip: "wormhole",
            tiles: vec![[1, 1], [2, 1]],
            grid: [10, 12],
            passed: false,
            seconds: 0.0,
            findings: vec![
                Finding::new(NocXy::new(1, 1), "L1", Outcome::Passed, ""),
                Finding::new(NocXy::new(2, 1), "L1", Outcome::Failed, "bit 3 is wrong"),
                Finding::new(Place::Bank { number: 0 }, "DRAM", Outcome::Passed, ""),
                Finding::new(dead, "NoC link", Outcome::Hung, ""),
            ],
        }
    }

    #[test]
    fn the_grid_shows_faults_where_they_are() {
        let text = anstream::adapter::strip_str(&text(&report())).to_string();
        let rows: Vec<&str> = text.lines().collect();
        assert_eq!(&rows[2][..16], "  1   D   T   X ");
        // NoC 1's link from (3,2) goes to (2,2).
        assert_eq!(&rows[3][..20], "  2   .   -   -x  - ");
    }

    #[test]
    fn pictures_are_svg() {
        let svg = svg(&report());
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert!(svg.contains("a &lt;card&gt;: faults") && svg.contains("bit 3 is wrong"));
    }
}
