//! Memory of programs: blocks of matrices in chosen banks, and what the device converts itself.

mod common;

use common::{devices, open};
use tt_examples::kernels;
use tt_runtime::convert::{self, Format, Order, by_host, on_device};
use tt_runtime::program::{
    Blocks, BufferError, Core, DramBuffer, Kernel, L1Buffer, Program, Semaphore, ShardedBuffer,
};
use tt_runtime::{ElementType, Error};

/// Tiles that are no rectangle double one block each, of which each is in a bank near its tile.
#[test]
fn kernels_read_and_write_blocks_in_chosen_banks() {
    for device in devices() {
        let grid = device.grid().unwrap();
        let tiles = [(6, 1), (0, 0), (3, 1), (2, 0), (7, 0), (1, 1)].map(|at| grid.tile(at).unwrap());
        // 2 x 3 blocks of 16 KiB and some: two pages and a part of a third one.
        let blocks = Blocks { rows: 100, columns: 270, block_rows: 50, block_columns: 90 };
        let banks = [5, 0, 5, 11, 5, 3];
        let matrix: Vec<u32> = (0..27_000).collect();
        let before = device.memory().free;
        let buffer =
            ShardedBuffer::<u32>::new(&device, blocks, |row, column| banks[row * 3 + column]).unwrap();
        // Three blocks of three pages in one bank, and as much in all others.
        assert_eq!(before - device.memory().free, 9 * 12 * 8192);
        buffer.write(&matrix).unwrap();
        assert_eq!(buffer.read().unwrap(), matrix);
        let shards: Vec<_> = buffer.shards().collect();
        assert_eq!(shards.iter().map(|shard| shard.bank()).collect::<Vec<_>>(), banks);
        let range = grid.all();
        let room = L1Buffer::<u32>::new(&device, range, 4500).unwrap();
        let semaphore = Semaphore::new(&device, range, 0).unwrap();
        let program =
            Program::new(&device).kernel_on_each(&kernels::TEST_SHARD, Core::Ncrisc, tiles, |n, kernel| {
                kernel.argument(&shards[n]).argument(&room).argument(&semaphore)
            });
        program.run().unwrap();
        let doubled: Vec<u32> = matrix.iter().map(|word| word * 2).collect();
        assert_eq!(buffer.read().unwrap(), doubled);
        // A part over the end of a page, by the host.
        let block = buffer.block(1, 2).unwrap();
        block.write(2000, &[7; 100]).unwrap();
        assert_eq!(block.read_from(1999, 102).unwrap()[..3], [doubled[(50 + 22) * 270 + 180 + 19], 7, 7]);
        drop((buffer, shards, program, block));
        assert_eq!(device.memory().free, before);
    }
}

#[test]
fn blocks_that_cannot_be_are_errors() {
    let device = open("sim:n150,rows=1");
    let new = |blocks, bank| ShardedBuffer::<u8>::new(&device, blocks, |_, _| bank).map(drop).unwrap_err();
    let error = new(Blocks::of_rows(10, 8, 3), 0);
    assert!(matches!(error, Error::Buffer(BufferError::Blocks { rows: 10, block_rows: 3, .. })), "{error}");
    assert!(matches!(new(Blocks::of_rows(10, 8, 0), 0), Error::Buffer(BufferError::Blocks { .. })));
    assert!(matches!(new(Blocks::of_rows(10, 8, 5), 12), Error::Grid(_)));
    assert!(matches!(new(Blocks::of_rows(4 << 20, 1 << 10, 1 << 10), 1), Error::OutOfMemory { .. }));
    let buffer = ShardedBuffer::<u8>::new(&device, Blocks::of_rows(10, 8, 5), |row, _| row).unwrap();
    assert!(matches!(buffer.write(&[0; 79]), Err(Error::Buffer(BufferError::Matrix { got: 79, .. }))));
    assert!(buffer.block(2, 0).is_err() && buffer.block(0, 1).is_err());
}

#[test]
fn the_device_tilizes_and_converts() {
    for device in devices() {
        let (rows, columns) = (64, 96);
        let matrix: Vec<f32> = (0..rows * columns).map(|n| n as f32 * 0.25 - 100.0).collect();
        let halves: Vec<u16> = (0..rows * columns).map(|n| n as u16).collect();
        for order in [Order::Faces, Order::Groups] {
            let from = DramBuffer::from_slice(&device, &matrix).unwrap();
            let [to, back] = [(), ()].map(|()| DramBuffer::<f32>::new(&device, matrix.len()).unwrap());
            on_device::tilize(&from, &to, rows, columns, order).unwrap();
            assert_eq!(
                to.read().unwrap(),
                convert::tilize(&matrix, rows, columns, order).unwrap(),
                "{order:?}"
            );
            on_device::untilize(&to, &back, rows, columns, order).unwrap();
            assert_eq!(back.read().unwrap(), matrix);
            let from = DramBuffer::from_slice(&device, &halves).unwrap();
            let to = DramBuffer::<u16>::new(&device, halves.len()).unwrap();
            on_device::tilize(&from, &to, rows, columns, order).unwrap();
            assert_eq!(
                to.read().unwrap(),
                convert::tilize(&halves, rows, columns, order).unwrap(),
                "{order:?}"
            );
        }
        let from = DramBuffer::from_slice(&device, &matrix).unwrap();
        let bf16 = DramBuffer::<u16>::new(&device, matrix.len()).unwrap();
        on_device::cast(&from, ElementType::F32, &bf16, ElementType::BF16).unwrap();
        // Quarters up to 64 have few enough bits, others are rounded to nearest even.
        let rounded = |x: f32| ((x.to_bits() + 0x7FFF + (x.to_bits() >> 16 & 1)) >> 16) as u16;
        let expected: Vec<u16> = matrix.iter().map(|&x| rounded(x)).collect();
        assert_eq!(bf16.read().unwrap(), expected);
    }
}

