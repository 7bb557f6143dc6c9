//! The start of a program: what can be checked before, and what is written to the tiles.

use std::collections::BTreeMap;
use std::sync::Arc;

use tt_isa::map::{LOCAL_RAM_BASE, RiscV};
use tt_kernel_abi::program::{
    ARGUMENT_BYTES, BLOCK_AT, Block, SCRATCH_BYTES, SPAN_BYTES, SPANS_AT, STATUS_BYTES, Starts,
};
use tt_kernels::program::Relocatable;
use zerocopy::IntoBytes;

use super::argument::{HostArgument, Needs, Role};
use super::image::KernelImage;
use super::run::Run;
use super::{Kernel, MOST_ARGUMENTS, PRINT_BYTES, Program};
use crate::device::{Region, Session};
use crate::error::Error;
use crate::grid::{Grid, Tile};
use crate::report::ProgramError;

/// A kernel that has been loaded.
pub(super) struct Loaded {
    pub image: KernelImage,
    pub core: RiscV,
    pub tiles: Vec<Tile>,
    pub region: Region,
    pub layout: Layout,
}

/// Where in its region a kernel's parts are; the image is the last one.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    at: u32,
    arguments: u32,
    pub print_bytes: u32,
    pub spans: u32,
}

impl Layout {
    pub fn status(&self) -> u32 {
        self.at
    }

    fn scratch(&self) -> u32 {
        self.at + STATUS_BYTES.next_multiple_of(64)
    }

    pub fn print(&self) -> u32 {
        self.scratch() + SCRATCH_BYTES
    }

    pub fn spans(&self) -> u32 {
        self.print() + self.print_bytes
    }

    fn arguments(&self) -> u32 {
        let bytes = if self.spans == 0 { 0 } else { SPANS_AT + self.spans * SPAN_BYTES };
        (self.spans() + bytes).next_multiple_of(16)
    }

    pub fn image(&self) -> u32 {
        (self.arguments() + self.arguments * ARGUMENT_BYTES).next_multiple_of(64)
    }
}

/// Starts a program.
pub(super) fn launch(program: &Program) -> Result<Run, Error> {
    let device = &program.device;
    let _span = tracing::debug_span!("program", kernels = program.kernels.len()).entered();
    if program.kernels.is_empty() {
        return Err(Box::new(ProgramError::Empty).into());
    }
    let grid = device.grid()?;
    check(program, &grid)?;
    let mut kernels = Vec::new();
    let mut files: Vec<Arc<Relocatable>> = Vec::new();
    for (n, kernel) in program.kernels.iter().enumerate() {
        // Kernels on single tiles of a list have the same image.
        let before = files.last().filter(|_| n > 0 && program.kernels[n - 1].image.is(&kernel.image));
        let image = match before {
            Some(image) => Arc::clone(image),
            None => Arc::new(kernel.image.load(grid.chip())?),
        };
        let mut layout = Layout {
            at: 0,
            arguments: kernel.arguments.len() as u32,
            print_bytes: if kernel.prints { PRINT_BYTES } else { 0 },
            spans: kernel.spans,
        };
        let region = device.region(kernel.range, layout.image() + image.len() as u32)?;
        layout.at = region.at;
        files.push(image);
        kernels.push(Loaded {
            image: kernel.image.clone(),
            core: kernel.core,
            tiles: grid.tiles_of(kernel.range).collect(),
            region,
            layout,
        });
    }
    let mut starts: BTreeMap<usize, (Tile, Starts)> = BTreeMap::new();
    for kernel in &kernels {
        for &tile in &kernel.tiles {
            let at = tile.logical();
            let index = (at.y * grid.columns() + at.x) as usize;
            let (_, starts) = starts.entry(index).or_insert((tile, Starts::default()));
            starts.cores |= 1 << kernel.core as u32;
            starts.start[kernel.core as usize] = kernel.layout.image();
        }
    }
    let memory = program.kernels.iter().flat_map(|kernel| {
        (0..kernel.range.len()).flat_map(|n| kernel.arguments(n).map(|argument| argument.needs.clone()))
    });
    let memory = memory.filter(|needs| needs.device().is_some()).collect();
    let (number, session) = device.with_tiles(|session| {
        check_memory(program, session)?;
        let ranges: Vec<_> = kernels.iter().map(|kernel| kernel.region.range).collect();
        let number = session.take(&ranges)?;
        let written =
            program.kernels.iter().zip(&kernels).zip(&files).try_for_each(|((kernel, loaded), file)| {
                load(session, &grid, kernel, loaded, &file.at(loaded.layout.image()))
            });
        let started = written
            .and_then(|()| starts.values().try_for_each(|(tile, starts)| session.release(*tile, starts)));
        match started {
            Ok(()) => Ok((number, session.number())),
            Err(error) => {
                session.give_back(number, true)?;
                Err(error)
            }
        }
    })?;
    Ok(Run::new(program, (number, session), kernels, memory))
}

