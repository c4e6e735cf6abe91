"""Builds the environments of the trainers, with the versions that were found to work together.

`python -m tests.trainers.environments` makes `.venv-verl` and `.venv-llamafactory` in the checkout,
the second with TRL and ms-swift, too, both at the same time. A finished one carries a stamp, so a
second call returns at once. torch is the CPU build; its torchvision needs the shim that vLLM's
environment has.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import venv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from curation.models import environment

ROOT = Path(__file__).parents[2]
STAMP = "trainers.json"

PINS = {
    "verl": (
        "torch==2.13.0",
        "verl==0.9.1",
        "transformers==5.10.4",
        "datasets==5.2.0",
        "tensordict==0.10.0",
        "qwen-vl-utils==0.0.14",
        # Imported by verl's data sets and not declared.
        "cachetools",
        "uvicorn",
        "fastapi",
        # For pairs: the one that LLaMA-Factory allows cannot take Qwen2.5-VL in its DPOTrainer.
        "trl==1.13.0",
    ),
    "llamafactory": (
        "torch==2.13.0",
        "llamafactory==0.9.5",
        "transformers==5.6.0",
        "datasets==4.0.0",
        "trl==0.24.0",
        "peft==0.18.1",
        "ms-swift==4.6.0",
        "qwen-vl-utils==0.0.14",
    ),
}
TORCHVISION = "torchvision==0.28.0"


def folder(name: str) -> Path:
    return ROOT / f".venv-{name}"


def python(name: str) -> Path:
    return folder(name) / "bin" / "python"


def is_ready(name: str) -> bool:
    try:
        stamp = json.loads((folder(name) / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(stamp == list(PINS[name]))


def build(name: str) -> None:
    """Build one environment from nothing; RuntimeError with pip's output if that fails."""
    shutil.rmtree(folder(name), ignore_errors=True)
    print(f"trainers' environments: building {folder(name)}", flush=True)
    venv.create(folder(name), with_pip=True)
    # A recent pip installs twice as fast, and twice again without compiling every module.
    install = [str(python(name)), "-m", "pip", "install", "-q", "--no-input", "--no-compile"]
    _run([*install, "--upgrade", "pip"])
    _run([sys.executable, "-I", environment.__file__, "--torch", str(folder(name))])
    _run([*install, *PINS[name]])
    # Without its dependencies: the registry's torchvision asks for a CUDA build of torch.
    _run([*install, "--no-deps", TORCHVISION])
    site = next((folder(name) / "lib").glob("python3.*/site-packages"))
    _replace_torchaudio(name, site)
    environment.install_shim(folder(name))
    (folder(name) / STAMP).write_text(json.dumps(PINS[name]), encoding="utf-8")


def _replace_torchaudio(name: str, site: Path) -> None:
    """An empty module: the registry's is a CUDA build, and LLaMA-Factory imports it always."""
    useless = ("torchaudio", "torchcodec", "triton")
    _run([str(python(name)), "-m", "pip", "uninstall", "-q", "--yes", *useless])
    (site / "torchaudio").mkdir(exist_ok=True)
    (site / "torchaudio" / "__init__.py").write_text("")


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    with ThreadPoolExecutor() as pool:
        list(pool.map(build, [name for name in PINS if not is_ready(name)]))
