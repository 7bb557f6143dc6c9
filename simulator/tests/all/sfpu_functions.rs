//! The vector unit's functions against FP64: the kernels' instruction sequences, on this simulator's vector unit.
//!
//! `docs/sfpu-functions.md` states the largest errors, which are the bounds of this test. A normal run checks a part of all
//! FP32 numbers. With `TT_SFPU_SWEEP=1` a run checks at least 2^24 numbers for each function, and every number around the worst
//! ones; then the bounds must be tight too. `TT_UPDATE_DOCS=1` writes the page again.

use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use tt_isa::sfpu::{LANES, lreg};
use tt_kernel_abi::elementwise::{Binary, Unary};
use tt_kernel_sfpu::{CONSTANTS, Program, binary, functions as f, unary};
use tt_simulator::VectorUnit;

/// Own parameters of functions that have some.
const OWN: [f32; CONSTANTS] = [0.3, 0.7, 0.5, -1e-3];

/// Runs a program on every pair of `a` and `b`.
struct Runner {
    unit: VectorUnit,
    program: Program,
}

impl Runner {
    fn new(program: Program) -> Self {
        let mut unit = VectorUnit::default();
        for (i, value) in (0..).zip(program.constants().with(&OWN.map(f32::to_bits))) {
            unit.register(lreg::PROGRAMMABLE_0 + i).fill(value);
        }
        Self { unit, program }
    }

    fn run(&mut self, a: [u32; LANES], b: [u32; LANES]) -> [u32; LANES] {
        *self.unit.register(0) = a;
        *self.unit.register(1) = b;
        self.unit.run(self.program.words()).expect("a legal program");
        *self.unit.register(0)
    }
}

/// A function with its program, what it is in FP64, and how far off it may be.
struct Row {
    name: &'static str,
    program: Program,
    exact: fn(f64) -> f64,
    /// Arguments that are swept: up to this magnitude.
    up_to: f32,
    /// Largest error in units of the last place of the exact result, rounded up to a tenth; `None` for functions
    /// whose formula cancels.
    of_result: Option<f64>,
    /// Largest error in units of the last place of the argument or 1, whichever is larger.
    of_argument: Option<f64>,
}

