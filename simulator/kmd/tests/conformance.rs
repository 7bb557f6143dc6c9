//! The mock keeps the list of what users of the driver rely on, in every version.

use std::path::Path;

use tt_isa::chip::board;
use tt_kmd_mock::{Mock, VERSIONS, conformance};

#[test]
fn every_version_of_the_mock_conforms() {
    let node = Path::new("/dev/tenstorrent/0");
    for version in VERSIONS {
        // With a chip behind the first one in one of them.
        let name = if version == VERSIONS[0] { "n300" } else { "n150" };
        let mock = Mock::new(node, version, 1, board(name).expect("known"), 1).expect("a card");
        let checks = conformance::run(&mock, node).unwrap_or_else(|error| panic!("{version}: {error}"));
        let wrong: Vec<_> = checks.iter().filter(|check| check.wrong.is_some()).collect();
        assert!(wrong.is_empty(), "{version}: {wrong:#?}");
        assert!(checks.len() > 70, "{version}: {} checks", checks.len());
        assert_eq!(mock.open_files(), 0, "{version}: everything is given back");
    }
}
