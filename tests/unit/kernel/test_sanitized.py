"""The kernel once more, where every access beyond a buffer and every undefined operation ends the process.

Needs a C compiler with the sanitizers of GCC; where there is none, the tests beside this one are all there is.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kernel.build import HERE, SOURCES

ROOT = Path(__file__).parents[3]
SANITIZED = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g", "-O1", "-std=c11", "-shared", "-fPIC"]
WARNINGS = ["-Wall", "-Wextra", "-Werror"]  # here, not where it is installed: another compiler may warn of more
RUN = """
import sys
from pathlib import Path
from kernel import library
library.PATH = Path(sys.argv[1])
import pytest
raise SystemExit(pytest.main(["-q", "-p", "no:cacheprovider", "-p", "no:xdist", *sys.argv[2:]]))
"""


def runtime(compiler: str, name: str) -> str:
    found = subprocess.run([compiler, f"-print-file-name={name}"], capture_output=True, text=True, check=False)
    return found.stdout.strip()


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory):
    """(the library, what must be loaded before it)."""
    compiler = shutil.which("gcc")
    if compiler is None or not Path(runtime(compiler, "libasan.so")).is_absolute():
        pytest.skip("no GCC with its sanitizers here")
    library = tmp_path_factory.mktemp("kernel") / "sanitized.lib"
    sources = [str(HERE / source) for source in SOURCES]
    subprocess.run([compiler, *SANITIZED, *WARNINGS, "-o", str(library), *sources, "-lm"], check=True)
    return library, [runtime(compiler, name) for name in ("libasan.so", "libubsan.so")]


def run(sanitized, *arguments):
    library, preloaded = sanitized
    environment = os.environ | {
        "LD_PRELOAD": " ".join(preloaded),
        "ASAN_OPTIONS": "detect_leaks=0",  # Python's own, at exit
        "PYTHONMALLOC": "malloc",  # each buffer by itself, so that its end is seen
    }
    return subprocess.run(
        [sys.executable, "-c", RUN, str(library), *arguments],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    "file",
    [
        "kernel/test_reading.py", "kernel/test_sums.py", "kernel/test_seen.py", "kernel/test_records.py",
        "streams/restock/test_kernel.py", "streams/test_feed.py",
    ],
)  # fmt: skip
def test_nothing_is_read_or_written_beyond_its_buffer(sanitized, file):
    done = run(sanitized, f"tests/unit/{file}", "--hypothesis-seed=1")
    assert done.returncode == 0, done.stdout[-3_000:] + done.stderr[-3_000:]


def test_the_sanitizers_would_see_it(sanitized, tmp_path):
    """Told of more text than there is, the kernel reads beyond it."""
    beyond = tmp_path / "test_beyond.py"
    beyond.write_text(
        "from array import array\n"
        "from kernel.library import kernel\n"
        "from kernel.buffers import address\n"
        "def test_it():\n"
        "    blanks, numbers = array('q', [0x2020202020202020] * 64), array('q', bytes(8_000))\n"
        "    record, many = array('q', [0, 0, 0, 0, 0, 513]), address(numbers)\n"
        "    kernel().read_receipts(1, address(blanks), address(record), 0, b' ' * 17_576, many, many)\n"
    )
    done = run(sanitized, str(beyond), f"--rootdir={tmp_path}", "-s")
    assert done.returncode != 0
    assert "AddressSanitizer: heap-buffer-overflow" in done.stderr
