"""What is shipped: wheel and sdist install anywhere, whole and typed, on every Python."""

import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from metasim.terms import DISTRIBUTION, VERSION
from tests.faults import ROOT

pytestmark = pytest.mark.verify
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
USER = """
import metasim as ms

base = ms.load("luminal_a_surgery", {"run.patients": 10})
results = ms.run(base, workers=1)
patients: int = len(results.metastases)
wrong: str = ms.run(base, workers="two")
"""


def interpreter(version):
    """A Python of this version, on the PATH or of pyenv; None: there is none here."""
    if version == ".".join(map(str, sys.version_info[:2])):
        return sys.executable
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    own = sorted(pyenv.glob(f"{version}.*/bin/python"))
    return str(own[-1]) if own else shutil.which(f"python{version}")


def ran(*words, **options):
    ended = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, check=False, **options
    )
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-4000:]
    return ended.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    source = tmp_path_factory.mktemp("clone") / "metasim"
    kept = ran("git", "ls-files", "-z", cwd=ROOT).split("\0") if (ROOT / ".git").exists() else []
    for name in filter(None, kept):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, source / name)
    ran(sys.executable, "-m", "build", "--outdir", folder, source if kept else ROOT)
    return folder


def installed(folder, python, package, *options):
    """An environment of its own; returns its Python."""
    ran(python, "-m", "venv", folder)
    at = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    ran(at, "-m", "pip", "install", "--quiet", *options, package)
    return at


def test_wheel_and_sdist_hold_what_they_should(built):
    (wheel,) = built.glob("*.whl")
    (sdist,) = built.glob("*.tar.gz")
    assert wheel.name == f"{DISTRIBUTION.replace('-', '_')}-{VERSION}-py3-none-any.whl"
    inside = zipfile.ZipFile(wheel).namelist()
    scenarios = {path.name for path in (ROOT / "scenarios").glob("*.toml")}
    assert scenarios <= {name.rpartition("/")[2] for name in inside if "/scenarios/" in name}
    assert "metasim/py.typed" in inside
    assert {name for name in inside if not name.startswith(("metasim/", "metasim_cascade-"))} == (
        set()
    )
    (about,) = [name for name in inside if name.endswith("METADATA")]
    said = zipfile.ZipFile(wheel).read(about).decode()
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    for extra in extras:
        assert f"\nProvides-Extra: {extra}\n" in said
    (entry,) = [name for name in inside if name.endswith("entry_points.txt")]
    assert "metasim = metasim.cli:main" in zipfile.ZipFile(wheel).read(entry).decode()
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    assert {"README.md", "LICENSE", "CITATION.cff", "tests/test_cli.py", "metasim/terms.py",
            "scenarios/luminal_a.toml"} <= packed  # fmt: skip


@pytest.mark.parametrize("version", PYTHONS)
def test_wheel_runs_from_a_folder_with_a_space_and_an_accent_and_a_home_read_only(
    version, built, tmp_path
):
    python = interpreter(version)
    if python is None:
        pytest.skip(f"no Python {version} here")
    (wheel,) = built.glob("*.whl")
    at = installed(tmp_path / "un été", python, wheel)
    home, work = tmp_path / "home", tmp_path / "a b é"
    home.mkdir()
    work.mkdir()
    home.chmod(0o500)
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "XDG", "NUMBA"))}
    # to the superuser no folder of a disk is read-only, but /proc is
    env |= {"HOME": "/proc" if hasattr(os, "geteuid") and os.geteuid() == 0 else str(home)}
    said = ran(at, "-m", "metasim", "run", "luminal_a_surgery", "--patients", 20, cwd=work, env=env)
    assert "any distant organ" in said
    assert (work / "results/luminal_a_surgery/figures/organ_counts.png").exists()
    command = at.with_name("metasim")
    assert ran(command, "--version", cwd=work, env=env) == f"metasim {VERSION}\n"
    for name in ("show", "check"):
        ran(command, name, "luminal_a_surgery", cwd=work, env=env)
    ran(command, "plot", "results/luminal_a", "--figure", "survival", cwd=work, env=env)


def test_sdist_installs(built, tmp_path):
    (sdist,) = built.glob("*.tar.gz")
    at = installed(tmp_path / "env", sys.executable, sdist)
    assert "luminal_a_surgery" in ran(at, "-m", "metasim", "list", cwd=tmp_path)


def test_types_are_seen_from_an_installed_wheel(built, tmp_path):
    """A library without py.typed is Any to a type checker: a wrong call would pass."""
    (wheel,) = built.glob("*.whl")
    at = installed(tmp_path / "env", sys.executable, wheel, "--no-deps")
    (tmp_path / "user.py").write_text(USER)
    ended = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "--config-file=",
         "--python-executable", str(at), "user.py"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert 'Argument "workers" to "run" has incompatible type "str"' in ended.stdout
    assert "missing library stubs or py.typed" not in ended.stdout


def test_memory_stays_flat_over_sixty_runs(tmp_path):
    code = """
import psutil, metasim as ms
base, here, seen = ms.load("luminal_a_surgery", {"run.patients": 50}), psutil.Process(), []
for number in range(60):
    results = ms.run(base.replace({"run.rng_seed": number + 1}), workers=1, progress=False)
    results.summary
    seen.append(here.memory_info().rss / 2**20)
print(max(seen[50:]) - max(seen[10:20]))
"""
    grown = float(ran(sys.executable, "-c", code, env=os.environ | {"PYTHONPATH": str(ROOT)}))
    assert grown < 12, f"{grown:.0f} MiB more after sixty runs than after twenty"
