//! What programs of users can do, and what they get when they do it wrong. (Their kernels are `kernels/src/bin/test_*.rs`.)

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{devices, open};
use tt_examples::kernels;
use tt_isa::chip::{BLACKHOLE, WORMHOLE};
use tt_runtime::program::{
    BufferError, CircularBuffer, Core, DramBuffer, HostBuffer, Kernel, KernelImage, L1Buffer, Program,
    ProgramError, Semaphore, Trouble,
};
use tt_runtime::{Device, ElementType, Error, TensorView, ops};

fn misbehave(device: &Arc<Device>, what: u32) -> Result<(), Error> {
    let tile = device.grid()?.tile((1, 0))?;
    let words = L1Buffer::<u32>::new(device, tile, 4)?;
    let semaphore = Semaphore::new(device, tile, 0)?;
    let kernel = Kernel::new(&kernels::TEST_MISBEHAVE, Core::Brisc, tile).argument(what);
    let kernel = if what == 3 { kernel.argument(&semaphore) } else { kernel.argument(&words) };
    let program = Program::new(device).kernel(kernel);
    if what == 2 { program.launch()?.wait_for(Duration::from_millis(200)) } else { program.run() }
}

fn program_error(result: Result<(), Error>) -> ProgramError {
    match result {
        Err(Error::Program(error)) => *error,
        other => panic!("{other:?}"),
    }
}

/// A built-in operator: the device goes on.
fn goes_on(device: &Arc<Device>) {
    let data: Vec<f32> = (0..256).map(|n| n as f32).collect();
    let (from, to) = (
        DramBuffer::from_slice(device, &data).expect("memory"),
        DramBuffer::<f32>::new(device, 256).expect("memory"),
    );
    let view = |buffer: &DramBuffer<f32>| {
        TensorView::contiguous(ElementType::F32, buffer.address().0, [256, 1, 1, 1])
    };
    let workers = device.info().expect("open").workers();
    let op = ops::copy(&view(&from), &view(&to), workers).expect("a descriptor");
    device.execute(&op).expect("an operator runs after a program");
    assert_eq!(to.read().expect("read"), data);
}

#[test]
fn pages_go_from_dram_through_a_circular_buffer() {
    for device in devices() {
        let tile = device.grid().unwrap().tile((3, 1)).unwrap();
        let data: Vec<u32> = (0..64 * 40).map(|n: u32| n.wrapping_mul(2_654_435_761)).collect();
        let input = DramBuffer::from_slice(&device, &data).unwrap();
        let output = DramBuffer::<u32>::new(&device, 40).unwrap();
        let sums = L1Buffer::<u32>::new(&device, tile, 40).unwrap();
        let pages = CircularBuffer::<u32>::new(&device, tile, 3, 64).unwrap();
        let kernel = |core| Kernel::new(&kernels::TEST_STREAM, core, tile).argument(&input);
        let program = Program::new(&device)
            .kernel(kernel(Core::Ncrisc).argument(pages.producer()))
            .kernel(kernel(Core::Brisc).argument(pages.consumer()).argument(&sums).argument(&output));
        let expected: Vec<u32> =
            data.chunks(64).map(|page| page.iter().fold(0u32, |a, &b| a.wrapping_add(b))).collect();
        // Twice: first values come back.
        for _ in 0..2 {
            output.fill(0).unwrap();
            program.run().unwrap();
            assert_eq!(output.read().unwrap(), expected);
        }
        drop((program, sums, pages));
        goes_on(&device);
    }
}

