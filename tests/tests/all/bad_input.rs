//! Wrong settings: the log says what is wrong, and the process and the other devices continue.

use std::time::Duration;

use tt_tests::tools::{self, Finished};
use tt_tests::{Device, Tools, need};

const LIMIT: Duration = Duration::from_secs(120);

fn list_devices(tools: &Tools, devices: &str) -> Finished {
    let mut command = tools.program("llama-completion", Device::Tenstorrent(devices));
    tools::run(command.arg("--list-devices"), LIMIT).unwrap()
}

/// The output of a program that logs as it goes. (llama.cpp's own tools log from a thread, and lose lines when they
/// end early.)
fn load_log(tools: &Tools, devices: &str) -> String {
    let mut command = tools.program("test-backend-ops", Device::Tenstorrent(devices));
    command.args(["support", "-b", "TT0", "-o", "ARGMAX"]);
    let finished = tools::run(&mut command, LIMIT).unwrap();
    format!("{}{}", finished.out, finished.err)
}

/// llama.cpp ends well and lists no device of ours, and the log repeats the offending text.
fn assert_refused(tools: &Tools, devices: &str) {
    let finished = list_devices(tools, devices);
    let finished = finished.success().unwrap_or_else(|error| panic!("GGML_TT_DEVICES={devices}: {error}"));
    assert!(!finished.out.contains("TT0:"), "GGML_TT_DEVICES={devices} made a device:\n{}", finished.out);
    let log = load_log(tools, devices);
    assert!(log.contains("ggml_tenstorrent"), "GGML_TT_DEVICES={devices}: nothing in the log:\n{log}");
    assert!(log.contains(devices), "GGML_TT_DEVICES={devices}: the log does not name the setting:\n{log}");
}

#[test]
fn nonsense_devices_are_refused_by_name() {
    let tools = need!(Tools::find());
    for devices in ["nonsense", "sim:n999", "ttsim:", "-1"] {
        assert_refused(&tools, devices);
    }
}

#[test]
fn a_missing_vendor_simulator_is_refused_by_name() {
    let tools = need!(Tools::find());
    let devices = "ttsim:/does/not/exist/libttsim.so";
    let all = load_log(&tools, devices);
    assert!(all.contains("/does/not/exist/libttsim.so"), "the log does not name the file:\n{all}");
}

/// A chip that is described and has no kernels makes no device, and the log says why; other devices are there.
#[test]
fn a_chip_without_kernels_is_refused_by_name() {
    let tools = need!(Tools::find());
    let library = need!(tools::from_environment("TTSIM_BH_LIB", "the vendor's simulator for Blackhole"));
    let devices = format!("ttsim:{},sim", library.display());
    let listed = list_devices(&tools, &devices).success().unwrap();
    assert!(listed.out.contains("TT0: Tenstorrent Wormhole"), "{}", listed.out);
    assert!(!listed.out.contains("TT1:") && !listed.out.contains("Blackhole"), "{}", listed.out);
    let log = load_log(&tools, &devices);
    assert!(log.contains("Blackhole (PCI id 0xb1401e52) is recognised and not supported yet"), "{log}");
}

#[test]
fn text_is_still_generated_when_no_device_could_be_made() {
    let tools = need!(Tools::find());
    let mut command = tools.program("llama-completion", Device::Tenstorrent("nonsense"));
    command.arg("-m").arg(tools::demo_model());
    command.args(["-p", "In the beginning", "-n", "64", "--temp", "0", "-ngl", "99", "-fit", "off"]);
    command.args(["-no-cnv", "--no-warmup", "--simple-io"]);
    let has_text = |finished: &Finished| {
        finished.out.split_once("In the beginning").is_some_and(|(_, text)| text.trim().len() > 8)
    };
    let finished = tools::run_logged(&mut command, LIMIT, has_text).unwrap().success().unwrap();
    assert!(has_text(&finished), "no text:\n{}\n{}", finished.out, finished.err);
}

#[test]
fn the_simulated_boards_are_listed() {
    let tools = need!(Tools::find());
    for devices in ["sim", "sim:n150"] {
        let finished = list_devices(&tools, devices).success().unwrap();
        let all = format!("{}{}", finished.out, finished.err);
        assert!(all.contains("TT0:"), "GGML_TT_DEVICES={devices}: TT0 is not listed:\n{all}");
    }
}