/// Writes a kernel and all that it needs to its tiles.
fn load(
    session: &mut Session,
    grid: &Grid,
    kernel: &Kernel,
    loaded: &Loaded,
    image: &[u8],
) -> Result<(), Error> {
    let (layout, range) = (&loaded.layout, loaded.region.range);
    let stack = LOCAL_RAM_BASE + grid.chip().tile.local_ram[kernel.core as usize];
    let block = Block {
        stack,
        core: kernel.core as u32,
        status: layout.status(),
        arguments: layout.arguments(),
        argument_count: layout.arguments,
        print: layout.print(),
        print_bytes: layout.print_bytes,
        scratch: layout.scratch(),
        spans: layout.spans(),
        most_spans: layout.spans,
    };
    let mut image = image.to_vec();
    image[BLOCK_AT as usize..][..size_of::<Block>()].copy_from_slice(block.as_bytes());
    session.write_l1(range, layout.image(), &image)?;
    let front = vec![0; (layout.arguments() - layout.at) as usize];
    session.write_l1(range, layout.at, &front)?;
    for (n, &tile) in loaded.tiles.iter().enumerate() {
        let words = kernel.argument_words(n);
        if !words.is_empty() {
            session.write_l1(tile.into(), layout.arguments(), words.as_bytes())?;
        }
        for argument in kernel.arguments(n).filter(|argument| !argument.first.is_empty()) {
            if let Needs::Here(region, _) | Needs::There(region) = &argument.needs {
                session.write_l1(region.range, region.at, &argument.first)?;
            }
        }
    }
    Ok(())
}

/// Checks what does not depend on the device's state.
fn check(program: &Program, grid: &Grid) -> Result<(), Box<ProgramError>> {
    let mut cores: BTreeMap<(u32, u32, RiscV), &Kernel> = BTreeMap::new();
    let mut ends: BTreeMap<(u32, u32, u32), (Tile, [usize; 2])> = BTreeMap::new();
    for kernel in &program.kernels {
        let name = || kernel.image.name().to_owned();
        if kernel.arguments.len() > MOST_ARGUMENTS {
            let count = kernel.arguments.len();
            return Err(Box::new(ProgramError::TooManyArguments {
                kernel: name(),
                count,
                most: MOST_ARGUMENTS,
            }));
        }
        for (n, at) in kernel.range.places().enumerate() {
            let Ok(tile) = grid.tile(at) else { continue };
            if let Some(other) = cores.insert((at.y, at.x, kernel.core), kernel) {
                let (one, core) = (other.image.name().to_owned(), kernel.core);
                return Err(Box::new(ProgramError::TwoOnACore { one, other: name(), tile, core }));
            }
            for (number, argument) in kernel.arguments(n).enumerate() {
                check_argument(program, kernel, tile, number, argument)?;
                if let Needs::Here(region, role @ (Role::Producer | Role::Consumer)) = &argument.needs {
                    let (_, counts) = ends.entry((region.at, at.y, at.x)).or_insert((tile, [0; 2]));
                    counts[usize::from(*role == Role::Consumer)] += 1;
                }
            }
        }
    }
    match ends.into_iter().find(|(_, (_, counts))| *counts != [1, 1]) {
        Some(((at, ..), (tile, [producers, consumers]))) => {
            Err(Box::new(ProgramError::Ends { at, tile, producers, consumers }))
        }
        None => Ok(()),
    }
}

fn check_argument(
    program: &Program,
    kernel: &Kernel,
    tile: Tile,
    number: usize,
    argument: &HostArgument,
) -> Result<(), Box<ProgramError>> {
    let name = || kernel.image.name().to_owned();
    if argument.needs.device().is_some_and(|device| !Arc::ptr_eq(device, &program.device)) {
        return Err(Box::new(ProgramError::OtherDevice { kernel: name(), argument: number }));
    }
    match &argument.needs {
        Needs::Here(region, _) if !region.range.contains(tile) => Err(Box::new(ProgramError::Elsewhere {
            kernel: name(),
            argument: number,
            has: region.range,
            range: kernel.range,
        })),
        _ => Ok(()),
    }
}

/// Checks that all memory and tiles are of the session that is open.
fn check_memory(program: &Program, session: &Session) -> Result<(), Error> {
    for kernel in &program.kernels {
        for n in 0..kernel.range.len() {
            for (number, argument) in kernel.arguments(n).enumerate() {
                let is_here = match &argument.needs {
                    Needs::Here(region, _) | Needs::There(region) => session.has(region),
                    Needs::Tile(tile) => session.has_tile(*tile),
                    Needs::Host(region) => session.has_host(region),
                    Needs::Nothing | Needs::Dram(_) => true,
                };
                if !is_here {
                    let kernel = kernel.image.name().to_owned();
                    return Err(Box::new(ProgramError::OtherDevice { kernel, argument: number }).into());
                }
            }
        }
    }
    Ok(())
}