#[test]
fn a_word_goes_round_and_is_multicast() {
    for device in devices() {
        let grid = device.grid().unwrap();
        let range = grid.range((0, 0), (3, 1)).unwrap();
        let tiles: Vec<_> = grid.tiles_of(range).collect();
        let words = L1Buffer::<u32>::new(&device, range, 1).unwrap();
        let [arrived, told] = [0, 1].map(|first| Semaphore::new(&device, range, first).unwrap());
        let index = |at: tt_runtime::grid::Logical| (at.y * 4 + at.x) as usize;
        for core in [Core::Brisc, Core::Ncrisc] {
            let kernel = Kernel::new(&kernels::TEST_RING, core, range)
                .argument_for_each(|at| index(at) as u32)
                .argument_for_each(|at| tiles[(index(at) + 1) % tiles.len()])
                .argument(&words)
                .argument(words.on_tiles())
                .argument(&arrived)
                .argument(&told);
            words.fill(0).unwrap();
            Program::new(&device).kernel(kernel).run().unwrap();
            for &tile in &tiles {
                assert_eq!(words.read(tile).unwrap(), [8], "{} on {tile}", core.name());
            }
        }
    }
}

#[test]
fn programs_run_at_once_on_different_tiles() {
    let device = open("sim:n150,rows=2");
    let grid = device.grid().unwrap();
    let mut runs = Vec::new();
    for x in 0..8 {
        let tile = grid.tile((x, 0)).unwrap();
        let numbers = L1Buffer::<u32>::new(&device, tile, 3).unwrap();
        numbers.write(&[x, 100, 0]).unwrap();
        let kernel = Kernel::new(&kernels::ADD_NUMBERS, Core::ALL[x as usize % 5], tile).argument(&numbers);
        runs.push((Program::new(&device).kernel(kernel).launch().unwrap(), numbers, tile));
    }
    let busy = device.fill(DramBuffer::<u8>::new(&device, 8192).unwrap().address(), 8192, 1);
    assert!(busy.is_ok(), "DRAM is reached without the firmware: {busy:?}");
    let tile = grid.tile((7, 0)).unwrap();
    let numbers = L1Buffer::<u32>::new(&device, tile, 3).unwrap();
    let again = Program::new(&device)
        .kernel(Kernel::new(&kernels::ADD_NUMBERS, Core::Brisc, tile).argument(&numbers));
    assert!(matches!(again.launch().err(), Some(Error::Taken { tile: of, .. }) if of == tile));
    drop((again, numbers));
    for (run, numbers, tile) in runs {
        run.wait().unwrap();
        assert_eq!(numbers.read(tile).unwrap()[2], tile.logical().x + 100);
    }
    goes_on(&device);
}

#[test]
fn an_operator_is_refused_while_a_program_or_a_buffer_has_tiles() {
    let device = open("sim:n150,rows=2");
    goes_on(&device);
    let tile = device.grid().unwrap().tile((0, 1)).unwrap();
    let numbers = L1Buffer::<u32>::new(&device, tile, 3).unwrap();
    let nop = tt_runtime::OpDescriptor::NOP;
    let error = device.execute(&nop).unwrap_err();
    assert!(matches!(error, Error::Taken { tile: of, .. } if of == tile), "{error}");
    drop(numbers);
    device.execute(&nop).unwrap();
}

#[test]
fn panics_name_file_and_line() {
    for device in devices() {
        for (what, line) in [(0, "panic!(\"told"), (1, "words.set("), (4, "let _: Dram"), (5, "argument(9)")]
        {
            let ProgramError::Panicked(cores) = program_error(misbehave(&device, what)) else {
                panic!("{what}")
            };
            let place = cores[0].place.as_ref().expect("a place");
            let source = include_str!("../kernels/src/bin/test_misbehave.rs");
            let text = source.lines().nth(place.line as usize - 1).expect("a line");
            assert!(
                place.file.ends_with("test_misbehave.rs") && text.contains(line),
                "{what}: {place}: {text}"
            );
            if what == 0 {
                assert_eq!(cores[0].trouble, Trouble::Panicked("told to panic".into()));
            }
        }
        goes_on(&device);
    }
}

