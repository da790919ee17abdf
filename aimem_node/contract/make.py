"""Make everything that is derived from proto/: values, descriptors, the CLI's surface, docs.

`python -m aimem_node.contract.make` writes, `--check` only compares and exits 1 when something
is stale, `--release` also keeps the descriptors as the ones that may only grow from now on.
The values are made first, because the rest is made by the code that imports them.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from google.protobuf import descriptor_pb2

from aimem_node.contract.descriptors import MADE, PACKAGE
from aimem_node.contract.facts import Reader
from aimem_node.contract.growth import losses
from aimem_node.contract.make_values import value_modules

ROOT = Path(__file__).parents[2]
PROTO = ROOT / "proto"
RELEASED = PROTO / "released" / "v1.binpb"

Files = Mapping[Path, bytes]


def compile_protos() -> bytes:
    """What protoc understands of proto/aimem/v1, as a serialised FileDescriptorSet.

    Comments are kept of our own files only. Raises SystemExit when protoc refuses.
    """
    from google.api import annotations_pb2
    from grpc_tools import protoc  # type: ignore[import-untyped]

    tools = Path(protoc.__file__).parent
    google_api = Path(annotations_pb2.__file__).parents[2]
    sources = sorted(str(path.relative_to(PROTO)) for path in (PROTO / "aimem").rglob("*.proto"))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "set.binpb"
        code = protoc.main(
            [
                "protoc", f"-I{PROTO}", f"-I{tools / '_proto'}", f"-I{google_api}",
                "--include_imports", "--include_source_info", f"--descriptor_set_out={out}",
                *sources,
            ]
        )  # fmt: skip
        if code != 0:
            raise SystemExit(f"protoc refused proto/ (exit {code})")
        files = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes())
    for file in files.file:
        _keep_comments_only(file)
    return files.SerializeToString(deterministic=True)


def _keep_comments_only(file: descriptor_pb2.FileDescriptorProto) -> None:
    """Line and column numbers would change with every edit and tell nobody anything."""
    told = [place for place in file.source_code_info.location if place.leading_comments]
    file.ClearField("source_code_info")
    if file.package != PACKAGE:
        return
    for place in told:
        kept = file.source_code_info.location.add(path=place.path)
        kept.span.extend((0, 0, 0))
        kept.leading_comments = place.leading_comments


def released_bytes(file_set: bytes) -> bytes:
    """Our files alone, without comments: what a release promises."""
    files = descriptor_pb2.FileDescriptorSet.FromString(file_set)
    kept = descriptor_pb2.FileDescriptorSet()
    for file in files.file:
        if file.package == PACKAGE:
            file.ClearField("source_code_info")
            kept.file.add().CopyFrom(file)
    return kept.SerializeToString(deterministic=True)


def first_files(file_set: bytes) -> Files:
    """The made package: what the rest of the contract is built upon."""
    modules = value_modules(Reader(file_set).read())
    made = {MADE / name: text.encode() for name, text in modules.items()}
    made[MADE / "descriptors.binpb"] = file_set
    return made


def second_files() -> Files:
    """What is derived by rule from the operations. Imports the made values."""
    from aimem_node.contract import docs, surface

    return {
        MADE / "surface.json": surface.surface_json().encode(),
        ROOT / "docs" / "operations.md": docs.operations_markdown().encode(),
        ROOT / "docs" / "failures.md": docs.failures_markdown().encode(),
    }


def stale(files: Files) -> list[str]:
    """Names of files that are not as they would be made, and of made files that nothing makes."""
    found = [path for path, text in files.items() if not _same(path, text)]
    if MADE / "descriptors.binpb" in files:
        found += [path for path in MADE.glob("values*.py") if path not in files]
    return [str(path.relative_to(ROOT)) for path in sorted(found)]


def _same(path: Path, made: bytes) -> bool:
    if not path.exists():
        return False
    kept = path.read_bytes()
    if path.suffix == ".binpb":
        # The google files in it come with protoc, and a newer protoc is no reason to be stale.
        return _own_files(kept) == _own_files(made)
    return kept == made


def _own_files(file_set: bytes) -> list[bytes]:
    files = descriptor_pb2.FileDescriptorSet.FromString(file_set).file
    return [f.SerializeToString(deterministic=True) for f in files if f.package == PACKAGE]


def write(files: Files) -> None:
    """Write what is stale, and remove made files that nothing makes any more."""
    for name in stale(files):
        path = ROOT / name
        if path not in files:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(files[path])
        sys.stdout.write(f"made {name}\n")


def release(file_set: bytes) -> int:
    """Keep the wire contract as released. Exit code 1 when it has lost something since."""
    new = released_bytes(file_set)
    lost = losses(RELEASED.read_bytes(), new) if RELEASED.exists() else []
    for loss in lost:
        sys.stderr.write(f"not released: {loss}\n")
    if not lost:
        RELEASED.parent.mkdir(parents=True, exist_ok=True)
        RELEASED.write_bytes(new)
    return 1 if lost else 0


def main(arguments: list[str] | None = None) -> int:
    """Exit code 1 when --check finds something stale."""
    parser = argparse.ArgumentParser(prog="python -m aimem_node.contract.make", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only; exit 1 when stale")
    parser.add_argument("--release", action="store_true", help="keep the wire contract as released")
    asked = parser.parse_args(arguments)
    file_set = compile_protos()
    first = first_files(file_set)
    if not asked.check:
        write(first)
        write(second_files())
        return release(file_set) if asked.release else 0
    found = stale(first) or stale(second_files())
    for name in found:
        sys.stderr.write(f"{name} is stale; run: python -m aimem_node.contract.make\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
