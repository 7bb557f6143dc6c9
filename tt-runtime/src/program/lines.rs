//! From a pc to source lines, by the DWARF sections of a kernel's file.

use addr2line::{Context, gimli};
use object::{Object, ObjectSection};

use crate::report::Place;

type Slice<'a> = gimli::EndianSlice<'a, gimli::LittleEndian>;

/// The lines of an address of a file: first those of the kernel, then those of libraries, of each the innermost inlined function first. Nothing where
/// the file does not say.
pub(super) fn of(elf: &[u8], address: u32) -> Vec<Place> {
    let mut places = find(elf, u64::from(address)).unwrap_or_default();
    places.sort_by_key(Place::is_of_library);
    places
}

fn find(elf: &[u8], address: u64) -> Option<Vec<Place>> {
    let file = object::File::parse(elf).ok()?;
    let section = |id: gimli::SectionId| -> Result<Slice<'_>, gimli::Error> {
        let data = file.section_by_name(id.name()).and_then(|section| section.data().ok());
        Ok(Slice::new(data.unwrap_or_default(), gimli::LittleEndian))
    };
    let context = Context::from_dwarf(gimli::Dwarf::load(section).ok()?).ok()?;
    let mut frames = context.find_frames(address).skip_all_loads().ok()?;
    let mut places = Vec::new();
    while let Some(frame) = frames.next().ok()? {
        let place = frame.location.and_then(|at| Some(Place { file: at.file?.to_owned(), line: at.line? }));
        places.extend(place);
    }
    Some(places)
}