#[test]
fn a_kernel_that_never_ends_is_named() {
    let device = open("sim:n150,rows=2");
    let ProgramError::Hung { cores, .. } = program_error(misbehave(&device, 2)) else { panic!() };
    let (_, lines) = cores[0].pc.as_ref().expect("a pc");
    assert!(lines[0].file.ends_with("test_misbehave.rs"), "{cores:?}");
    let ProgramError::Hung { cores, .. } = program_error(misbehave(&device, 3)) else { panic!() };
    let text = cores[0].to_string();
    assert!(text.contains("a semaphore to become 5") && text.contains("test_misbehave.rs:"), "{text}");
    // The kernel's own lines come first, and those of the wait's implementation are not shown.
    let (_, lines) = cores[0].pc.as_ref().expect("a pc");
    assert!(
        lines[0].file.ends_with("test_misbehave.rs") && lines.iter().any(|line| line.is_of_library()),
        "{lines:?}"
    );
    assert!(!text.contains("wait.rs") && !text.contains("/rustc/"), "{text}");
    goes_on(&device);
}

#[test]
fn a_fault_is_the_programs_and_the_device_goes_on() {
    let device = open("sim:n150,rows=2");
    let error = program_error(misbehave(&device, 7));
    let text = error.to_string();
    assert!(text.contains("0xffb0f000") && text.contains("test_misbehave.rs:"), "{text}");
    goes_on(&device);
}

#[test]
fn kernels_print() {
    let device = open("sim:n150,rows=2");
    let range = device.grid().unwrap().range((0, 0), (1, 0)).unwrap();
    let lines = Arc::new(Mutex::new(Vec::new()));
    let kernel = |core| Kernel::new(&kernels::TEST_MISBEHAVE, core, range).argument(6u32).prints();
    let sink = Arc::clone(&lines);
    Program::new(&device)
        .kernel(kernel(Core::Brisc))
        .kernel(kernel(Core::Trisc1))
        .on_text(move |tile, core, line| sink.lock().unwrap().push((tile.logical().x, core, line.to_owned())))
        .run()
        .unwrap();
    let lines = lines.lock().unwrap();
    for x in 0..2 {
        for core in [Core::Brisc, Core::Trisc1] {
            let his: Vec<&str> = lines
                .iter()
                .filter(|(of, by, _)| (*of, *by) == (x, core))
                .map(|(.., line)| &**line)
                .collect();
            assert_eq!(his, [format!("core {} of tile ({x}, 0)", core.name()), "0123456789 ".repeat(300)]);
        }
    }
}

#[test]
fn what_cannot_be_started_says_why() {
    let device = open("sim:n150,rows=2");
    let other = open("sim:n150,rows=2");
    let grid = device.grid().unwrap();
    let (tile, beside) = (grid.tile((0, 0)).unwrap(), grid.tile((1, 0)).unwrap());
    let add = |tile| Kernel::new(&kernels::ADD_NUMBERS, Core::Brisc, tile);
    let error = |program: Program| match program.launch().err() {
        Some(Error::Program(error)) => *error,
        other => panic!("{other:?}"),
    };
    assert!(matches!(error(Program::new(&device)), ProgramError::Empty));
    let twice = Program::new(&device).kernel(add(tile)).kernel(add(tile));
    assert!(matches!(error(twice), ProgramError::TwoOnACore { core: Core::Brisc, .. }));
    let theirs = L1Buffer::<u32>::new(&other, other.grid().unwrap().tile((0, 0)).unwrap(), 3).unwrap();
    let kernel = add(tile).argument(&theirs);
    assert!(matches!(
        error(Program::new(&device).kernel(kernel)),
        ProgramError::OtherDevice { argument: 0, .. }
    ));
    let elsewhere = L1Buffer::<u32>::new(&device, beside, 3).unwrap();
    let kernel = add(tile).argument(&elsewhere);
    assert!(matches!(
        error(Program::new(&device).kernel(kernel)),
        ProgramError::Elsewhere { argument: 0, .. }
    ));
    let many = (0..65).fold(add(tile), |kernel, n: u32| kernel.argument(n));
    assert!(matches!(
        error(Program::new(&device).kernel(many)),
        ProgramError::TooManyArguments { count: 65, .. }
    ));
    let pages = CircularBuffer::<u32>::new(&device, tile, 2, 4).unwrap();
    let kernel = add(tile).argument(pages.producer());
    let ends = error(Program::new(&device).kernel(kernel));
    assert!(matches!(ends, ProgramError::Ends { producers: 1, consumers: 0, .. }), "{ends}");
    let full = L1Buffer::<u8>::new(&device, tile, 2 << 20).err();
    assert!(matches!(full, Some(Error::Buffer(BufferError::OutOfL1 { .. }))));
    let odd = CircularBuffer::<u8>::new(&device, tile, 2, 17).err();
    assert!(matches!(odd, Some(Error::Buffer(BufferError::Pages { page_bytes: 17, .. }))));
    // A grid of another chip has tiles that this one does not have.
    let large = open("sim:n150").grid().unwrap().tile((0, 8)).unwrap();
    let error = L1Buffer::<u8>::new(&device, large, 16).err();
    assert!(matches!(error, Some(Error::Buffer(BufferError::OtherGrid { .. }))));
}

