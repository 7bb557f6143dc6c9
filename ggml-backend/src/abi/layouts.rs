//! Compares our structs with what ggml's headers say (`layouts.txt`, made by `cargo xtask bindings`): every field at its offset, in every
//! version whose headers were read.

use std::collections::BTreeMap;
use std::mem::{offset_of, size_of};

use super::tables::{
    Backend14, Backend16, BackendOf, Buffer9, Buffer11, Buffer14, BufferFields, BufferType6, BufferType8,
    BufferTypeFields, Layout, With,
};
use super::types::{
    Caps, Device, DeviceTable, Feature, Graph, HashSet, InitParams, Props, Reg, RegTable, Tensor,
};

/// The table of the headers.
const THEIRS: &str = include_str!("layouts.txt");

/// Bytes of a struct and the offsets of its fields, by ggml's names.
struct Struct {
    bytes: usize,
    fields: BTreeMap<String, usize>,
}

impl Struct {
    /// With a field that ggml calls otherwise.
    fn renamed(mut self, ours: &str, theirs: &str) -> Self {
        let at = self.fields.remove(ours).expect("one of its fields");
        self.fields.insert(theirs.to_owned(), at);
        self
    }
}

/// One of ours: its fields, or those of structs in it, by their paths.
macro_rules! ours {
    ($ty:ty: $($($path:ident).+)*) => {
        Struct {
            bytes: size_of::<$ty>(),
            fields: [$((field(stringify!($($path).+)), offset_of!($ty, $($path).+))),*].into(),
        }
    };
}

/// ggml's name of a field: the last part of a path, without what keeps it from being a word of Rust's.
fn field(path: &str) -> String {
    path.rsplit('.').next().unwrap_or(path).trim().trim_end_matches('_').to_owned()
}

/// Our struct for one of theirs.
fn ours(name: &str, layout: Layout) -> Struct {
    use Layout::{A, B, C, O};
    type Of<T> = With<T, BufferFields>;
    match (name, layout) {
        ("ggml_tensor", _) => {
            ours!(Tensor: type_ buffer ne nb op op_params flags src view_src view_offs data name extra)
        }
        ("ggml_cgraph", _) => {
            ours!(Graph: size n_nodes n_leafs nodes use_counts visited).renamed("visited", "visited_hash_set")
        }
        ("ggml_hash_set", _) => ours!(HashSet: size used keys),
        ("ggml_init_params", _) => ours!(InitParams: mem_size mem_buffer no_alloc),
        ("ggml_backend_dev_caps", _) => {
            ours!(Caps: async_ host_buffer buffer_from_host_ptr events mmap_support)
        }
        ("ggml_backend_dev_props", _) => {
            ours!(Props: name description memory_free memory_total type_ device_id caps)
        }
        ("ggml_backend_feature", _) => ours!(Feature: name value),
        ("ggml_backend_reg_i", _) => ours!(RegTable: get_name get_device_count get_device get_proc_address),
        ("ggml_backend_reg", _) => ours!(Reg: api_version iface context),
        ("ggml_backend_device_i", _) => ours!(DeviceTable:
            get_name get_description get_memory get_type get_props init_backend get_buffer_type get_host_buffer_type
            buffer_from_host_ptr supports_op supports_buft offload_op event_new event_free event_synchronize),
        ("ggml_backend_device", _) => ours!(Device: iface reg context),
        ("ggml_backend_buffer_type_i", O | A) => {
            ours!(BufferType6: get_name alloc_buffer get_alignment get_max_size get_alloc_size is_host)
        }
        ("ggml_backend_buffer_type_i", B | C) => ours!(BufferType8:
            get_name alloc_buffer alloc_buffer_n get_alignment get_max_size get_alloc_size get_alloc_size_n is_host),
        ("ggml_backend_buffer_type", O | A) => {
            ours!(With<BufferType6, BufferTypeFields>: iface fields.device fields.context)
        }
        ("ggml_backend_buffer_type", B | C) => {
            ours!(With<BufferType8, BufferTypeFields>: iface fields.device fields.context)
        }
        ("ggml_backend_buffer_i", O) => ours!(Buffer9:
            free_buffer get_base init_tensor memset_tensor set_tensor get_tensor cpy_tensor clear reset),
        ("ggml_backend_buffer_i", A | B) => ours!(Buffer11:
            free_buffer get_base init_tensor memset_tensor set_tensor get_tensor set_tensor_2d get_tensor_2d cpy_tensor
            clear reset),
        ("ggml_backend_buffer_i", C) => ours!(Buffer14:
            first.free_buffer first.get_base first.init_tensor first.memset_tensor first.set_tensor first.get_tensor
            first.set_tensor_2d first.get_tensor_2d first.cpy_tensor first.clear first.reset
            set_tensor_n get_tensor_n cpy_tensor_n),
        ("ggml_backend_buffer", O) => {
            ours!(Of<Buffer9>: iface fields.buft fields.context fields.size fields.usage)
        }
        ("ggml_backend_buffer", A | B) => {
            ours!(Of<Buffer11>: iface fields.buft fields.context fields.size fields.usage)
        }
        ("ggml_backend_buffer", C) => {
            ours!(Of<Buffer14>: iface fields.buft fields.context fields.size fields.usage)
        }
        ("ggml_backend_i", O) => ours!(Backend14:
            get_name free set_tensor_async get_tensor_async cpy_tensor_async synchronize graph_plan_create graph_plan_free
            graph_plan_update graph_plan_compute graph_compute event_record event_wait graph_optimize),
        ("ggml_backend_i", A | B | C) => ours!(Backend16:
            get_name free set_tensor_async get_tensor_async set_tensor_2d_async get_tensor_2d_async cpy_tensor_async
            synchronize graph_plan_create graph_plan_free graph_plan_update graph_plan_compute graph_compute event_record
            event_wait graph_optimize),
        ("ggml_backend", O) => ours!(BackendOf<Backend14>: guid iface fields.device fields.context),
        ("ggml_backend", A | B | C) => ours!(BackendOf<Backend16>: guid iface fields.device fields.context),
        _ => panic!("{name} is none of the structs that we have"),
    }
}

