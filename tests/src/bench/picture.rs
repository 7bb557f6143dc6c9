//! A picture of what a chip was busy with: an SVG of the grid, from the usage that the library's statistics have (`GGML_TT_PROFILE`).
//!
//! Positions are those of NoC 0. A Tensix tile's shade and number are the busiest core's active time, the bars below it its units'. A DRAM
//! tile shows its two channels. Arrows are links: NoC 0 goes right and down, NoC 1 left and up; a link that leads over the edge comes in on
//! the other side.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tt_isa::chip::Chip;
use tt_isa::noc::NocXy;
use tt_runtime::usage::UnitName;

/// Side of a position, and what is between two.
const SIDE: f64 = 64.0;
const GAP: f64 = 30.0;
const PITCH: f64 = SIDE + GAP;
/// Around the grid.
const LEFT: f64 = 40.0;
const TOP: f64 = 104.0;
const BOTTOM: f64 = 124.0;
/// Links with less load than this are left out.
const LEAST: f64 = 0.005;

/// Units that have bars, with colours.
const UNITS: [(UnitName, &str); 5] = [
    (UnitName::Unpacker0, "#1b9e77"),
    (UnitName::Unpacker1, "#66c2a5"),
    (UnitName::Matrix, "#d95f02"),
    (UnitName::Vector, "#e7298a"),
    (UnitName::Packers, "#7570b3"),
];

/// What happened at a position or on a link, as a part of the time.
#[derive(Default)]
struct Loads {
    /// The busiest core of a tile, and its units.
    tiles: BTreeMap<(u8, u8), (f64, Vec<f64>)>,
    /// By NoC, x, y, and way.
    links: BTreeMap<(u8, u8, u8, String), f64>,
    channels: Vec<f64>,
    bytes: u64,
    clocks: f64,
}

/// Sums of what rows of a profile have.
#[derive(Default)]
struct Sums {
    clocks: u64,
    tiles: BTreeMap<(u8, u8), (u64, Vec<u64>)>,
    links: BTreeMap<(u8, u8, u8, String), u64>,
    channels: Vec<(u64, u64)>,
}

fn number(value: &Value) -> Result<u64> {
    value.as_u64().with_context(|| format!("{value} is no number"))
}

fn list(value: &Value) -> Result<&Vec<Value>> {
    value.as_array().with_context(|| format!("{value} is no list"))
}

fn position(value: &Value) -> Result<(u8, u8)> {
    Ok((number(&value[0])? as u8, number(&value[1])? as u8))
}

impl Sums {
    fn add(&mut self, usage: &Value) -> Result<()> {
        self.clocks += number(&usage["clocks"])?;
        for tile in list(&usage["tiles"])? {
            let active = list(&tile["cores"])?.iter().map(|core| number(&core["active"]));
            let most = active.collect::<Result<Vec<_>>>()?.into_iter().max().unwrap_or(0);
            let units = list(&tile["units"])?.iter().map(number).collect::<Result<Vec<_>>>()?;
            let sum = self.tiles.entry(position(&tile["at"])?).or_insert_with(|| (0, vec![0; units.len()]));
            sum.0 += most;
            sum.1.iter_mut().zip(units).for_each(|(sum, unit)| *sum += unit);
        }
        for link in list(&usage["links"])? {
            let (x, y) = position(&link["at"])?;
            let way = link["way"].as_str().context("a link leads nowhere")?.to_owned();
            *self.links.entry((number(&link["noc"])? as u8, x, y, way)).or_default() +=
                number(&link["busy"])?;
        }
        for (n, channel) in list(&usage["channels"])?.iter().enumerate() {
            self.channels.resize(self.channels.len().max(n + 1), (0, 0));
            self.channels[n].0 += number(&channel["busy"])?;
            self.channels[n].1 += number(&channel["read"])? + number(&channel["written"])?;
        }
        Ok(())
    }

    fn loads(self) -> Loads {
        let clocks = self.clocks.max(1) as f64;
        let part = |busy: u64| (busy as f64 / clocks).min(1.0);
        Loads {
            tiles: self
                .tiles
                .into_iter()
                .map(|(at, (core, units))| (at, (part(core), units.into_iter().map(part).collect())))
                .collect(),
            links: self.links.into_iter().map(|(link, busy)| (link, part(busy))).collect(),
            channels: self.channels.iter().map(|channel| part(channel.0)).collect(),
            bytes: self.channels.iter().map(|channel| channel.1).sum(),
            clocks,
        }
    }
}