/// A kernel's file says for which chip it is; this one has been told otherwise.
#[test]
fn a_kernel_for_another_chip_is_refused() {
    let [wormhole, blackhole] = [&WORMHOLE, &BLACKHOLE].map(|chip| chip.pci_id.to_le_bytes());
    let path = std::env::temp_dir().join(format!("tt-kernel-for-another-chip-{}", std::process::id()));
    let mut file = kernels::ADD_NUMBERS.elf().to_vec();
    let places: Vec<usize> = (0..file.len() - 3).filter(|&at| file[at..at + 4] == wormhole).collect();
    let [at] = places[..] else { panic!("the chip is named {} times", places.len()) };
    file[at..at + 4].copy_from_slice(&blackhole);
    std::fs::write(&path, file).expect("a temporary file");
    let image = KernelImage::from_file(&path);
    std::fs::remove_file(&path).expect("it is there");

    let device = open("sim:n150,rows=1");
    let tile = device.grid().unwrap().tile((0, 0)).unwrap();
    let kernel = Kernel::new(&image.expect("it can be read"), Core::Brisc, tile);
    let error = program_error(Program::new(&device).kernel(kernel).run());
    let says = error.to_string();
    assert!(matches!(error, ProgramError::Image { .. }), "{says}");
    assert!(says.contains("wormhole") && says.contains(&format!("{:#010x}", BLACKHOLE.pci_id)), "{says}");
}

#[test]
fn memory_lives_as_long_as_a_program_and_dies_with_its_device() {
    let device = open("sim:n150,rows=2");
    let tile = device.grid().unwrap().tile((0, 0)).unwrap();
    let numbers = L1Buffer::<u32>::new(&device, tile, 3).unwrap();
    let at = numbers.address();
    numbers.write(&[1, 2, 0]).unwrap();
    let run = Program::new(&device)
        .kernel(Kernel::new(&kernels::ADD_NUMBERS, Core::Brisc, tile).argument(&numbers))
        .launch();
    drop(numbers);
    // The program still has it.
    let next = L1Buffer::<u32>::new(&device, tile, 3).unwrap();
    assert_ne!(next.address(), at);
    run.unwrap().wait().unwrap();
    assert_eq!(L1Buffer::<u32>::new(&device, tile, 3).unwrap().address(), at);
    device.reopen();
    let error = next.write(&[1]).unwrap_err();
    assert!(matches!(error, Error::Buffer(BufferError::Stale { .. })), "{error}");
}

/// Multiples of an eighth from -2 to 2: products on the matrix unit are exact.
fn numbers(count: usize, seed: u32) -> Vec<f32> {
    (0..count as u32)
        .map(|n| ((n.wrapping_mul(2_654_435_761).wrapping_add(seed) >> 27) as f32 - 16.0) / 8.0)
        .collect()
}

