"""How large a volume will be."""

from flows.ct.size import output_bytes

TENTH_MORE = 1.1


def test_rows_and_type_of_the_recipe_count() -> None:
    assert output_bytes("8 x 100", {}, {}) == int(TENTH_MORE * 8 * 100 * 100 * 4)
    half = output_bytes("8 x 100", {}, {"first_row": 4, "output_type": "uint16"})
    assert half == int(TENTH_MORE * 4 * 100 * 100 * 2)


def test_without_a_size_of_the_detector_nobody_knows() -> None:
    assert output_bytes("", {}, {}) is None
