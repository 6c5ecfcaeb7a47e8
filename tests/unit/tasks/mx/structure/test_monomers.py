"""Where a monomer library is looked for, and what is said when there is none."""

import importlib.util

import pytest

from tasks.errors import DataError
from tasks.mx.structure import monomers
from tasks.mx.structure.monomers import monomer_library


def library(folder):
    (folder / "list").mkdir(parents=True)
    (folder / "ener_lib.cif").write_text("data_energy\n")
    (folder / "list/mon_lib_list.cif").write_text("data_comp_list\n")
    return folder


def test_the_recipe_comes_first_then_the_environment(tmp_path, monkeypatch):
    named, site = library(tmp_path / "named"), library(tmp_path / "site")
    monkeypatch.setenv("CLIBD_MON", str(site))
    assert monomer_library(str(named)) == named
    assert monomer_library() == site
    monkeypatch.delenv("CLIBD_MON")
    monkeypatch.setenv("CCP4", str(tmp_path / "ccp4"))
    whole = library(tmp_path / "ccp4/lib/data/monomers")
    assert monomer_library() == whole


def test_without_one_a_sentence_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.delenv("CLIBD_MON", raising=False)
    monkeypatch.delenv("CCP4", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DataError, match="make structure"):
        monomer_library()
    with pytest.raises(DataError, match=str(tmp_path)):
        monomer_library(str(tmp_path))
    with pytest.raises(DataError, match=r"servalcat.*make structure"):
        monomers.require_packages()
