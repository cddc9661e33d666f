"""model.modules: what paths make importable."""

from __future__ import annotations

import pytest

from lambdabuild.model.modules import top_level_modules


@pytest.mark.parametrize(
    ("path", "module"),
    [
        ("six.py", "six"),
        ("numpy/__init__.py", "numpy"),
        ("numpy/core/multiarray.py", None),
        ("_cffi.cpython-313-x86_64-linux-gnu.so", "_cffi"),
        ("_cffi.cpython-313.so", "_cffi"),
        ("_rust.abi3.so", "_rust"),
        ("plain.so", "plain"),
        ("old.cpython-312-x86_64-linux-gnu.so", None),
        ("threads.cpython-313t-x86_64-linux-gnu.so", None),
        ("libssl.so.3", None),
        ("numpy.libs/libblas.so", None),
        ("six-1.0.dist-info/METADATA", None),
        ("bin/tool", None),
        ("share/data/table.csv", None),
        ("not-a-name.py", None),
        ("__init__.py", None),
        ("__main__.py", None),
        ("scripts/run.py", None),
        ("google/cloud/storage/__init__.py", "google.cloud.storage"),
        ("google/cloud/storage/client/__init__.py", "google.cloud.storage.client"),
        ("google/_upb/_message.abi3.so", "google._upb._message"),
        ("a-b/inner/__init__.py", None),
    ],
)
def test_one_file(path: str, module: str | None) -> None:
    assert top_level_modules([path], "3.13", layer=False) == ((module,) if module else ())


def test_files_of_a_package_are_one_module() -> None:
    paths = ["pkg/__init__.py", "pkg/_fast.abi3.so", "pkg/inner/__init__.py", "space/pkg/__init__.py", "space/pkg/x.so"]
    assert top_level_modules(paths, "3.13", layer=False) == ("pkg", "space.pkg")


def test_a_layer_has_two_roots() -> None:
    paths = ["python/one.py", "python/lib/python3.13/site-packages/two.py", "python/lib/python3.12/site-packages/no.py"]
    assert top_level_modules([*paths, "bin/three.py", "four.py"], "3.13", layer=True) == ("one", "two")