/// The picture of a run's rows whose `OPERATOR TENSOR` contains `only`; all of them if that is empty. `title`: what it shows.
///
/// # Errors
/// There are no such rows, or the device keeps no time.
pub fn picture(chip: &Chip, stats: &Value, title: &str, only: &str) -> Result<String> {
    let mut sums = Sums::default();
    let mut names = Vec::new();
    for row in list(&stats["profile"])? {
        let text = |field: &str| row[field].as_str().unwrap_or_default();
        let name = format!("{} {}", text("operator"), text("tensor"));
        if name.contains(only) {
            ensure!(row["usage"].is_object(), "the device keeps no time: a picture needs sim:BOARD,timed");
            sums.add(&row["usage"]).with_context(|| format!("usage of {name}"))?;
        }
        names.push(name);
    }
    ensure!(sums.clocks > 0, "no operator contains {only:?}; there are: {}", names.join(", "));
    let clocks_us = stats["clocks_us"].as_f64().context("the device keeps no time")?;
    Ok(draw(chip, &sums.loads(), title, clocks_us))
}

fn draw(chip: &Chip, loads: &Loads, title: &str, clocks_us: f64) -> String {
    let (columns, rows) = (f64::from(chip.grid.x), f64::from(chip.grid.y));
    let (width, height) = (2.0 * LEFT + columns * PITCH, TOP + rows * PITCH + BOTTOM);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let us = loads.clocks / clocks_us;
    let rate = loads.bytes as f64 / loads.clocks * clocks_us / 1e3;
    text(&mut svg, LEFT, 34.0, 20.0, "start", title);
    let facts = format!("{us:.1} us; {:.2} MB of DRAM, {rate:.1} GB/s", loads.bytes as f64 / 1e6);
    text(&mut svg, LEFT, 58.0, 14.0, "start", &facts);
    links(&mut svg, loads);
    for x in 0..chip.grid.x {
        text(&mut svg, corner(x, 0).0 + SIDE / 2.0, TOP - 20.0, 11.0, "middle", &format!("x {x}"));
    }
    for y in 0..chip.grid.y {
        text(&mut svg, 8.0, corner(0, y).1 + SIDE / 2.0 + 4.0, 11.0, "start", &format!("y {y}"));
    }
    for y in 0..chip.grid.y {
        for x in 0..chip.grid.x {
            tile(&mut svg, chip, loads, NocXy::new(x, y));
        }
    }
    legend(&mut svg, TOP + rows * PITCH + 24.0);
    svg.push_str("</svg>\n");
    svg
}

/// Left upper corner of a position.
fn corner(x: u8, y: u8) -> (f64, f64) {
    (LEFT + GAP / 2.0 + f64::from(x) * PITCH, TOP + GAP / 2.0 + f64::from(y) * PITCH)
}

fn text(svg: &mut String, x: f64, y: f64, size: f64, anchor: &str, content: &str) {
    let content = content.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" text-anchor=\"{anchor}\">{content}</text>"
    );
}

fn rect(svg: &mut String, (x, y): (f64, f64), (width, height): (f64, f64), style: &str) {
    let _ = writeln!(
        svg,
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" {style}/>"
    );
}

/// White to blue, or to another colour.
fn shade(part: f64, [r, g, b]: [f64; 3]) -> String {
    let mix = |to: f64| (255.0 + (to - 255.0) * part.clamp(0.0, 1.0)).round();
    format!("rgb({},{},{})", mix(r), mix(g), mix(b))
}

const BLUE: [f64; 3] = [33.0, 102.0, 172.0];
const ORANGE: [f64; 3] = [230.0, 120.0, 20.0];

fn percent(part: f64) -> String {
    format!("{:.0}%", 100.0 * part)
}

fn frame(fill: &str) -> String {
    format!("fill=\"{fill}\" stroke=\"#555\" stroke-width=\"0.8\" rx=\"4\"")
}

