import pytest
from pydantic import ValidationError

from triggers.patterns import covers, matches, problem
from triggers.rules import Rule


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("*.h5", "a.h5", True),
        ("*.h5", "p1/a.h5", False),
        ("**/*.h5", "a.h5", True),
        ("**/*.h5", "p1/深い/a.h5", True),
        ("calib/**", "calib/flats/a.h5", True),
        ("calib/**", "calib", False),
        ("calib/**", "calibration/a.h5", False),
        ("p?/s[0-9][!a].h5", "p1/s7b.h5", True),
        ("p?/s[0-9][!a].h5", "p1/s7a.h5", False),
        ("a+b (1).h5", "a+b (1).h5", True),
        ("s[0-9", "s0", None),
    ],
)
def test_patterns(pattern, path, fits):
    assert problem(pattern) == ("a [ is not closed" if fits is None else None)
    if fits is not None:
        assert matches(pattern, path) is fits


@pytest.mark.parametrize(
    ("wider", "narrower", "does"),
    [
        ("**", "calib/*.h5", True),
        ("**/*.h5", "**/calib/*.h5", True),
        ("*.h5", "b*.h5", True),
        ("b*.h5", "*.h5", False),
        ("calib/*", "calib/**", False),
        ("a?", "a*", False),
        ("s[0-9].h5", "s[0-9].h5", True),
        ("s[0-9].h5", "s[0-7].h5", False),
    ],
)
def test_what_covers_what(wider, narrower, does):
    assert covers(wider, narrower) is does


RULES = [
    {"name": "scratch", "match": ["**/tmp/**"], "ignore": True},
    {"name": "quick", "match": ["quick/**"], "grouping": "file", "recipe": {"padding": 1}},
    {"name": "images", "match": ["tomo/*/*.tif"], "path_template": "tomo/{scan}"},
]


def test_the_first_rule_that_matches_takes_a_path(make_beamline):
    beamline = make_beamline(rules=RULES)
    names = {
        path: rule.name if (rule := beamline.rule_for(path)) else None
        for path in ("quick/a.h5", "quick/tmp/a.h5", "a.h5", "tomo/s1/img_1.tif")
    }
    assert names == {
        "quick/a.h5": "quick",
        "quick/tmp/a.h5": "scratch",
        "a.h5": None,
        "tomo/s1/img_1.tif": "images",
    }
    quick = beamline.rule_for("quick/a.h5")
    assert (beamline.grouping_of(quick), beamline.grouping_of(None)) == ("file", "entry")
    assert beamline.describe("tomo/s1", beamline.rule_for("tomo/s1", "tomo/s1/a.tif")) == {
        "scan": "s1"
    }


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ([{"name": "a", "match": ["/abs/*"]}], "'/abs/*' cannot be used: it must be below"),
        ([{"name": "a", "match": ["a**/b"]}], "** stands alone"),
        ([{"name": "a", "match": ["../b"]}], "'..' as parts"),
        ([{"name": "a", "match": ["*"], "path_template": "{scna}"}], "{scna} is not allowed"),
        ([{"name": "a", "match": ["*"], "done_marker": "x/{name}"}], "without folders"),
        ([{"name": "a", "match": ["*"], "done_marker": "{scan}.done"}], "{scan} is not allowed"),
        ([{"name": "a", "match": ["*"], "ignore": True, "flow": "none"}], "flow has no meaning"),
        ([{"name": "a", "match": ["*"]}, {"name": "a", "match": ["b/*"]}], "two rules are called"),
        (
            [{"name": "all", "match": ["**"]}, {"name": "late", "match": ["a/*.h5", "b/**"]}],
            "rule 'late' can never match: 'all' before it takes all of its paths",
        ),
    ],
)
def test_mistakes_in_rules(make_beamline, rules, words):
    with pytest.raises(ValidationError) as error:
        make_beamline(rules=rules)
    assert words in str(error.value)


def test_a_rule_that_is_partly_covered_is_fine(make_beamline):
    make_beamline(rules=[{"name": "a", "match": ["a/*"]}, {"name": "b", "match": ["a/*", "b/*"]}])


def test_a_rule_needs_a_pattern():
    with pytest.raises(ValidationError):
        Rule(name="a", match=())
