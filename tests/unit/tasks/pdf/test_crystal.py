import numpy as np
import pytest

from tasks.errors import DataError
from tasks.pdf.crystal import find_structure, read_structure
from tests.unit.tasks.pdf.crystal_truth import CSCL, NI, cif

CELL = (
    "_cell_length_a {}\n_cell_length_b {}\n_cell_length_c {}\n"
    "_cell_angle_alpha {}\n_cell_angle_beta {}\n_cell_angle_gamma {}\n"
)
SITES = (
    "loop_\n_atom_site_label\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\n"
    "_atom_site_occupancy\n"
)


def structure(group, cell, *sites):
    return f"data_x\n{CELL.format(*cell)}_space_group_name_H-M_alt '{group}'\n{SITES}" + "\n".join(
        sites
    )


def test_a_file_is_read_with_its_symmetry(tmp_path):
    path = tmp_path / "nickel.cif"
    path.write_text(cif(NI))
    crystal = read_structure(path)
    assert (crystal.name, crystal.space_group) == ("nickel", "Fm-3m")
    assert crystal.atoms == {"Ni": 4.0}
    assert crystal.number_density == pytest.approx(4 / 3.524**3)
    assert read_structure(cif(CSCL), "salt").name == "salt"


@pytest.mark.parametrize(
    ("group", "cell", "free"),
    [
        ("P -1", (3, 4, 5, 80, 85, 95), ((0,), (1,), (2,), (3,), (4,), (5,))),
        ("P 1 21/c 1", (3, 4, 5, 90, 97, 90), ((0,), (1,), (2,), (4,))),
        ("P n m a", (3, 4, 5, 90, 90, 90), ((0,), (1,), (2,))),
        ("I 41/a m d", (3, 3, 5, 90, 90, 90), ((0, 1), (2,))),
        ("P 63/m m c", (3, 3, 5, 90, 90, 120), ((0, 1), (2,))),
        ("F d -3 m", (5, 5, 5, 90, 90, 90), ((0, 1, 2),)),
    ],
)
def test_what_symmetry_leaves_free_of_a_cell(group, cell, free):
    assert read_structure(structure(group, cell, "Si1 0 0 0 1")).free_cell == free


def test_rhombohedral_axes_keep_one_length_and_one_angle():
    operations = "loop_\n_symmetry_equiv_pos_as_xyz\nx,y,z\nz,x,y\ny,z,x\n"
    text = f"data_x\n{CELL.format(4, 4, 4, 57, 57, 57)}{operations}{SITES}Bi1 0.23 0.23 0.23 1\n"
    crystal = read_structure(text)
    assert crystal.free_cell == ((0, 1, 2), (3, 4, 5))
    assert len(crystal.sites[0].positions) == 1


def test_rounded_thirds_are_one_place_and_charges_are_left_out():
    crystal = read_structure(
        structure("P 63/m m c", (3.2, 3.2, 5.2, 90, 90, 120), "Mg2+ 0.3333 0.6667 0.25 1")
    )
    assert crystal.atoms == {"Mg": 2.0}


def test_a_place_may_be_shared():
    crystal = read_structure(
        structure("F m -3 m", (3.6,) * 3 + (90,) * 3, "Ni1 0 0 0 0.4", "Cu1 0 0 0 0.6")
    )
    assert crystal.atoms == pytest.approx({"Ni": 1.6, "Cu": 2.4})
    assert np.linalg.norm(crystal.sites[1].positions[0]) == 0


CUBE = (3.6, 3.6, 3.6, 90, 90, 90)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("data_x\n_cell_length_a 3\n", "holds no structure"),
        ("nonsense\nthat is no CIF", "is no CIF that can be read"),
        (structure("P 7 q", CUBE, "Ni1 0 0 0 1"), "unknown space group"),
        (cif(NI).replace("_cell_length_a", "_other"), "gives no cell"),
        (structure("F m -3 m", (3.6, 3.6, 3.9, 90, 90, 90), "Ni1 0 0 0 1"), "does not have the"),
        (structure("F m -3 m", (3.6, 3.6, 3.6, 90, 95, 90), "Ni1 0 0 0 1"), "does not have the"),
        (structure("F m -3 m", CUBE, "Xx1 0 0 0 1"), "'Xx' of the site Xx1 is no element"),
        (structure("F m -3 m", CUBE, "Ni1 0 0 0 0"), "has the occupancy 0"),
        (structure("F m -3 m", CUBE, "Ni1 0 0 0 1.5"), "has the occupancy 1.5"),
        (structure("F m -3 m", CUBE, "Ni1 0 0 0 0.7", "Cu1 0 0 0 0.6"), "lie in each other"),
        (structure("P 1", CUBE, "Ni1 0 0 0 1", "Ni2 0.05 0 0 1"), "site Ni1, Ni2, nearer than"),
        (structure("P 1", CUBE, "Ni1 0 ? 0 1"), "the site Ni1 has no coordinate y"),
        (structure("P 1", CUBE), "can be read: Trying to find one of"),
        ("", "holds no structure"),
    ],
)
def test_broken_files_are_refused_with_a_sentence(text, sentence, capfd):
    with pytest.raises(DataError, match=sentence):
        read_structure(text)
    assert capfd.readouterr() == ("", "")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"gold\.cif cannot be read .* folder of structures"):
        read_structure(tmp_path / "gold.cif")


def test_a_recipe_names_structures_in_their_folder_only(tmp_path):
    folder = tmp_path / "structures"
    (folder / "metals").mkdir(parents=True)
    (folder / "metals" / "Ni.cif").write_text(cif(NI))
    (tmp_path / "secret.cif").write_text(cif(NI))
    assert find_structure(folder, "metals/Ni").name == "Ni.cif"
    assert find_structure(folder, "metals/Ni.cif").name == "Ni.cif"
    with pytest.raises(DataError, match=r"no structure 'Au' .* there are metals/Ni\.cif\."):
        find_structure(folder, "Au")
    (folder / "link.cif").symlink_to(tmp_path / "secret.cif")
    for name in ("../secret.cif", str(tmp_path / "secret.cif"), "link"):
        with pytest.raises(DataError, match="outside the folder of structures"):
            find_structure(folder, name)
