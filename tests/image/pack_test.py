#!/usr/bin/env python3
"""Tests krait pack: the headers and images that it writes give the same bits as the loaded checkpoint.

  pack_test.py [--compiler COMMAND]

Also checks that krait pack rejects invalid files and options with a message that names the fault, and then writes nothing.
Exit code 0: all checks pass; 1: some fail.
"""
import argparse
import concurrent.futures
import json
import pathlib
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
REFERENCE = HERE.parent / "data" / "reference"
KRAIT = ROOT / "tools" / "krait"
IGNORE_VECTORS = ["--ignore", "tokens", "--ignore", "*logits"]
STORAGES = ["f32", "bf16", "f16", "int8"]
SECTION = ".krait_flash"

PROGRAM = """// Compares what krait pack wrote with the checkpoint, loaded. Arguments: for each case CHECKPOINT and IMAGE.
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>
#include <string_view>
#include <vector>

#include <krait.hpp>
#include <krait/load.hpp>

{includes}

template <class Model>
auto answer(const Model& model) {{
  if constexpr (krait::TakesTokens<Model>) {{
    return krait::forward(model, std::array{{1, 0, 3, 2, 1}});
  }} else {{
    krait::Tensor<float, 5, Model::d_in> xs;
    for (std::size_t t = 0; t < 5; ++t)
      for (std::size_t i = 0; i < Model::d_in; ++i) xs[t][i] = static_cast<float>((t * 5 + i * 3) % 7) - 3.0f;
    return krait::forward(model, xs);
  }}
}}

bool holds(bool fact, const char* name, const char* sentence) {{
  if (!fact) std::printf("%s: not so: %s\\n", name, sentence);
  return fact;
}}

template <class Model>
bool check(const char* name, const Model& packed, std::uint32_t fingerprint, const char* checkpoint, const char* image_file) {{
  static constexpr std::string_view ignore[] = {{"tokens", "logits", "noxton_logits", "input"}};
  const auto loaded = std::make_unique<Model>();
  const krait::Status status = krait::load_file(checkpoint, *loaded, {{.ignore = ignore}});
  if (!holds(status.ok(), name, "the checkpoint loads as the header's Model")) {{
    std::puts(status.message().c_str());
    return false;
  }}
  const auto image = std::make_unique<krait::Image<Model>>();
  const krait::Image<Model>* view = nullptr;
  std::ifstream(image_file, std::ios::binary).read(reinterpret_cast<char*>(image.get()), sizeof(*image));
  return holds(reinterpret_cast<std::uintptr_t>(&packed) % 64 == 0, name, "the header's weights are aligned") &&
         holds(answer(packed) == answer(*loaded), name, "the header's weights give the loaded model's bits") &&
         holds(krait::fingerprint(packed) == fingerprint && krait::fingerprint(*loaded) == fingerprint, name,
               "the fingerprint is the loaded model's") &&
         holds(bool(krait::view_image(std::as_bytes(std::span(image.get(), 1)), view)), name, "the image is viewed") &&
         holds(std::memcmp(&view->model, &packed, sizeof(Model)) == 0, name, "image and header have the same bytes");
}}

int main(int, char** argv) {{
  bool good = true;
{checks}
  return good ? 0 : 1;
}}
"""


def write_checkpoint(path, tensors, others=()):
    """Writes a safetensors file of random float32 tensors {name: shape} and of `others` (name, dtype, shape, bytes)."""
    header, data, draw = {}, b"", random.Random(1)
    for name, dtype, shape, size in others:
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + size]}
        data += b"\xff" * size
    for name, shape in tensors.items():
        count = 1
        for extent in shape:
            count *= extent
        values = struct.pack(f"<{count}f", *(draw.uniform(-0.5, 0.5) for _ in range(count)))
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def residual_block(prefix, d_model, d_inner, d_state, dt_rank):
    mixer = prefix + "mixer."
    return {prefix + "norm.weight": [d_model], mixer + "A_log": [d_inner, d_state], mixer + "D": [d_inner],
            mixer + "conv1d.bias": [d_inner], mixer + "conv1d.weight": [d_inner, 1, 4], mixer + "dt_proj.bias": [d_inner],
            mixer + "dt_proj.weight": [d_inner, dt_rank], mixer + "in_proj.weight": [2 * d_inner, d_model],
            mixer + "out_proj.weight": [d_model, d_inner], mixer + "x_proj.weight": [dt_rank + 2 * d_state, d_inner]}