#[test]
fn blocks_go_through_the_vector_unit() {
    for device in devices() {
        // What firmware has left there, and what it finds afterwards.
        goes_on(&device);
        let tile = device.grid().unwrap().tile((2, 0)).unwrap();
        const BLOCKS: usize = 11;
        let (a, b) = (numbers(1024 * BLOCKS, 1), numbers(1024 * BLOCKS, 77));
        let [left, right] = [&a, &b].map(|data| DramBuffer::from_slice(&device, data).unwrap());
        let out = DramBuffer::<f32>::new(&device, 1024 * BLOCKS).unwrap();
        let [in_a, in_b, results] =
            [2, 3, 2].map(|pages| CircularBuffer::<f32>::new(&device, tile, pages, 1024).unwrap());
        let kernel = |core| Kernel::new(&kernels::TEST_VECTOR, core, tile).argument(BLOCKS as u32);
        Program::new(&device)
            .kernel(
                kernel(Core::Brisc)
                    .argument(&left)
                    .argument(&right)
                    .argument(in_a.producer())
                    .argument(in_b.producer()),
            )
            .kernel(kernel(Core::Trisc0).argument(in_a.consumer()).argument(in_b.consumer()))
            .kernel(kernel(Core::Trisc1))
            .kernel(kernel(Core::Trisc2).argument(results.producer()))
            .kernel(kernel(Core::Ncrisc).argument(&out).argument(results.consumer()))
            .run()
            .unwrap();
        for (n, (&result, (&a, &b))) in out.read().unwrap().iter().zip(a.iter().zip(&b)).enumerate() {
            let exact = 1.0 / (1.0 + f64::from(-a * b).exp());
            assert!(
                (f64::from(result) - exact).abs() < 1e-6,
                "{n}: sigmoid({a} * {b}) = {result}, not {exact}"
            );
        }
        drop((in_a, in_b, results));
        matrix_on(&device);
    }
}

/// Where element (row, column) of a tile is in a block: in the order of rows in groups, and of faces.
fn in_groups(row: usize, column: usize) -> usize {
    row / 8 * 256 + column / 16 * 128 + row % 8 * 16 + column % 16
}

fn in_faces(row: usize, column: usize) -> usize {
    row / 16 * 512 + column / 16 * 256 + row % 16 * 16 + column % 16
}

/// Multiplies tiles, and looks at every element.
fn matrix_on(device: &Arc<Device>) {
    const RESULTS: usize = 3;
    const PRODUCTS: usize = 2;
    let tile = device.grid().unwrap().tile((2, 0)).unwrap();
    let (a, b) = (numbers(1024 * RESULTS * PRODUCTS, 5), numbers(1024 * RESULTS * PRODUCTS, 99));
    let [left, right] = [&a, &b].map(|data| {
        let buffer = L1Buffer::<f32>::new(device, tile, data.len()).unwrap();
        buffer.write(data).unwrap();
        buffer
    });
    let out = L1Buffer::<f32>::new(device, tile, 1024 * RESULTS).unwrap();
    let kernel = |core| {
        Kernel::new(&kernels::TEST_MATRIX, core, tile).argument(RESULTS as u32).argument(PRODUCTS as u32)
    };
    Program::new(device)
        .kernel(kernel(Core::Trisc0).argument(&left).argument(&right))
        .kernel(kernel(Core::Trisc1))
        .kernel(kernel(Core::Trisc2).argument(&out))
        .run()
        .unwrap();
    let result = out.read(tile).unwrap();
    for n in 0..RESULTS {
        for (row, column) in (0..32).flat_map(|row| (0..32).map(move |column| (row, column))) {
            let terms = (n * PRODUCTS..(n + 1) * PRODUCTS).flat_map(|p| (0..32).map(move |k| (p, k)));
            let exact: f32 =
                terms.map(|(p, k)| a[p * 1024 + in_groups(row, k)] * b[p * 1024 + in_faces(k, column)]).sum();
            let got = result[n * 1024 + in_groups(row, column)];
            assert_eq!(got, exact, "result {n}, ({row}, {column})");
        }
    }
    drop((left, right, out));
    goes_on(device);
}

/// A program that leaves Tensix instructions waiting is stopped, and the tile's units are of use again.
#[test]
fn a_tile_whose_units_wait_for_ever_is_used_again() {
    for device in devices() {
        let tile = device.grid().unwrap().tile((2, 0)).unwrap();
        let block = L1Buffer::<f32>::new(&device, tile, 1024).unwrap();
        let kernel = |core| Kernel::new(&kernels::TEST_STUCK, core, tile);
        let stuck = Program::new(&device)
            .kernel(kernel(Core::Trisc1))
            .kernel(kernel(Core::Trisc2).argument(&block))
            .patience(Duration::from_millis(500));
        let error = program_error(stuck.run());
        assert!(matches!(&error, ProgramError::Hung { .. }), "{error}");
        assert!(error.to_string().contains("TRISC2, kernel test_stuck"), "{error}");
        drop((stuck, block));
        matrix_on(&device);
    }
}

