"""Are the pinned packages known to be vulnerable? Part of `make check`; says nothing if not.

Asks PyPI, then OSV, through pip-audit. Where neither can be reached, or knows hardly any of the
packages (a mirror of the registry serves no advisories), it says so in one line and passes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
SERVICES = ("pypi", "osv")
_SECONDS_A_REQUEST, _SECONDS_IN_ALL = 5, 90
_KNOWN = 0.5
"""Share of the packages that a service must know for its answer to be one."""


def main() -> int:
    """Return the exit status: 1 if a package has a known vulnerability."""
    reasons = []
    for service in SERVICES:
        said, reason = ask(service)
        found, reason = judge(said) if said is not None else ([], reason)
        if found:
            sys.stderr.write("\n".join(found) + "\n")
            return 1
        if not reason:
            return 0
        reasons.append(f"{service}: {reason}")
    sys.stdout.write(f"dependency audit could not be made ({'; '.join(reasons)})\n")
    return 0


def ask(service: str) -> tuple[dict[str, Any] | None, str]:
    """Return what pip-audit found, or why it found nothing out."""
    command = [
        sys.executable, "-m", "pip_audit", "-r", str(ROOT / "constraints.txt"), "--no-deps",
        "--disable-pip", "-s", service, "-f", "json", "--progress-spinner", "off",
        "--timeout", str(_SECONDS_A_REQUEST),
    ]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS_IN_ALL)
        return json.loads(done.stdout), ""
    except subprocess.TimeoutExpired:
        return None, f"no answer in {_SECONDS_IN_ALL} s"
    except json.JSONDecodeError:
        return None, "cannot be reached"


def judge(said: dict[str, Any]) -> tuple[list[str], str]:
    """Return a line for each vulnerability, or why the answer is none."""
    packages = said["dependencies"]
    found = [
        f"{one['name']} {one['version']}: {fault['id']}, mended in "
        f"{', '.join(fault['fix_versions']) or 'no version'}; raise it in constraints.txt"
        for one in packages
        for fault in one.get("vulns", ())
    ]
    known = sum("skip_reason" not in one for one in packages)
    if not found and known < len(packages) * _KNOWN:
        return [], f"knows {known} of {len(packages)} packages"
    return found, ""


if __name__ == "__main__":
    sys.exit(main())