/// Fields that we have no name for: nothing here reads or writes them.
const UNNAMED: [(&str, &[&str]); 2] =
    [("ggml_tensor", &["padding"]), ("ggml_cgraph", &["grads", "grad_accs", "leafs", "order", "uid"])];

/// What a version does not have yet: it is behind the struct's end there, in padding of the struct around it.
const LATER: [(&str, &str); 1] = [("ggml_backend_dev_caps", "mmap_support")];

/// A table's line: versions, and a struct. `64 size 0 used 8`
fn parse(line: &str) -> (Vec<&str>, Struct) {
    let (versions, layout) = line.trim().split_once(": ").expect("versions: layout");
    let words: Vec<&str> = layout.split(' ').collect();
    let number = |text: &str| text.parse::<usize>().expect("a number");
    let fields = words[1..].chunks(2).map(|pair| (pair[0].to_owned(), number(pair[1]))).collect();
    (versions.split(' ').collect(), Struct { bytes: number(words[0]), fields })
}

/// The layout with a letter.
fn layout(letter: &str) -> Layout {
    match letter {
        "O" => Layout::O,
        "A" => Layout::A,
        "B" => Layout::B,
        "C" => Layout::C,
        _ => panic!("{letter} is no layout"),
    }
}

/// What differs between one of their structs and ours.
fn differences(name: &str, theirs: &Struct, ours: &Struct) -> Vec<String> {
    let unnamed = UNNAMED.iter().find(|(of, _)| *of == name).map_or(&[][..], |(_, fields)| fields);
    let mut wrong = Vec::new();
    for (field, at) in &theirs.fields {
        match ours.fields.get(field) {
            Some(here) if here == at => {}
            Some(here) => wrong.push(format!("{name}.{field} is at {here}, theirs at {at}")),
            None if unnamed.contains(&field.as_str()) => {}
            None => wrong.push(format!("{name}.{field} at {at} is missing")),
        }
    }
    let missing = ours.fields.iter().filter(|(field, _)| !theirs.fields.contains_key(*field));
    for (field, at) in missing {
        let later = LATER.contains(&(name, field.as_str())) && *at >= theirs.bytes;
        if !later {
            wrong.push(format!("{name}.{field} is none of theirs"));
        }
    }
    // Graphs are the host's; newer ones are longer.
    let longer = LATER.iter().any(|(of, _)| *of == name);
    if ours.bytes != theirs.bytes && name != "ggml_cgraph" && !longer {
        wrong.push(format!("{name} has {} bytes, theirs {}", ours.bytes, theirs.bytes));
    }
    wrong
}

#[test]
fn every_field_is_where_the_headers_have_it() {
    let mut lines = THEIRS.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let versions = lines.next().and_then(|line| line.strip_prefix("versions ")).expect("versions");
    let versions: Vec<(&str, Layout)> =
        versions.split(' ').filter_map(|one| one.split_once('=')).map(|(v, l)| (v, layout(l))).collect();
    let (mut name, mut compared, mut wrong) = ("", 0, Vec::new());
    for line in lines {
        if !line.starts_with(' ') {
            name = line;
            continue;
        }
        let (of, theirs) = parse(line);
        for (version, layout) in versions.iter().filter(|(version, _)| of.contains(version) || of == ["all"])
        {
            let found = differences(name, &theirs, &ours(name, *layout));
            wrong.extend(found.into_iter().map(|text| format!("ggml {version}: {text}")));
            compared += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(compared, 17 * versions.len(), "every struct of every version");
}

#[test]
fn a_field_at_another_place_is_found() {
    let (_, mut theirs) = parse("    all: 24 size 0 used 8 keys 16");
    let ours = ours("ggml_hash_set", Layout::A);
    assert!(differences("ggml_hash_set", &theirs, &ours).is_empty());
    theirs.fields.insert("keys".into(), 12);
    theirs.fields.remove("used");
    theirs.fields.insert("more".into(), 24);
    assert_eq!(differences("ggml_hash_set", &theirs, &ours).len(), 3);
}
