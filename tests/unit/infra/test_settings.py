import pytest

from infra.settings import ConfigurationError, load_settings

BEAMLINE = """
[[beamlines]]
id = "bl07"
folders = ["incoming"]
output = "processed/{scan}"
"""


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "dayseye.toml"
        path.write_text(text)
        return path

    return write


def test_paths_start_at_the_file(write, tmp_path):
    settings = load_settings(write(BEAMLINE))
    assert settings.state == tmp_path / ".dayseye"
    assert settings.beamlines[0].folders == (tmp_path / "incoming",)
    assert settings.beamlines[0].output == str(tmp_path / "processed/{scan}")


def test_without_a_file_everything_is_as_by_default(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = load_settings()
    assert settings.beamlines == ()
    assert settings.services.host == "127.0.0.1"


def test_a_named_file_must_be_there(tmp_path):
    with pytest.raises(ConfigurationError, match="no settings file"):
        load_settings(tmp_path / "other.toml")


def test_environment_overrides_the_file(write, monkeypatch):
    monkeypatch.setenv("DAYSEYE_CLUSTER__WORKERS", "3")
    assert load_settings(write("[cluster]\nworkers = 2\n")).cluster.workers == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[cluster]\nkind = 'gpuu'\n", ["cluster.kind = 'gpuu'", "'auto', 'cpu', 'gpu'"]),
        ("[services]\nprot = 1\n", ["services.prot is not a setting", "public_url"]),
        ("statte = 'x'\n", ["statte is not a setting", "beamlines"]),
        ("[services.ports]\nappi = 1\n", ["services.ports.appi", "'api'"]),
        ("[[beamlines]]\nid = 'x'\noutput = '{scan}'\n", ["beamlines.0.folders is missing"]),
        ("[cluster]\nworkers = 0\n", ["cluster.workers = 0", "greater than or equal to 1"]),
        ("[services]\ndsn = 'x'\n", ["belong together"]),
        ("[cluster\n", ["cannot be read"]),
        (BEAMLINE + BEAMLINE, ["'bl07' is given twice"]),
        (BEAMLINE.replace("processed/", "incoming/"), ["inside", "incoming"]),
    ],
)
def test_mistakes_are_named(write, text, said):
    with pytest.raises(ConfigurationError) as caught:
        load_settings(write(text))
    for part in said:
        assert part in str(caught.value)


def test_each_mistake_has_its_sentence(write):
    with pytest.raises(ConfigurationError) as caught:
        load_settings(write("[cluster]\nkind = 'x'\nworkers = 'many'\n"))
    assert len(str(caught.value).splitlines()) == 2
