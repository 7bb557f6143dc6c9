"""Generates text with llama-cpp-python.

    generate.py MODEL [LIBRARY]

LIBRARY is a ggml backend: it is loaded by its path into the ggml that the package brings, after that one's CPU backend, and the model is
offloaded to it. Without it everything runs on the CPU. Prints the text.
"""

import ctypes
import os
import sys

import llama_cpp

TOKENS = 12


def load(library):
    """What a user writes before making a model (docs/applications.md)."""
    llama = ctypes.CDLL(os.path.join(os.path.dirname(llama_cpp.__file__), "lib", "libllama.so"))
    llama.ggml_backend_load.argtypes = [ctypes.c_char_p]
    llama.ggml_backend_load.restype = ctypes.c_void_p
    if not llama.ggml_backend_load(library.encode()):
        sys.exit(f"{library} was refused")


def main():
    model, *library = sys.argv[1:]
    for path in library:
        load(path)
    llama = llama_cpp.Llama(model, n_gpu_layers=99 if library else 0, n_ctx=128, seed=1, verbose=True)
    answer = llama("In the beginning", max_tokens=TOKENS, temperature=0)
    print(answer["choices"][0]["text"])


main()