def heads_block(prefix, d_model, d_inner, d_state, heads, generation):
    """Returns the parameters {name: shape} of a residual block of Mamba-2 with 2 groups (`generation` 2), or of Mamba-3 with
    one group and d_state / 4 angles."""
    mixer = prefix + "mixer."
    shapes = {"D": [heads], "dt_bias": [heads], "out_proj.weight": [d_model, d_inner]}
    if generation == 2:
        channels = d_inner + 4 * d_state
        shapes |= {"A_log": [heads], "conv1d.bias": [channels], "conv1d.weight": [channels, 1, 4],
                   "in_proj.weight": [d_inner + channels + heads, d_model], "norm.weight": [d_inner]}
    else:
        shapes |= {"B_bias": [heads, 1, d_state], "C_bias": [heads, 1, d_state], "B_norm.weight": [d_state],
                   "C_norm.weight": [d_state],
                   "in_proj.weight": [2 * d_inner + 2 * d_state + 3 * heads + d_state // 4, d_model]}
    return {prefix + "norm.weight": [d_model], **{mixer + name: shapes[name] for name in sorted(shapes)}}


# The tensors are in alphabetical order, as in safetensors files.
STACK = {"classifier.bias": [3], "classifier.weight": [3, 9], "input": [4, 5], **residual_block("layers.0.", 9, 18, 4, 1),
         **residual_block("layers.1.", 9, 18, 4, 1), "linear_in.weight": [9, 5]}


class Test:
    def __init__(self, compiler, quick, folder):
        self.compiler, self.quick, self.folder, self.wrong = compiler, quick, folder, []

    def pack(self, *arguments):
        return self.krait("pack", *arguments)

    def krait(self, command, *arguments):
        done = subprocess.run([KRAIT, command, "--compiler", self.compiler, *map(str, arguments)], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
        said, complaint = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        self.expect(all(c == "\n" or " " <= c <= "~" for c in said + complaint), f"not ASCII: {said!a} {complaint!a}")
        return done.returncode, said, complaint

    def compile(self, *arguments, source=None):
        done = subprocess.run([self.compiler, "-std=c++20", "-Wall", "-Wextra", "-Wconversion", "-Werror", f"-I{ROOT / 'include'}",
                               f"-I{self.folder}", *map(str, arguments)], input=source, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        return done.returncode, done.stdout

    def expect(self, fact, sentence):
        if not fact:
            self.wrong.append(sentence)

    def packs(self, name, checkpoint, *options):
        """Packs a checkpoint into NAME.hpp and NAME.image, and returns the table of sizes that krait pack prints."""
        code, said, complaint = self.pack(checkpoint, *options, "--header", self.folder / f"{name}.hpp", "--image",
                                          self.folder / f"{name}.image")
        self.expect(code == 0, f"{name}: {complaint}")
        return said

    def refuses(self, words, *arguments):
        before = sorted(self.folder.iterdir())
        code, said, complaint = self.pack(*arguments, "--header", self.folder / "refused.hpp", "--image",
                                          self.folder / "refused.image")
        complaint = complaint.strip()
        print(f"refused: {complaint.splitlines()[-1] if complaint else said}")
        self.expect(code != 0 and words in complaint, f"wanted a refusal with {words!r}, found exit code {code}: {complaint}")
        self.expect("Traceback" not in complaint, complaint)
        self.expect(sorted(self.folder.iterdir()) == before, f"{words}: something was written")


def check_packed(test):
    # Tensors that are ignored may have any dtype, even an unknown one.
    weights = {name: shape for name, shape in STACK.items() if name != "input"}
    stack = write_checkpoint(test.folder / "stack.safetensors", weights,
                             [("input", "F6_E2M3", [4, 5], 15), ("logits", "I3", [7], 4)])
    small = REFERENCE / "noxton_key7_small.safetensors"
    hybrid = write_checkpoint(test.folder / "hybrid.safetensors", {
        "head.weight": [3, 9], **heads_block("two.0.", 9, 18, 4, 6, 2), **heads_block("two.1.", 9, 18, 4, 6, 2),
        **heads_block("three.0.", 9, 18, 8, 6, 3), **residual_block("one.0.", 9, 18, 4, 1), "proj.weight": [9, 5]})
    padded = write_checkpoint(test.folder / "padded.safetensors", {"conv.weight": [4, 3, 5], "head.weight": [3, 4]})
    test.packs("padded", padded, "--order", "conv1d(conv,stride=1,padding=2),max,head")
    cases = {"small": (small, IGNORE_VECTORS),
             "untied": (REFERENCE / "mamba_untied_odd.safetensors", [*IGNORE_VECTORS, "--type", "bf16"]),
             "placed": (small, [*IGNORE_VECTORS, "--section", SECTION]),
             "stack": (stack, ["--ignore", "input", "--ignore", "logits", "--type", "int8",
                               "--order", "linear_in,layers,last,classifier", "--report", test.folder / "stack.svg"]),
             "hybrid": (hybrid, ["--order", "proj,two,three,one,last,head", "--ngroups", "2", "--A-formula", "heavy_tail"])}
    if test.quick:
        del cases["untied"], cases["hybrid"]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        tables = dict(zip(cases, pool.map(lambda name: test.packs(name, cases[name][0], *cases[name][1]), cases)))
    if test.wrong:
        return
    print(tables["stack"])
    arguments, checks = [], []
    for name, (checkpoint, _) in cases.items():
        at = len(arguments) + 1
        arguments += [checkpoint, test.folder / f"{name}.image"]
        checks.append(f'  good &= check("{name}", {name}::model(), {name}::fingerprint, argv[{at}], argv[{at + 1}]);')
    source, program = test.folder / "program.cpp", test.folder / "program"
    source.write_text(PROGRAM.format(includes="\n".join(f'#include "{name}.hpp"' for name in cases), checks="\n".join(checks)))
    code, said = test.compile("-O0", source, "-o", program)
    test.expect(code == 0, f"the headers do not compile: {said}")
    if code == 0:
        done = subprocess.run([program, *arguments], stdout=subprocess.PIPE, text=True)
        test.expect(done.returncode == 0, done.stdout or f"the program ended with {done.returncode}")

    # The figures in the table that krait pack prints must equal those that the compiler computes.
    sizes = [f"sizeof(krait::Mamba<krait::with_storage(small::dims, krait::Storage::{storage})>)" for storage in STORAGES]
    shown = next(line for line in tables["small"].splitlines() if "all weights" in line).split()[2:]
    asserts = "".join(f"static_assert({size} == {figure.replace(',', '')});\n" for size, figure in zip(sizes, shown))
    count = re.search(r"^([\d,]+) parameters", tables["stack"], re.M)[1].replace(",", "")
    asserts += f"static_assert(krait::parameter_count<stack::Model> == {count});\n"
    asserts += "static_assert(padded::trailing_tokens == 2);\n"
    includes = "".join(f'#include "{name}.hpp"\n' for name in [*cases, "padded"])
    code, said = test.compile("-fsyntax-only", "-x", "c++", "-", source=includes + asserts)
    test.expect(code == 0, f"the report's figures: {said}")
    rows = [line.split()[1:] for line in tables["small"].splitlines() if line.startswith("  ")]
    flash = [[int(value.replace(",", "")) for value in row] for row in rows[:-3]]
    test.expect([f"{sum(column):,}" for column in zip(*flash)] == shown, "the parts of flash do not add up to all weights")

    picture = xml.etree.ElementTree.parse(test.folder / "stack.svg").getroot()
    titles = [element.text for element in picture.iter("{http://www.w3.org/2000/svg}title")]
    test.expect(len(titles) > 20 and any(text.startswith("in_proj: ") for text in titles), f"the picture shows {titles}")

    # Code for a model with other dims must not compile.
    mine = "krait::Mamba<krait::with_storage(krait::ModelDims{.vocab_size = 32, .d_model = 3, .n_layers = 1, .d_inner = 6, .dt_rank = 1}, krait::Storage::f16)>"
    code, said = test.compile("-fsyntax-only", "-x", "c++", "-", source=f'#include "small.hpp"\nconst auto& mine = small::model<{mine}>();\n')
    test.expect(code != 0 and said.count("error: ") == 1 and "they differ in d_model" in said, f"other dims: {said}")


def check_section(test):
    """Checks that the option --section of krait pack places only the weights in the section, and that all translation units
    that include the packed header share one copy of the weights."""
    header = (test.folder / "placed.hpp").read_text()
    (test.folder / "placed_too.hpp").write_text(header.replace("KRAIT_PACKED_PLACED_HPP", "KRAIT_PACKED_TOO_HPP"))
    for unit, source in {"one": "const void* one() { return &placed::model(); }\n",
                         "two": "const void* one();\nint main() { return one() != &placed::model(); }\n"}.items():
        code, said = test.compile("-O0", "-x", "c++", "-c", "-", "-o", test.folder / f"{unit}.o",
                                  source=f'#include "placed.hpp"\n{source}')
        test.expect(code == 0, f"a header with a section does not compile: {said}")
    program = test.folder / "placed"
    code, said = test.compile(test.folder / "one.o", test.folder / "two.o", "-o", program)
    test.expect(code == 0, f"two units with the weights in a section do not link: {said}")
    test.expect(code == 0 and subprocess.run([program]).returncode == 0, "two units have two copies of the weights")
    sections = subprocess.run(["objdump", "-h", program], stdout=subprocess.PIPE, text=True).stdout
    found = re.search(rf"{re.escape(SECTION)} +(\w+) .* 2\*\*(\d+)\n *(.*)", sections)
    asserted, said = test.compile("-fsyntax-only", "-x", "c++", "-", source='#include "placed.hpp"\n'
                                  f"static_assert(sizeof(placed::Model) == {int(found[1], 16) if found else 0});\n")
    test.expect(found and asserted == 0 and int(found[2]) >= 6 and "READONLY" in found[3],
                f"not in {SECTION}: {sections} {said}")
    # g++ would put the weights of two models into one linker group, so a second header in the same unit must be rejected.
    code, said = test.compile("-fsyntax-only", "-x", "c++", "-", source='#include "placed.hpp"\n#include "placed_too.hpp"\n')
    test.expect(code != 0 and f"section {SECTION} has another model's weights in this unit" in said, f"two models: {said}")


def check_firmware(test):
    """Checks, for a Cortex-M4, that a packed header's weights are constants in flash and that no code runs before main."""
    compiler = "arm-none-eabi-g++"
    if not shutil.which(compiler):
        print(f"skipped: no {compiler} on this machine")
        return
    sys.path.insert(0, str(HERE.parent / "headers"))
    from compilers import link_dependencies
    (test.folder / "dependencies").mkdir()
    built = test.folder / "firmware.o"
    done = subprocess.run([compiler, "--specs=picolibcpp.specs", "-mcpu=cortex-m4", "-mthumb", "-std=c++20", "-O0", "-fno-exceptions",
                           "-fno-rtti", f"-I{ROOT / 'include'}", "-isystem", link_dependencies(test.folder / "dependencies"),
                           f"-I{test.folder}", "-x", "c++", "-c", "-", "-o", built], text=True, stderr=subprocess.PIPE,
                          input='#include "stack.hpp"\n#include "placed.hpp"\nconst void* where() { return &stack::model(); }\n'
                                'const void* placed_at() { return &placed::model(); }\n')
    test.expect(done.returncode == 0, done.stderr)
    if done.returncode == 0:
        symbols = subprocess.run(["arm-none-eabi-nm", "-C", built], stdout=subprocess.PIPE, text=True).stdout
        words = [line.split()[1] for line in symbols.splitlines() if line.endswith("stack::detail::words")]
        test.expect(words and words[0] in "RrVu", f"the weights are in no section of constants: {symbols}")
        test.expect("_GLOBAL__" not in symbols and "guard" not in symbols, f"something runs before main: {symbols}")
        sections = subprocess.run(["arm-none-eabi-objdump", "-h", built], stdout=subprocess.PIPE, text=True).stdout
        test.expect(any(SECTION in line and "2**6" in line for line in sections.splitlines()), f"not in {SECTION}: {sections}")
        test.expect(any(".rodata" in line and "2**6" in line for line in sections.splitlines()), f"not aligned: {sections}")


def check_refused(test):
    def stack_of(name, tensors):
        return write_checkpoint(test.folder / f"{name}.safetensors", tensors)

    small = REFERENCE / "noxton_key7_small.safetensors"
    text = test.folder / "text.safetensors"
    text.write_text("no checkpoint, but a text of some length")
    test.refuses("cannot be read: No such file", test.folder / "absent.safetensors")
    test.refuses("not a safetensors file: its first 8 bytes are a header length", text)
    test.refuses(": found a tensor [", small)
    test.refuses("--ignore nothing: found no such tensor", small, "--ignore", "nothing")
    test.refuses("input: found a tensor [4, 5], wanted only tensors of layers: if forward() does not use it, skip it with "
                 "--ignore input", stack_of("extra", STACK))
    test.refuses("--order: found a, wanted one of backbone", small, *IGNORE_VECTORS, "--order", "a,b")
    test.refuses("found no 'no-such-compiler' on this machine", small, "--compiler", "no-such-compiler")
    test.refuses("wanted a C++ name for a namespace", small, "--name", "1st")
    test.refuses("wanted a number between 0 and 1", small, "--norm-eps", "-1")
    test.refuses("--section: found '.a b', wanted letters, digits and _ . $ ,", small, "--section", ".a b")
    code, _, complaint = test.pack(small, "--section", SECTION, "--image", test.folder / "refused.image")
    test.expect(code != 0 and "--section: found no --header, wanted one" in complaint, complaint)
    test.refuses(f"cannot write {test.folder / 'refused.image'}: found the path of another output", small, "--report",
                 test.folder / "refused.image")
    test.refuses(f"cannot write {small}: found the path of an input", small, "--report", small)
    test.refuses("no order of its layers fits: a 5 to 9, b 8 to 3", stack_of("seam", {"a.weight": [9, 5], "b.weight": [3, 8]}))
    loops = {"b.weight": [4, 4], "a.weight": [4, 4], "c.weight": [4, 3], "d.weight": [5, 4]}
    test.refuses("a stack of layers: tensors contain neither", stack_of("orders", loops))
    orders = test.folder / "orders.safetensors"
    test.refuses("c.weight: found a tensor [4, 3] of a layer that is not in --order", orders, "--order", "linear(a),identity,b")
    test.refuses("--order: b,identity gives 4 outputs, but the next layer, c, takes 3 inputs", orders, "--order",
                 "linear(a),identity,b,identity,c")
    test.refuses("odd: found bias, wanted the tensors of one layer", stack_of("kind", {"odd.bias": [4]}), "--order", "odd")
    test.refuses("layers: found elements 0, 2, wanted 0 to 1",
                 stack_of("gap", {**residual_block("layers.0.", 9, 18, 4, 1), **residual_block("layers.2.", 9, 18, 4, 1)}))
    # Files of other formats are rejected.
    save = 'wanted a file from safetensors.torch.save_model(model, "model.safetensors")'
    for at, (content, words) in enumerate({
        b"PK\3\4\0\0\x08\x08\0\0": f"found a PyTorch pickle of torch.save, or another zip archive, {save}",
        b"PK\3\4": f"found a PyTorch pickle of torch.save, or another zip archive, {save}",
        b"\x80\2\x8a\n\x6c\xfc\x9c\x46": f"found a PyTorch pickle of torch.save in the legacy format, {save}",
        b"GGUF\3\0\0\0{": "found a GGUF file, wanted a safetensors file",
        b"\x89HDF\r\n\x1a\n": "found an HDF5 file, wanted a safetensors file"}.items()):
        other = test.folder / f"other_{at}"
        other.write_bytes(content)
        test.refuses(f"not a safetensors file: {words}", other)
    # Wrong sizes of tensors are rejected, as the loader rejects them.
    for others, words in [(("x", "F4", [3], 2), "x: shape is wrong: found 12 bits for F4[3], wanted a whole number of bytes"),
                          (("x", "F6_E3M2", [4], 4), "x: data offsets are wrong: found 4 bytes, wanted 3 bytes for F6_E3M2[4]"),
                          (("x", "C64", [1], 4), "x: data offsets are wrong: found 4 bytes, wanted 8 bytes for C64[1]"),
                          (("x", "I3", [2**32, 2**32], 4), "x: shape is wrong: found [4294967296, 4294967296], wanted a size"),
                          (("x", "U8", [2**60, 2**60, 0], 1), "x: data offsets are wrong: found 1 bytes, wanted 0 bytes for")]:
        test.refuses(words, write_checkpoint(test.folder / "sizes.safetensors", STACK, [others]), "--ignore", "*")
    # Bytes that belong to several tensors or to none, and names that occur twice, are rejected.
    for words, at, tail, more in [
        ("b: data overlaps another tensor's data: found begin 4, wanted begin 8", [4, 12], b"", ""),
        ("b: bytes belong to no tensor: found 4 bytes before it, wanted none", [12, 20], b"", ""),
        ("bytes belong to no tensor: found 1 bytes at the end, wanted none", [8, 16], b"x", ""),
        ("not a safetensors file: found b twice in its header, wanted it once", [8, 16], b"", ', "b": 1'),
        ("not a safetensors file: __metadata__: found a value that is no text", [8, 16], b"", ', "__metadata__": {"order": 3}'),
    ]:
        entries = {name: {"dtype": "F32", "shape": [2], "data_offsets": place} for name, place in (("b", at), ("a", [0, 8]))}
        header = (json.dumps(entries)[:-1] + more + "}").encode()
        placed = test.folder / "placed.safetensors"
        placed.write_bytes(struct.pack("<Q", len(header)) + header + bytes(at[1]) + tail)
        test.refuses(words, placed)
    # Names are printed in messages as printable ASCII.
    odd = "\u00e4\n\U0001f40d\x7f\ud800"
    test.refuses("?????: found a tensor [4], wanted only tensors of layers: if forward() does not use it, skip it with "
                 "--ignore ?????", stack_of("name", {odd: [4]}))
    test.refuses("krait pack: " + str(test.folder) + "/???: cannot be read: No such file", test.folder / "\u00e4\n\udcff")
    test.refuses("--name: found '?', wanted", small, "--name", "\u00e4")
    # Faults that only the loader detects.
    dtype = {"linear_in.weight": [9, 5], "classifier.weight": [3, 9]}
    test.refuses("classifier.bias: dtype is not supported: found F4, wanted F32, F16 or BF16",
                 write_checkpoint(test.folder / "dtype.safetensors", dtype, [("classifier.bias", "F4", [4], 2)]),
                 "--order", "linear_in,identity,classifier")
    if not test.quick:
        damaged = {**STACK, "layers.1.mixer.D": [17]}
        test.refuses("layers.1.mixer.D: shape is wrong: found [17], wanted [18]", stack_of("damaged", damaged), "--ignore", "input",
                     "--order", "linear_in,layers,mean,classifier")
    # If the output cannot be written, no files remain.
    before = sorted(test.folder.iterdir())
    code, _, complaint = test.pack(small, *IGNORE_VECTORS, "--image", test.folder / "unwritten.image", "--header",
                                   test.folder / "absent" / "unwritten.hpp")
    absent = test.folder / "absent"
    test.expect(code == 1 and f"cannot write {absent / 'unwritten.hpp'}: there is no folder {absent}" in complaint, complaint)
    test.expect(sorted(test.folder.iterdir()) == before, "a failed write left something behind")


def check_help(test):
    """Checks that krait --version prints the version, and the help of every command: it is short, states the default of --type,
    and only that of krait pack lists the options that determine a model."""
    code, said, complaint = test.krait("--version")
    wanted = re.search(r'KRAIT_VERSION_STRING "([^"]+)"', (ROOT / "include" / "krait" / "version.hpp").read_text())[1]
    test.expect(code == 0 and said == f"krait {wanted}\n", f"krait --version: {said}{complaint}")
    for command, most_lines in {"pack": 80, "check": 30, "report": 20, "run": 30}.items():
        code, said, complaint = test.krait(command, "--help")
        text = " ".join(said.split())
        test.expect(code == 0 and len(said.splitlines()) <= most_lines, f"krait {command} --help: {said}{complaint}")
        test.expect(command == "report" or "embeddings; default: f32" in text, f"{command} --help: --type lacks its default")
        test.expect("krait pack --help lists them" in text or command == "pack", f"krait {command} --help: no reference")
        test.expect(("--ngroups N" in text) == (command == "pack"), f"krait {command} --help: options of models")


def check_commands(test):
    """Checks the commands other than krait pack, and the function krait.pack."""
    small = REFERENCE / "noxton_key7_small.safetensors"
    sys.path.insert(0, str(ROOT / "python"))
    import krait
    from krait import safetensors_file
    tensors, _ = safetensors_file.read(small)
    expected, wrong = test.folder / "expected.safetensors", test.folder / "wrong.safetensors"
    y = next(tensor for name, tensor in tensors.items() if name.endswith("logits"))
    safetensors_file.write(expected, {"x": tensors["tokens"], "y": y})
    numbers = y.numbers("y")
    numbers[-1] += 1
    safetensors_file.write(wrong, {"x": tensors["tokens"], "y": safetensors_file.Tensor.of_floats(y.shape, numbers)})
    before = sorted(test.folder.iterdir())
    code, said, complaint = test.krait("check", small, expected, *IGNORE_VECTORS)
    test.expect(code == 0 and "check with f32 weights" in said and "not checked" not in said, f"krait check: {said}{complaint}")
    code, said, complaint = test.krait("check", small, wrong, *IGNORE_VECTORS)
    test.expect(code == 1 and "check with f32 weights" in complaint, f"krait check of wrong outputs: {said}{complaint}")
    code, said, complaint = test.krait("report", small, *IGNORE_VECTORS)
    test.expect(code == 0 and "all weights" in said and "not checked" not in said, f"krait report: {said}{complaint}")
    test.expect(sorted(test.folder.iterdir()) == before, "krait check or krait report writes a file")
    closed = subprocess.Popen([KRAIT, "report", "--compiler", test.compiler, small, *IGNORE_VECTORS], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
    closed.stdout.close()
    complaint = closed.communicate()[1].decode()
    test.expect(closed.returncode == 1 and complaint == "", f"krait report, if nothing reads its output: {complaint}")
    header = test.folder / "by_function.hpp"
    sizes, text = krait.pack(small, ignore=["tokens", "*logits"], header=str(header), name="small", compiler=test.compiler)
    test.expect("all weights" in text and f"{header}: " in text, f"krait.pack: {text}")
    test.expect(sizes["f32"]["flash"] > sizes["int8"]["flash"] > 0 and header.exists(), f"krait.pack: {sizes}")
    for words, arguments in {"no 'absent' on this machine": {"compiler": "absent"}, "--norm-eps: found 2": {"norm_eps": 2},
                             "type: found 'f8', wanted one of f32": {"type": "f8"}, "found a tensor [": {}}.items():
        try:
            krait.pack(small, **{"compiler": test.compiler, **arguments})
            test.expect(False, f"krait.pack does not reject {arguments}")
        except krait.Problem as problem:
            test.expect(words in str(problem), f"krait.pack, {arguments}: {problem}")
    try:
        krait.pack(small, typ="int8")
        test.expect(False, "krait.pack accepts an unknown argument")
    except TypeError as error:
        test.expect("found the argument 'typ'" in str(error), str(error))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("--quick", action="store_true", help="compile fewer programs: no bf16, and no damaged layer")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="krait_pack_test_") as folder:
        test = Test(args.compiler, args.quick, pathlib.Path(folder))
        check_help(test)
        check_refused(test)
        check_packed(test)
        if not test.wrong:
            check_section(test)
        check_firmware(test)
        if not test.quick:
            check_commands(test)
    print(*test.wrong, sep="\n", end="\n" if test.wrong else "")
    return 1 if test.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
