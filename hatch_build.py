"""What pip does besides copying files: the kernel is compiled, and the wheel is marked as one for this platform."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class KernelHook(BuildHookInterface):
    """Compiles kernel/*.c into kernel/, from where ctypes loads it: no version of Python is part of it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002  # fixed by hatchling
        """Compile before files are collected."""
        build = Path(self.root) / "kernel" / "build.py"
        subprocess.run([sys.executable, str(build)], check=True)  # noqa: S603  # our own file
        build_data["artifacts"].append("kernel/tillstream_kernel.lib")
        build_data["pure_python"] = False
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"py3-none-{platform}"