fn tile(svg: &mut String, chip: &Chip, loads: &Loads, at: NocXy) {
    let banks = chip.dram.iter().enumerate().filter(|(_, bank)| bank.ports.contains(&at));
    let banks: Vec<usize> = banks.map(|(bank, _)| bank).collect();
    match loads.tiles.get(&(at.x, at.y)) {
        Some((core, units)) => tensix_tile(svg, at, *core, units),
        None if !banks.is_empty() => dram_tile(svg, at, &banks, &loads.channels),
        None => {
            let (x, y) = corner(at.x, at.y);
            rect(svg, (x, y), (SIDE, SIDE), &frame("#eeeeee"));
            text(svg, x + SIDE / 2.0, y + SIDE / 2.0 + 4.0, 11.0, "middle", other(chip, at));
        }
    }
}

/// Its busiest core as a shade and a number, its units as bars.
fn tensix_tile(svg: &mut String, at: NocXy, core: f64, units: &[f64]) {
    let (x, y) = corner(at.x, at.y);
    rect(svg, (x, y), (SIDE, SIDE), &frame(&shade(core, BLUE)));
    let colour = if core > 0.55 { "white" } else { "black" };
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" font-size=\"15\" text-anchor=\"middle\" fill=\"{colour}\">{}</text>",
        x + SIDE / 2.0,
        y + 24.0,
        percent(core)
    );
    for (n, (unit, colour)) in UNITS.iter().enumerate() {
        let part = units.get(*unit as usize).copied().unwrap_or(0.0);
        let (left, bottom) = (x + 5.0 + n as f64 * 11.0, y + SIDE - 5.0);
        rect(svg, (left, bottom - 26.0), (9.0, 26.0), "fill=\"white\" fill-opacity=\"0.75\"");
        rect(svg, (left, bottom - 26.0 * part), (9.0, 26.0 * part), &format!("fill=\"{colour}\""));
    }
}

/// The channels behind it.
fn dram_tile(svg: &mut String, at: NocXy, banks: &[usize], channels: &[f64]) {
    let (x, y) = corner(at.x, at.y);
    rect(svg, (x, y), (SIDE, SIDE), &frame("#fff6ea"));
    text(svg, x + SIDE / 2.0, y + 16.0, 11.0, "middle", "DRAM");
    for (n, bank) in banks.iter().enumerate() {
        let part = channels.get(*bank).copied().unwrap_or(0.0);
        let top = y + 22.0 + n as f64 * 20.0;
        let fill = format!("fill=\"{}\" stroke=\"#aaa\"", shade(part, ORANGE));
        rect(svg, (x + 4.0, top), (SIDE - 8.0, 17.0), &fill);
        text(svg, x + SIDE / 2.0, top + 12.5, 10.5, "middle", &format!("{bank}: {}", percent(part)));
    }
}

/// What a tile is that is neither Tensix nor DRAM.
fn other(chip: &Chip, at: NocXy) -> &'static str {
    match at {
        at if at == chip.pcie => "PCIe",
        at if at == chip.arc => "ARC",
        at if chip.ethernet.contains(&at) => "Ethernet",
        at if chip.tensix_x.contains(&at.x) && chip.tensix_y.contains(&at.y) => "harvested",
        _ => "",
    }
}

/// Links between routers, but for those with next to no load.
fn links(svg: &mut String, loads: &Loads) {
    let loaded = loads.links.iter().filter(|(_, part)| **part >= LEAST);
    for ((noc, x, y, way), part) in loaded {
        let (left, top) = corner(*x, *y);
        // The two NoCs are side by side.
        let side = if *noc == 0 { -6.0 } else { 6.0 };
        let (middle_x, middle_y) = (left + SIDE / 2.0 + side, top + SIDE / 2.0 + side);
        let (right, bottom) = (left + SIDE, top + SIDE);
        let line = match (way.as_str(), noc) {
            ("x", 0) => (right, middle_y, right + GAP, middle_y),
            ("x", _) => (left, middle_y, left - GAP, middle_y),
            ("y", 0) => (middle_x, bottom, middle_x, bottom + GAP),
            ("y", _) => (middle_x, top, middle_x, top - GAP),
            _ => continue,
        };
        arrow(svg, line, *part, *noc);
    }
}

