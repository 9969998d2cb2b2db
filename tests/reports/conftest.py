from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from synthesis import synthesise, write_folder_dataset


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The spec of a small dataset on disk."""
    return write_folder_dataset(tmp_path_factory.mktemp("data") / "discs")


@pytest.fixture(scope="session")
def _one_seed(tmp_path_factory: pytest.TempPathFactory, data: str) -> Path:
    return synthesise(tmp_path_factory.mktemp("one"), data)


@pytest.fixture(scope="session")
def _three_seeds(tmp_path_factory: pytest.TempPathFactory, data: str) -> Path:
    return synthesise(tmp_path_factory.mktemp("three"), data, seeds=3)


@pytest.fixture(scope="session")
def _methods(tmp_path_factory: pytest.TempPathFactory, data: str) -> Path:
    return synthesise(tmp_path_factory.mktemp("methods"), data, table="table1", seeds=3, external=["Else_where"])


@pytest.fixture
def methods(_methods: Path, tmp_path: Path) -> Path:
    """Table 1, three seeds and label maps made elsewhere in row 18; a copy to be changed at will."""
    return Path(shutil.copytree(_methods, tmp_path / "methods"))


@pytest.fixture
def one_seed(_one_seed: Path, tmp_path: Path) -> Path:
    """Table 4, all rows finished, one seed; a copy to be changed at will."""
    return Path(shutil.copytree(_one_seed, tmp_path / "one"))


@pytest.fixture
def three_seeds(_three_seeds: Path, tmp_path: Path) -> Path:
    """Table 4, all rows finished, three seeds; a copy to be changed at will."""
    return Path(shutil.copytree(_three_seeds, tmp_path / "three"))