/// The program of a building block, which takes its argument in `LReg[7]`.
fn block(body: fn(&mut Program)) -> Program {
    let mut p = Program::new(0);
    p.mov(7, 0);
    body(&mut p);
    p.finish()
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn gelu(x: f64) -> f64 {
    x * sigmoid(2.0 * (2.0 / std::f64::consts::PI).sqrt() * x * (1.0 + 0.044715 * x * x))
}

fn gelu_erf(x: f64) -> f64 {
    0.5 * x * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
}

fn softplus(x: f64) -> f64 {
    if x > 40.0 { x } else { x.exp().ln_1p() }
}

fn rows() -> Vec<Row> {
    let all = f32::MAX;
    let op = |function| unary(function).expect("a program");
    let row = |name, program, exact, up_to, of_result| Row {
        name,
        program,
        exact,
        up_to,
        of_result: Some(of_result),
        of_argument: None,
    };
    let cancels = |name, program, exact, of_argument| Row {
        name,
        program,
        exact,
        up_to: all,
        of_result: None,
        of_argument: Some(of_argument),
    };
    vec![
        row("exp", op(Unary::Exp), f64::exp, all, 0.9),
        row("log", op(Unary::Log), f64::ln, all, 0.9),
        row("recip", block(f::recip), f64::recip, all, 0.9),
        row("rsqrt", block(f::rsqrt), |x| x.sqrt().recip(), all, 1.2),
        row("sqrt", op(Unary::Sqrt), f64::sqrt, all, 1.8),
        row("sin", block(f::sin), f64::sin, f::TRIG_LIMIT, 2.5),
        row("cos", block(f::cos), f64::cos, f::TRIG_LIMIT, 2.4),
        row("tanh", op(Unary::Tanh), f64::tanh, all, 1.5),
        row("erf", block(f::erf), libm::erf, all, 1.6),
        row("expm1", op(Unary::Expm1), f64::exp_m1, all, 1.7),
        row("sigmoid", op(Unary::Sigmoid), sigmoid, all, 2.4),
        cancels("silu", op(Unary::Silu), |x| x * sigmoid(x), 2.3),
        cancels("gelu", op(Unary::Gelu), gelu, 2.2),
        cancels("gelu_quick", op(Unary::GeluQuick), |x| x * sigmoid(1.702 * x), 2.4),
        cancels("gelu_erf", op(Unary::GeluErf), gelu_erf, 2.4),
        cancels("softplus", op(Unary::Softplus), softplus, 1.8),
    ]
}

/// Arguments below it may be taken for zero, and so may results: twice the smallest normal number.
const FLUSHED: f32 = 2.0 * f32::MIN_POSITIVE;

/// Unit of the last place of a number, FP32.
fn ulp(x: f64) -> f64 {
    let exponent = ((x.abs().to_bits() >> 52) as i32 - 1023).max(-126);
    2f64.powi(exponent - 23)
}

/// Errors of a result in units of the exact one's last place, and the argument's (or 1's).
fn errors(x: f32, ours: f32, exact: f64) -> [f64; 2] {
    let rounded = exact as f32;
    if exact.is_nan() || rounded.is_infinite() || ours.is_nan() || ours.is_infinite() {
        // Around the largest number either may be right.
        let edge = exact.abs() > f64::from(f32::MAX) * (1.0 - 1e-6) && ours.abs() > f32::MAX * (1.0 - 1e-6);
        let same = ours.is_nan() == exact.is_nan() && (ours.is_nan() || ours == rounded || edge);
        return [if same { 0.0 } else { f64::INFINITY }; 2];
    }
    if exact.abs() < f64::from(FLUSHED) && ours.abs() <= FLUSHED {
        return [0.0; 2];
    }
    let error = (f64::from(ours) - exact).abs();
    [error / ulp(exact), error / ulp(f64::from(x).abs().max(1.0))]
}

/// The worst arguments found so far, for one measure.
#[derive(Clone, Default)]
struct Worst(Vec<(f64, u32)>);

impl Worst {
    fn note(&mut self, error: f64, bits: u32) {
        if self.0.len() == 8 && error <= self.0[7].0 {
            return;
        }
        self.0.push((error, bits));
        self.0.sort_by(|a, b| b.0.total_cmp(&a.0));
        self.0.truncate(8);
    }
}

fn sweep(row: &Row, runner: &mut Runner, arguments: impl Iterator<Item = u32>, worst: &mut [Worst; 2]) {
    let mut arguments = arguments.filter(|&bits| {
        let x = f32::from_bits(bits);
        x.abs() >= FLUSHED && x.abs() <= row.up_to
    });
    loop {
        let mut a = [0; LANES];
        let count = a.iter_mut().zip(&mut arguments).map(|(a, bits)| *a = bits).count();
        if count == 0 {
            return;
        }
        let out = runner.run(a, a);
        for (&bits, &ours) in a.iter().zip(&out).take(count) {
            let x = f32::from_bits(bits);
            let errors = errors(x, f32::from_bits(ours), (row.exact)(f64::from(x)));
            for (worst, error) in worst.iter_mut().zip(errors) {
                worst.note(error, bits);
            }
        }
    }
}

fn measure(row: &Row, step: usize) -> [Worst; 2] {
    let mut runner = Runner::new(row.program);
    let mut worst = <[Worst; 2]>::default();
    sweep(row, &mut runner, (0..=u32::MAX).step_by(step), &mut worst);
    for _ in 0..2 {
        for near in worst.clone().into_iter().flat_map(|worst| worst.0) {
            sweep(row, &mut runner, (0..4096).map(|i| near.1.wrapping_add(i).wrapping_sub(2048)), &mut worst);
        }
    }
    worst
}

#[test]
fn functions_are_as_near_as_stated() {
    let whole = std::env::var_os("TT_SFPU_SWEEP").is_some();
    let mut wrong = Vec::new();
    for row in rows() {
        let worst = measure(&row, if whole { 251 } else { 20_011 });
        let bounds = [row.of_result, row.of_argument];
        for ((worst, bound), what) in worst.iter().zip(bounds).zip(["result", "argument"]) {
            let (error, bits) = worst.0[0];
            let x = f32::from_bits(bits);
            let Some(bound) = bound else { continue };
            println!("{}: {error:.4} ulp of the {what} at {x:e} ({bits:#010x})", row.name);
            if error > bound || (whole && error < bound - 0.2) {
                wrong
                    .push(format!("{}: {error:.4} ulp of the {what} at {x:e}, stated are {bound}", row.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// ggml's CPU backend's formulas, for arguments that are no ordinary numbers.
fn cpu(function: Unary, x: f32) -> f32 {
    let sigmoid = |x: f32| 1.0 / (1.0 + (-x).exp());
    // C's fmaxf and fminf make a number of NaN, which `clamp` does not.
    #[allow(clippy::manual_clamp)]
    let hardsigmoid = ((x + 3.0) / 6.0).max(0.0).min(1.0);
    let [p0, p1, p2, p3] = OWN;
    let tanh_inner = (2.0 / std::f32::consts::PI).sqrt() * x * (1.0 + 0.044715 * x * x);
    match function {
        Unary::Abs => x.abs(),
        Unary::Sgn => f32::from(i8::from(x > 0.0) - i8::from(x < 0.0)),
        Unary::Neg => -x,
        Unary::Step => f32::from(u8::from(x > 0.0)),
        Unary::Tanh => x.tanh(),
        Unary::Elu => {
            if x > 0.0 {
                x
            } else {
                x.exp_m1()
            }
        }
        Unary::Relu => {
            if x > 0.0 {
                x
            } else {
                0.0
            }
        }
        Unary::Sigmoid => sigmoid(x),
        Unary::Gelu => 0.5 * x * (1.0 + tanh_inner.tanh()),
        Unary::GeluQuick => x * sigmoid(1.702 * x),
        Unary::Silu => x / (1.0 + (-x).exp()),
        Unary::Hardswish => x * hardsigmoid,
        Unary::Hardsigmoid => hardsigmoid,
        Unary::Exp => x.exp(),
        Unary::Expm1 => x.exp() - 1.0,
        Unary::Softplus if x > 20.0 => x,
        Unary::Softplus => (1.0 + x.exp()).ln(),
        Unary::GeluErf => 0.5 * x * (1.0 + libm::erff(x * std::f32::consts::FRAC_1_SQRT_2)),
        Unary::Xielu if x > 0.0 => p1 * x * x + p2 * x,
        Unary::Xielu => (x.min(p3).exp_m1() - x) * p0 + p2 * x,
        Unary::Floor => x.floor(),
        Unary::Ceil => x.ceil(),
        Unary::Round => x.round(),
        Unary::Trunc => x.trunc(),
        Unary::Sqr => x * x,
        Unary::Sqrt => x.sqrt(),
        Unary::Log => x.ln(),
        Unary::Scale => x * p0 + p1,
        Unary::Clamp if x < p0 => p0,
        Unary::Clamp if x > p1 => p1,
        Unary::Clamp => x,
        Unary::LeakyRelu if x > 0.0 => x,
        Unary::LeakyRelu => x * p0,
        Unary::Sin | Unary::Cos | Unary::Fill | Unary::Arange => unreachable!("have no program"),
    }
}

fn show(x: f32) -> String {
    match x.is_nan() {
        true => String::from(if x.is_sign_negative() { "-NaN" } else { "NaN" }),
        false => format!("{x:e}"),
    }
}

/// Arguments that are no ordinary numbers.
const SPECIAL: [f32; 9] =
    [f32::NEG_INFINITY, -f32::MAX, -1e-40, -0.0, 0.0, 1e-40, f32::MAX, f32::INFINITY, f32::NAN];

/// Rows of the page for special arguments of which the vector unit makes something else than the CPU. Signs of zeros
/// and of NaN do not count.
fn deviations() -> Vec<String> {
    let mut lines = Vec::new();
    let special: Vec<f32> = SPECIAL.into_iter().chain([-f32::NAN]).collect();
    for &function in Unary::ALL {
        let Some(program) = unary(function) else { continue };
        let mut runner = Runner::new(program);
        for &x in &special {
            let ours = f32::from_bits(runner.run([x.to_bits(); LANES], [0; LANES])[0]);
            let theirs = cpu(function, x);
            let near = (ours - theirs).abs() <= 1e-6 * theirs.abs();
            if !(near || ours == theirs || ours.is_nan() && theirs.is_nan()) {
                let line =
                    format!("| {} | {} | {} | {} |", function.name(), show(x), show(theirs), show(ours));
                lines.push(line);
            }
        }
    }
    lines
}

#[test]
fn page_says_what_the_functions_do() {
    let number = |bound: Option<f64>| bound.map_or(String::from("-"), |bound| format!("{bound:.1}"));
    let table: Vec<String> = rows()
        .iter()
        .map(|row| {
            let (of_result, of_argument) = (number(row.of_result), number(row.of_argument));
            let range = match row.up_to == f32::MAX {
                true => String::from("all"),
                false => format!("up to {} in magnitude", row.up_to),
            };
            let words = row.program.words().len();
            format!("| {} | {range} | {of_result} | {of_argument} | {words} |", row.name)
        })
        .collect();
    let text = format!(
        "# Functions on the vector unit\n\n\
         Elementwise operators on FP32 tensors run on the vector unit (SFPU) of each Tensix tile. `kernels/sfpu/src/` builds\n\
         their programs. The test `simulator/tests/all/sfpu_functions.rs` executes the kernels' instructions, compares the results with FP64\n\
         and writes this page: `TT_UPDATE_DOCS=1 cargo test -p tt-simulator --test all sfpu_functions`.\n\n\
         ## Errors\n\n\
         The largest errors over 2^24 arguments from all of FP32, and over all arguments around the worst of them\n\
         (`TT_SFPU_SWEEP=1`), rounded up to a tenth. The unit is the unit in the last place (ulp) of the exact result; 0.5 is the best possible.\n\
         Formulas with cancellation (the CPU's have it too) have no bound in ulp of the result; their unit is the ulp of the\n\
         argument, or of 1 if that is larger. Words are instructions for 32 elements, including waits for results.\n\n\
         | function | arguments | ulp of the result | ulp of the argument | words |\n|---|---|---|---|---|\n{}\n\n\
         `sin` and `cos` are for kernels whose arguments are known to be in range. The operators SIN and COS stay on the\n\
         data-movement cores, and so do operators with other types, gaps in rows or few elements. `GGML_TT_SFPU=0` keeps all of them there.\n\n\
         ## Differences from the CPU\n\n\
         - The unit has no denormals: arguments and results of arithmetic below 2^-126 are zero, and some functions lose results\n\
         below 2^-125. ABS, NEG and RELU preserve denormals.\n\
         - Computed zeros are +0.\n\
         - Quotients of 2^126 and more may become infinite.\n\n\
         Special arguments with different results (operator parameters are {OWN:?}); signs of zeros and NaN are not compared:\n\n\
         | operator | argument | CPU | vector unit |\n|---|---|---|---|\n{}\n",
        table.join("\n"),
        deviations().join("\n"),
    );
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/sfpu-functions.md");
    if std::env::var_os("TT_UPDATE_DOCS").is_some() {
        std::fs::write(path, &text).expect("docs/sfpu-functions.md can be written");
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(
        written, text,
        "docs/sfpu-functions.md is not what the functions do: run with TT_UPDATE_DOCS=1"
    );
}

/// Pairs of random numbers of any magnitude: the quotient within its bound, or flushed, or too large.
#[test]
fn quotients_are_near() {
    const BOUND: f64 = 2.0;
    let mut runner = Runner::new(binary(Binary::Div).expect("a program"));
    let mut random = SplitMix64::seed_from_u64(0x2545_F491_4F6C_DD1D);
    for _ in 0..20_000 {
        let (a, b): ([u32; LANES], [u32; LANES]) =
            (std::array::from_fn(|_| random.next_u32()), std::array::from_fn(|_| random.next_u32()));
        for (i, ours) in runner.run(a, b).into_iter().enumerate() {
            let [a, b, ours] = [a[i], b[i], ours].map(f32::from_bits);
            if !a.is_normal() || !b.is_normal() {
                continue;
            }
            let exact = f64::from(a) / f64::from(b);
            let too_large = exact.abs() >= 2f64.powi(126) && ours.is_infinite();
            let flushed = exact.abs() < f64::from(FLUSHED) && ours.abs() <= FLUSHED;
            let error = (f64::from(ours) - exact).abs() / ulp(exact);
            assert!(
                too_large || flushed || error <= BOUND,
                "{a:e} / {b:e} = {ours:e}, off by {error:.2} ulp"
            );
        }
    }
    let special = |a: f32, b: f32| {
        let mut runner = Runner::new(binary(Binary::Div).expect("a program"));
        f32::from_bits(runner.run([a.to_bits(); LANES], [b.to_bits(); LANES])[0])
    };
    assert!(
        special(0.0, 0.0).is_nan() && special(1.0, f32::NAN).is_nan() && special(-f32::NAN, 1.0).is_nan()
    );
    assert_eq!([special(-1.0, 0.0), special(3.0, f32::INFINITY)], [f32::NEG_INFINITY, 0.0]);
    assert_eq!(special(f32::INFINITY, -2.0), f32::NEG_INFINITY);
    assert!(special(f32::INFINITY, f32::INFINITY).is_nan());
}