fn arrow(svg: &mut String, (x1, y1, x2, y2): (f64, f64, f64, f64), part: f64, noc: u8) {
    let colour = heat(part);
    let width = 1.0 + 7.0 * part;
    let _ = writeln!(
        svg,
        "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{colour}\" stroke-width=\"{width:.1}\">\
         <title>NoC {noc}: {}</title></line>",
        percent(part)
    );
    // The head, a third of the way before the end.
    let (dx, dy) = (
        (x2 - x1).signum() * f64::from(u8::from(x1 != x2)),
        (y2 - y1).signum() * f64::from(u8::from(y1 != y2)),
    );
    let (hx, hy) = (x2 - 8.0 * dx, y2 - 8.0 * dy);
    let half = 2.5 + width / 2.0;
    let _ = writeln!(
        svg,
        "<path d=\"M {:.1} {:.1} L {:.1} {:.1} L {:.1} {:.1} Z\" fill=\"{colour}\"/>",
        hx + 7.0 * dx,
        hy + 7.0 * dy,
        hx - half * dy,
        hy + half * dx,
        hx + half * dy,
        hy - half * dx,
    );
}

/// Yellow to red.
fn heat(part: f64) -> String {
    let part = part.clamp(0.0, 1.0);
    format!("rgb({:.0},{:.0},{:.0})", 240.0 - 40.0 * part, 190.0 * (1.0 - part), 60.0 * (1.0 - part))
}

fn legend(svg: &mut String, top: f64) {
    text(
        svg,
        LEFT,
        top + 12.0,
        12.0,
        "start",
        "Tile: active time of its busiest core (sum over operators); bars, from the left:",
    );
    let mut x = LEFT + 470.0;
    for (unit, colour) in UNITS {
        rect(svg, (x, top + 2.0), (9.0, 11.0), &format!("fill=\"{colour}\""));
        text(svg, x + 13.0, top + 12.0, 12.0, "start", unit.name());
        x += 26.0 + 7.0 * unit.name().len() as f64;
    }
    let rest = "Link: NoC 0 right and down, NoC 1 left and up. Load, from 0.5 %:";
    text(svg, LEFT, top + 36.0, 12.0, "start", rest);
    for (n, part) in [0.05, 0.1, 0.25, 0.5, 0.75, 1.0].into_iter().enumerate() {
        let x = LEFT + 410.0 + 90.0 * n as f64;
        arrow(svg, (x, top + 32.0, x + GAP, top + 32.0), part, 0);
        text(svg, x + GAP + 6.0, top + 36.0, 12.0, "start", &percent(part));
    }
    text(
        svg,
        LEFT,
        top + 60.0,
        12.0,
        "start",
        "DRAM tile: bank, and the part of the time in which its channel moved data.",
    );
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tt_isa::chip::WORMHOLE;

    use super::*;

    fn row(tensor: &str) -> Value {
        let core = |active| json!({ "active": active });
        json!({ "operator": "MUL_MAT", "tensor": tensor, "usage": {
            "clocks": 1000,
            "tiles": [{ "at": [1, 1], "cores": [core(100), core(700)], "units": [0, 0, 500, 0, 0, 0, 0] }],
            "links": [{ "noc": 0, "at": [1, 1], "way": "x", "bytes": 32, "busy": 250 }],
            "channels": [{ "read": 4000, "written": 0, "busy": 420 }],
        } })
    }

    #[test]
    fn loads_are_parts_of_the_time_of_all_rows() {
        let stats = json!({ "clocks_us": 1000, "profile": [row("Qcur"), row("Kcur")] });
        let svg = picture(&WORMHOLE, &stats, "a <test>", "").unwrap();
        for part in ["2.0 us; 0.01 MB", ">70%<", ">0: 42%<", "NoC 0: 25%", "a &lt;test>"] {
            assert!(svg.contains(part), "{part}: {svg}");
        }
        let one = picture(&WORMHOLE, &stats, "", "Kcur").unwrap();
        assert!(one.contains("1.0 us;"));
        let error = picture(&WORMHOLE, &stats, "", "Vcur").unwrap_err().to_string();
        assert!(error.contains("MUL_MAT Qcur"), "{error}");
        let fast = json!({ "profile": [{ "operator": "ADD", "tensor": "x", "usage": null }] });
        assert!(picture(&WORMHOLE, &fast, "", "").unwrap_err().to_string().contains("timed"));
    }
}
