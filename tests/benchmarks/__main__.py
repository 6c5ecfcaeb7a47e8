"""Run every benchmark, or those named: ``make benchmark ARGS="reconstruction worker"``."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> int:
    """Run each in a process of its own, so that none inherits another's memory or threads."""
    scripts = {path.stem.removeprefix("bench_"): path for path in sorted(HERE.glob("bench_*.py"))}
    wanted = sys.argv[1:] or list(scripts)
    if unknown := [name for name in wanted if name not in scripts]:
        print(f"There is no benchmark {unknown[0]!r}; there are: {', '.join(scripts)}.")
        return 2
    failed = [name for name in wanted if _run(scripts[name])]
    if failed:
        print(f"These benchmarks did not end well: {', '.join(failed)}.")
    return int(bool(failed))


def _run(script: Path) -> int:
    print(f"\n== {script.stem.removeprefix('bench_')}", flush=True)
    return subprocess.run([sys.executable, str(script)], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
