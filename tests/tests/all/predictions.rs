//! Predictions of the timed mode, with a model that is small enough: a layer and a part of the head through ggml's graph.

use tt_isa::chip::WORMHOLE;
use tt_tests::bench::picture::picture;
use tt_tests::bench::predict::{Predictor, tiny, tiny_mixture};
use tt_tests::{Tools, need, tools};

#[test]
fn a_layer_is_measured_and_drawn() {
    let tools = need!(Tools::find());
    let program = need!(tools::native("layer"));
    let (figure, stats) = Predictor::with(tools, program).figure(&tiny()).expect("a figure");
    let number = |name: &str| figure[name].as_f64().unwrap_or_else(|| panic!("{name}: {figure}"));
    assert_eq!(figure["name"], "silicon.tiny.decode");
    // Inputs are written, and 8 KiB of logits pushed: a launch, and 0.3 us on PCIe. Words that the host reads would take 2.4 ms.
    assert!((1.0..150.0).contains(&number("host_us")), "{figure}");
    // Two layers of which the second one is by itself, in a stream.
    assert!(number("layer_us") < number("layer_by_node_us"), "a stream saves something: {figure}");
    assert!(number("ms") > (2.0 * number("layer_us") + number("host_us")) / 1e3, "{figure}");
    // At least what the documents give for a launch on all cores, and less than all of it at the roofline.
    assert!(number("layer_us") > 14.0 * 1.05 && number("roofline_part") < 0.5, "{figure}");
    let shares = figure["shares"].as_object().expect("shares");
    assert!((shares.values().filter_map(|share| share.as_f64()).sum::<f64>() - 1.0).abs() < 0.01);
    for tensor in
        ["RMS_NORM+MUL attn_norm", "FLASH_ATTN_EXT kqv_out", "MUL_MAT+ADD l_out", "host reads logits"]
    {
        assert!(shares.contains_key(tensor), "{tensor}: {figure}");
    }
    let svg = picture(&WORMHOLE, &stats, "a layer", "MUL_MAT").expect("a picture");
    assert!(svg.starts_with("<svg") && svg.contains("DRAM") && svg.contains("MB of DRAM"));
}

#[test]
fn a_mixture_of_experts_is_measured() {
    let tools = need!(Tools::find());
    let program = need!(tools::native("layer"));
    let (figure, stats) = Predictor::with(tools, program).figure(&tiny_mixture()).expect("a figure");
    let shares = figure["shares"].as_object().expect("shares");
    for part in [
        "MUL_MAT ffn_moe_logits",
        "ARGSORT+VIEW ffn_moe_topk",
        "MUL_MAT_ID+GLU ffn_moe_swiglu",
        "MUL_MAT_ID ffn_moe_down",
        "MUL+ADD l_out",
    ] {
        assert!(shares.contains_key(part), "{part}: {figure}");
    }
    assert!(stats["fused"]["MUL+ADD"].as_u64() == Some(1), "{stats}");
}
