"""The imgCIF categories that tell a multi-axis geometry in a CBF's header."""

from infra.simulator.mx import instrument
from infra.simulator.mx.plan import SweepPlan


def needed(plan: SweepPlan) -> bool:
    """Tell whether the PILATUS header alone does not place the reflections."""
    return len(plan.goniometer.axes) > 1 or plan.detector.two_theta_deg != 0


def axes(plan: SweepPlan, number: int) -> str:
    """Return the axes' loops for an image."""
    return "\n".join(
        [*_frame(), *_definitions(plan), *_settings(plan, number), *_surface(plan), ""]
    )


def _frame() -> list[str]:
    return [
        "_diffrn.id SIMULATED",
        "_diffrn.crystal_id crystal",
        "loop_",
        "_diffrn_data_frame.id",
        "_diffrn_data_frame.detector_element_id",
        "_diffrn_data_frame.array_id",
        "_diffrn_data_frame.binary_id",
        "FRAME1 ELEMENT1 ARRAY1 1",
        "loop_",
        "_diffrn_measurement_axis.measurement_id",
        "_diffrn_measurement_axis.axis_id",
    ]


def _definitions(plan: SweepPlan) -> list[str]:
    goniometer = plan.goniometer
    names = [name.upper() for name in goniometer.names]
    claimed = instrument.plane_of(
        instrument.flat(plan.detector), plan.claims.beam_centre, plan.claims.distance
    )
    x, y = claimed.origin[:2]
    lines = [f"GONIOMETER {name}" for name in names]
    lines += ["loop_"] + [
        f"_axis.{item}"
        for item in (
            "id", "type", "equipment", "depends_on", "vector[1]", "vector[2]", "vector[3]",
            "offset[1]", "offset[2]", "offset[3]",
        )
    ]  # fmt: skip
    for number, name in enumerate(names):
        outer = names[number + 1] if number + 1 < len(names) else "."
        vector = " ".join(f"{value:.6f}" for value in goniometer.axes[number])
        lines.append(f"{name} rotation goniometer {outer} {vector} . . .")
    return [
        *lines,
        "SOURCE general source . 0 0 1 . . .",
        "GRAVITY general gravity . 0 -1 0 . . .",
        "DET_2THETA rotation detector . 1 0 0 . . .",
        "DET_Z translation detector DET_2THETA 0 0 -1 0 0 0",
        f"ELEMENT_X translation detector DET_Z 1 0 0 {x:.6f} {y:.6f} {0:.6f}",
        "ELEMENT_Y translation detector ELEMENT_X 0 -1 0 0 0 0",
    ]


def _settings(plan: SweepPlan, number: int) -> list[str]:
    goniometer, turn = plan.goniometer, plan.rotation
    lines = [
        "loop_",
        "_diffrn_scan_axis.scan_id",
        "_diffrn_scan_axis.axis_id",
        "_diffrn_scan_axis.angle_start",
        "_diffrn_scan_axis.angle_range",
        "_diffrn_scan_axis.angle_increment",
        "_diffrn_scan_axis.displacement_start",
        "_diffrn_scan_axis.displacement_range",
        "_diffrn_scan_axis.displacement_increment",
    ]
    for place, name in enumerate(goniometer.names):
        turns = place == goniometer.scan_axis
        start = turn.start_deg + number * turn.width_deg if turns else goniometer.angles_deg[place]
        width = turn.width_deg if turns else 0.0
        lines.append(f"SCAN1 {name.upper()} {start:.4f} {width:.4f} {width:.4f} 0 0 0")
    distance = plan.detector.distance + plan.claims.distance
    return [
        *lines,
        f"SCAN1 DET_2THETA {plan.detector.two_theta_deg:.4f} 0 0 0 0 0",
        f"SCAN1 DET_Z 0 0 0 {distance:.4f} 0 0",
    ]


def _surface(plan: SweepPlan) -> list[str]:
    rows, columns = plan.detector.shape
    pixel = plan.detector.pixel
    return [
        "loop_",
        "_array_structure_list.array_id",
        "_array_structure_list.index",
        "_array_structure_list.dimension",
        "_array_structure_list.precedence",
        "_array_structure_list.direction",
        "_array_structure_list.axis_set_id",
        f"ARRAY1 1 {columns} 1 increasing ELEMENT_X",
        f"ARRAY1 2 {rows} 2 increasing ELEMENT_Y",
        "loop_",
        "_array_structure_list_axis.axis_set_id",
        "_array_structure_list_axis.axis_id",
        "_array_structure_list_axis.displacement",
        "_array_structure_list_axis.displacement_increment",
        f"ELEMENT_X ELEMENT_X {pixel / 2:.6f} {pixel:.6f}",
        f"ELEMENT_Y ELEMENT_Y {pixel / 2:.6f} {pixel:.6f}",
    ]