#[test]
fn matrices_in_dram_become_block_floats_and_come_back() {
    let device = open("sim:n150,rows=1");
    let (rows, columns) = (40, 70);
    let matrix: Vec<f32> = (0..rows * columns).map(|n| n as f32 * 0.37 - 500.0).collect();
    let from = DramBuffer::from_slice(&device, &matrix).unwrap();
    for format in [Format::Bf16, Format::Bfp8, Format::Bfp4, Format::Bfp2] {
        let bytes = convert::encode(&matrix, rows, columns, format).unwrap();
        let tiles = DramBuffer::<u8>::new(&device, bytes.len()).unwrap();
        by_host::encode(&from, &tiles, rows, columns, format).unwrap();
        assert_eq!(tiles.read().unwrap(), bytes, "{format:?}");
        let back = DramBuffer::<f32>::new(&device, matrix.len()).unwrap();
        by_host::decode(&tiles, &back, rows, columns, format).unwrap();
        assert_eq!(back.read().unwrap(), convert::decode(&bytes, rows, columns, format).unwrap());
        let error = by_host::encode(&from, &tiles, rows, columns + 1, format).unwrap_err();
        assert!(matches!(error, Error::Buffer(BufferError::Matrix { got: 2800, .. })), "{error}");
        let error = by_host::decode(&tiles, &back, rows, 2 * columns, format).unwrap_err();
        assert!(matches!(&error, Error::Unsupported(why) if why.contains("tiles")), "{error}");
    }
}

#[test]
fn what_the_device_does_not_convert_is_an_error() {
    let (device, other) = (open("sim:n150,rows=1"), open("sim:n150,rows=1"));
    let [a, b] = [(), ()].map(|()| DramBuffer::<f32>::new(&device, 1024).unwrap());
    let there = DramBuffer::<f32>::new(&other, 1024).unwrap();
    let tilize = |a, b, rows, columns| on_device::tilize(a, b, rows, columns, Order::Faces).unwrap_err();
    assert!(matches!(tilize(&a, &b, 16, 64), Error::Unsupported(why) if why.contains("whole tiles")));
    assert!(matches!(tilize(&a, &b, 32, 64), Error::Buffer(BufferError::Matrix { got: 1024, .. })));
    assert!(matches!(tilize(&a, &there, 32, 32), Error::Buffer(BufferError::OtherMemory { .. })));
    let cast = |from, to| on_device::cast(&a, from, &b, to).unwrap_err();
    assert!(matches!(cast(ElementType::F32, ElementType::BF16), Error::Buffer(BufferError::Matrix { .. })));
    assert!(matches!(cast(ElementType::F32, ElementType::TilesBfp8), Error::Unsupported(_)));
    let tile = device.grid().unwrap().tile((0, 0)).unwrap();
    let l1 = L1Buffer::<u8>::new(&device, tile, 16).unwrap();
    assert!(matches!(tilize(&a, &b, 32, 32), Error::Taken { .. }));
    drop(l1);
    on_device::tilize(&a, &b, 32, 32, Order::Groups).unwrap();
}

/// The matrix unit takes right factors as BF16 and block floats.
#[test]
fn right_factors_have_four_formats() {
    let number = |n: usize, seed: u32| {
        ((n as u32).wrapping_mul(2_654_435_761).wrapping_add(seed) >> 27) as f32 / 8.0 - 2.0
    };
    let left: Vec<f32> = (0..1024).map(|n| number(n, 3)).collect();
    let right: Vec<f32> = (0..1024).map(|n| number(n, 1 << 20)).collect();
    for device in devices() {
        let tile = device.grid().unwrap().tile((1, 0)).unwrap();
        for (n, format) in [Format::Tf32, Format::Bf16, Format::Bfp8, Format::Bfp4].into_iter().enumerate() {
            let bytes = convert::encode(&right, 32, 32, format).unwrap();
            let exact = convert::decode(&bytes, 32, 32, format).unwrap();
            let a = L1Buffer::<f32>::new(&device, tile, 1024).unwrap();
            a.write(&convert::tilize(&left, 32, 32, Order::Groups).unwrap()).unwrap();
            let b = L1Buffer::<u8>::new(&device, tile, bytes.len()).unwrap();
            b.write(&bytes).unwrap();
            let out = L1Buffer::<f32>::new(&device, tile, 1024).unwrap();
            let kernel = |core| Kernel::new(&kernels::TEST_FORMATS, core, tile).argument(n as u32);
            Program::new(&device)
                .kernel(kernel(Core::Trisc0).argument(&a).argument(&b))
                .kernel(kernel(Core::Trisc1))
                .kernel(kernel(Core::Trisc2).argument(&out))
                .run()
                .unwrap();
            let got = convert::untilize(&out.read(tile).unwrap(), 32, 32, Order::Groups).unwrap();
            for (row, column) in (0..32).flat_map(|row| (0..32).map(move |column| (row, column))) {
                let sum: f32 = (0..32).map(|k| left[row * 32 + k] * exact[k * 32 + column]).sum();
                assert_eq!(got[row * 32 + column], sum, "{format:?} ({row}, {column})");
            }
        }
    }
}