/// The host looks at a count while the kernel goes on writing; whatever the count speaks of is there.
#[test]
fn the_host_polls_pinned_memory() {
    for name in ["sim:n150,rows=2", "sim:n150,rows=2,async=4", "sim:n150,rows=2,timed"] {
        let device = open(name);
        let tile = device.grid().unwrap().tile((3, 0)).unwrap();
        const ROUNDS: usize = 6;
        let pinned = HostBuffer::<u32>::new(&device, 64 * ROUNDS).unwrap();
        let count = HostBuffer::<u32>::new(&device, 8).unwrap();
        assert_eq!(pinned.read().unwrap(), [0; 64 * ROUNDS]);
        count.write(0, &[77; 8]).unwrap();
        count.fill(0).unwrap();
        let data = L1Buffer::<u32>::new(&device, tile, 64).unwrap();
        let word = L1Buffer::<u32>::new(&device, tile, 8).unwrap();
        word.fill(0).unwrap();
        let kernel = Kernel::new(&kernels::TEST_POLLED, Core::Brisc, tile)
            .argument(&data)
            .argument(&word)
            .argument(&pinned)
            .argument(&count)
            .argument(ROUNDS as u32);
        let mut run = Program::new(&device).kernel(kernel).launch().unwrap();
        let mut seen = 0;
        while !run.is_over().unwrap() {
            let now = count.poll(0).unwrap() as usize;
            assert!((seen..=ROUNDS).contains(&now), "{name}: {now} after {seen}");
            for round in seen..now {
                let page = pinned.read_from(64 * round, 64).unwrap();
                assert_eq!(page, [round as u32 + 1; 64], "{name}");
            }
            seen = now;
        }
        assert_eq!(count.poll(0).unwrap(), ROUNDS as u32);
        assert!(matches!(count.poll(8), Err(Error::Buffer(BufferError::Outside { .. }))));
        device.reopen();
        assert!(matches!(count.read(), Err(Error::Buffer(BufferError::StalePinned { .. }))));
    }
}

#[test]
fn kernels_write_to_pinned_memory_and_keep_times() {
    for name in ["sim:n150,rows=2", "sim:n150,rows=2,async=9", "sim:n150,rows=2,timed"] {
        let device = open(name);
        let tile = device.grid().unwrap().tile((0, 0)).unwrap();
        let pinned = HostBuffer::<u32>::new(&device, 5000).unwrap();
        let source = L1Buffer::<u32>::new(&device, tile, 5000).unwrap();
        let data: Vec<u32> = (0..5000).collect();
        source.write(&data).unwrap();
        let spans = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&spans);
        Program::new(&device)
            .kernel(
                Kernel::new(&kernels::TEST_PUSH, Core::Brisc, tile)
                    .argument(&source)
                    .argument(&pinned)
                    .spans(2),
            )
            .on_span(move |span| sink.lock().unwrap().push(span.clone()))
            .run()
            .unwrap();
        assert_eq!(pinned.read().unwrap(), data, "{name}");
        let spans = spans.lock().unwrap();
        assert_eq!(spans.iter().map(|span| &*span.name).collect::<Vec<_>>(), ["push", "rest"]);
        assert!(spans[0].end > spans[0].begin && spans[1].begin >= spans[0].end, "{spans:?}");
        // Results are still pushed beside it.
        drop(source);
        goes_on(&device);
        assert_eq!(pinned.read().unwrap(), data);
        let error = HostBuffer::<u8>::new(&device, 2 << 20).err();
        assert!(matches!(error, Some(Error::Buffer(BufferError::OutOfPinned { .. }))), "{error:?}");
    }
}
